"""Deep conjugate directions beside CG, V-cycles and algebraic multigrid, to 1e-4, in regions that are unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import torch

from opforge.benchmarks._precond_multigrid import plain
from opforge.benchmarks._precond_systems import System, cells_of
from opforge.benchmarks._precond_turns import Effort, Method, Record, take_turns, warm_up
from opforge.core import Grid
from opforge.precond import load
from opforge.precond._dcdm_regions import random_solid
from opforge.precond.dcdm_training import SHIPPED
from opforge.solvers import Stencil, amg, cg, dcdm, geometric_multigrid
from opforge.solvers.stencil import sides

RTOL = 1e-4
SIZES = {2: (64, 128, 256, 333, 512), 3: (16, 32, 45, 64)}

DCDM, PLAIN, RUGE_STUEBEN = "DCDM", "CG", "CG, Ruge–Stüben"
CYCLE, CYCLE_CG = "conjugate directions, geometric multigrid", "CG, geometric multigrid"

# Of the regions, far from the seeds of trainings, which are small numbers.
_SEED = 10**6

# More regions where they are small.
_REGIONS, _FEW, _CELLS = 12, 4, 2**17


def region(ndim: int, n: int, sample: int) -> System:
    """An unseen region and white noise; walls all around with u = 0, or one open end as that of a chimney."""
    rng, grid = np.random.default_rng((_SEED, sample)), Grid.cube(ndim, n)
    boundary = sides(
        ["dirichlet"] * ndim if sample % 2 else ["neumann"] * (ndim - 1) + [("neumann", "dirichlet")], ndim
    )
    A = Stencil(grid, boundary, solid=random_solid(rng, grid, boundary))
    generator = torch.Generator().manual_seed(_SEED + sample)
    b = torch.randn(1, *grid.shape, dtype=torch.float64, generator=generator)
    return System("one constant coefficient", "random", sample, A, b if A.fluid is None else b * A.fluid)


def methods_of(system: System) -> dict[str, Method]:
    """All contestants; the matrix that algebraic multigrid needs is assembled before."""
    A, b, matrix = system.A, system.b, system.matrix
    net = load(f"dcdm_{A.grid.ndim}d")

    def by(iteration: Any) -> Any:
        return lambda M, most: iteration(A, b, rtol=RTOL, M=M, maxiter=most)

    return {
        DCDM: Method(lambda: net.on(A), by(dcdm)),
        CYCLE: Method(lambda: geometric_multigrid(A, dtype=torch.float32), by(dcdm)),
        CYCLE_CG: Method(lambda: geometric_multigrid(A, dtype=torch.float32), by(cg)),
        PLAIN: replace(plain(system, RTOL), slow=False),
        RUGE_STUEBEN: Method(
            lambda: amg(matrix), lambda M, most: cg(matrix, system.flat, rtol=RTOL, M=M, maxiter=most)
        ),
    }


def measure(ndim: int, n: int, regions: int | None = None) -> list[dict[str, Any]]:
    """A row for each contestant: of the regions' iterations the mean, of their seconds the median."""
    regions = regions or (_REGIONS if n**ndim <= _CELLS else _FEW)
    found: dict[str, list[Record]] = {}
    warm_up(methods_of(region(ndim, n, 0)).values())
    for sample in range(regions):
        system = region(ndim, n, sample)
        for name, record in take_turns(methods_of(system), system.residual, Effort(rounds=1), seed=sample).items():
            found.setdefault(name, []).append(record)
    trained = SHIPPED[f"dcdm_{ndim}d"][1].cells[1]
    plain = iterations(found[PLAIN])
    return [
        {"cells": cells_of((n,) * ndim), "finer": f"{n / trained:.3g}", "contestant": name, **_row(records, plain)}
        for name, records in found.items()
    ]


def iterations(records: Sequence[Record]) -> list[int]:
    """
    >>> iterations([])
    []
    """
    return [record.result.iterations for record in records if record.result is not None]


def _row(records: Sequence[Record], plain: Sequence[int]) -> dict[str, Any]:
    counts = iterations(records)
    shares = [one / other for one, other in zip(plain, counts, strict=True)]
    totals = [record.totals[0] for record in records]
    converged = all(record.result is not None and record.result.converged for record in records)
    return {
        "iterations": f"{np.mean(counts):.4g}",
        "least": min(counts),
        "most": max(counts),
        "cg_iterations_over_least": f"{min(shares):.4g}",
        "cg_iterations_over_most": f"{max(shares):.4g}",
        "converged": "yes" if converged else "no",
        "residual": f"{max(record.residual for record in records):.2e}",
        "setup_s": f"{median(record.set_ups[0] for record in records):.4g}",
        "solve_s": f"{median(record.solves[0] for record in records):.4g}",
        "total_s": f"{median(totals):.4g}",
        "min_s": f"{min(totals):.4g}",
        "max_s": f"{max(totals):.4g}",
        "runs": len(records),
    }
