"""Time of learned multigrid beside classical preconditioners: ``python -m opforge.benchmarks._multigrid_trial 2 512``.

All to the true relative residual 1e-8 in float64, set-up and solve apart, one line a method; systems of the test split.
Assembling the matrix, which algebraic multigrid and incomplete Cholesky need, is not counted.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch

from opforge.core import Grid
from opforge.precond import load
from opforge.precond.problems import FAMILIES, random_right_hand_side, random_system
from opforge.solvers import Stencil, amg, cg, geometric_multigrid, incomplete_cholesky


def measure(ndim: int, n: int, family: str, seed: int, *, repeats: int = 3, methods: str = "all") -> dict[str, tuple]:
    """Iterations, seconds of set-up and of the solution, the least of ``repeats``, and the true residual."""
    A = random_system(family, Grid((n,) * ndim), seed)
    b = random_right_hand_side(A, seed)
    matrix, flat, learned = A.matrix(), b.numpy().ravel(), load(f"multigrid_{ndim}d")
    found = {}

    def solve(name: str, set_up: Callable[[], Any], operator: Callable[[Any], Any], right: Any, times: int) -> None:
        best = (float("inf"), 0.0, 0.0)
        for _ in range(times):
            start = time.perf_counter()
            M = set_up()
            middle = time.perf_counter()
            result = cg(operator(M), right, rtol=1e-8, M=M)
            end = time.perf_counter()
            best = min(best, (end - start, middle - start, end - middle))
        x = torch.as_tensor(result.x).reshape(b.shape)
        residual = float((b - A(x)).norm() / b.norm())
        found[name] = (result.iterations, *best[1:], residual)

    solve("learned", lambda: learned.on(A), lambda M: getattr(M, "operator", A), b, repeats)
    solve("learned, torch", lambda: learned.on(A, compiled=False), lambda M: A, b, repeats)
    solve("geometric", lambda: geometric_multigrid(A, dtype=torch.float32), lambda M: A, b, repeats)
    solve("RS", lambda: amg(matrix), lambda M: matrix, flat, repeats)
    solve("SA", lambda: amg(matrix, "smoothed_aggregation"), lambda M: matrix, flat, repeats)
    if methods == "all":
        solve("IC", lambda: incomplete_cholesky(matrix), lambda M: matrix, flat, 1)
        solve("modified IC", lambda: incomplete_cholesky(matrix, modified=0.99), lambda M: matrix, flat, 1)
        solve("CG", lambda: None, lambda M: A, b, 1)
    return found


def main() -> None:
    ndim, n = int(sys.argv[1]), int(sys.argv[2])
    methods = sys.argv[3] if len(sys.argv) > 3 else "all"
    warnings.simplefilter("ignore")
    small = random_system("contrast 10", Grid((160,) * 2 if ndim == 2 else (32,) * 3), 0)
    load(f"multigrid_{ndim}d").on(small)(random_right_hand_side(small, 0))  # numba compiles
    incomplete_cholesky(Stencil(Grid((8, 8))).matrix())
    for family in FAMILIES:
        for seed in (20, 21) if methods != "all" else (20,):
            for name, (iterations, set_up, solve, residual) in measure(ndim, n, family, seed, methods=methods).items():
                print(
                    f"{n}^{ndim} {family:13s} seed {seed} {name:15s} {iterations:5d} iterations  "
                    f"set-up {set_up:7.3f} s  solve {solve:7.3f} s  "
                    f"total {set_up + solve:7.3f} s  residual {residual:.1e}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
