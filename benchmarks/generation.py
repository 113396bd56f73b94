"""Time the generation of Darcy data, and measure how far the data are from what a much finer grid gives.

    python benchmarks/generation.py                   # both
    python benchmarks/generation.py --samples 0       # the timing alone
    python benchmarks/generation.py --runs 0          # the data error alone

Timing: ``generate("darcy", 1000, 64)`` in fresh processes, from start to end. Writes benchmarks/results/generation.csv.

Data error: the same seeds, hence the same random functions, solved on grids from 64² up; every solution is compared
with the cell averages of the finest, in relative L2. "own modes" is what the recipe does: each grid takes the modes
that it resolves. "coarsest grid's modes" gives every grid the same band-limited function, which leaves the error of
the discretisation alone. Writes benchmarks/results/darcy_data_error.csv.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np

from opforge.benchmarks.results import seconds, write_csv
from opforge.core import Grid
from opforge.datasets import DarcyRecipe
from opforge.datasets.generating.sampling import sample_seed
from opforge.solvers import solve_elliptic

RESOLUTIONS = (64, 128, 256, 512)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of the timing (default 5)")
    parser.add_argument("--samples", type=int, default=50, help="samples of the data error (default 50)")
    options = parser.parse_args()
    if options.samples:
        rows = data_error(options.samples)
        write_csv("darcy_data_error.csv", rows, "relative L2 difference from the cell averages of the reference grid")
    if options.runs:
        rows = timing(options.runs)
        write_csv("generation.csv", rows, f"{options.runs} runs in fresh processes, from start to end")


if __name__ == "__main__":
    main()
