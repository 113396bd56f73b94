"""Measure the error of the grid: samples of recipes whose fronts are thin, on several grids against a finer one.

    python -m opforge.benchmarks.resolution                  # all cases: minutes
    python -m opforge.benchmarks.resolution fisher

Writes benchmarks/results/resolution.csv where all cases are measured. Errors are relative L2 norms over the box: the
greatest over the fields and over two samples, in the middle of the recipe's time and at its end. Grids that the recipe
refuses are there as well, and marked.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.benchmarks.results import write_csv
from opforge.core import Grid, resample
from opforge.datasets.evolution import EvolutionRecipe
from opforge.datasets.recipe import make_recipe
from opforge.errors import InputError

_SAMPLES = 2


@dataclass(frozen=True)
class Case:
    """A recipe with parameters, the points per axis that are compared, and those that stand for exact."""

    recipe: str
    parameters: Mapping[str, Any]
    points: tuple[int, ...]
    exact: int


CASES = (
    Case("gray_scott", {"side": 1.25, "pattern": "spots"}, (96, 128, 176), 240),
    Case("gray_scott", {"side": 1.25, "pattern": "maze"}, (96, 128, 176), 240),
    Case("allen_cahn", {}, (36, 48, 64), 128),
    Case("cahn_hilliard", {}, (36, 48, 64), 128),
    Case("fitzhugh_nagumo", {}, (16, 32, 64), 128),
    Case("fisher", {}, (32, 64), 128),
)


def errors(case: Case) -> Iterator[dict[str, str]]:
    """A row for each grid."""
    recipe: Any = make_recipe(case.recipe, dict(case.parameters))
    exact = _solved(recipe, case.exact)
    for n in case.points:
        found, grid = _solved(recipe, n), recipe.grid(case.exact)
        off = np.stack([_off(recipe, name, values, exact[name], grid) for name, values in found.items()]).max((0, 1))
        row = {"recipe": case.recipe, "parameters": " ".join(f"{k}={v}" for k, v in case.parameters.items())}
        row |= {"points": str(n), "exact": str(case.exact), "taken": "yes" if _taken(recipe, n) else "no"}
        yield row | {"middle": f"{off[len(off) // 2]:.2g}", "end": f"{off[-1]:.2g}"}


def _solved(recipe: EvolutionRecipe, n: int) -> dict[str, np.ndarray]:
    """Fields (samples, frames, *space)."""
    return recipe.samples([np.random.default_rng(i) for i in range(_SAMPLES)], recipe.grid(n)).fields


def _off(recipe: EvolutionRecipe, name: str, u: np.ndarray, exact: np.ndarray, grid: Grid) -> np.ndarray:
    """Relative errors (samples, frames): of periodic points on the fine grid, of cells on the coarse one."""
    if recipe.points == "periodic":
        u = resample(u, grid.shape)
    else:
        exact = recipe.coarser(name, exact, grid, grid.shape[0] // u.shape[-1])
    axes = tuple(range(-grid.ndim, 0))
    return np.sqrt(((u - exact) ** 2).sum(axes) / (exact**2).sum(axes))


def _taken(recipe: EvolutionRecipe, n: int) -> bool:
    try:
        recipe.check(recipe.grid(n))
    except InputError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="all unless given")
    chosen = parser.parse_args().recipes
    rows = []
    for case in CASES:
        if not chosen or case.recipe in chosen:
            for row in errors(case):
                print(row, flush=True)
                rows.append(row)
    if not chosen and rows:
        write_csv("resolution.csv", rows, "python -m opforge.benchmarks.resolution")


if __name__ == "__main__":
    main()
