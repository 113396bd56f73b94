"""Linear solvers in turns: seconds of set-up and of solution, iterations, and the residual computed anew."""

from __future__ import annotations

import gc
import random
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from opforge.solvers import SolveResult

# Iterations from which the time of one is known.
_PILOT = 20

Clock = Callable[[], float]


@dataclass(frozen=True)
class Method:
    """One way to solve a system.

    Args:
        set_up: gives what the iteration needs of the matrix, timed.
        solve: (what ``set_up`` gave, maxiter) -> the result, timed; as many iterations as it takes where maxiter is
            None.
        slow: whether iterations may be more than one would wait for.
    """

    set_up: Callable[[], Any]
    solve: Callable[[Any, int | None], SolveResult]
    slow: bool = False


@dataclass(frozen=True)
class Effort:
    """How often to solve, and how long to wait.

    Args:
        rounds: turns of each method at most.
        budget: seconds of a method's turns after which it has no other.
        slow_budget: the same of slow methods.
        limit: seconds of a slow method's iterations after which it is stopped.
    """

    rounds: int = 5
    budget: float = 10.0
    slow_budget: float = 3.0
    limit: float = 30.0


@dataclass
class Record:
    """What the turns of a method gave: a number for each turn, the last result, its true relative residual."""

    set_ups: list[float] = field(default_factory=list)
    solves: list[float] = field(default_factory=list)
    result: SolveResult | None = None
    residual: float = float("nan")

    @property
    def totals(self) -> list[float]:
        """Seconds of every turn, the set-up included."""
        return [one + other for one, other in zip(self.set_ups, self.solves, strict=True)]

    def row(self) -> dict[str, Any]:
        """The figures of a table: medians, least and greatest."""
        assert self.result is not None
        return {
            "iterations": self.result.iterations,
            "converged": "yes" if self.result.converged else "no",
            "residual": f"{self.residual:.2e}",
            "setup_s": f"{median(self.set_ups):.4g}",
            "solve_s": f"{median(self.solves):.4g}",
            "total_s": f"{median(self.totals):.4g}",
            "min_s": f"{min(self.totals):.4g}",
            "max_s": f"{max(self.totals):.4g}",
            "runs": len(self.totals),
        }


def take_turns(
    methods: Mapping[str, Method],
    residual: Callable[[Any], float],
    effort: Effort,
    *,
    seed: int = 0,
    clock: Clock = time.perf_counter,
) -> dict[str, Record]:
    """Solve the same system by every method, in an order that is drawn anew in every round.

    Args:
        methods: by name.
        residual: of a solution, the true relative one; not timed.
        effort: rounds and seconds.
        seed: of the order.
        clock: seconds, after all that was begun is done.
    """
    records = {name: Record() for name in methods}
    order, shuffle = list(methods), random.Random(seed)
    with warnings.catch_warnings(), _without_collections():
        warnings.simplefilter("ignore")  # that a limit was reached stands in the row
        most = {name: _within(method, effort.limit, clock) for name, method in methods.items()}
        for _ in range(effort.rounds):
            shuffle.shuffle(order)
            for name in order:
                record, budget = records[name], effort.slow_budget if methods[name].slow else effort.budget
                if record.result is None or sum(record.totals) < budget:
                    _turn(methods[name], record, most[name], clock)
                    record.residual = residual(record.result.x)  # type: ignore[union-attr]
    return records


def warm_up(methods: Iterable[Method]) -> None:
    """Load and compile what turns need."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in methods:
            method.solve(method.set_up(), 3)


@contextmanager
def _without_collections() -> Iterator[None]:
    """A collection in the middle of a turn would be counted as that method's work."""
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _within(method: Method, limit: float, clock: Clock) -> int | None:
    """Iterations that fit into the limit."""
    if not method.slow:
        return None
    M = method.set_up()
    start = clock()
    pilot = method.solve(M, _PILOT)
    each = (clock() - start) / max(1, pilot.iterations)
    return None if pilot.converged else max(_PILOT, int(limit / max(each, 1e-9)))


def _turn(method: Method, record: Record, most: int | None, clock: Clock) -> None:
    start = clock()
    M = method.set_up()
    middle = clock()
    result = method.solve(M, most)
    end = clock()
    record.set_ups.append(middle - start)
    record.solves.append(end - middle)
    record.result = result
