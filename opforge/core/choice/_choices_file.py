"""The file of remembered choices: its format, and how several processes write to it at once.

A line for each choice, in groups by machine, the choices made last at the end::

    {"schema": 1, "what": "...", "machines": [
     {"processor": "...", "graphics": "...", "torch": "...", "opforge": "...", "choices": [
      {"op": "...", "key": "...", "backend": "gemm", "medians_ms": {"gemm": 1.9, "torch": 3.4}}]}]}
"""

from __future__ import annotations

import json
import math
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

SCHEMA = 1
NAME = f"choices-{SCHEMA}.json"  # another schema is another file, so that two releases leave each other's alone
MOST = 10_000  # choices in a file, of all machines together: about 2 MB

# How long to wait for another process that holds the lock for milliseconds as a rule.
_PATIENCE = 2.0


@dataclass(frozen=True)
class RememberedChoice:
    """What was measured for calls of one kind.

    Args:
        op: the operation.
        key: the kind of call, as its `Question` words it.
        backend: the fastest.
        medians: milliseconds for a forward and backward pass, of every back end that took part.
    """

    op: str
    key: str
    backend: str
    medians: Mapping[str, float]


Choices = dict[tuple[str, str], RememberedChoice]  # by op and key
Machine = tuple[tuple[str, str], ...]  # a machine's description as pairs


def parsed(text: str) -> dict[Machine, Choices]:
    """The choices of every machine.

    Raises:
        ValueError: the text is not what `rendered` makes.
    """
    try:
        content = json.loads(text)
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair could not be written again
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']!r} instead of {SCHEMA}")
        machines = {}
        for group in content["machines"]:
            choices = [_choice(**line) for line in group.pop("choices")]
            machines[machine(group)] = {(choice.op, choice.key): choice for choice in choices}
        return machines
    except (TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def machine(description: Mapping[str, str]) -> Machine:
    return tuple(sorted(description.items()))


def _choice(op: Any, key: Any, backend: Any, medians_ms: Any) -> RememberedChoice:
    if not (isinstance(op, str) and isinstance(key, str) and backend in medians_ms):
        raise ValueError(f"no choice is described by {op!r}, {key!r}, {backend!r}")
    for name, value in medians_ms.items():
        if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
            raise ValueError(f"medians_ms must be positive numbers, got {value!r} for {name!r} of {key!r}")
    return RememberedChoice(op, key, backend, medians_ms)


def rendered(machines: Mapping[Machine, Choices]) -> str:
    """The file's text; beyond `MOST` choices the first, which are the oldest, are left out."""
    surplus = sum(map(len, machines.values())) - MOST
    groups = []
    for description, choices in machines.items():
        kept = list(choices.values())[max(surplus, 0) :]
        surplus -= len(choices)
        if kept:
            head = json.dumps(dict(description), ensure_ascii=False)[:-1]
            groups.append(f' {head}, "choices": [\n' + ",\n".join(map(_line, kept)) + "]}")
    what = "which back end of opforge was the fastest; may be deleted"
    return f'{{"schema": {SCHEMA}, "what": "{what}", "machines": [\n' + ",\n".join(groups) + "]}\n"


def _line(choice: RememberedChoice) -> str:
    medians = {name: float(f"{value:.4g}") for name, value in choice.medians.items()}
    line = {"op": choice.op, "key": choice.key, "backend": choice.backend, "medians_ms": medians}
    return "  " + json.dumps(line, ensure_ascii=False)


def write(path: Path, text: str) -> None:
    """Put ``text`` at ``path`` whole or not at all, whatever happens meanwhile."""
    partial = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with open(partial, "x", encoding="utf-8") as file:
            file.write(text)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes and threads from changing ``path`` in the block, as far as they use this too.

    Without ``fcntl`` (Windows), on a file system without locks, or when another process holds the lock for seconds,
    the block runs all the same. Two that write at once then lose what one of them added, which is measured again;
    the file is whole in any case.
    """
    if fcntl is None:
        yield
        return
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
    held = _lock(lock)
    try:
        yield
    finally:
        if held:  # closing is not enough: a process forked meanwhile has the file open too
            fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


def _lock(lock: int) -> bool:
    assert fcntl is not None  # the caller has looked
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        except OSError:  # a file system without locks
            return False
