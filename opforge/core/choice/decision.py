"""The choice among back ends: who can serve, what each would cost, which one runs.

The order of decision: the back end that the call asks for by name; the one that `set_backend` gave; else, among those
that can serve the call, the cheapest by what was measured on this machine; else the cheapest by a cost model, with a
measurement first where the model's best are close. `OPFORGE_TUNE=off` leaves the cost model alone to decide.

**Reproducibility.** Every back end computes the same numbers up to rounding (float64: 1e-12 relative, float32: 1e-5),
not the same bits. The cost model is deterministic, a measurement is not: two machines, or one before and after its
plan cache was cleared, may choose differently, and the last bits of a training then differ, as they do between
processors anyway. Within a process an answer stands once it is given; between processes the file of remembered
choices (`plan_cache`) carries it on. For the same bits on equal machines set ``OPFORGE_TUNE=off`` or name the back ends
with `set_backend`. The processes of a distributed training measure each for itself: results do not suffer, but give
them ``OPFORGE_TUNE=off``, or run `opforge tune` before, where they shall all take the same way.

Nothing is measured while torch traces (`opforge.core.choice.tracing`): a compiled graph keeps the answer of that
moment.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from opforge.core.choice.backend_setting import backend_set_for
from opforge.core.choice.measuring import BUDGET, medians
from opforge.core.choice.remembered import RememberedChoice, plan_cache
from opforge.errors import InputError, UnknownNameError

# The cost model is trusted where its best is this many times cheaper than the next: it counts operations and bytes,
# and processors differ by less than this in how fast they do the one and the other.
CLOSE = 3.0
# Where somebody asks for a measurement, what the model holds for this many times dearer takes part too.
WORTH_A_TRY = 10.0
# The model's nanoseconds for one turn of all that would be measured; beyond it nobody is kept waiting unasked.
LONGEST_UNASKED = 1e9

Trial = Callable[[str], Callable[[], object]]

_VARIABLE, _MODES = "OPFORGE_TUNE", ("auto", "off")
_MOST_KEPT = 100_000  # answers in a process


@dataclass(frozen=True)
class Candidate:
    """A back end for one call.

    Args:
        name: the back end.
        cost: the cost model's estimate of a forward and backward pass, in nanoseconds on one CPU core. Only the
            ratios among candidates for one call matter, but for how long a measurement may take.
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
        trial: given a back end's name, makes a call of this size on random data, ready to be timed: forward and
            backward, types and device given outright (torch's defaults may be anything), the back end asked for by
            name. None where nothing can be measured.
    """

    op: str
    key: str
    candidates: tuple[Candidate, ...]
    trial: Trial | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Decision:
    """An answer with its reason.

    Args:
        backend: the back end to run.
        why: in words.
        medians: what was measured, in milliseconds; empty where nothing was.
    """

    backend: str
    why: str
    medians: Mapping[str, float] = field(default_factory=dict)


# What this process has answered, by OPFORGE_TUNE as it stands in the environment, op and key; with the candidates,
# which a newly installed package may change.
_given: dict[tuple[str | None, str, str], tuple[tuple[Candidate, ...], Decision]] = {}
_NOTHING: tuple[None, None] = (None, None)
plan_cache.when_forgotten(_given.clear)

_turn = (os.getpid(), threading.Lock())


def answer(question: Question, asked: str | None = None) -> str:
    """The name of the back end to run; ``asked`` where it was asked for by name.

    The first answer in a process may take a measurement of about a third of a second; later ones look it up.

    Raises:
        InputError: the back end that was asked for or set is unknown or cannot serve this call, none can, or
            ``OPFORGE_TUNE`` is neither ``auto`` nor ``off``.
        ImportError: the back end that was asked for or set is not installed.

    Example:
        >>> question = Question("sum", "8 numbers", (Candidate("loop", 80.0), Candidate("tree", 10.0)))
        >>> answer(question), answer(question, "loop")
        ('tree', 'loop')
    """
    if asked is not None:
        return _granted(question, asked)
    given = None if backend_set_for(question.op) else _already_given(question)
    return given.backend if given is not None else decide(question).backend


def decide(question: Question, asked: str | None = None, *, measure: bool = True) -> Decision:
    """`answer` with its reason; with ``measure=False`` what is known without measuring.

    Raises:
        InputError, ImportError: as `answer` does.
    """
    if asked is not None:
        return Decision(_granted(question, asked), "asked for by name")
    wanted = backend_set_for(question.op)
    if wanted is not None:
        return Decision(_granted(question, wanted, ", chosen with set_backend,"), "chosen with set_backend")
    given = _already_given(question)
    if given is not None:
        return given
    mode = tuning()
    able = able_candidates(question)
    if len(able) == 1:
        return _kept(question, Decision(able[0].name, "no other can serve"))
    if mode == "off":
        return _kept(question, _by_cost(able, "OPFORGE_TUNE=off"))
    remembered = _remembered(question, able)
    if remembered is not None:
        return _kept(question, remembered)
    close = within(able, CLOSE)
    if len(close) == 1:
        return _kept(question, _by_cost(able))
    if question.trial is None:
        return _kept(question, _by_cost(able, "these calls cannot be measured"))
    if sum(c.cost for c in close) > LONGEST_UNASKED:
        return _kept(question, _by_cost(able, "close, but too long to be measured unasked"))
    if not measure:
        return _by_cost(able, "close: the first call measures")
    return _measured_now(question, question.trial, able, close)


def contest(question: Question, *, budget: float = BUDGET) -> Decision:
    """Measure what is worth a try, long calls too, and remember it unless ``OPFORGE_TUNE`` is off.

    Returns:
        The fastest; where there is only one, or nothing to measure with, what `decide` says.

    Raises:
        InputError: no back end can serve.
        Exception: whatever a call raises.
    """
    names = [c.name for c in within(able_candidates(question), WORTH_A_TRY)]
    if len(names) == 1 or question.trial is None:
        return decide(question, measure=False)
    with _turn_of_this_process():
        return _settled(question, medians(question.trial, names, budget=budget))


def tuning() -> str:
    """The mode of choice, of the environment variable ``OPFORGE_TUNE``.

    Returns:
        ``"auto"``, or ``"off"``: the cost model decides alone, and the file of remembered choices is left alone.

    Raises:
        InputError: another value.
    """
    mode = os.environ.get(_VARIABLE) or "auto"
    if mode not in _MODES:
        raise InputError(f"OPFORGE_TUNE must be auto or off, got {mode!r}; unset it for auto")
    return mode


def able_candidates(question: Question) -> list[Candidate]:
    """Those who can serve, the cheapest by the cost model first.

    Raises:
        InputError: nobody can.
    """
    able = [c for c in question.candidates if not c.why_not and not c.install]
    if not able:
        reasons = "; ".join(f"{c.name}: {c.why_not or f'not installed, run: {c.install}'}" for c in question.candidates)
        raise InputError(f"no back end can serve this {question.op} ({question.key}): {reasons}")
    return sorted(able, key=lambda c: c.cost)


def within(able: Sequence[Candidate], factor: float) -> list[Candidate]:
    """Those at most ``factor`` times as dear as the first."""
    return [c for c in able if c.cost <= factor * able[0].cost]


def ratio_in_words(better: float, other: float) -> str:
    """How many times ``better`` goes into ``other``.

    Example:
        >>> ratio_in_words(2.0, 5.0)
        '2.5 times'
    """
    return f"{other / better:.3g} times" if better > 0 else "many times"


def _granted(question: Question, name: str, whence: str = "") -> str:
    for candidate in question.candidates:
        if candidate.name == name:
            break
    else:
        raise UnknownNameError("backend", name, [c.name for c in question.candidates])
    if candidate.install:
        raise ImportError(f"backend {name!r}{whence} is not installed; run: {candidate.install}")
    if candidate.why_not:
        raise InputError(f"backend {name!r}{whence} cannot serve this {question.op}: {candidate.why_not}")
    return name


def _by_cost(able: Sequence[Candidate], remark: str = "") -> Decision:
    best, second = able[:2]
    ratio = ratio_in_words(best.cost, second.cost)
    return Decision(best.name, f"cost model: {second.name} costs {ratio} as much" + (f"; {remark}" if remark else ""))


def _remembered(question: Question, able: Sequence[Candidate]) -> Decision | None:
    """What was measured before, if that settles it: all who are close took part, and the winner can serve."""
    found = plan_cache.find(question.op, question.key)
    if found is None or found.backend not in {c.name for c in able}:
        return None
    if not {c.name for c in within(able, CLOSE)} <= set(found.medians):
        return None
    return Decision(found.backend, f"measured earlier: {_lead(found.medians)}", found.medians)


def _measured_now(question: Question, trial: Trial, able: Sequence[Candidate], close: Sequence[Candidate]) -> Decision:
    from opforge.core.choice.tracing import tracing

    if tracing():
        return _by_cost(able, "close, but nothing is measured while torch traces")
    turn = _turn_of_this_process()
    if not turn.acquire(blocking=False):  # another thread, or this one in a trial: waiting could be forever
        return _by_cost(able, "close, but another measurement is going on")
    try:
        return _settled(question, medians(trial, [c.name for c in close]))
    except Exception as error:  # a lack of memory, a broken package: the call itself may well succeed
        warnings.warn(
            f"{question.op} ({question.key}) could not be measured, and the cost model decides: "
            f"{type(error).__name__}: {error}",
            RuntimeWarning,
            stacklevel=4,
        )
        return _kept(question, _by_cost(able, "close, but the measurement failed"))
    finally:
        turn.release()


def _settled(question: Question, times: Mapping[str, float]) -> Decision:
    """What these medians say; remembered and kept, unless ``OPFORGE_TUNE`` is off."""
    best = min(times, key=lambda name: times[name])
    decision = Decision(best, f"measured: {_lead(times)}", times)
    if tuning() == "off":
        return decision
    plan_cache.remember(RememberedChoice(question.op, question.key, best, times))
    return _kept(question, decision)


def _lead(times: Mapping[str, float]) -> str:
    if len(times) == 1:
        return "alone"
    best, second = sorted(times, key=lambda name: times[name])[:2]
    return f"{second} takes {ratio_in_words(times[best], times[second])} as long"


def _already_given(question: Question) -> Decision | None:
    # The environment is read at each call, most of this function's time: a user may change it in a notebook.
    candidates, decision = _given.get((os.environ.get(_VARIABLE), question.op, question.key), _NOTHING)
    return decision if candidates == question.candidates else None


def _kept(question: Question, decision: Decision) -> Decision:
    if len(_given) >= _MOST_KEPT:
        _given.clear()
    _given[os.environ.get(_VARIABLE), question.op, question.key] = (question.candidates, decision)
    return decision


def _turn_of_this_process() -> threading.Lock:
    """The lock of who measures; a forked process makes its own, for the copy may be held by a thread it lacks."""
    global _turn
    if _turn[0] != os.getpid():
        _turn = (os.getpid(), threading.Lock())
    return _turn[1]
