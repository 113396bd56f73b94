"""The pressure around obstacles: sparse factors, and conjugate gradients with different preconditioners.

    python -m opforge.benchmarks.pressure             # half a minute
    python -m opforge.benchmarks.pressure --quick     # smaller grids, nothing is written

Writes benchmarks/results/pressure.csv: iterations to a relative residual of 1e-9, and seconds, the medians of several.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from opforge.benchmarks.results import write_csv
from opforge.core import Grid
from opforge.datasets import Obstacles
from opforge.pdes import IncompressibleFlow
from opforge.pdes import _staggered as staggered
from opforge.pdes._pressure import FactoredPressure
from opforge.solvers import PressureSolver, pressure_system, transform_preconditioner

# Points per axis, axes, obstacles and the bounds of their sizes.
CASES = (
    (64, 2, 3, (0.05, 0.12)),
    (256, 2, 3, (0.05, 0.12)),
    (128, 2, 150, (0.01, 0.03)),
    (24, 3, 3, (0.05, 0.12)),
    (32, 3, 3, (0.05, 0.12)),
)
QUICK = ((24, 2, 3, (0.05, 0.12)), (10, 3, 1, (0.1, 0.2)))


def multigrid(solid: np.ndarray, grid: Grid) -> Any:
    import pyamg

    return pyamg.ruge_stuben_solver(pressure_system(solid, grid), max_coarse=200).aspreconditioner(cycle="V")


def divergence(solid: np.ndarray, grid: Grid) -> np.ndarray:
    """That of a random flow through open faces."""
    box = IncompressibleFlow(grid.ndim).box
    faces = staggered.Bodies.of(solid.astype(float), box).open
    rng = np.random.default_rng(1)
    flow = [rng.standard_normal(grid.shape) * each for each in faces]
    return staggered.divergence(flow, grid, box)


def rows_of(case: tuple[int, int, int, tuple[float, float]], rounds: int) -> list[dict[str, Any]]:
    """All ways to solve the system of one box."""
    n, ndim, count, sizes = case
    grid = Grid((n,) * ndim)
    solid = Obstacles(count, sizes, margin=0.1).sample(np.random.default_rng(0), grid)
    source, box = divergence(solid, grid), IncompressibleFlow(ndim).box
    ways: dict[str, Callable[[], Any]] = {
        "sparse factors": lambda: FactoredPressure(solid, grid, box),
        "CG, fast transforms": lambda: PressureSolver(solid, grid, transform_preconditioner(solid, grid)),
        "CG, Ruge-Stüben multigrid": lambda: PressureSolver(solid, grid, multigrid(solid, grid)),
    }
    rows = []
    for name, make in ways.items():
        make()(source)  # imports, plans
        setups, solves = [], []
        for _ in range(rounds):
            start = time.perf_counter()
            solver = make()
            made = time.perf_counter()
            solver(source)
            setups.append(made - start)
            solves.append(time.perf_counter() - made)
        row = {"cells": "x".join(map(str, grid.shape)), "obstacles": count, "solver": name}
        row |= {"iterations": solver.last.iterations if isinstance(solver, PressureSolver) else 0}
        rows.append(row | {"setup_s": f"{median(setups):.5f}", "solve_s": f"{median(solves):.5f}"})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    found = []
    for case in QUICK if quick else CASES:
        for row in rows_of(case, 2 if quick else 5):
            print(row, flush=True)
            found.append(row)
    if not quick:
        write_csv("pressure.csv", found, "python -m opforge.benchmarks.pressure; one thread beside other work")


if __name__ == "__main__":
    main()
