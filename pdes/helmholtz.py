"""The Helmholtz equation: waves of one frequency that leave the box through an absorbing layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.core.grid import Points
from opforge.errors import InputError
from opforge.pdes._arrays import along, concatenate, difference, full_like, stack
from opforge.pdes._numbers import axes_of_space, positive
from opforge.pdes._own_parameters import number
from opforge.pdes.equation import Equation, Field
from opforge.pdes.symmetry import Reflection, SignChange, Symmetry, Transposition

if TYPE_CHECKING:
    import scipy.sparse

# The strength of the layer: a wave that crosses it and comes back is smaller by e^(−2 · strength).
_STRENGTH = 8.0


@dataclass(frozen=True)
class Helmholtz(Equation):
    """Δu + (k/c)² u = f in an open domain: outgoing waves e^(−iωt) of a source f in a medium of speed c.

    u is complex and kept as two fields, its real and its imaginary part. The outermost part of the box on every side is
    a perfectly matched layer, where coordinates are stretched into the complex plane, x ↦ ∫ s, s = 1 + iσ/k; beyond, u
    is 0. The discretisation is that of finite volumes on cell centres, of order 2: it takes 10 cells per wavelength
    2πc/k for some percent of error in the phase over ten of them.

    Args:
        ndim: axes of space: 1 or 2.
        wavenumber: k > 0, in radians per unit of length. A number ``"wavenumber"`` in ``fields``, one for each sample,
            takes its place.
        layer: part of the box, on every side, that absorbs; between 0 and 0.4.

    Raises:
        InputError: numbers out of range.

    Example:
        >>> grid, equation = Grid((32,)), Helmholtz(ndim=1, wavenumber=20.0)
        >>> fields = {name: np.zeros(32) for name in ("f", "u_real", "u_imag")}
        >>> bool(abs(equation.residual(fields, grid)).max() == 0)
        True

    Source:
        Berenger, "A perfectly matched layer for the absorption of electromagnetic waves"; Chew and Weedon, "A 3D
        perfectly matched medium from modified Maxwell's equations with stretched coordinates".
    """

    ndim: int = 2
    wavenumber: float = 40.0
    layer: float = 0.15

    name: ClassVar[str] = "helmholtz"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("f", "source"),
        Field("u_real", "real part of the wave"),
        Field("u_imag", "imaginary part of the wave"),
    )
    unknowns: ClassVar[tuple[str, ...]] = ("u_real", "u_imag")
    boundary: ClassVar[str] = "absorbing layer"
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (1, 2)
    method: ClassVar[str] = "finite volumes with a perfectly matched layer; sparse direct solution"
    order: ClassVar[str] = "2"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        object.__setattr__(self, "wavenumber", positive("wavenumber", self.wavenumber))
        object.__setattr__(self, "layer", positive("layer", self.layer))
        if self.layer >= 0.4:
            raise InputError(f"layer must be a part of the box between 0 and 0.4, got {self.layer!r}")

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Reflections along every axis, transpositions, and the change of sign of source and wave."""
        axes = range(self.ndim)
        return (
            *(Reflection(axis) for axis in axes),
            *(Transposition(i, j) for i in axes for j in axes if i < j),
            SignChange(("f", "u_real", "u_imag")),
        )

    def stretches(self, grid: Grid, k: Any) -> tuple[list[Any], list[Any]]:
        """s at the cells and at the n + 1 faces of every axis, complex arrays that broadcast against (..., *space).

        ``k`` is a number, or one for each sample, (..., 1, [1]).
        """
        cells, faces = [], []
        for axis, (n, length) in enumerate(zip(grid.shape, grid.lengths, strict=True)):
            thick = self.layer * length
            for found, places in ((cells, np.arange(n) + 0.5), (faces, np.arange(n + 1.0))):
                deep = np.maximum(np.maximum(thick - places * length / n, places * length / n - (length - thick)), 0)
                # σ rises with the square of the depth; its integral through the layer is the strength times k
                sigma = 3 * _STRENGTH / thick * (deep / thick) ** 2
                found.append(1 + 1j * sigma.reshape([-1 if i == axis else 1 for i in range(grid.ndim)]) / k)
        return cells, faces

    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """Δu + (k/c)² u − f in stretched coordinates, times the stretches of all axes: its real and imaginary parts.

        Args:
            fields: ``"f"``, real or complex, ``"u_real"``, ``"u_imag"``, optionally ``"c"``, arrays (..., *space) of
                one kind, and ``"wavenumber"``, a number or one for each sample, (...).
            grid: cell centres.

        Returns:
            An array (..., 2, *space); differentiable in torch.
        """
        self._check(fields, grid, "f", "u_real", "u_imag")
        k = self._wavenumbers(fields, grid)
        u = _complex(fields["u_real"], fields["u_imag"])
        c = fields.get("c", full_like(fields["u_real"], 1.0))
        cells, faces = self.stretches(grid, k)
        volume: Any = 1.0
        for s in cells:
            volume = volume * s
        total = _like(u, volume) * (_like(u, k) ** 2 / (c * c) * u - fields["f"])
        for i, h in enumerate(grid.spacing):
            axis = i - grid.ndim
            first, last = along(u, axis, None, 1), along(u, axis, -1, None)
            # beyond both ends u = 0, half a cell away
            jumps = concatenate([2 * first, difference(u, axis), -2 * last], axis) / h
            flow = jumps * _like(u, self._others(cells, i) / faces[i])
            total = total + difference(flow, axis) / h
        return stack([total.real, total.imag], -grid.ndim - 1)

    def residual_scale(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """‖f‖, the Euclidean norm over the points: an array (...)."""
        self._check(fields, grid, "f")
        return (abs(fields["f"]) ** 2).sum(tuple(range(-grid.ndim, 0))) ** 0.5

    def cells_per_wavelength(self, grid: Grid, wavenumber: float | None = None, slowest: float = 1.0) -> float:
        """How many cells the shortest wave has, 2πc/k over the largest spacing.

        Args:
            grid: cell centres.
            wavenumber: k; the equation's unless given.
            slowest: the least c.

        Example:
            >>> round(Helmholtz(wavenumber=20.0).cells_per_wavelength(Grid((64, 64))), 1)
            20.1
        """
        return 2 * np.pi * slowest / ((wavenumber or self.wavenumber) * max(grid.spacing))

    def operator(self, fields: Mapping[str, Any], grid: Grid) -> scipy.sparse.csc_matrix:
        """The complex symmetric matrix of u ↦ Δu + (k/c)² u of one sample, times the stretches; rows in C order."""
        import scipy.sparse

        k = float(fields.get("wavenumber", self.wavenumber))
        c = np.asarray(fields.get("c", np.ones(grid.shape)), dtype=np.float64)
        if not np.all(c > 0):
            raise InputError(f"field 'c' must be positive, got values from {c.min():.3g}")
        cells, faces = self.stretches(grid, k)
        volume: Any = 1.0
        for s in cells:
            volume = volume * s
        A = scipy.sparse.diags_array((volume * (k / c) ** 2).ravel()).astype(np.complex128)
        for i, h in enumerate(grid.spacing):
            weights = np.broadcast_to(self._others(cells, i) / faces[i], self._face_shape(grid, i)) / h**2
            A = A + _second_difference(np.moveaxis(weights, i, 0), grid.shape, i)
        return A.tocsc()

    def right_hand_side(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """The vector of f times the stretches, complex (points,)."""
        cells, _ = self.stretches(grid, float(fields.get("wavenumber", self.wavenumber)))
        f = np.asarray(fields["f"])
        volume: Any = f.astype(np.complex128 if np.iscomplexobj(f) else np.float64)
        for s in cells:
            volume = volume * s
        return volume.ravel()

    def _wavenumbers(self, fields: Mapping[str, Any], grid: Grid) -> np.ndarray:
        """k, (..., 1, [1])."""
        k = number("wavenumber", fields.get("wavenumber", self.wavenumber))
        return k.reshape(*k.shape, *(1,) * grid.ndim) if k.ndim else k

    def inside(self, grid: Grid) -> tuple[slice, ...]:
        """The cells that no layer covers."""
        return tuple(slice(int(np.ceil(self.layer * n)), n - int(np.ceil(self.layer * n))) for n in grid.shape)

    def _others(self, cells: list[Any], axis: int) -> Any:
        product: Any = np.ones((1,) * len(cells), np.complex128)
        for i, s in enumerate(cells):
            if i != axis:
                product = product * s
        return product

    def _face_shape(self, grid: Grid, axis: int) -> tuple[int, ...]:
        return tuple(n + (i == axis) for i, n in enumerate(grid.shape))

    def _check(self, fields: Mapping[str, Any], grid: Grid, *names: str) -> None:
        self.check(fields, grid, *names)
        if grid.points != "cells":
            raise InputError(f"grid must have points='cells' for the equation 'helmholtz', got {grid.points!r}")


def _complex(real: Any, imag: Any) -> Any:
    if is_torch(real):
        import torch

        return torch.complex(real, imag)
    return real + 1j * imag


def _like(u: Any, constant: np.ndarray) -> Any:
    if is_torch(u):
        import torch

        return torch.as_tensor(constant, dtype=u.dtype, device=u.device)
    return np.asarray(constant).astype(u.dtype)


def _second_difference(weights: np.ndarray, shape: tuple[int, ...], axis: int) -> Any:
    """The matrix of u ↦ differences of weights times differences along an axis; ``weights`` (n + 1, others)."""
    import scipy.sparse

    numbers = np.moveaxis(np.arange(int(np.prod(shape))).reshape(shape), axis, 0)
    inner = weights[1:-1].ravel()
    left, right = numbers[:-1].ravel(), numbers[1:].ravel()
    diagonal = np.zeros(numbers.size, np.complex128)
    np.add.at(diagonal, left, -inner)
    np.add.at(diagonal, right, -inner)
    np.add.at(diagonal, numbers[0].ravel(), -2 * weights[0].ravel())
    np.add.at(diagonal, numbers[-1].ravel(), -2 * weights[-1].ravel())
    every = np.arange(numbers.size)
    rows = np.concatenate([left, right, every])
    columns = np.concatenate([right, left, every])
    return scipy.sparse.csr_array(
        (np.concatenate([inner, inner, diagonal]), (rows, columns)), shape=(numbers.size,) * 2
    )
