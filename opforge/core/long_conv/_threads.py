"""Pieces of work shared among threads.

Not torch's threads: the work is done by libraries that torch does not know. Which pieces there are must not depend on
the number of threads, so that results do not either.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from opforge.core.full_transforms._forks import under_way

Piece = TypeVar("Piece")

_MOST_THREADS = 64
_pool: ThreadPoolExecutor | None = None


def _forget_pool() -> None:
    global _pool
    _pool = None  # a child process has its parent's executor, but not its threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def share(work: Callable[[Piece], object], pieces: Iterable[Piece]) -> None:
    """Call ``work`` with every piece, in as many threads as torch uses, this one among them.

    Whoever is free takes the next piece. The first exception is raised again when all have stopped.
    """
    waiting = list(pieces)
    waiting.reverse()

    def run() -> None:
        while True:
            try:
                piece = waiting.pop()  # atomic
            except IndexError:
                return
            try:
                with under_way():
                    work(piece)
            except BaseException:
                waiting.clear()
                raise

    helpers = min(torch.get_num_threads(), len(waiting), _MOST_THREADS) - 1
    futures = [_executor().submit(run) for _ in range(helpers)]
    try:
        run()
    finally:
        errors = [future.exception() for future in futures]
    for error in errors:
        if error is not None:
            raise error


def _executor() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="opforge convolves")
    return _pool
