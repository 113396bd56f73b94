"""Relative errors of predicted fields, as losses to train on and as norms to measure with.

Every norm is a quadrature of an integral over the box, so that the same two functions give the same number on every
grid, up to the quadrature's order.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from opforge import core
from opforge.core.grid import Grid
from opforge.errors import InputError

#: What ``fit`` minimises: (prediction, truth) -> scalar, both (batch, channels, *space) in physical values.
Loss = Callable[[Tensor, Tensor], Tensor]


class _RelativeNorm(ABC):
    """mean over samples of ‖prediction − truth‖ / max(‖truth‖, ε), for a norm that the subclass gives."""

    __dataclass_fields__: ClassVar[dict[str, Any]]  # every subclass is a dataclass
    grid: Grid | None
    weights: tuple[float, ...] | None
    epsilon: float

    @abstractmethod
    def _norm(self, v: Tensor) -> Tensor:
        """The norm of each sample, (batch, channels, *space) -> (batch,)."""

    def on(self, grid: Grid) -> Self:
        """The same norm on another grid; only its ``lengths`` and ``points`` matter, not its shape."""
        return replace(self, grid=grid)

    def per_sample(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """The relative error of each sample, (batch, channels, *space) twice -> (batch,)."""
        if prediction.shape != truth.shape:
            raise InputError(
                f"prediction: expected the truth's shape {tuple(truth.shape)}, got {tuple(prediction.shape)}; "
                "both are (batch, channels, *space)"
            )
        if truth.ndim < 3:
            raise InputError(
                f"truth: expected (batch, channels, *space), got shape {tuple(truth.shape)}; add the missing axes"
            )
        if self.grid is not None and self.grid.ndim != truth.ndim - 2:
            raise InputError(
                f"grid: expected {truth.ndim - 2} axes for fields of shape {tuple(truth.shape)}, got {self.grid.ndim}; "
                "use loss.on(grid) with the fields' grid"
            )
        return self._norm(prediction - truth) / self._norm(truth).clamp_min(self.epsilon)

    def __call__(self, prediction: Tensor, truth: Tensor) -> Tensor:
        return self.per_sample(prediction, truth).mean()

    def _weighted(self, v: Tensor, p: float) -> Tensor:
        """v · w^(1/p) with the channels' weights w."""
        if self.weights is None:
            return v
        if len(self.weights) != v.shape[1]:
            raise InputError(f"weights: expected one per channel ({v.shape[1]}), got {len(self.weights)}")
        powers = [w if math.isinf(p) else w ** (1.0 / p) for w in self.weights]
        return v * v.new_tensor(powers).view(-1, *(1,) * (v.ndim - 2))

    @property
    def _points(self) -> str:
        return "cells" if self.grid is None else self.grid.points


def _check_weights(weights: tuple[float, ...] | None, epsilon: float) -> None:
    if weights is not None and not all(0 <= w < math.inf for w in weights):
        raise InputError(f"weights: expected finite values >= 0, got {weights}")
    if not epsilon > 0:
        raise InputError(f"epsilon: expected a value > 0, got {epsilon}")


def _mean_norm(v: Tensor, p: float, points: str) -> Tensor:
    """(1/|Ω| ∫ Σ_c |v_c|^p dx)^(1/p): the trapezoidal rule on nodes, the midpoint rule on cells and periodic grids."""
    if math.isinf(p):
        return torch.linalg.vector_norm(v.flatten(1), p, dim=1)
    if points == "nodes":
        for axis in range(2, v.ndim):
            n = v.shape[axis]
            rule = v.new_full((n,), 1.0 / (n - 1))
            rule[[0, -1]] *= 0.5
            v = v * rule.pow(1.0 / p).view(-1, *(1,) * (v.ndim - 1 - axis))
        return torch.linalg.vector_norm(v.flatten(1), p, dim=1)
    size = math.prod(v.shape[2:])
    return torch.linalg.vector_norm(v.flatten(1), p, dim=1) * size ** (-1.0 / p)


@dataclass(frozen=True)
class RelativeLp(_RelativeNorm):
    """Relative L^p error, averaged over the batch.

    loss = mean_b ‖û_b − u_b‖ / max(‖u_b‖, ε),   ‖v‖ = (1/|Ω| ∫ Σ_c w_c |v_c(x)|^p dx)^(1/p)

    Args:
        p: exponent, 1 <= p <= inf.
        grid: where the points lie (`fit` and `evaluate` fill in the data's grid); cell centres of the unit box if None.
        weights: w_c >= 0, one per channel; 1 unless given. Channels with different units want w_c = 1 / std_c^p.
        epsilon: what replaces the truth's norm where that is smaller, in the fields' units. A sample whose truth is
            zero then counts its error over epsilon: large, and finite.

    Calling it with prediction and truth, both (batch, channels, *space), gives a scalar; ``per_sample`` gives (batch,).

    Raises:
        InputError: p < 1, a negative weight, an epsilon that is not positive; shapes that differ.

    Example:
        >>> truth = torch.ones(2, 1, 8, 8)
        >>> round(float(RelativeLp(2)(1.1 * truth, truth)), 6)
        0.1

    Source: Li et al., "Fourier Neural Operator for Parametric Partial Differential Equations", 2021, section 5.
    """

    p: float = 2.0
    grid: Grid | None = None
    weights: tuple[float, ...] | None = None
    epsilon: float = 1e-12

    def __post_init__(self) -> None:
        if not self.p >= 1:
            raise InputError(f"p: expected an exponent >= 1, got {self.p}")
        _check_weights(self.weights, self.epsilon)

    def _norm(self, v: Tensor) -> Tensor:
        return _mean_norm(self._weighted(v, self.p), self.p, self._points)


