"""Learned multigrid beside classical preconditioners of conjugate gradients, to a relative residual of 1e-8."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from opforge.benchmarks._precond_systems import SEED, System, cells_of, random_problem, smoke_problem
from opforge.benchmarks._precond_turns import Effort, Method, Record, take_turns, warm_up
from opforge.core import Grid
from opforge.errors import InputError
from opforge.precond import load, random_system
from opforge.precond._fast_cycle import FastProduct
from opforge.precond._threads import Threads
from opforge.precond.multigrid import CompiledStencil
from opforge.precond.problems import FAMILIES, random_right_hand_side
from opforge.solvers import SolveResult, Stencil, amg, cg, geometric_multigrid, incomplete_cholesky, jacobi

RTOL = 1e-8
SIZES = {2: (64, 128, 256, 512, 1024), 3: (32, 64, 96)}
GPU_SIZES, GPU_BATCH = (64, 128, 256), 4

LEARNED, TORCH, GEOMETRIC = "learned multigrid", "learned multigrid, torch", "geometric multigrid"
RUGE_STUEBEN, AGGREGATION = "Ruge–Stüben", "smoothed aggregation"
CHOLESKY, MODIFIED = "incomplete Cholesky", "modified incomplete Cholesky"
JACOBI, PLAIN = "Jacobi", "none"
CLASSICAL = (RUGE_STUEBEN, AGGREGATION, CHOLESKY, MODIFIED)

# Part of what is dropped that goes to the diagonal.
_MODIFIED = 0.99

# Cells from which compiled products, which threads share, are faster than those of a CSR array.
_LARGE = 2**15

# Cells along an axis from which on threads share passes.
_WARM = {2: 256, 3: 40}

# More systems on which the learned one alone is counted.
_OTHER_SEEDS = (SEED + 1, SEED + 2)

# Systems whose histories are drawn, and how many numbers of a history are kept at most.
DRAWN = {(cells, family) for cells in ("512x512", "64x64x64") for family in ("contrast 100", "obstacles")}
_KEPT = 250


@dataclass(frozen=True)
class Curve:
    """How the relative residual fell.

    Args:
        cells, family, contestant: whose.
        setup_s, solve_s: medians.
        iterations: how many.
        residuals: after the iterations that `counts` names.
    """

    cells: str
    family: str
    contestant: str
    setup_s: float
    solve_s: float
    iterations: int
    residuals: Sequence[float]

    def row(self) -> dict[str, Any]:
        numbers = " ".join(f"{r:.2e}" for r in self.residuals)
        times = {"setup_s": f"{self.setup_s:.4g}", "solve_s": f"{self.solve_s:.4g}", "iterations": self.iterations}
        names = {"cells": self.cells, "family": self.family, "contestant": self.contestant}
        return names | times | {"residuals": numbers}

    @classmethod
    def of(cls, system: System, contestant: str, record: Record) -> Curve:
        assert record.result is not None
        found = np.asarray(record.result.residuals).reshape(record.result.iterations + 1, -1).max(1)
        kept = found[counts(record.result.iterations)].tolist()
        times = median(record.set_ups), median(record.solves)
        return cls(system.cells, system.family, contestant, *times, record.result.iterations, kept)

    @classmethod
    def read(cls, row: Mapping[str, str]) -> Curve:
        """What `row` wrote."""
        numbers = [float(word) for word in row["residuals"].split()]
        times = float(row["setup_s"]), float(row["solve_s"])
        return cls(row["cells"], row["family"], row["contestant"], *times, int(row["iterations"]), numbers)


def counts(iterations: int) -> np.ndarray:
    """The iterations whose residuals are kept: 0 and the last, between them more and more sparse.

    Example:
        >>> counts(3).tolist()
        [0, 1, 2, 3]
    """
    return np.unique([0, *np.geomspace(1, max(1, iterations), _KEPT).round().astype(int)])[: iterations + 1]


def methods_of(system: System) -> dict[str, Method]:
    """All contestants; what algebraic multigrid and incomplete factors need of the matrix is assembled before."""
    A, matrix, flat = system.A, system.matrix, system.flat
    learned = load(f"multigrid_{A.grid.ndim}d")

    def of_matrix(set_up: Callable[[], Any], slow: bool = False) -> Method:
        return Method(set_up, lambda M, most: cg(matrix, flat, rtol=RTOL, M=M, maxiter=most), slow)

    return {
        LEARNED: Method(
            lambda: learned.on(A, compiled=True),
            lambda M, most: cg(M.operator, system.b, rtol=RTOL, M=M, maxiter=most),
        ),
        **stencil_methods(A, system.b),
        PLAIN: plain(system, RTOL),
        RUGE_STUEBEN: of_matrix(lambda: amg(matrix)),
        AGGREGATION: of_matrix(lambda: amg(matrix, "smoothed_aggregation")),
        CHOLESKY: of_matrix(lambda: incomplete_cholesky(matrix), slow=True),
        MODIFIED: of_matrix(lambda: incomplete_cholesky(matrix, modified=_MODIFIED), slow=True),
        JACOBI: of_matrix(lambda: jacobi(matrix), slow=True),
    }


def plain(system: System, rtol: float) -> Method:
    """Conjugate gradients alone, with the products that are fastest, of the definite matrix."""
    matrix, flat = system.matrix, system.flat
    if system.A.grid.size < _LARGE:
        return Method(lambda: None, lambda M, most: cg(matrix, flat, rtol=rtol, maxiter=most), slow=True)
    # taking out the means of regions that float would cost more than the iterations that it saves
    A = compiled(Stencil.of_matrix(matrix, system.A.grid) if system.A.floats else system.A)

    def solve(M: Any, most: int | None) -> SolveResult:
        result = cg(A, system.b, rtol=rtol, maxiter=most)
        return replace(result, x=result.x.numpy().reshape(-1), residuals=result.residuals[:, 0])

    return Method(lambda: None, solve, slow=True)


def compiled(A: Stencil) -> CompiledStencil:
    """A with compiled products, for iterations without learned multigrid, which brings them along."""
    return CompiledStencil(A, [FastProduct(A, Threads(torch.get_num_threads()))])


def stencil_methods(A: Stencil, b: Tensor) -> dict[str, Method]:
    """Those in torch alone, on any device."""
    learned = load(f"multigrid_{A.grid.ndim}d")

    def solved(M: Any, most: int | None) -> SolveResult:
        return cg(A, b, rtol=RTOL, M=M, maxiter=most)

    return {
        TORCH: Method(lambda: learned.on(A, compiled=False), solved),
        GEOMETRIC: Method(lambda: geometric_multigrid(A, dtype=torch.float32), solved),
        PLAIN: Method(lambda: None, solved, slow=True),
    }


def systems(ndim: int, n: int) -> Iterator[System]:
    """The systems that all contestants solve."""
    for family in FAMILIES:
        yield random_problem(family, ndim, n, SEED)
    yield smoke_problem(ndim, n, SEED)


def measure(ndim: int, n: int, effort: Effort) -> tuple[list[dict[str, Any]], list[Curve]]:
    """Rows of all contestants on every system of a size, and the curves that are drawn."""
    found, curves = [], []
    # on a grid that threads share
    warm_up(methods_of(random_problem("contrast 10", ndim, _WARM[ndim], SEED)).values())
    for system in systems(ndim, n):
        records = take_turns(methods_of(system), system.residual, effort)
        found += rows(system, records)
        if (system.cells, system.family) in DRAWN:
            curves += [Curve.of(system, name, record) for name, record in records.items()]
    return found, curves


def more_systems(ndim: int, n: int) -> list[dict[str, Any]]:
    """Rows of the learned one alone, on systems with other seeds."""
    found = []
    for seed in _OTHER_SEEDS:
        makers = [lambda f=f, s=seed: random_problem(f, ndim, n, s) for f in FAMILIES]
        for make in (*makers, lambda s=seed: smoke_problem(ndim, n, s)):
            system = make()
            method = {LEARNED: methods_of(system)[LEARNED]}
            found += rows(system, take_turns(method, system.residual, Effort(rounds=1)))
    return found


def rows(system: System, records: dict[str, Record]) -> list[dict[str, Any]]:
    """A row for each contestant; ``ratio`` is its time over that of the first."""
    first = median(next(iter(records.values())).totals)
    return [
        {**system.names, "contestant": name, **record.row(), "ratio": f"{median(record.totals) / first:.3g}"}
        for name, record in records.items()
    ]


def gpu_rows(sizes: Sequence[int], effort: Effort, device: str = "cuda") -> list[dict[str, Any]]:
    """The same in three dimensions for batches on a CUDA device, in torch.

    Raises:
        InputError: torch sees no such device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--gpu needs a CUDA device that torch sees, got none; leave --gpu out")

    def clock() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    found = []
    for n in sizes:
        for family in FAMILIES:
            on_cpu = random_system([family] * GPU_BATCH, Grid((n,) * 3), SEED)
            A, b = on_cpu.to(device=device), random_right_hand_side(on_cpu, SEED).to(device)
            system = System(family, f"random, {GPU_BATCH} systems at once", SEED, A, b)
            methods = stencil_methods(A, b)
            warm_up(methods.values())
            found += rows(system, take_turns(methods, system.residual, effort, clock=clock))
            print(cells_of(A.space), family, flush=True)
    return found
