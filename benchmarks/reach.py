"""What the core is to reach against its peers, and whether the measured rows do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opforge.benchmarks.contest import REFERENCE

Row = Mapping[str, Any]

BOTH = "forward+backward"
NEURALOPERATOR = ("neuraloperator",)
# The ways to write the truncation with rfftn and irfftn of everything; a goal is judged by the fastest.
PLAIN = ("torch.fft einsum", "torch.fft bmm")
ANY = (*PLAIN, "torch.fft by axis", "torch.fft")


@dataclass(frozen=True)
class Goal:
    """One number to reach.

    Args:
        what: in words, with the peer.
        family, group, way: the rows that count, by family, group and pass.
        peers: contestants; of several, the fastest counts in each case.
        statistic: what becomes of the cases' ratios.
        least: the goal.
    """

    what: str
    family: str
    group: str
    way: str
    peers: tuple[str, ...]
    statistic: Callable[[Sequence[float]], float]
    least: float


def geometric_mean(values: Sequence[float]) -> float:
    """The geometric mean of positive numbers.

    Example:
        >>> geometric_mean([1.0, 4.0])
        2.0
    """
    return math.exp(sum(map(math.log, values)) / len(values))


def _both(what: str, group: str, peers: tuple[str, ...], statistic: Callable, least: float) -> Goal:
    return Goal(what, "spectral", group, BOTH, peers, statistic, least)


GOALS = (
    _both("speed over neuraloperator, geometric mean", "usual modes", NEURALOPERATOR, geometric_mean, 4.0),
    _both("speed over neuraloperator, least", "usual modes", NEURALOPERATOR, min, 2.0),
    _both("speed over torch.fft, geometric mean", "usual modes", PLAIN, geometric_mean, 2.5),
    *(
        Goal("speed over the fastest torch.fft, least", "spectral", "all modes", way, ANY, min, 1 / 1.05)
        for way in ("forward", BOTH)
    ),
    *(
        Goal("speed over padded torch.fft, geometric mean", "fft_conv", group, way, ("torch.fft",), geometric_mean, x)
        for group, x in (("full kernel", 1.3), ("N/16 taps", 3.0), ("1/8 of the modes", 2.0))
        for way in ("forward", BOTH)
    ),
    Goal("speed over neuraloperator, least", "fno", "same layers", "training step", NEURALOPERATOR, min, 2.5),
)
# (family, group, share of the peer's peak memory that is allowed)
MEMORY_GOALS = (("spectral", "usual modes", 0.5), ("fno", "same layers", 0.5))


def peer_ratios(rows: Iterable[Row], peers: Sequence[str]) -> dict[str, float]:
    """Case -> time of the fastest of ``peers`` over opforge's; cases without any of them are left out."""
    found: dict[str, float] = {}
    for row in rows:
        if row["contestant"] in peers:
            found[row["case"]] = min(row["ratio"], found.get(row["case"], math.inf))
    return found


def memory_shares(rows: Iterable[Row], peer: str) -> dict[str, float]:
    """Case -> opforge's peak memory over the peer's, by torch's allocator."""
    peaks: dict[str, dict[str, float]] = {}
    for row in rows:
        peaks.setdefault(row["case"], {})[row["contestant"]] = row["allocated_mb"]
    return {case: p[REFERENCE] / p[peer] for case, p in peaks.items() if REFERENCE in p and peer in p}


def judge(rows: Sequence[Row], memory: Sequence[Row]) -> list[dict[str, Any]]:
    """A line for every goal that the rows say something about, in the order of the goals."""
    found = []
    for goal in GOALS:
        mine = [r for r in rows if (r["family"], r["group"], r["pass"]) == (goal.family, goal.group, goal.way)]
        ratios = peer_ratios(mine, goal.peers)
        if ratios:
            reached = goal.statistic(list(ratios.values()))
            found.append(verdict(goal.family, f"{goal.group}, {goal.way}", goal.what, reached, "at least", goal.least))
            found[-1]["cases"] = len(ratios)
    for family, group, most in MEMORY_GOALS:
        shares = memory_shares((r for r in memory if (r["family"], r["group"]) == (family, group)), "neuraloperator")
        if shares:
            what = "share of neuraloperator's peak memory, greatest"
            found.append(verdict(family, group, what, max(shares.values()), "at most", most) | {"cases": len(shares)})
    return found


def verdict(family: str, group: str, what: str, reached: float, word: str, goal: float) -> dict[str, Any]:
    """A goal with what was reached, as a line.

    Example:
        >>> verdict("spectral", "usual modes", "speed, least", 2.5, "at least", 2.0)["verdict"]
        'pass'
    """
    passed = reached >= goal if word == "at least" else reached <= goal
    line = {"family": family, "group": group, "what": what, "reached": reached, "goal": f"{word} {goal:.3g}"}
    return line | {"verdict": "pass" if passed else "FAIL"}
