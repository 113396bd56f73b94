"""Training of learned multigrid, without solutions: through a few steps of conjugate gradients on random systems."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from opforge.core import Grid
from opforge.datasets.generating.progress import progress_bar
from opforge.errors import InputError, UnknownNameError, WorkError
from opforge.precond._network import MultigridNet
from opforge.precond.multigrid import LearnedMultigrid, cycle_of
from opforge.precond.problems import FAMILIES, random_boundary, random_system
from opforge.solvers import Stencil


@dataclass(frozen=True)
class Schedule:
    """What a training sees, and how long.

    Args:
        steps: of Adam.
        families: one operator of each is a batch.
        cells: bounds of the cells along an axis, drawn for every axis.
        rate: the first learning rate; falls like a cosine.
        hardest: weight of the hardest operator of a batch beside the mean.
    """

    steps: int = 2000
    families: tuple[str, ...] = ("obstacles", "contrast 10", "contrast 100", "contrast 100") * 2
    cells: tuple[int, int] = (28, 80)
    rate: float = 1e-2
    hardest: float = 0.5


_FOUR = ("obstacles", "contrast 10", "contrast 100", "contrast 100")

# The shipped preconditioners: dimensions, hidden neurons, training.
SHIPPED = {
    "multigrid_2d": (2, 8, Schedule(steps=1500)),
    "multigrid_3d": (3, 8, Schedule(steps=1000, cells=(10, 24), families=_FOUR)),
}

# Errors are brought down by so many cycles alone first, so that what is left is what cycles do not reach; conjugate
# gradients through which gradients go start from there.
_CYCLES, _ITERATIONS = 3, 3

_LARGEST_GRADIENT = 1.0

# Steps whose mean is shown.
_LATE = 50


def train_multigrid(
    ndim: int,
    schedule: Schedule | None = None,
    *,
    hidden: int = 8,
    seed: int = 0,
    progress: bool = False,
) -> LearnedMultigrid:
    """Train a network on random systems of all boundaries; the same seed gives the same weights on one machine.

    Args:
        ndim: dimensions, 2 or 3.
        schedule: what it sees.
        hidden: neurons.
        seed: of the weights at the start and of the systems, which are those of the training split.
        progress: whether a bar is shown on standard error.

    Raises:
        InputError: another dimension.
        WorkError: a loss that is not finite.

    Example:
        >>> learned = train_multigrid(2, Schedule(steps=1, families=("contrast 10",), cells=(16, 20)))
        >>> learned.about["steps"]
        1
    """
    if ndim not in (2, 3):
        raise InputError(f"ndim must be 2 or 3, got {ndim!r}")
    schedule = schedule or Schedule()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = MultigridNet(hidden, ndim)
    optimiser = torch.optim.Adam(net.parameters(), lr=schedule.rate)
    rng, start, losses = np.random.default_rng([seed, ndim]), time.perf_counter(), []
    with progress_bar("multigrid" if progress else None, schedule.steps, 0) as advance:
        for step in range(schedule.steps):
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate * (0.501 + 0.499 * math.cos(math.pi * step / schedule.steps))
            loss = error_reduction(_batch(schedule, ndim, rng), net, seed=int(rng.integers(2**31)))
            total = loss.mean() + schedule.hardest * loss.max()
            if not math.isfinite(float(total.detach())):
                raise WorkError(f"the loss of step {step} is not finite; lower the learning rate")
            optimiser.zero_grad()
            total.backward()
            nn.utils.clip_grad_norm_(net.parameters(), _LARGEST_GRADIENT)
            optimiser.step()
            losses.append(float(loss.detach().mean()))
            advance(1, f"errors times {math.exp(np.mean(losses[-_LATE:])):.4f} an iteration")
    about = {"seed": seed, "seconds": round(time.perf_counter() - start), **asdict(schedule)}
    return LearnedMultigrid(net, about=about)


def error_reduction(A: Stencil, net: MultigridNet, seed: int) -> Tensor:
    """The logarithm of what an iteration of preconditioned conjugate gradients leaves of errors, (batch,).

    Of x in ‖x‖² = xᵀA x, for random errors after a few cycles alone; the solution is not needed, as A takes errors to
    residuals.

    Args:
        A: operators of a batch.
        net: gradients reach its parameters.
        seed: of the errors.

    Example:
        >>> A = random_system(["contrast 10"], Grid((24, 24)), seed=0)
        >>> bool(0.01 < error_reduction(A, MultigridNet(), seed=0).exp().item() < 0.5)
        True
    """
    A = A.to(torch.float32)
    M, ones = cycle_of(A, net, torch.float32), (1,) * A.grid.ndim
    batch = A.diagonal.shape[0] if A.batched else 1
    e = torch.randn(batch, *A.space, generator=torch.Generator().manual_seed(seed))
    e = e if A.fluid is None else e * A.fluid
    with torch.no_grad():
        for _ in range(_CYCLES):
            e = e - M(A(e))
            e = e / _dot(e, A(e)).clamp_min(1e-30).sqrt().reshape(-1, *ones)
    r = A(e)
    before, p, rho = _dot(e, r), torch.zeros_like(e), None
    for _ in range(_ITERATIONS):
        z = M(r)
        last, rho = rho, _dot(z, r)
        p = z if last is None else z + (rho / last).reshape(-1, *ones) * p
        q = A(p)
        alpha = (rho / _dot(p, q)).reshape(-1, *ones)
        e, r = e - alpha * p, r - alpha * q
    return 0.5 * torch.log(_dot(e, r).clamp_min(1e-12 * before) / before) / _ITERATIONS


def _dot(x: Tensor, y: Tensor) -> Tensor:
    return (x * y).flatten(1).sum(1)


def _batch(schedule: Schedule, ndim: int, rng: np.random.Generator) -> Stencil:
    unknown = sorted(set(schedule.families) - set(FAMILIES))
    if unknown:
        raise UnknownNameError("family", unknown[0], FAMILIES)
    shape = tuple(int(n) for n in rng.integers(*schedule.cells, ndim))
    seed = int(rng.integers(2**31))
    boundary = random_boundary(rng, ndim)
    return random_system(schedule.families, Grid(shape), seed, split="train", boundary=boundary)
