"""Families of random systems A x = b on which preconditioners are trained and judged; their seeds never meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from opforge.core import Grid
from opforge.datasets.random_fields import GaussianField
from opforge.datasets.random_obstacles import Obstacles
from opforge.errors import InputError, UnknownNameError
from opforge.pdes._regions import with_one_region
from opforge.solvers import Stencil
from opforge.solvers.stencil import sides

Split = Literal["train", "test"]
Fields = dict[str, np.ndarray]
Draw = Callable[[np.random.Generator, Grid, tuple[bool, ...]], Fields]

# The first number of what a sample's random numbers are drawn from.
_SPLITS = {"train": 0, "test": 1}

# Boundaries of an axis that `random_boundary` draws from.
_ENDS = ("dirichlet", "neumann", "periodic", ("dirichlet", "neumann"))

# Inverse correlation lengths of coefficients, in parts of the box. Shortest waves are some 8 cells of the grids that
# are trained on, so that no coefficient is noise from cell to cell.
_TAU = {1: (5.0, 19.0), 2: (5.0, 19.0), 3: (5.0, 12.0)}


def obstacles(rng: np.random.Generator, grid: Grid, wrapped: tuple[bool, ...]) -> Fields:
    """A coefficient of 1 around 2 to 11 random bodies."""
    solid = Obstacles(int(rng.integers(2, 12)), (0.03, 0.14), margin=0.05).sample(rng, grid)
    return {"solid": with_one_region(solid, wrapped)}


def contrast(ratio: float) -> Draw:
    """Coefficients between 1 and ``ratio``: half of them smooth, clipped log-normal ones, half of them jump, between
    two materials or at layers in one of them."""

    def draw(rng: np.random.Generator, grid: Grid, wrapped: tuple[bool, ...]) -> Fields:
        field = GaussianField(alpha=3.0, tau=rng.uniform(*_TAU[grid.ndim])).sample(
            rng, grid, modes=min(64, *grid.shape)
        )
        field = (field - np.median(field)) / field.std()
        if rng.random() < 0.5:
            return {"a": ratio ** (0.5 + 0.5 * np.clip(field / rng.uniform(0.5, 1.5), -1, 1))}
        high = field > 0 if rng.random() < 0.6 else np.abs(field) < 0.4
        return {"a": np.where(high != (rng.random() < 0.5), ratio, 1.0)}

    return draw


FAMILIES: dict[str, Draw] = {
    "obstacles": obstacles,
    "contrast 10": contrast(10.0),
    "contrast 100": contrast(100.0),
}


def random_system(
    families: str | Sequence[str],
    grid: Grid,
    seed: int,
    *,
    split: Split = "test",
    boundary: str | Sequence[str | Sequence[str]] = "dirichlet",
) -> Stencil:
    """The operator of a family, or a batch of them.

    Args:
        families: a name of `FAMILIES`: one operator; or several: a batch with one of each.
        grid: cell centres.
        seed: the same seed gives the same operator, on a finer grid one like it.
        split: ``"train"`` or ``"test"``: samples of one are never those of the other.
        boundary: as in `opforge.solvers.Stencil`.

    Raises:
        UnknownNameError: another family.
        InputError: another split, what `Stencil` refuses.

    Example:
        >>> random_system("contrast 10", Grid((32, 32)), seed=0).a.max().item()
        10.0
        >>> random_system(["obstacles", "contrast 100"], Grid((16, 16)), seed=0).batched
        True
    """
    names = [families] if isinstance(families, str) else list(families)
    for name in names:
        if name not in FAMILIES:
            raise UnknownNameError("family", name, FAMILIES)
    if split not in _SPLITS:
        raise InputError(f"split must be 'train' or 'test', got {split!r}")
    wrapped = tuple(ends[0] == "periodic" for ends in sides(boundary, grid.ndim))
    fields = [
        FAMILIES[name](np.random.default_rng([_SPLITS[split], seed, number]), grid, wrapped)
        for number, name in enumerate(names)
    ]
    a = np.stack([f.get("a", np.ones(grid.shape)) for f in fields])
    solid = np.stack([f.get("solid", np.zeros(grid.shape, bool)) for f in fields])
    if isinstance(families, str):
        a, solid = a[0], solid[0]
    return Stencil(grid, boundary, a=a, solid=solid if solid.any() else None)


def random_boundary(rng: np.random.Generator, ndim: int) -> list[str | tuple[str, str]]:
    """Dirichlet, Neumann, periodic or mixed sides for every axis."""
    return [_ENDS[rng.integers(len(_ENDS))] for _ in range(ndim)]


def random_right_hand_side(A: Stencil, seed: int) -> Tensor:
    """Normal numbers in fluid, (batch, *space) with a batch of 1 for one operator; of mean 0 where A is singular.

    Example:
        >>> b = random_right_hand_side(Stencil(Grid((8, 8)), "neumann"), seed=0)
        >>> tuple(b.shape), bool(abs(b.mean()) < 1e-12)
        ((1, 8, 8), True)
    """
    batch = A.diagonal.shape[0] if A.batched else 1
    b = torch.randn(batch, *A.space, dtype=A.dtype, generator=torch.Generator().manual_seed(seed)).to(A.device)
    fluid = torch.ones_like(b) if A.fluid is None else A.fluid.expand_as(b)
    b = b * fluid
    if A.floats:
        axes = tuple(range(1, b.ndim))
        b = b - fluid * b.sum(axes, keepdim=True) / fluid.sum(axes, keepdim=True)
    return b
