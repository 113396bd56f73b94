"""Contestants that compute the same thing: their answers compared, then their times, taken in turns."""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opforge.errors import WorkError

if TYPE_CHECKING:
    from torch import Tensor

REFERENCE = "opforge"
TOLERANCE = 1e-4  # relative; float32 sums in different orders stay below 1e-5


@dataclass(frozen=True)
class Contestant:
    """One way to compute a case, with its data made.

    Args:
        run: what is timed.
        result: the tensors that are compared with those of the reference, before any timing.
        expected: what ``result`` should give, where that differs from the reference's.
        note: what a reader of its row should know.
        backend: which back end of opforge ran, asked for after the timing; nothing for others.
        standing: bytes that stand before and after a call: inputs, parameters, the optimiser's state.
    """

    run: Callable[[], object]
    result: Callable[[], Sequence[Tensor]]
    expected: Callable[[], Sequence[Tensor]] | None = None
    note: str = ""
    backend: Callable[[], str] = str
    standing: int = 0


Factory = Callable[[], Contestant]


@dataclass(frozen=True)
class Case:
    """A size at which contestants meet.

    Args:
        family: ``"spectral"``, for instance.
        group: the part of the family that shares a goal.
        label: the sizes in words; unique within the family and group.
        passes: ``"forward"`` and ``"forward+backward"``, for instance.
        contestants: pass -> name -> what makes the contestant; `REFERENCE` is one of the names.
        memory: names of those whose peak memory is measured, in the last of the passes.
    """

    family: str
    group: str
    label: str
    passes: tuple[str, ...]
    contestants: Callable[[str], Mapping[str, Factory]]
    memory: tuple[str, ...] = ()


@dataclass(frozen=True)
class Effort:
    """How long to measure: until the ratios are known well enough, or the time is up.

    Args:
        seconds: time for a case and pass, warming up not counted.
        least, most: rounds.
        spread: half width of the confidence interval of every median ratio that is well enough, relative.
        turn: seconds that a turn lasts at least; short calls are repeated.
    """

    seconds: float = 4.0
    least: int = 7
    most: int = 61
    spread: float = 0.02
    turn: float = 0.005


def measure(case: Case, way: str, effort: Effort) -> list[dict[str, Any]]:
    """Compare the answers of all contestants of a case and pass, then time them: a row for each.

    Raises:
        WorkError: answers that differ.
    """
    made = {name: factory() for name, factory in case.contestants(way).items()}
    differences = compare(made, f"{case.family}, {case.group}, {case.label}, {way}")
    times = take_turns({name: one.run for name, one in made.items()}, effort)
    names = {"family": case.family, "group": case.group, "case": case.label, "pass": way}
    found = []
    for row in rows(times):
        one = made[row["contestant"]]
        more = {"difference": differences[row["contestant"]], "backend": one.backend(), "note": one.note}
        found.append(names | row | more)
    return found


def chosen(op: str, shape: Sequence[int], **options: Any) -> str:
    """The back end that opforge chooses for calls of this size, from the first line of `opforge.core.explain`.

    Example:
        >>> chosen("spectral_conv", (64, 64), modes=(8, 8), batch=16, channels=32, backend="torch")
        'torch'
    """
    from opforge.core import explain

    head = explain(op, shape, **options).splitlines()[0]
    return head.partition(": ")[2].split(" (")[0]


def compare(made: Mapping[str, Contestant], what: str) -> dict[str, float]:
    """The largest relative L2 difference of each contestant's tensors from what they should be.

    Raises:
        WorkError: one is larger than `TOLERANCE`, or not a number.
    """
    reference = made[REFERENCE].result()
    found = {}
    for name, one in made.items():
        expected = reference if one.expected is None else one.expected()
        pairs = zip(one.result(), expected, strict=True)
        found[name] = max(float((a - b).norm() / b.norm()) for a, b in pairs)
        if not found[name] <= TOLERANCE:
            raise WorkError(f"{what}: {name} and {REFERENCE} differ by {found[name]:.2g}; they must compute the same")
    return found


def take_turns(
    contestants: Mapping[str, Callable[[], object]],
    effort: Effort,
    *,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds per call of each contestant, one number for each round; the order is drawn anew in every round.

    Example:
        >>> times = take_turns({"opforge": lambda: 1, "peer": lambda: 2}, Effort(seconds=0.0))
        >>> len(times["opforge"]), len(times["peer"])
        (7, 7)
    """
    calls = {name: _calls(run, effort.turn, clock) for name, run in contestants.items()}
    order, shuffle = list(contestants), random.Random(seed)
    times: dict[str, list[float]] = {name: [] for name in contestants}
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()  # a collection in the middle of a turn would be counted as that contestant's work
    try:
        started = clock()
        while not _enough(times, effort, clock() - started):
            shuffle.shuffle(order)
            for name in order:
                times[name].append(_turn(contestants[name], calls[name], clock))
    finally:
        if collecting:
            gc.enable()
    return times


def _calls(run: Callable[[], object], turn: float, clock: Callable[[], float]) -> int:
    """Warm up, and find how many calls a turn needs."""
    run()
    run()
    return max(1, math.ceil(turn / max(_turn(run, 1, clock), 1e-9)))


def _turn(run: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls


def _enough(times: Mapping[str, Sequence[float]], effort: Effort, passed: float) -> bool:
    rounds = len(times[REFERENCE])
    if rounds < effort.least:
        return False
    if rounds >= effort.most or passed >= effort.seconds:
        return True
    return all(_uncertainty(ratios(times, name)) <= effort.spread for name in times)


def ratios(times: Mapping[str, Sequence[float]], name: str) -> list[float]:
    """The time of a contestant over the reference's, round by round."""
    return [theirs / ours for theirs, ours in zip(times[name], times[REFERENCE], strict=True)]


def _uncertainty(values: Sequence[float]) -> float:
    """Half width of the 95 % interval of the median, relative: McGill, Tukey and Larsen's notch."""
    low, median, high = quartiles(values)
    return 1.57 * (high - low) / math.sqrt(len(values)) / median


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The first quartile, the median and the third quartile.

    Example:
        >>> quartiles([1.0, 2.0, 3.0, 4.0, 5.0])
        (2.0, 3.0, 4.0)
    """
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def rows(times: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """What is said of the times: medians and quartiles in milliseconds, and ratios to the reference.

    ``ratio`` is a ratio of medians, above 1 where the reference is faster; its quartiles are those of the ratios within
    the rounds.
    """
    reference = quartiles(times[REFERENCE])[1]
    found = []
    for name, seconds in times.items():
        low, median, high = quartiles(seconds)
        ratio_low, _, ratio_high = quartiles(ratios(times, name))
        found.append(
            {
                "contestant": name,
                "median_ms": 1e3 * median,
                "q1_ms": 1e3 * low,
                "q3_ms": 1e3 * high,
                "ratio": median / reference,
                "ratio_q1": ratio_low,
                "ratio_q3": ratio_high,
                "rounds": len(seconds),
            }
        )
    return found
