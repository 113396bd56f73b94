"""Training of networks of conjugate directions: no solutions, only operators and right-hand sides."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from opforge.datasets.generating.progress import progress_bar
from opforge.errors import InputError, WorkError
from opforge.precond._dcdm_regions import random_stencil
from opforge.precond.dcdm import ConjugateDirections, Region
from opforge.precond.ritz import ritz_combinations, ritz_vectors
from opforge.solvers import Stencil

# Ritz vectors of a right-hand side; of the right-hand sides, the part made of them, the others being white noise.
_RITZ, _OF_RITZ = 48, 0.5

# Coarsest cells in training: few, so that small boxes have many levels too.
_DENSE = 40

# Steps over which the rate rises; bound of the gradient's norm.
_WARM_UP, _CLIP = 100, 1.0

# What is added to losses before their logarithm, so that a few hard regions count for more than the many easy ones
# whose losses are smaller than that.
_EASY = 3e-3

# Steps whose mean loss is shown.
_LATE = 100

# Earlier directions, as `opforge.solvers.dcdm` keeps.
_KEPT = 2


@dataclass(frozen=True)
class Schedule:
    """What a training draws and how long it takes.

    Args:
        steps: of the optimiser.
        cells: least and most along an axis of the boxes.
        regions: in a batch.
        iterations: most of a solve that a batch goes through; the network steps once in each.
        rate: highest learning rate; it falls to 0 like a cosine.
        minutes: bound of the time; a training that reaches it ends early, by a rate that has fallen to 0 all the same,
            but gives other weights on another machine.
    """

    steps: int = 5_000
    cells: tuple[int, int] = (16, 48)
    regions: int = 8
    iterations: int = 8
    rate: float = 2e-3
    minutes: float = 60.0

    def __post_init__(self) -> None:
        for name in ("steps", "regions", "iterations", "rate", "minutes"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be greater than 0, got {getattr(self, name)!r}")
        if not 4 <= self.cells[0] <= self.cells[1]:
            raise InputError(f"cells must be least and most along an axis, the least at least 4, got {self.cells}")


@dataclass
class Record:
    """What happened in a training.

    Args:
        losses: the mean of `residual_loss` in every step, before the step.
        seconds: that it took.
        complete: whether all steps were made before the time was up.
    """

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    complete: bool = False


# What the shipped networks are made by, with one thread: (constructor's arguments, schedule).
SHIPPED: dict[str, tuple[dict[str, Any], Schedule]] = {
    "dcdm_2d": ({"ndim": 2}, Schedule(steps=5_000)),
    "dcdm_3d": ({"ndim": 3}, Schedule(steps=4_000, cells=(6, 16), regions=6)),
}


def residual_loss(A: Stencil, b: Tensor, d: Tensor) -> Tensor:
    """‖b − α A d‖² / ‖b‖² with α = dᵀb / dᵀA d: what an exact line search along d leaves of a residual.

    No solution is needed; the length and sign of d do not matter; gradients flow to d.

    Args:
        A: symmetric, positive definite.
        b: residuals (batch, *space).
        d: directions (batch, *space).

    Returns:
        (batch,).

    Example:
        >>> from opforge.core import Grid
        >>> A, b = Stencil(Grid((8, 8))), torch.ones(1, 8, 8, dtype=torch.float64)
        >>> [round(float(residual_loss(A, b, d)), 3) for d in (b, -7 * b)]
        [1.5, 1.5]

    Source:
        Kaneda et al., "A deep conjugate direction method for iteratively solving linear systems", equation (9), with
        residuals b of any norm.
    """
    Ad = A(d)
    alpha = _dot(d, b) / _dot(d, Ad).clamp_min(torch.finfo(b.dtype).tiny)
    left = b - alpha * Ad
    return (_dot(left, left) / _dot(b, b).clamp_min(torch.finfo(b.dtype).tiny)).flatten()


def train_directions(
    net: ConjugateDirections, schedule: Schedule | None = None, *, seed: int = 0, progress: bool = False
) -> Record:
    """Train a network to give directions along which little is left of a residual, in random regions.

    A batch is a random box, boundary and obstacles, and right-hand sides: half of them combinations of Ritz vectors,
    as published, half white noise. It then goes through some iterations of the method itself with the network as it
    is, as the network will be used; each residual on the way is a sample, of which the optimiser makes one step. What
    it descends is the mean of the logarithms of `residual_loss`: iterations multiply residuals.

    Args:
        net: in single precision; its weights change.
        schedule: what is drawn and for how long.
        seed: of everything drawn. The same seed, machine and number of threads give the same weights.
        progress: whether a bar is shown on standard error.

    Returns:
        The losses.

    Raises:
        WorkError: the loss is no number any more.

    Example:
        >>> record = train_directions(ConjugateDirections(2, 4, 4), Schedule(steps=3, cells=(8, 12), regions=2))
        >>> len(record.losses), record.complete
        (3, True)
    """
    schedule, record = schedule or Schedule(), Record()
    samples = _Samples(net, schedule, seed)
    optimiser = torch.optim.Adam(net.parameters(), lr=schedule.rate)
    start, batches = time.monotonic(), iter(samples)
    with progress_bar("directions" if progress else None, schedule.steps, 0) as advance:
        for step in range(schedule.steps):
            elapsed = (time.monotonic() - start) / 60
            if elapsed >= schedule.minutes:
                break
            done = max(step / schedule.steps, elapsed / schedule.minutes)
            rate = schedule.rate * min(1, (step + 1) / _WARM_UP) * (1 + math.cos(math.pi * done)) / 2
            for group in optimiser.param_groups:
                group["lr"] = rate
            A, b, region = next(batches)
            d = net(b, region)
            losses = residual_loss(A, b, d)
            optimiser.zero_grad()
            (losses + _EASY).log().mean().backward()
            nn.utils.clip_grad_norm_(net.parameters(), _CLIP)
            optimiser.step()
            samples.follow(d.detach())
            record.losses.append(float(losses.detach().mean()))
            if not math.isfinite(record.losses[-1]):
                raise WorkError(f"the loss is no number after {step + 1} steps; lower the rate, {schedule.rate}")
            advance(1, f"loss {np.mean(record.losses[-_LATE:]):.3g}")
        else:
            record.complete = True
    record.seconds = time.monotonic() - start
    return record


class _Samples:
    """Operators, residuals of norm √n and what the network knows of the region, one after the other."""

    def __init__(self, net: ConjugateDirections, schedule: Schedule, seed: int):
        self._net, self._schedule = net, schedule
        self._rng, self._generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Stencil, Tensor, Region]]:
        schedule = self._schedule
        while True:
            A = random_stencil(self._rng, self._net.ndim, schedule.cells, schedule.regions, self._net.boundaries)
            with torch.no_grad():
                region = self._net.region(A, _DENSE)
            self._A, self._b, self._earlier = A, _unit(right_hand_sides(A, schedule.regions, self._generator)), []
            for _ in range(int(self._rng.integers(1, schedule.iterations + 1))):
                # gates anew, of the weights as they are
                yield A, self._b, replace(region, gates=self._net.gates(region.levels))

    @torch.no_grad()
    def follow(self, d: Tensor) -> None:
        """One iteration of the method, from the network's direction to the next residual."""
        Ad = self._A(d)
        for e, Ae, curvature in self._earlier:
            part = _dot(Ae, d) / curvature
            d, Ad = d - part * e, Ad - part * Ae
        curvature = _dot(d, Ad).clamp_min(torch.finfo(d.dtype).tiny)
        self._earlier = [*self._earlier, (d, Ad, curvature)][-_KEPT:]
        left = self._b - _dot(d, self._b) / curvature * Ad
        self._b = _unit(_solvable(self._A, left))


