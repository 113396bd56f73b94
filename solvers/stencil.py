"""Elliptic operators on cell centres as functions of fields: no matrix, numpy or torch, many fields at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.pdes._arrays import along
from opforge.pdes._finite_volumes import BOUNDARIES, conductances
from opforge.solvers._floating import floating_regions
from opforge.solvers._operators import symmetric_operator
from opforge.solvers._stencil_of_matrix import stencil_of_matrix

if TYPE_CHECKING:
    import scipy.sparse
    import torch
    from scipy.sparse.linalg import LinearOperator

Sides = tuple[str, str]


class Stencil:
    """A u = −∇·(a∇u) + c u by finite volumes on cell centres, around obstacles through which nothing flows.

    Two-point fluxes with harmonic means of a; where u = 0 on the boundary, half a cell away. In obstacles A u is
    u Σ 2/h². That is the operator of `opforge.pdes.Poisson`, whose matrix has more on its diagonal where u floats;
    here constants stay what A takes to 0.

    Args:
        grid: cell centres.
        boundary: ``"dirichlet"``, u = 0 there; ``"neumann"``, nothing flows through it; ``"periodic"``; or one of them
            for every axis; or for an axis a pair of the first two, for its lower and upper end.
        a: the coefficient, > 0, (*space) or (batch, *space), numpy or torch; 1 unless given.
        c: the reaction, >= 0, of such a shape; 0 unless given.
        solid: 1 in obstacles, (*space) or (batch, *space).
        dtype: precision, ``torch.float64`` unless given, or that of a tensor ``a``.
        device: where the numbers are, that of a tensor ``a`` unless given.

    Attributes:
        space: the grid's shape, by which `opforge.solvers.cg` tells single fields from batches.
        faces: conductances k/h of the n + 1 faces along every axis, boundary faces included.
        diagonal: of the matrix, (*space) or (batch, *space).
        fluid: 1 outside obstacles, 0 in them; None without obstacles.

    Raises:
        InputError: shapes that do not fit, an unknown boundary, numbers out of range, no cell of fluid.

    Example:
        >>> import torch
        >>> from opforge.solvers import cg
        >>> A = Stencil(Grid((16, 16)), ("periodic", ("dirichlet", "neumann")))
        >>> result = cg(A, torch.ones(3, 16, 16, dtype=torch.float64), rtol=1e-8)
        >>> result.converged, tuple(result.x.shape)
        (True, (3, 16, 16))
    """

    def __init__(
        self,
        grid: Grid,
        boundary: str | Sequence[str | Sequence[str]] = "dirichlet",
        *,
        a: Any = None,
        c: Any = None,
        solid: Any = None,
        dtype: torch.dtype | None = None,
        device: Any = None,
    ):
        import torch

        if grid.points != "cells":
            raise InputError(f"grid must have points='cells', got {grid.points!r}")
        self.grid, self.boundary = grid, sides(boundary, grid.ndim)
        dtype = dtype or (a.dtype if is_torch(a) and a.is_floating_point() else torch.float64)
        device = device or (a.device if is_torch(a) else "cpu")

        def field(name: str, value: Any) -> torch.Tensor:
            x = torch.as_tensor(value, dtype=dtype, device=device)
            if x.ndim not in (grid.ndim, grid.ndim + 1) or tuple(x.shape[-grid.ndim :]) != grid.shape:
                raise InputError(
                    f"{name} must have the grid's shape {grid.shape}, or that after a batch, got {tuple(x.shape)}"
                )
            return x

        self.fluid = None if solid is None else (field("solid", solid) < 0.5).to(dtype)
        a = torch.ones(grid.shape, dtype=dtype, device=device) if a is None else field("a", a)
        inside = torch.ones_like(a) if self.fluid is None else self.fluid
        if not bool((inside.flatten(-grid.ndim).sum(-1) > 0).all()):
            raise InputError(
                "solid must leave some cells of fluid, got obstacles everywhere; use fewer or smaller ones"
            )
        if not bool(((a > 0) & torch.isfinite(a) | (inside == 0)).all()):
            raise InputError("a must be positive and finite outside obstacles")
        extra = torch.zeros(grid.shape, dtype=dtype, device=device) if c is None else field("c", c)
        if not bool(((extra >= 0) & torch.isfinite(extra)).all()):
            raise InputError("c must be finite and at least 0")
        a = torch.where(inside > 0, a, 0.0)
        faces = [
            _faces(a, i - grid.ndim, h, s) for i, (h, s) in enumerate(zip(grid.spacing, self.boundary, strict=True))
        ]
        scale = sum(2 / h**2 for h in grid.spacing)
        self._set(a, faces, torch.where(inside > 0, extra, scale))

    def _set(self, a: torch.Tensor, faces: list[torch.Tensor], extra: torch.Tensor) -> None:
        self.a, self.faces, self.extra = a, faces, extra
        self.space, self.dtype, self.device = self.grid.shape, a.dtype, a.device
        self.wrapped = tuple(s[0] == "periodic" for s in self.boundary)
        self.diagonal = extra
        for axis, k in enumerate(faces, start=-len(faces)):
            self.diagonal = self.diagonal + along(k, axis, 1, None) + along(k, axis, None, -1)

    @classmethod
    def of_matrix(cls, A: Any, grid: Grid) -> Stencil:
        """The stencil that a matrix is: that of `pressure_system`, of `Poisson.operator`, or of your own.

        Cells without neighbours become obstacles. What a row has in sum, at a boundary, counts as the conductance to
        the boundary, elsewhere as a reaction; the boundary conditions are read from that.

        Args:
            A: symmetric, numpy or scipy.sparse, rows in C order; beside the diagonal entries <= 0 between neighbouring
                cells, or those at the two ends of an axis, alone.
            grid: cell centres.

        Raises:
            InputError: another matrix.

        Example:
            >>> from opforge.pdes import Poisson
            >>> A = Poisson(2).operator({}, Grid((8, 8)))
            >>> bool(abs(Stencil.of_matrix(A, Grid((8, 8))).matrix() - A).max() < 1e-10)
            True
        """
        import torch

        faces, extra, periodic, held = stencil_of_matrix(A, grid.shape)
        coupled = sum(
            along(k, axis, 1, None) + along(k, axis, None, -1) for axis, k in enumerate(faces, start=-grid.ndim)
        )
        new = object.__new__(cls)
        ends = {False: "neumann", True: "dirichlet"}
        new.grid = grid
        new.boundary = tuple(
            ("periodic", "periodic") if around else (ends[pair[0]], ends[pair[1]])
            for around, pair in zip(periodic, held, strict=True)
        )
        fluid = torch.from_numpy(np.asarray(coupled > 0, np.float64))
        if not bool(fluid.any()):
            raise InputError("A must couple some cells, got a diagonal matrix; take jacobi")
        new.fluid = None if bool(fluid.all()) else fluid
        inner = [(k[k > 0] * h**2).mean() for k, h in zip(faces, grid.spacing, strict=True) if (k > 0).any()]
        a = torch.full(grid.shape, float(np.mean(inner)), dtype=torch.float64)
        new._set(a, [torch.from_numpy(k) for k in faces], torch.from_numpy(extra))
        return new

    def to(self, dtype: torch.dtype | None = None, device: Any = None) -> Stencil:
        """The same operator in another precision or on another device."""
        new = object.__new__(Stencil)
        new.grid, new.boundary = self.grid, self.boundary
        options = {"dtype": dtype or self.dtype, "device": device or self.device}
        new.fluid = None if self.fluid is None else self.fluid.to(**options)
        new._set(self.a.to(**options), [k.to(**options) for k in self.faces], self.extra.to(**options))
        return new

    @property
    def shape(self) -> tuple[int, int]:
        return (self.grid.size, self.grid.size)

    @property
    def batched(self) -> bool:
        """Whether every field of a batch has a matrix of its own."""
        return self.diagonal.ndim > self.grid.ndim

    @property
    def floats(self) -> bool:
        """Whether no boundary and no reaction holds u, which is determined up to a constant then."""
        fluid = 1.0 if self.fluid is None else self.fluid
        if bool((self.extra * fluid > 0).any()):
            return False
        walls = [(axis, k) for axis, k in enumerate(self.faces, start=-len(self.faces)) if not self.wrapped[axis]]
        return not any(bool((along(k, axis, *end) > 0).any()) for axis, k in walls for end in ((None, 1), (-1, None)))

    @cached_property
    def floating(self) -> np.ndarray | None:
        """Numbers, from 1, of the regions of fluid in which nothing holds u, 0 elsewhere; None where all is held.

        (1 or batch, *space). Such a region is what obstacles enclose, or, without a boundary where u = 0 and without a
        reaction, everything.

        Example:
            >>> ring = np.zeros((5, 5))
            >>> ring[1:4, 1:4] = 1
            >>> ring[2, 2] = 0
            >>> Stencil(Grid((5, 5)), solid=ring).floating[0, 2].tolist()
            [0, 0, 1, 0, 0]
        """
        ndim = self.grid.ndim
        fields = [*self.faces, self.extra, self.extra * 0 + 1 if self.fluid is None else self.fluid]
        rows = [x.detach().cpu().numpy().reshape(-1, *x.shape[-ndim:]) for x in fields]
        found = []
        for number in range(max(map(len, rows))):
            *faces, extra, fluid = (x[number if len(x) > 1 else 0] for x in rows)
            found.append(floating_regions(faces, extra, fluid > 0.5, self.wrapped))
        if all(regions is None for regions in found):
            return None
        return np.stack([np.zeros(self.space, int) if regions is None else regions for regions in found])

    def __call__(self, u: Any) -> Any:
        """A u of fields (*space) or (batch, *space), numpy or torch; gradients flow."""
        if not is_torch(u):
            import torch

            return self(torch.from_numpy(np.ascontiguousarray(u)).to(self.device)).cpu().numpy()
        if tuple(u.shape[-self.grid.ndim :]) != self.space:
            raise InputError(f"u must have the shape {self.space} after a batch, got {tuple(u.shape)}")
        if u.dtype != self.dtype:
            raise InputError(f"u must have the precision of the stencil, {self.dtype}, got {u.dtype}; use A.to(dtype)")
        found = self.diagonal * u
        for axis in range(-self.grid.ndim, 0):
            take_neighbours(found, u, self.faces[axis], axis, self.wrapped[axis])
        return found

    def aslinearoperator(self) -> LinearOperator:
        """As scipy's ``LinearOperator``, of vectors (n,)."""
        dtype = np.dtype(str(self.dtype).removeprefix("torch."))

        def product(u: np.ndarray) -> np.ndarray:
            return self(np.asarray(u, dtype=dtype).reshape(self.space)).reshape(-1)

        return symmetric_operator(self.shape[0], product, dtype)

    def matrix(self) -> scipy.sparse.csr_array:
        """The matrix, rows in C order.

        Raises:
            InputError: coefficients of a batch.
        """
        import scipy.sparse

        if self.batched:
            raise InputError("matrix() must be of one operator, got coefficients of a batch")
        numbers = np.arange(self.grid.size, dtype=np.int32).reshape(self.space)
        rows, columns = [numbers.ravel()], [numbers.ravel()]
        values = [self.diagonal.cpu().double().numpy().ravel()]
        for axis, k in enumerate(self.faces, start=-len(self.faces)):
            faces = along(k, axis, None if self.wrapped[axis] else 1, -1).cpu().double().numpy()
            below = np.roll(numbers, 1, axis)
            above = numbers
            if not self.wrapped[axis]:
                below, above = along(numbers, axis, None, -1), along(numbers, axis, 1, None)
            rows += [below.ravel(), above.ravel()]
            columns += [above.ravel(), below.ravel()]
            values += [-faces.ravel()] * 2
        entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
        matrix = scipy.sparse.csr_array(entries, shape=self.shape)
        matrix.eliminate_zeros()
        return matrix


