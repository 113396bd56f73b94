"""A neural operator as a first guess: what conjugate gradients save that start from its prediction."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from opforge.benchmarks._precond_systems import SEED, cells_of
from opforge.core import Grid
from opforge.models import FNO
from opforge.pdes import Darcy
from opforge.precond import load, random_system
from opforge.precond.problems import Split
from opforge.solvers import SolveResult, Stencil, amg, cg
from opforge.training import Operator, Optimiser, fit

FAMILY, RTOLS = "contrast 10", (1e-4, 1e-8)
ZERO, CYCLE, GUESS, SCALED, SMOOTHED = (
    "0",
    "0, one V-cycle",
    "operator",
    "operator, scaled",
    "operator, one V-cycle",
)
PLAIN, RUGE_STUEBEN, LEARNED = "CG", "CG, Ruge–Stüben", "CG, learned multigrid"


@dataclass(frozen=True)
class Plan:
    """The operator's training, and on what its guesses are tried.

    Args:
        cells: along an axis, in training.
        samples, epochs: of the training.
        width, modes: of the FNO.
        sizes: cells along an axis of the systems that are solved.
        systems: of each size.
    """

    cells: int = 64
    samples: int = 1000
    epochs: int = 20
    width: int = 32
    modes: int = 12
    sizes: tuple[int, ...] = (64, 128)
    systems: int = 12


class Pairs(torch.utils.data.Dataset):
    """log a and the solution u of −∇·(a∇u) = 1, u = 0 on the boundary, a of `FAMILY`; float32.

    Args:
        n: cells along an axis.
        seeds: of the coefficients.
        split: from which the seeds are.
    """

    inputs, outputs, in_channels, out_channels = ("log a",), ("u",), 1, 1

    def __init__(self, n: int, seeds: Sequence[int], split: Split):
        self.grid = Grid((n, n))
        learned = load("multigrid_2d")
        self._pairs = []
        for seed in seeds:
            A = random_system(FAMILY, self.grid, seed, split=split)
            u = cg(A, torch.ones(1, n, n, dtype=torch.float64), rtol=1e-8, M=learned.on(A)).x
            self._pairs.append((A.a.log()[None].float(), u.float()))

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        return self._pairs[number]


def trained(plan: Plan) -> tuple[Operator, str]:
    """The operator, and a line that says how it came about and how good it is on unseen systems."""
    start = time.perf_counter()
    data = Pairs(plan.cells, range(plan.samples), "train")
    made = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = FNO.for_data(data, width=plan.width, modes=plan.modes)
    options = {"batch_size": 10, "seed": 0, "progress": False, "device": "cpu", "symmetries": Darcy().symmetries}
    run = fit(model, data, plan.epochs, optimiser=Optimiser(learning_rate=8e-3), **options)
    done = time.perf_counter()
    errors = {
        n: run.evaluate(Pairs(n, range(SEED, SEED + plan.systems), "test")).relative_l2
        for n in dict.fromkeys((plan.cells, *plan.sizes))
    }
    told = ", ".join(f"{100 * error:.2g} % at {n}²" for n, error in errors.items())
    about = (
        f"FNO of width {plan.width} and {plan.modes} modes, {plan.samples} systems of {FAMILY} at {plan.cells}² with "
        f"b = 1 made in {made - start:.0f} s, {plan.epochs} epochs in {done - made:.0f} s; "
        f"relative L2 errors on unseen systems {told}"
    )
    return run.operator, about


def measure(operator: Operator, n: int, count: int) -> list[dict[str, Any]]:
    """A row for each method and start, over systems of the test split."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _one(operator, random_system(FAMILY, Grid((n, n)), SEED))  # what is imported and compiled is
        for seed in range(SEED, SEED + count):
            for key, figures in _one(operator, random_system(FAMILY, Grid((n, n)), seed)).items():
                found.setdefault(key, []).append(figures)
    saved = {method: _mean(found[method, ZERO], "iterations_1e-8") for method, _ in found}
    return [_row(n, *key, figures, saved[key[0]]) for key, figures in found.items()]


