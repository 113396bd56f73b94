"""The choice among back ends: who can serve, what each would cost, which one runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from opforge.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class Candidate:
    """A back end for one call.

    Args:
        name: the back end.
        cost: the cost model's estimate of a forward and backward pass, in nanoseconds on one CPU core. Only the
            ratios among candidates for one call matter.
        why_not: why it cannot serve this call; empty when it can.
        install: the command that installs what it lacks; empty when nothing is missing.
    """

    name: str
    cost: float
    why_not: str = ""
    install: str = ""


@dataclass(frozen=True)
class Question:
    """Which back end should serve calls of this kind?

    Args:
        op: the operation's public name.
        key: everything that the answer may depend on, readable, for instance
            ``"64x64 modes 12x12 batch 16 channels 32 float32 cpu 2 threads"``.
        candidates: who could.
        trial: given a back end's name, makes a call of this size on random data, ready to be timed.
    """

    op: str
    key: str
    candidates: tuple[Candidate, ...]
    trial: Callable[[str], Callable[[], object]] | None = field(default=None, compare=False)


def answer(question: Question, asked: str | None = None) -> str:
    """The name of the back end to run; ``asked`` where it was asked for by name.

    Raises:
        InputError: ``asked`` is unknown or cannot serve this call.
        ImportError: ``asked`` is not installed.
    """
    candidates = {c.name: c for c in question.candidates}
    if asked is not None:
        if asked not in candidates:
            raise UnknownNameError("backend", asked, candidates)
        if candidates[asked].install:
            raise ImportError(f"backend {asked!r} is not installed; run: {candidates[asked].install}")
        if candidates[asked].why_not:
            raise InputError(f"backend {asked!r} cannot serve this {question.op}: {candidates[asked].why_not}")
        return asked
    able = [c for c in question.candidates if not c.why_not and not c.install]
    return min(able, key=lambda c: c.cost).name
