"""Steady flow through a porous medium: Darcy's equation on the interval, the square and the cube."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes._arrays import full_like
from opforge.pdes._finite_volumes import assemble, divergence
from opforge.pdes._numbers import finite
from opforge.pdes.equation import Field, LinearEquation
from opforge.pdes.invariant import Invariant, relative
from opforge.pdes.symmetry import Reflection, Symmetry, Transposition

if TYPE_CHECKING:
    import scipy.sparse


@dataclass(frozen=True)
class Darcy(LinearEquation):
    """Steady flow through a porous medium with permeability a and pressure u.

    −∇·(a ∇u) = f in the grid's box, u = 0 on its boundary.

    All quantities are without dimension. The discretisation is that of finite volumes on cell centres with harmonic
    means of a at the faces: order 2 in h for smooth a; in one dimension its fluxes are exact for any a that is constant
    in every cell.

    Args:
        ndim: axes of space: 1, 2 or 3.
        forcing: the constant f, not 0. A field ``"f"`` in ``fields`` takes its place, cell by cell.

    Raises:
        InputError: another number of axes, a forcing that is 0 or not finite.

    Example:
        >>> equation, grid = Darcy(ndim=2), Grid.cube(2, 32)
        >>> fields = equation.exact(grid)
        >>> A, b = equation.operator(fields, grid), equation.right_hand_side(fields, grid)
        >>> np.allclose(b - A @ fields["u"].ravel(), equation.residual(fields, grid).ravel())
        True
    """

    ndim: int = 2
    forcing: float = 1.0

    name: ClassVar[str] = "darcy"
    boundary: ClassVar[str] = "dirichlet"
    unknowns: ClassVar[tuple[str, ...]] = ("u",)
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    method: ClassVar[str] = "finite volumes with harmonic means; conjugate gradients with algebraic multigrid"
    order: ClassVar[str] = "2"
    fields: ClassVar[tuple[Field, ...]] = (Field("a", "permeability"), Field("u", "pressure"))

    def __post_init__(self) -> None:
        if isinstance(self.ndim, bool) or not isinstance(self.ndim, int) or not 1 <= self.ndim <= 3:
            raise InputError(f"ndim must be 1, 2 or 3, got {self.ndim!r}")
        object.__setattr__(self, "forcing", finite("forcing", self.forcing))
        if self.forcing == 0:
            raise InputError(f"forcing must not be 0 (the solution would be 0), got {self.forcing!r}")

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Reflections along every axis and transpositions of every pair of axes; they generate the cube's group."""
        axes = range(self.ndim)
        return (
            *(Reflection(axis) for axis in axes),
            *(Transposition(first, second) for first in axes for second in axes if first < second),
        )

    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """The residual f + ∇·(a∇u) of the finite-volume discretisation at every cell.

        Args:
            fields: ``"a"`` and ``"u"``, optionally ``"f"``; arrays (..., *space) of one kind, numpy or torch.
            grid: cell centres, with the shape of the fields' last axes.

        Returns:
            An array (..., *space) of the same kind, differentiable in torch; equal to b − A u of `operator` and
            `right_hand_side`. For the exact solution of the differential equation it does not vanish: it is O(h²)
            inside and O(1) in the cells at the boundary, although the discrete solution is of order 2 everywhere.

        Raises:
            InputError: a missing field, shapes that do not fit the grid, a grid that is not of cell centres.
        """
        self._check(fields, grid, "a", "u")
        flow = divergence(fields["a"], fields["u"], grid.spacing)
        return flow + fields.get("f", self.forcing)

    def residual_scale(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """‖f‖, the Euclidean norm over the points, of every sample: an array (...) of the fields' kind."""
        self._check(fields, grid, "u")
        f = fields["f"] if "f" in fields else full_like(fields["u"], self.forcing)
        return (f * f).sum(tuple(range(-grid.ndim, 0))) ** 0.5

    def operator(self, fields: Mapping[str, np.ndarray], grid: Grid) -> scipy.sparse.csr_matrix:
        """The matrix A of u ↦ −∇·(a∇u) for one sample; symmetric, positive definite, an M-matrix; rows in C order.

        Args:
            fields: ``"a"``, an array of the grid's shape, positive and finite.
            grid: cell centres.

        Raises:
            InputError: what `residual` refuses, more than one sample, a coefficient that is not positive and finite.
        """
        self._check(fields, grid, "a")
        a = np.asarray(fields["a"], dtype=np.float64)
        if a.shape != grid.shape:
            raise InputError(f"field 'a' must have the grid's shape {grid.shape}, one sample at a time, got {a.shape}")
        if not (np.all(a > 0) and np.all(np.isfinite(a))):
            raise InputError(f"field 'a' must be positive and finite, got values from {a.min()} to {a.max()}")
        return assemble(a, grid.spacing)

    def right_hand_side(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """The vector b of A u = b, (points,): f at the cell centres."""
        self._check(fields, grid)
        return np.broadcast_to(np.asarray(fields.get("f", self.forcing), dtype=np.float64), grid.shape).ravel()

    def exact(self, grid: Grid) -> dict[str, np.ndarray]:
        """A smooth solution with a variable coefficient, in any dimension.

        With ξ = (x − origin)/L on every axis: u = Π s(ξ_i), s(ξ) = (1 + ξ) sin πξ, a = exp(½ Σ sin 2πξ_i), and
        f = −a Δu − ∇a·∇u. The second derivatives of u do not vanish at the boundary, so its treatment is tested too.

        Returns:
            ``"a"``, ``"u"`` and ``"f"`` at the cell centres, float64 arrays of the grid's shape.
        """
        self._check({}, grid)
        xi = [(x - o) / length for x, o, length in zip(grid.mesh(), grid.origin, grid.lengths, strict=True)]
        s = [(1 + t) * np.sin(np.pi * t) for t in xi]
        a = np.exp(0.5 * sum(np.sin(2 * np.pi * t) for t in xi))
        f = np.zeros(grid.shape)
        for i, (t, length) in enumerate(zip(xi, grid.lengths, strict=True)):
            ds = np.pi * (1 + t) * np.cos(np.pi * t) + np.sin(np.pi * t)
            dds = 2 * np.pi * np.cos(np.pi * t) - np.pi**2 * s[i]
            others = np.prod(s[:i] + s[i + 1 :], axis=0)
            f -= a * (dds + np.pi * np.cos(2 * np.pi * t) * ds) / length**2 * others
        return {"a": a, "u": np.prod(s, axis=0), "f": f}

    def layered(
        self, grid: Grid, coefficients: Sequence[float], interfaces: Sequence[float] = ()
    ) -> dict[str, np.ndarray]:
        """The closed form in one dimension for a medium of layers, each of constant permeability.

        The flux is q(x) = f x + c; u(x) = −∫₀ˣ q/a with c such that u vanishes at the far end. One layer is the
        constant coefficient, u = f x (L − x) / (2a). Where interfaces lie on faces, the discrete fluxes are q to
        rounding, and the discrete solution is u + f h² / (8a): the same shift in all cells of a layer.

        Args:
            grid: cell centres on an interval.
            coefficients: a of every layer, positive.
            interfaces: where layers meet, increasing, inside the interval; one fewer than the layers.

        Returns:
            ``"a"`` and ``"u"`` at the cell centres.

        Raises:
            InputError: a grid with more than one axis, interfaces that do not fit.

        Example:
            >>> layered = Darcy(ndim=1).layered(Grid((2,)), [1.0])
            >>> layered["u"].tolist()  # x (1 − x) / 2 at ¼ and ¾
            [0.09375, 0.09375]
        """
        self._check({}, grid)
        if self.ndim != 1:
            raise InputError(f"grid must have one axis for the closed form of layers, got shape {grid.shape}")
        ends = np.array([0.0, *(np.asarray(interfaces) - grid.origin[0]), grid.lengths[0]])
        a = np.asarray(coefficients, dtype=np.float64)
        if len(ends) != len(a) + 1 or not np.all(np.diff(ends) > 0) or not np.all(a > 0):
            raise InputError(
                f"interfaces must increase inside the interval and part the {len(a)} positive coefficients, "
                f"got {list(interfaces)} and {list(coefficients)}"
            )
        # ∫ ds/a and ∫ f s/a ds from the left end to the end of every layer
        resistance = np.concatenate([[0.0], np.cumsum(np.diff(ends) / a)])
        moment = np.concatenate([[0.0], np.cumsum(self.forcing * np.diff(ends**2) / (2 * a))])
        c = -moment[-1] / resistance[-1]
        x = grid.coordinates()[0] - grid.origin[0]
        layer = np.searchsorted(ends[1:-1], x, side="right")
        upto = moment[layer] + self.forcing * (x**2 - ends[layer] ** 2) / (2 * a[layer])
        u = -upto - c * (resistance[layer] + (x - ends[layer]) / a[layer])
        return {"a": a[layer], "u": u}

    def _check(self, fields: Mapping[str, Any], grid: Grid, *names: str) -> None:
        self.check(fields, grid, *names)
        if grid.points != "cells":
            raise InputError(
                f"grid must have points='cells' (finite volumes live on cell centres), got {grid.points!r}; "
                "resample the fields onto cell centres"
            )

    def _wrong_sign(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """How far u lies on the other side of 0 than the forcing, relative to max |u|; 0 where f takes both signs."""
        self._check(fields, grid, "u")
        space = tuple(range(-grid.ndim, 0))
        u = np.asarray(fields["u"])
        f = np.broadcast_to(fields.get("f", self.forcing), u.shape)
        low, high = u.min(space), u.max(space)
        beyond = np.where(f.min(space) >= 0, -low, np.where(f.max(space) <= 0, high, np.minimum(0.0, low)))
        return relative(np.maximum(beyond, 0.0), np.maximum(high, -low))

    # The discrete solution has that sign, and so had all of the solver's, down to a residual of 0.3.
    invariants: ClassVar[tuple[Invariant, ...]] = (
        Invariant("maximum principle", "u has the sign of the forcing", _wrong_sign, 1e-6),
    )