def _one(operator: Operator, A: Stencil) -> dict[tuple[str, str], dict[str, float]]:
    """(method, start) -> figures of one system."""
    b = torch.ones(1, *A.space, dtype=A.dtype)
    matrix, flat = A.matrix(), b.numpy().ravel()
    learned, coefficient = load("multigrid_2d"), A.a.log()[None, None].float()
    exact = cg(A, b, rtol=1e-11, M=learned.on(A)).x

    def guess() -> Tensor:
        return operator(coefficient)[0].to(A.dtype)

    def by_learned(x0: Tensor, M: Any) -> SolveResult:
        return cg(M.operator if hasattr(M, "operator") else A, b, x0, rtol=RTOLS[1], M=M)

    def by_matrix(x0: Tensor, M: Any) -> SolveResult:
        return cg(matrix, flat, x0.numpy().ravel(), rtol=RTOLS[1], M=M)

    ways: dict[str, tuple[Callable[[], Any], Callable[[Tensor, Any], SolveResult]]] = {
        PLAIN: (lambda: None, by_matrix),
        RUGE_STUEBEN: (lambda: amg(matrix), by_matrix),
        LEARNED: (lambda: learned.on(A), by_learned),
    }
    found = {}
    for method, (set_up, solve) in ways.items():
        for name, start in starts(A, b, guess).items():
            began = time.perf_counter()
            M = set_up()
            # a plain iteration has no cycle of its own
            cycle = M or learned.on(A) if name in (CYCLE, SMOOTHED) else None
            x0 = start(_fields(cycle))
            started = time.perf_counter()
            result = solve(x0, M)
            ended = time.perf_counter()
            found[method, name] = _figures(A, b, x0, exact, result, ended - began, started - began)
    return found


def starts(A: Stencil, b: Tensor, guess: Callable[[], Tensor]) -> Mapping[str, Callable[[Any], Tensor]]:
    """Name -> a function of a V-cycle that gives x0.

    Args:
        A, b: the system.
        guess: the operator's prediction.
    """

    def cycled(x0: Tensor, cycle: Any) -> Tensor:
        return x0 + cycle(b - A(x0))

    return {
        ZERO: lambda cycle: torch.zeros_like(b),
        CYCLE: lambda cycle: cycled(torch.zeros_like(b), cycle),
        GUESS: lambda cycle: guess(),
        SCALED: lambda cycle: scaled(A, b, guess()),
        SMOOTHED: lambda cycle: cycled(guess(), cycle),
    }


def scaled(A: Callable[[Tensor], Tensor], b: Tensor, x: Tensor) -> Tensor:
    """α x with the least energy norm of the error: α = x·b / x·A x.

    Example:
        >>> scaled(lambda u: 2 * u, torch.tensor([6.0]), torch.tensor([1.0]))
        tensor([3.])
    """
    return x * ((x * b).sum() / (x * A(x)).sum())


def _fields(cycle: Any) -> Callable[[Tensor], Tensor]:
    """A preconditioner of vectors or of fields as a function of fields."""
    return lambda r: torch.as_tensor(cycle(r.numpy().ravel())).reshape(r.shape)


def _figures(
    A: Stencil, b: Tensor, x0: Tensor, exact: Tensor, result: SolveResult, total: float, before: float
) -> dict[str, float]:
    residuals = np.asarray(result.residuals).ravel()
    x = torch.as_tensor(result.x).reshape(b.shape)
    if not result.converged:
        raise AssertionError(f"a start must not keep the iteration from converging, got {result}")
    return {
        "residual": float((b - A(x0)).norm() / b.norm()),
        "energy_error": energy(A, x0 - exact) / energy(A, exact),
        "iterations_1e-4": float(np.argmax(residuals <= RTOLS[0])),
        "iterations_1e-8": float(result.iterations),
        "end": float((b - A(x)).norm() / b.norm()),
        "total": total,
        "before": before,
    }


def energy(A: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """√(x·A x).

    Example:
        >>> energy(lambda u: 4 * u, torch.tensor([3.0, 4.0]))
        10.0
    """
    return float((x * A(x)).sum().clamp_min(0).sqrt())


def _mean(figures: Sequence[Mapping[str, float]], name: str) -> float:
    return float(np.mean([each[name] for each in figures]))


def _row(n: int, method: str, start: str, figures: list[dict[str, float]], without: float) -> dict[str, Any]:
    totals = [each["total"] for each in figures]
    mean = partial(_mean, figures)
    return {
        "cells": cells_of((n, n)),
        "method": method,
        "start": start,
        "first_residual": f"{median(each['residual'] for each in figures):.3g}",
        "first_energy_error": f"{median(each['energy_error'] for each in figures):.3g}",
        "iterations_1e-4": f"{mean('iterations_1e-4'):.4g}",
        "iterations_1e-8": f"{mean('iterations_1e-8'):.4g}",
        "saved": f"{without - mean('iterations_1e-8'):.3g}",
        "residual": f"{max(each['end'] for each in figures):.2e}",
        "start_s": f"{median(each['before'] for each in figures):.4g}",
        "total_s": f"{median(totals):.4g}",
        "min_s": f"{min(totals):.4g}",
        "max_s": f"{max(totals):.4g}",
        "runs": len(figures),
    }
