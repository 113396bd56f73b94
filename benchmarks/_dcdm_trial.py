"""Iterations and seconds of CG and of deep conjugate directions to 1e-4, in regions that no training has seen.

python -m benchmarks._dcdm_trial WEIGHTS_2D WEIGHTS_3D
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import torch

from opforge.core import Grid
from opforge.precond import load
from opforge.precond._dcdm_regions import random_solid
from opforge.precond.dcdm import ConjugateDirections
from opforge.solvers import SolveResult, Stencil, cg, dcdm, geometric_multigrid
from opforge.solvers.stencil import sides

SIZES = {2: (64, 128, 129, 256, 333, 512), 3: (16, 32, 45, 64)}
# Far from the seeds of trainings, which are small numbers.
SEED = 10**6


def system(ndim: int, n: int, sample: int) -> tuple[Stencil, torch.Tensor]:
    """An unseen region and white noise; walls all around with u = 0, or one open end as that of a chimney."""
    rng, grid = np.random.default_rng((SEED, sample)), Grid.cube(ndim, n)
    boundary = sides(
        ["dirichlet"] * ndim if sample % 2 else ["neumann"] * (ndim - 1) + [("neumann", "dirichlet")], ndim
    )
    A = Stencil(grid, boundary, solid=random_solid(rng, grid, boundary))
    generator = torch.Generator().manual_seed(SEED + sample)
    return A, torch.randn(1, *grid.shape, dtype=torch.float64, generator=generator) * A.fluid


def timed(solve, *arguments, **options) -> tuple[SolveResult, float]:
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return solve(*arguments, **options), time.perf_counter() - start


def compare(net: ConjugateDirections, n: int, samples: int, rtol: float = 1e-4) -> None:
    rows = []
    for sample in range(samples):
        A, b = system(net.ndim, n, sample)
        plain, seconds = timed(cg, A, b, rtol=rtol)
        directions, setup = timed(net.on, A)
        deep, deep_seconds = timed(dcdm, A, b, rtol=rtol, M=directions, maxiter=500)
        cycle, cycle_setup = timed(geometric_multigrid, A, dtype=torch.float32)
        classical, cycle_seconds = timed(dcdm, A, b, rtol=rtol, M=cycle, maxiter=500)
        for result in (plain, deep, classical):
            assert result.converged, result
        counts = [result.iterations for result in (plain, deep, classical)]
        rows.append([*counts, seconds, setup, deep_seconds, cycle_setup, cycle_seconds])
    r = np.array(rows)
    plain, deep, classical = r[:, 0], r[:, 1], r[:, 2]
    seconds = r[:, 3:].mean(0)
    print(
        f"{net.ndim}-D {n:4d}  CG {plain.mean():6.1f} ({plain.min():.0f}-{plain.max():.0f})  "
        f"DCDM {deep.mean():5.2f} ({deep.min():.0f}-{deep.max():.0f})  least ratio {(plain / deep).min():5.1f}  "
        f"V-cycle {classical.mean():5.2f} ({classical.min():.0f}-{classical.max():.0f})  seconds: CG {seconds[0]:.3f}  "
        f"DCDM {seconds[1]:.3f} + {seconds[2]:.3f}  V-cycle {seconds[3]:.3f} + {seconds[4]:.3f}",
        flush=True,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for path in sys.argv[1:]:
        net = load(path)
        for n in SIZES[net.ndim]:
            compare(net, n, 20 if n**net.ndim <= 2**16 else 8)
