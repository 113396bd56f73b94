"""The network of deep conjugate directions: from a residual and a region to a direction for `opforge.solvers.dcdm`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.pdes._finite_volumes import BOUNDARIES
from opforge.precond._neighbours import padded
from opforge.precond._smoother import CONV, SLOPE, Gates, Smoother
from opforge.precond.saving import load_weights, save_weights
from opforge.solvers import Stencil
from opforge.solvers.preconditioners._hierarchy import Level, coarsen

KIND = "directions"

# Coarsest cells, solved by a dense factor. Where more are joined, long thin walls are lost: around 15 of them on 256²,
# 40 cells take more than 200 iterations and 150 take 4.
_DENSE = 150

# Spacings and conductances that differ by more are not those of the cubes and the constant coefficient of training.
_CUBES, _CONSTANT, _VARIES = 1.1, 1e-4, 0.25


@dataclass(frozen=True)
class Region:
    """What a network knows of an operator: computed once, used for every residual.

    Args:
        levels: the stencil and its coarsenings, of one channel.
        gates: what the smoothers are multiplied with on every level but the last.
        inverse: the dense inverse on the last one.
        floating: where nothing holds u, 1/cells in its fluid, else None.
    """

    levels: list[Level]
    gates: list[tuple[Gates, Gates]]
    inverse: Tensor
    floating: Tensor | None

    def without_mean(self, u: Tensor) -> Tensor:
        """u (batch, 1, *space) less its mean in the fluid where that means nothing."""
        if self.floating is None:
            return u
        mean = (self.floating * u).flatten(2).sum(2).reshape(-1, *(1,) * (u.ndim - 1))
        return u - mean * (self.floating > 0)


class ConjugateDirections(nn.Module):
    """Directions f(r) ≈ A⁻¹r from residuals, around obstacles, on any grid: the network of deep conjugate directions.

    A cycle over the stencil's coarser levels: on each a convolutional smoother, the correction from the next level,
    another smoother of what is left. The two smoothers are the same on every level, so that grids finer than those of
    the training have more levels and no more weights; what differs from cell to cell (walls, obstacles, the last cell
    of an odd number) enters by gates, which a small network computes from the faces around, once for every operator.
    f is neither linear nor symmetric, and f(t r) = t f(r) for t > 0: it is M of `opforge.solvers.dcdm` and of `fcg`,
    not of `cg`.

    Args:
        ndim: axes of space, 2 or 3.
        channels: of the smoothers.
        region_channels: that describe a cell's surroundings.
        boundaries: kinds that it is trained with, of ``"dirichlet"``, ``"neumann"``, ``"periodic"``; it takes no
            others.

    Attributes:
        about: what else is written beside the weights, plain values.

    Raises:
        InputError: sizes out of range, unknown boundaries.

    Example:
        >>> from opforge.core import Grid
        >>> from opforge.solvers import dcdm
        >>> A = Stencil(Grid((33, 47), (33.0, 47.0)))
        >>> net = ConjugateDirections(2)  # untrained
        >>> result = dcdm(A, torch.ones(1, 33, 47, dtype=torch.float64), rtol=1e-4, M=net.on(A))
        >>> result.converged, 2 <= result.iterations <= 15
        (True, True)

    Source:
        Kaneda et al., "A deep conjugate direction method for iteratively solving linear systems". Departures: the
        region is an input; transfers between levels and the products with A there are those of
        `opforge.solvers.geometric_multigrid` and not learned, levels are as many as the grid has and not two. With
        learned transfers and no products with A, residual blocks of 16 channels on every level, the loss was still 0.5
        after as much training as takes this one below 0.05.
    """

    def __init__(
        self,
        ndim: int,
        channels: int = 16,
        region_channels: int = 16,
        *,
        boundaries: Sequence[str] = BOUNDARIES,
    ):
        super().__init__()
        if ndim not in CONV:
            raise InputError(f"ndim must be 2 or 3, got {ndim!r}")
        for name, value in (("channels", channels), ("region_channels", region_channels)):
            if value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")
        if isinstance(boundaries, str) or not boundaries or not set(boundaries) <= set(BOUNDARIES):
            raise InputError(f"boundaries must be some of {', '.join(BOUNDARIES)}, got {boundaries!r}")
        self.ndim, self.boundaries = ndim, tuple(boundaries)
        self.about: dict[str, Any] = {}
        self._config = {"ndim": ndim, "channels": channels, "region_channels": region_channels}
        self.pre = Smoother(ndim, channels, region_channels)
        self.post = Smoother(ndim, channels, region_channels)
        self.look = CONV[ndim](2 * ndim + 1, region_channels, 3)
        self.mix = CONV[ndim](region_channels, region_channels, 1)

    def describe(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values.

        Example:
            >>> ConjugateDirections(**ConjugateDirections(3, 8).describe()).describe()["channels"]
            8
        """
        return {**self._config, "boundaries": list(self.boundaries)}

    def save(self, path: str | Path, **about: Any) -> Path:
        """Write ``path``.safetensors and ``path``.json, with ``about``; `opforge.precond.load` reads them."""
        return save_weights(self, path, {"kind": KIND, "network": self.describe(), **self.about, **about})

    @classmethod
    def from_files(cls, path: Path, about: dict[str, Any]) -> ConjugateDirections:
        """What `save` wrote, whose JSON is ``about``."""
        try:
            net = cls(**about["network"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}.json is damaged ({type(error).__name__}: {error}); copy it again") from error
        load_weights(net, path)
        net.about = {key: value for key, value in about.items() if key not in ("kind", "network")}
        return net

    def on(self, A: Stencil) -> Directions:
        """The directions for one operator, as ``M=`` of `opforge.solvers.dcdm` or `fcg`.

        Raises:
            InputError: something else than a `Stencil`; another dimension or boundary than the network's; coefficients
                that vary, a reaction, cells far from cubes.
        """
        return Directions(self, A)

    def levels(self, A: Stencil, dense: int = _DENSE) -> list[Level]:
        """The stencil, scaled such that conductances of open faces are 1, and its coarsenings, scaled alike.

        Args:
            A: the operator.
            dense: most cells on the last one.
        """
        levels = [_first_level(A)]
        while levels[-1].cells > dense:
            coarser = coarsen(levels[-1])
            if coarser.cells == levels[-1].cells:
                break
            levels.append(_scaled(coarser, self._shrinking))
        return levels

    def region(self, A: Stencil, dense: int = _DENSE) -> Region:
        """What is computed once for an operator.

        Args:
            A: the operator.
            dense: see `levels`.

        Raises:
            InputError: see `on`.
        """
        check_operator(self, A)
        weight = self.mix.weight
        levels = self.levels(A.to(device=weight.device), dense)
        inverse = levels[-1].inverse().to(weight.dtype)
        fluid = torch.ones_like(levels[0].diagonal) if levels[0].fluid is None else levels[0].fluid
        floating = (fluid / fluid.flatten(1).sum(1).reshape(-1, *(1,) * (fluid.ndim - 1))).to(weight.dtype)
        for level in levels:
            level.to(weight.dtype)
        return Region(levels, self.gates(levels), inverse, floating if A.floats else None)

    def gates(self, levels: list[Level]) -> list[tuple[Gates, Gates]]:
        """What both smoothers are multiplied with, on all levels but the last."""
        found = []
        for level in levels[:-1]:
            features = _faces_and_fluid(level).to(self.mix.weight.dtype)
            features = F.leaky_relu(self.look(padded(features, level.wrapped)), SLOPE)
            features = F.leaky_relu(self.mix(features), SLOPE)
            found.append((self.pre.gates(features, level), self.post.gates(features, level)))
        return found

    def forward(self, r: Tensor, region: Region) -> Tensor:
        """Directions (batch, *space) from residuals (batch, *space) in the precision of the weights."""
        u = self._cycle(0, region.without_mean(r[:, None]), region)
        return region.without_mean(u)[:, 0]

    @property
    def _shrinking(self) -> float:
        """Sums of conductances over faces of joined cells, over those of single ones: 1 in 2-D, 2 in 3-D."""
        return 2.0 ** (2 - self.ndim)

    def _cycle(self, number: int, r: Tensor, region: Region) -> Tensor:
        level = region.levels[number]
        if number == len(region.gates):
            return (region.inverse @ r.reshape(r.shape[0], 1, -1, 1)).reshape(r.shape)
        before, after = region.gates[number]
        u = self.pre(r, before, level.wrapped)
        coarse = level.restrict(r - level.apply(u)) * self._shrinking
        u = u + level.prolong(self._cycle(number + 1, coarse, region))
        return u + self.post(r - level.apply(u), after, level.wrapped)


class Directions:
    """A network's directions for one operator: a function of residuals, neither linear nor symmetric.

    Args:
        net: the network.
        A: the operator.

    Attributes:
        shape, dtype, space: those of the matrix, of the numbers inside (numpy's name), and of a field.

    Example:
        >>> from opforge.core import Grid
        >>> f = ConjugateDirections(2).on(Stencil(Grid((16, 16))))
        >>> f(np.ones(256)).shape, f(torch.ones(3, 16, 16)).shape
        ((256,), torch.Size([3, 16, 16]))
    """

    def __init__(self, net: ConjugateDirections, A: Stencil):
        weight = net.mix.weight
        self._net, self._precision, self._device = net, weight.dtype, weight.device
        with torch.no_grad():
            self._region = net.region(A)
        self.shape, self.space = A.shape, A.space
        self.dtype = np.dtype(str(weight.dtype).removeprefix("torch."))

    def __repr__(self) -> str:
        return f"Directions({' x '.join(map(str, self.space))} cells, {len(self._region.levels)} levels)"

    def __call__(self, r: Any) -> Any:
        """f(r) of the shape, kind and precision of r: (n,), (*space) or (batch, *space), numpy or torch.

        What is not finite stays in its field of the batch: other systems of a solve go on.

        Raises:
            InputError: another shape.
        """
        given = tuple(r.shape)
        if given != (self.shape[0],) and given[-len(self.space) :] != self.space:
            raise InputError(f"r must have the shape ({self.shape[0]},) or (batch, *{self.space}), got {given}")
        x = r if is_torch(r) else torch.from_numpy(np.ascontiguousarray(r))
        fields = x.reshape(-1, *self.space)
        # To root mean square 1: single precision has a small range.
        size = torch.linalg.vector_norm(fields.flatten(1), dim=1) / math.sqrt(self.shape[0])
        size = torch.where(size > 0, size, 1.0).reshape(-1, *(1,) * len(self.space))
        with torch.no_grad():
            d = self._net((fields / size).to(self._device, self._precision), self._region)
        d = (d.to(x.device, x.dtype) * size).reshape(given)
        return d if is_torch(r) else d.numpy()

    def aspreconditioner(self, A: Any = None) -> Any:
        """Refused: scipy's methods take linear preconditioners.

        Raises:
            InputError: always.
        """
        raise InputError("M must be linear for scipy's methods, got directions of a network; use opforge.solvers.dcdm")


def check_operator(net: ConjugateDirections, A: Any) -> None:
    """Refuse an operator that is none of those that a network is trained for.

    Raises:
        InputError: see `ConjugateDirections.on`.

    Example:
        >>> check_operator(ConjugateDirections(3), np.eye(4))
        Traceback (most recent call last):
        ...
        opforge.errors.InputError: A must be a Stencil, from which the network reads the region, got ndarray; \
take Stencil.of_matrix(A, grid)
    """
    if not isinstance(A, Stencil):
        raise InputError(
            f"A must be a Stencil, from which the network reads the region, got {type(A).__name__}; take "
            "Stencil.of_matrix(A, grid)"
        )
    if A.grid.ndim != net.ndim:
        raise InputError(f"A must have {net.ndim} axes, which the network is trained for, got {A.grid.ndim}")
    others = {kind for ends in A.boundary for kind in ends} - set(net.boundaries)
    if others:
        raise InputError(
            f"A must have boundaries that the network is trained with, {', '.join(net.boundaries)}, got "
            f"{', '.join(sorted(others))}; train another one"
        )
    if max(A.grid.spacing) > _CUBES * min(A.grid.spacing):
        raise InputError(f"A must have cells that are cubes, got spacings {A.grid.spacing}; use geometric_multigrid")
    k = _open_conductance(A)
    varies = any(bool(((f > 0) & ((f - k).abs() > _VARIES * k)).any()) for f in _inner_conductances(A))
    fluid = 1.0 if A.fluid is None else A.fluid
    if varies or bool((A.extra * fluid).max() > _CONSTANT * k):
        raise InputError(
            "A must have a constant coefficient and no reaction, which the network is trained for; use "
            "geometric_multigrid"
        )


def _inner_conductances(A: Stencil) -> list[Tensor]:
    inner = [faces.narrow(axis, 1, faces.shape[axis] - 2) for axis, faces in enumerate(A.faces, start=-A.grid.ndim)]
    return [k for k in inner if k.numel()]


def _open_conductance(A: Stencil) -> Tensor:
    """The largest of a face between two cells."""
    return torch.stack([k.max() for k in _inner_conductances(A)] or [A.diagonal.max()]).max()


def _first_level(A: Stencil) -> Level:
    """A in units in which conductances of open faces are 1, with an axis for channels."""
    scale = 1 / _open_conductance(A)

    def formed(x: Tensor) -> Tensor:
        return x.reshape(-1, 1, *x.shape[-A.grid.ndim :])

    fluid = None if A.fluid is None else formed(A.fluid)
    return Level([formed(k) * scale for k in A.faces], formed(A.extra) * scale, fluid, A.wrapped)


def _scaled(level: Level, factor: float) -> Level:
    if factor == 1:
        return level
    return Level([k * factor for k in level.faces], level.extra * factor, level.fluid, level.wrapped)


def _faces_and_fluid(level: Level) -> Tensor:
    """k/(1 + k) of the faces around every cell, and whether it has fluid: (batch, 2 ndim + 1, *space).

    The last of an odd number of cells is thinner on every level, and k to a wall there has no bound.
    """
    shape = level.diagonal.shape
    parts = [k / (1 + k) for k in level.faces]
    around = [
        k.narrow(axis, end, shape[axis]).expand(shape) for axis, k in enumerate(parts, -level.ndim) for end in (0, 1)
    ]
    fluid = torch.ones_like(level.diagonal) if level.fluid is None else level.fluid.expand(shape)
    return torch.cat([*around, fluid], 1)