def right_hand_sides(A: Stencil, regions: int, generator: torch.Generator) -> Tensor:
    """Half of them combinations of Ritz vectors, half white noise, (regions, *space); such that A x = b has solutions.

    Example:
        >>> from opforge.core import Grid
        >>> b = right_hand_sides(Stencil(Grid((8, 8)), "neumann", dtype=torch.float32), 3, torch.Generator())
        >>> tuple(b.shape), bool(abs(b.mean()) < 1e-6)
        ((3, 8, 8), True)
    """
    fluid = _fluid(A).expand(regions, *A.space)
    noise = _solvable(A, torch.randn(regions, *A.space, generator=generator) * fluid)
    vectors = ritz_vectors(A, noise, min(_RITZ, A.grid.size // 2))[1]
    made = _solvable(A, ritz_combinations(vectors, generator))
    chosen = torch.rand(regions, generator=generator) < _OF_RITZ
    return torch.where(chosen.reshape(-1, *(1,) * len(A.space)), _unit(made), _unit(noise))


def _fluid(A: Stencil) -> Tensor:
    return (torch.ones(A.space) if A.fluid is None else A.fluid).reshape(-1, *A.space)


def _solvable(A: Stencil, b: Tensor) -> Tensor:
    """Without the mean where nothing holds u: the fluid is one part there."""
    fluid = _fluid(A)
    return b - _dot(b, fluid) / _dot(fluid, fluid) * fluid if A.floats else b


def _dot(x: Tensor, y: Tensor) -> Tensor:
    return torch.linalg.vecdot(x.flatten(1), y.flatten(1)).reshape(-1, *(1,) * (x.ndim - 1))


def _unit(b: Tensor) -> Tensor:
    """Of root mean square 1, as `Directions` scales residuals."""
    size = (_dot(b, b) / b[0].numel()).sqrt()
    return b / size.clamp_min(torch.finfo(b.dtype).tiny)