def sides(boundary: str | Sequence[str | Sequence[str]], ndim: int) -> tuple[Sides, ...]:
    """The boundary at the lower and upper end of every axis.

    Example:
        >>> sides(["periodic", ("dirichlet", "neumann")], 2)
        (('periodic', 'periodic'), ('dirichlet', 'neumann'))
    """
    axes = [boundary] * ndim if isinstance(boundary, str) else list(boundary)
    pairs = tuple((axis, axis) if isinstance(axis, str) else tuple(axis) for axis in axes)
    good = len(pairs) == ndim and all(
        len(pair) == 2 and set(pair) <= set(BOUNDARIES) and (pair.count("periodic") in (0, 2)) for pair in pairs
    )
    if not good:
        raise InputError(
            f"boundary must be one of {', '.join(BOUNDARIES)}, or one for each of {ndim} axes, or pairs without "
            f"'periodic', got {boundary!r}"
        )
    return tuple((lower, upper) for lower, upper in pairs)


def take_neighbours(found: Any, u: Any, faces: Any, axis: int, wrapped: bool) -> None:
    """found −= k u of the neighbours along an axis, in place: what a matrix has beside its diagonal."""
    inner = along(faces, axis, 1, -1)
    along(found, axis, 1, None).addcmul_(inner, along(u, axis, None, -1), value=-1)
    along(found, axis, None, -1).addcmul_(inner, along(u, axis, 1, None), value=-1)
    if wrapped:
        ends = along(faces, axis, None, 1)
        along(found, axis, None, 1).addcmul_(ends, along(u, axis, -1, None), value=-1)
        along(found, axis, -1, None).addcmul_(ends, along(u, axis, None, 1), value=-1)


def _faces(a: torch.Tensor, axis: int, h: float, ends: Sides) -> torch.Tensor:
    if ends[0] == "periodic":
        return conductances(a, axis, h, "periodic")
    k = conductances(a, axis, h, "dirichlet").clone()
    for end, place in zip(ends, (slice(None, 1), slice(-1, None)), strict=True):
        if end == "neumann":
            k[(..., place, *(slice(None),) * (-axis - 1))] = 0.0
    return k