@dataclass(frozen=True)
class RelativeH1(_RelativeNorm):
    """Relative error in the Sobolev norm H¹, averaged over the batch.

    loss = mean_b ‖û_b − u_b‖ / max(‖u_b‖, ε),   ‖v‖² = 1/|Ω| ∫ Σ_c w_c (|v_c|² + |∇v_c|²) dx

    On cells and nodes the derivatives are central differences, one-sided at the ends, both of order 2. On periodic
    grids the norm is Σ_k (1 + |2πk/L|²) |v̂_k|², exact for every field that the grid resolves. The two terms add a
    field and its slope: the unit of length matters, as in every H¹ norm.

    Args:
        grid: lengths of the box and where the points lie (`fit` and `evaluate` fill in the data's grid); cell centres
            of the unit box if None.
        weights: w_c >= 0, one per channel; 1 unless given.
        epsilon: what replaces the truth's norm where that is smaller; see `RelativeLp`.

    Raises:
        InputError: fewer than 3 points on an axis that is not periodic; otherwise as `RelativeLp`.

    Example:
        >>> truth = torch.rand(2, 1, 8, 8)
        >>> round(float(RelativeH1(Grid((8, 8), points="nodes"))(0.75 * truth, truth)), 6)
        0.25

    Source: Czarnecki et al., "Sobolev Training for Neural Networks", 2017.
    """

    grid: Grid | None = None
    weights: tuple[float, ...] | None = None
    epsilon: float = 1e-12

    def __post_init__(self) -> None:
        _check_weights(self.weights, self.epsilon)

    def _norm(self, v: Tensor) -> Tensor:
        v = self._weighted(v, 2.0)
        lengths = (1.0,) * (v.ndim - 2) if self.grid is None else self.grid.lengths
        if self._points == "periodic":
            return _periodic_h1(v, lengths)
        parts = [v, *_differences(v, lengths, self._points)]
        # A norm of norms, not the root of a sum: its gradient at zero is zero, not NaN.
        return torch.linalg.vector_norm(torch.stack([_mean_norm(w, 2.0, self._points) for w in parts]), dim=0)


def _differences(v: Tensor, lengths: tuple[float, ...], points: str) -> tuple[Tensor, ...]:
    """∂v/∂x_i by differences of order 2, one tensor of v's shape per axis of space."""
    shape = tuple(v.shape[2:])
    if min(shape) < 3:
        raise InputError(f"H1 norm: expected at least 3 points per axis, got {shape}; use a finer grid or RelativeLp")
    spacing = Grid(shape, lengths, "nodes" if points == "nodes" else "cells").spacing
    return torch.gradient(v, spacing=list(spacing), dim=list(range(2, v.ndim)), edge_order=2)


def _periodic_h1(v: Tensor, lengths: tuple[float, ...]) -> Tensor:
    """(Σ_k (1 + |2πk/L|²) |v̂_k|²)^½ of each sample, from the half spectrum of a real field."""
    shape = tuple(v.shape[2:])
    multiplier = v.new_ones(())
    for n, length in zip(shape, lengths, strict=True):
        k = torch.arange(n, dtype=v.dtype, device=v.device)
        k = torch.where(k > n // 2, k - n, k)
        multiplier = multiplier.unsqueeze(-1) + (2 * math.pi / length * k).square()
    last = shape[-1] // 2 + 1
    twice = v.new_full((last,), 2.0)  # k and −k are conjugates; the half spectrum holds one of them
    twice[0] = 1.0
    if shape[-1] % 2 == 0:
        twice[-1] = 1.0
    root = (multiplier[..., :last] * twice).sqrt()
    spectrum = torch.view_as_real(core.rfftn(v, dim=tuple(range(2, v.ndim)), norm="forward"))
    return torch.linalg.vector_norm((spectrum * root.unsqueeze(-1)).flatten(1), dim=1)


def losses() -> dict[str, type[RelativeLp] | type[RelativeH1]]:
    """The losses that have a short name, for the command line; each is built without arguments.

    Example:
        >>> losses()["h1"]()
        RelativeH1(grid=None, weights=None, epsilon=1e-12)
    """
    return {"h1": RelativeH1, "l2": RelativeLp}
