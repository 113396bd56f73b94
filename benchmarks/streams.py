"""Streams past obstacles: how far samples are off those on grids that are twice as fine.

    python -m opforge.benchmarks.streams

The obstacles are drawn on each grid, so that steps of their edges count too. A row is a grid, the mean, least and
greatest of three samples at t = 1; errors are relative, of the velocity along the stream less its speed and of that
across. Writes benchmarks/results/streams.csv.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from opforge.benchmarks.results import write_csv
from opforge.core import Grid
from opforge.datasets import IncompressibleFlowRecipe
from opforge.datasets.restriction import restricted_faces

SEEDS = range(3)

# Viscosities and the cells across that each is measured on; the last one is for comparison alone.
CASES = {1e-3: (32, 64, 128), 2e-3: (32, 64, 128), 5e-3: (16, 32, 64)}


def flow(
    points: int, viscosity: float, convection: Literal["limited", "central"], seed: int
) -> tuple[np.ndarray, Grid]:
    """Both velocities at t = 1."""
    recipe = IncompressibleFlowRecipe(
        scene="stream", obstacles=2, viscosity=viscosity, convection=convection, frames=2, end_time=1.0, tolerance=0.9
    )
    grid = recipe.grid((2 * points, points))
    fields = recipe.sample(np.random.default_rng(seed), grid).fields
    return np.stack([fields["u"][-1], fields["v"][-1]]), grid


def errors(coarse: np.ndarray, fine: np.ndarray, grid: Grid) -> list[float]:
    """Of both velocities, against those of a grid twice as fine."""
    there = [restricted_faces(fine[axis], axis, grid) for axis in range(2)]
    return [
        float(np.linalg.norm(u - expected) / np.linalg.norm(expected - speed))
        for u, expected, speed in zip(coarse, there, (1.0, 0.0), strict=True)
    ]


def rows_of(
    convection: Literal["limited", "central"], viscosity: float, sizes: Sequence[int], seeds: Sequence[int] = SEEDS
) -> Iterator[dict[str, str]]:
    """A row for each number of cells across but the last one."""
    flows = {(n, seed): flow(n, viscosity, convection, seed) for n in sizes for seed in seeds}
    for n in sizes[:-1]:
        found = np.array([errors(flows[n, seed][0], *flows[2 * n, seed]) for seed in seeds])
        row = {
            "convection": convection,
            "viscosity": f"{viscosity:g}",
            "cells": f"{2 * n}x{n}",
            "cell Reynolds number": f"{1 / n / viscosity:.3g}",
        }
        for name, values in zip("uv", found.T, strict=True):
            parts = zip(("mean", "least", "greatest"), (values.mean(), values.min(), values.max()), strict=True)
            row |= {f"{name}, {which}": f"{value:.3f}" for which, value in parts}
        yield row


def main() -> None:
    rows = []
    fluxes: tuple[Literal["limited", "central"], ...] = ("limited", "central")
    for convection in fluxes:
        for viscosity, sizes in CASES.items():
            for row in rows_of(convection, viscosity, sizes):
                print(row, flush=True)
                rows.append(row)
    write_csv("streams.csv", rows, "python -m opforge.benchmarks.streams")


if __name__ == "__main__":
    main()
