"""Time the generation of Darcy data and its solver, and measure how far the data are from what a finer grid gives.

    python benchmarks/generation.py                             # all
    python benchmarks/generation.py --samples 0 --rounds 0      # the timing of generation alone
    python benchmarks/generation.py --runs 0 --samples 0        # the timing of the solver alone
    python benchmarks/generation.py --runs 0 --rounds 0         # the data error alone

Timing: ``generate("darcy", 1000, 64)`` in fresh processes, from start to end. Writes benchmarks/results/generation.csv.

Data error: the same seeds, hence the same random functions, solved on grids from 64² up; every solution is compared
with the cell averages of the finest, in relative L2. "own modes" is what the recipe does: each grid takes the modes
that it resolves. "coarsest grid's modes" gives every grid the same band-limited function, which leaves the error of
the discretisation alone. Writes benchmarks/results/darcy_data_error.csv.

Solver: `opforge.solvers.solve_elliptic` to a relative residual of 1e-8 against scipy's sparse direct solver, with its
usual ordering of the unknowns and with the one for symmetric patterns. Assembly and setup are counted, everyone runs on
one thread, and they take turns. Their solutions are compared first. Writes benchmarks/results/darcy_solvers.csv. The
steppers have `time_stepping`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse.linalg
from threadpoolctl import threadpool_limits

from opforge.benchmarks import contest
from opforge.benchmarks.results import seconds, write_csv
from opforge.core import Grid
from opforge.datasets import DarcyRecipe
from opforge.datasets.generating.sampling import sample_seed
from opforge.errors import WorkError
from opforge.solvers import solve_elliptic

RESOLUTIONS = (64, 128, 256, 512)
_SOLVED = 6  # samples that every turn of the solvers' timing solves


def timing(runs: int) -> list[dict]:
    rows = []
    for resolution, workers in ((64, 2), (64, 1), (128, 2)):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "darcy.nc"
            code = (
                f"import opforge; opforge.generate('darcy', 1000, {resolution}, out={str(out)!r}, "
                f"workers={workers}, overwrite=True)"
            )
            times = [seconds(["-c", code]) for _ in range(runs)]
        row = {"recipe": "darcy", "samples": 1000, "resolution": resolution, "workers": workers}
        row |= {"median_s": statistics.median(times), "min_s": min(times), "max_s": max(times)}
        rows.append({key: f"{value:.2f}" if isinstance(value, float) else value for key, value in row.items()})
        print(rows[-1], flush=True)
    return rows


def averaged(u: np.ndarray, n: int) -> np.ndarray:
    """Means over the cells of the n² grid."""
    return u.reshape(n, len(u) // n, n, len(u) // n).mean(axis=(1, 3))


def solutions(recipe: DarcyRecipe, seed: int, *, same_modes: bool) -> dict[int, np.ndarray]:
    """The solution for one seed on every grid."""
    found = {}
    for n in RESOLUTIONS:
        v = recipe.law.sample(
            np.random.default_rng(seed), Grid.cube(2, n), modes=RESOLUTIONS[0] if same_modes else None
        )
        fields = {"a": recipe.coefficients(v)}
        found[n] = solve_elliptic(recipe.equation, fields, Grid.cube(2, n), rtol=1e-9).x
    return found


def data_error(samples: int) -> list[dict]:
    rows = []
    for coefficient in ("threshold", "lognormal"):
        recipe = DarcyRecipe(coefficient=coefficient)
        for same_modes in (False, True):
            errors: dict[int, list[float]] = {n: [] for n in RESOLUTIONS[:-1]}
            for index in range(samples):
                found = solutions(recipe, sample_seed(0, index), same_modes=same_modes)
                for n, values in errors.items():
                    truth = averaged(found[RESOLUTIONS[-1]], n)
                    values.append(float(np.linalg.norm(found[n] - truth) / np.linalg.norm(truth)))
            for n, values in errors.items():
                row = {
                    "coefficient": coefficient,
                    "function": "coarsest grid's modes" if same_modes else "own modes",
                    "resolution": n,
                    "reference": RESOLUTIONS[-1],
                    "samples": samples,
                    "mean": f"{np.mean(values):.5f}",
                    "median": f"{np.median(values):.5f}",
                    "max": f"{np.max(values):.5f}",
                }
                rows.append(row)
                print(row, flush=True)
    return rows


def solvers(rounds: int, resolutions: Sequence[int] = (64, 128, 256)) -> list[dict]:
    """Times per sample of all solvers, over the same samples.

    Raises:
        WorkError: solutions that differ by more than the tolerance explains.
    """
    recipe, rows = DarcyRecipe(), []
    for n in resolutions:
        grid = recipe.grid(n)
        media = [{"a": recipe.coefficients(recipe.law.sample(np.random.default_rng(i), grid))} for i in range(_SOLVED)]
        made = {
            contest.REFERENCE: lambda f, grid=grid: solve_elliptic(recipe.equation, f, grid, rtol=1e-8).x,
            "scipy direct": lambda f, grid=grid: _direct(recipe, f, grid, "COLAMD"),
            "scipy direct, symmetric ordering": lambda f, grid=grid: _direct(recipe, f, grid, "MMD_AT_PLUS_A"),
        }
        exact = made["scipy direct"](media[0])
        for name, solve in made.items():
            off = float(np.linalg.norm(solve(media[0]) - exact) / np.linalg.norm(exact))
            if not off <= 1e-6:
                raise WorkError(f"{name} and scipy's direct solver differ by {off:.1e}")
        effort = contest.Effort(seconds=60.0, least=rounds, most=rounds)
        runs = {name: partial(_each, solve, media) for name, solve in made.items()}
        with threadpool_limits(1):
            times = contest.take_turns(runs, effort)
        for row in contest.rows({name: [t / _SOLVED for t in values] for name, values in times.items()}):
            row = {"resolution": n} | row
            rows.append({key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()})
            print(rows[-1], flush=True)
    return rows


def _each(solve: Callable[[dict[str, np.ndarray]], object], media: Sequence[dict[str, np.ndarray]]) -> None:
    for fields in media:
        solve(fields)


def _direct(recipe: DarcyRecipe, fields: dict[str, np.ndarray], grid: Grid, ordering: str) -> np.ndarray:
    A, b = recipe.equation.operator(fields, grid), recipe.equation.right_hand_side(fields, grid)
    u: Any = scipy.sparse.linalg.spsolve(A.tocsc(), b, permc_spec=ordering)
    return u.reshape(grid.shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of the timing (default 5)")
    parser.add_argument("--samples", type=int, default=50, help="samples of the data error (default 50)")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of the solver's timing (default 15)")
    options = parser.parse_args()
    if options.rounds:
        write_csv("darcy_solvers.csv", solvers(options.rounds), "one thread, time per sample, ratio to opforge")
    if options.samples:
        rows = data_error(options.samples)
        write_csv("darcy_data_error.csv", rows, "relative L2 difference from the cell averages of the reference grid")
    if options.runs:
        rows = timing(options.runs)
        write_csv("generation.csv", rows, f"{options.runs} runs in fresh processes, from start to end")


if __name__ == "__main__":
    main()
