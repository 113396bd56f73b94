"""Which back end an operation runs on, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opforge.core.choice.decision import Candidate, Question, contest, decide, tuning
from opforge.core.choice.operations import question_of
from opforge.core.choice.remembered import plan_cache
from opforge.errors import InputError


def explain(op: str, shape: Sequence[int], *, backend: str | None = None, measure: bool = False, **options: Any) -> str:
    """Say which back end ``op`` runs on for calls of this size, and why.

    The first line is the answer with its reason. A line for each back end follows: how long a forward and backward
    pass takes where that was measured, what the cost model expects (on one core; it is there to compare, not to
    predict), or why the back end cannot serve.

    Nothing is run unless ``measure`` is true: what a call of this size would do now is said from what is known, and
    where its first call would measure, the text says so.

    Args:
        op: an operation with several back ends, such as ``"spectral_conv"``.
        shape: points per axis of space.
        backend: the one that the call asks for by name, if any.
        measure: measure now all back ends that could be worth it, also where the cost model is sure of its choice or
            calls take long, and remember the fastest for later calls (with ``OPFORGE_TUNE=off``: show it only).
        options: the operation's own, besides ``batch``, ``channels``, ``dtype``, ``device``, ``threads``.

    Raises:
        InputError: an unknown ``op``, ``backend`` or option; sizes or options that ``op`` refuses; ``measure`` for
            another number of threads than torch now uses.

    Example:
        >>> print(explain("spectral_conv", (64, 64), modes=(12, 12), batch=16))  # doctest: +ELLIPSIS
        spectral_conv, 64x64 modes 12x12 batch 16 channels 32 float32 cpu ...: gemm (...)
          ...
          torch ... ms by the cost model...
    """
    question = question_of(op, shape, **options)
    decision = decide(question, backend, measure=False)
    times = decision.medians or _known_medians(question)
    if measure:
        _check_threads(options.get("threads"))
        times = contest(question).medians
        decision = decide(question, backend, measure=False)
    head = f"{question.op}, {question.key}: {decision.backend} ({decision.why})"
    width = max(len(c.name) for c in question.candidates)
    return "\n".join([head, *(f"  {c.name:{width}}  {_about(c, times)}" for c in question.candidates)])


def _about(candidate: Candidate, times: Mapping[str, float]) -> str:
    if candidate.install:
        return f"not installed; run: {candidate.install}"
    if candidate.why_not:
        return f"cannot serve: {candidate.why_not}"
    estimate = f"{candidate.cost * 1e-6:.3g} ms by the cost model"
    if candidate.name in times:
        return f"{times[candidate.name]:.3g} ms measured, {estimate}"
    return estimate


def _known_medians(question: Question) -> Mapping[str, float]:
    if tuning() == "off":
        return {}
    found = plan_cache.find(question.op, question.key)
    return {} if found is None else found.medians


def _check_threads(threads: int | None) -> None:
    import torch

    if threads not in (None, torch.get_num_threads()):
        raise InputError(
            f"threads must be what torch uses now, {torch.get_num_threads()}, to measure, got {threads}; "
            f"call torch.set_num_threads({threads}) first"
        )
