"""Equations on periodic boxes whose linear part is a number for every Fourier mode."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, ClassVar

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.core.grid import Points
from opforge.core.pairing import fields_in_order, in_order, order_by_size
from opforge.core.pairs import PairedModes, paired_modes
from opforge.errors import InputError
from opforge.pdes._arrays import along, like
from opforge.pdes._constants import Constant, ModeMatrix
from opforge.pdes._own_parameters import with_own_parameters
from opforge.pdes._phi import phi
from opforge.pdes.evolution import EvolutionEquation


@dataclass(frozen=True)
class SpectralForm:
    """û_t = L û + O F[p(F⁻¹[I û])] + s for the Fourier coefficients û of a state, mode by mode.

    All arrays are numpy's, float64 or complex128, and end in the axes of modes, where they may have length 1. Each is
    the symbol of a real operator: its value at −k is the complex conjugate of that at k.

    Args:
        linear: L, (components, *modes).
        product: p: what is done point by point. It is given an array (..., fields, *points) and ``out``, an array
            (..., products, *points) to write to or None, and returns the products. ``points`` has an axis more than
            space has, for two samples at a time. None for a linear equation.
        inner: I, (fields, components, *modes); the components themselves are given to p where it is None.
        outer: O, (components, products, *modes); the products themselves are added where it is None.
        source: s, (components, *modes): Fourier coefficients of a forcing that does not change with time.
        products: how many p returns; as many as components unless given.

    Example:
        >>> k = np.arange(4.0)
        >>> burgers = SpectralForm(-0.01 * k[None] ** 2, lambda u, out: u * u, outer=(-0.5j * k)[None, None])
        >>> burgers.linear.shape
        (1, 4)
    """

    linear: np.ndarray
    product: Callable[[Any, Any], Any] | None = None
    inner: np.ndarray | None = None
    outer: np.ndarray | None = None
    source: np.ndarray | None = None
    products: int = 0

    def nonlinear(self, modes: Any, paired: PairedModes) -> Any:
        """O F[p(F⁻¹[I û])] + s for modes û (pairs, components, *modes)."""
        found = None
        if self.product is not None:
            found = self.products_of(modes, paired)
            found = found / paired.size if self.outer is None else self._outer(paired.size)(found)
        if self.source is not None:
            source = self._source.like(modes)
            found = source + 0 * modes if found is None else found + source
        return 0 * modes if found is None else found

    def products_of(self, modes: Any, paired: PairedModes) -> Any:
        """F[p(F⁻¹[I û])] times the number of points."""
        assert self.product is not None
        given = modes if self._inner is None else self._inner(modes)
        points = paired.points(given)
        out = None
        if not is_torch(points):
            out = paired.room((len(modes), self.products or modes.shape[1]), points)
        return paired.of_points(self.product(points, out))

    @cached_property
    def _inner(self) -> ModeMatrix | None:
        return None if self.inner is None else ModeMatrix(self.inner)

    def _outer(self, size: int) -> ModeMatrix:
        """O over the number of points."""
        if size not in self._outers:
            self._outers[size] = ModeMatrix(np.asarray(self.outer) / size)
        return self._outers[size]

    @cached_property
    def _outers(self) -> dict[int, ModeMatrix]:
        return {}

    @cached_property
    def _source(self) -> Constant:
        """A source is the same real field for both samples of a pair: s + i s."""
        return Constant((1 + 1j) * np.asarray(self.source))


class SemilinearEquation(EvolutionEquation):
    """u_t = L u + N(u) on a periodic box, in Fourier modes; N is dealiased by leaving out the modes it could alias to.

    States keep the modes up to K = (n − 1)//(d + 1) of every axis, where d is the degree of the polynomial N: products
    of d fields then alias to none of them (the 2/3 rule, for d = 2).

    Example:
        >>> from opforge.pdes import KuramotoSivashinsky
        >>> KuramotoSivashinsky().highest_modes(Grid((64,), points="periodic"))
        (21,)
    """

    boundary: ClassVar[str] = "periodic"
    points: ClassVar[Points] = "periodic"
    degree: ClassVar[int] = 2

    @abstractmethod
    def spectral(self, wavenumbers: tuple[np.ndarray, ...]) -> SpectralForm:
        """L and N in Fourier modes.

        Args:
            wavenumbers: k for every axis in radians per unit of length, arrays that broadcast against each other.
        """

    def highest_modes(self, grid: Grid) -> tuple[int, ...]:
        """K for every axis: the modes that states keep."""
        return tuple((n - 1) // (self.degree + 1) for n in grid.shape)

    def form(self, grid: Grid) -> SpectralForm:
        """`spectral` for the modes that are kept on a grid.

        Raises:
            InputError: a grid that does not fit.
        """
        self.check_grid(grid)
        numbers = PairedModes(grid.shape, self.highest_modes(grid)).wavenumbers()
        return self.spectral(tuple(2 * np.pi / length * k for k, length in zip(numbers, grid.lengths, strict=True)))

    def paired(self, grid: Grid) -> PairedModes:
        """This thread's transforms for the modes that are kept on a grid."""
        return paired_modes(grid.shape, self.highest_modes(grid))

    def check_state(self, state: Any, grid: Grid) -> None:
        """Refuse a state that is not (..., components, *space), of real numbers, with a sample at least.

        Raises:
            InputError: such a state, or a grid that does not fit.
        """
        super().check_state(state, grid)
        _check_real("state", state)
        if 0 in state.shape:
            raise InputError(f"state must have at least one sample, got shape {tuple(state.shape)}")

    def tendency(self, state: Any, grid: Grid) -> Any:
        """L u + N(u) of the kept modes of a state (..., components, *space), an array like it; differentiable in torch.

        Raises:
            InputError: a state or a grid that do not fit.
        """
        self.check_state(state, grid)
        form, paired = self.form(grid), self.paired(grid)
        samples = state.reshape(-1, *state.shape[-grid.ndim - 1 :])
        order = order_by_size(samples)
        modes = paired.of_fields(in_order(samples, order))
        rate = like(modes, form.linear) * modes + form.nonlinear(modes, paired)
        return fields_in_order(rate, len(samples), order, paired).reshape(state.shape)

    @with_own_parameters
    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What the variation of constants leaves over from each frame to the next, N taken to change linearly in time.

        û₁ − e^{LΔt} û₀ − Δt φ₁(LΔt) N̂₀ − Δt φ₂(LΔt) (N̂₁ − N̂₀), of the kept modes. It is exact for linear equations,
        however stiff, and O(Δt³) for others.

        Args:
            fields: the unknowns, arrays (..., frames, *space), and ``"time"``, the frames' times (frames,), at least 2.
            grid: periodic points.

        Returns:
            An array (..., [components,] frames − 1, *space); differentiable in torch.

        Raises:
            InputError: a missing field, shapes that do not fit the grid or each other.
        """
        states, times = self.trajectory(fields, grid)
        _check_real(", ".join(self.unknowns), states)
        form, paired = self.form(grid), self.paired(grid)
        leading, frames = tuple(states.shape[: -grid.ndim - 2]), len(times)
        samples = states.reshape(-1, *states.shape[-grid.ndim - 2 :])  # (samples, frames, components, *space)
        order = order_by_size(samples)
        modes = paired.of_fields(in_order(samples, order))
        flat = modes.reshape(-1, *modes.shape[-grid.ndim - 1 :])
        rest = form.nonlinear(flat, paired).reshape(modes.shape)
        exponents = form.linear * np.diff(times).reshape(-1, *(1,) * (grid.ndim + 1))
        steps = np.diff(times).reshape(-1, *(1,) * (grid.ndim + 1))
        axis = -grid.ndim - 2
        before, after = along(modes, axis, None, -1), along(modes, axis, 1, None)
        first, change = along(rest, axis, None, -1), along(rest, axis, 1, None) - along(rest, axis, None, -1)
        left = after - like(modes, np.exp(exponents)) * before
        left = left - like(modes, steps * phi(1, exponents)) * first - like(modes, steps * phi(2, exponents)) * change
        found = fields_in_order(left, len(samples), order, paired)
        return self.as_residual(found.reshape(*leading, frames - 1, *states.shape[-grid.ndim - 1 :]), grid)

    def check_resolved(self, grid: Grid, wavenumber: int, what: str) -> None:
        """Refuse a grid that does not keep a mode.

        Raises:
            InputError: such a grid.
        """
        kept = min(self.highest_modes(grid))
        if wavenumber > kept:
            need = wavenumber * (self.degree + 1) + 1
            raise InputError(
                f"resolution must be at least {need} points per axis for {what} of wavenumber {wavenumber} (modes up "
                f"to {kept} are kept), got {'x'.join(map(str, grid.shape))}"
            )


def check_semilinear(equation: Any) -> None:
    """Refuse an equation that has no `SpectralForm`.

    Raises:
        InputError: such an equation.
    """
    if not hasattr(equation, "form"):
        raise InputError(
            f"equation must be linear for every Fourier mode but for products, got {equation!r}; a recipe has its "
            "stepper: `opforge list equations` names the method"
        )


def _check_real(name: str, values: Any) -> None:
    """
    Raises:
        InputError: numbers of another kind than float32 and float64.
    """
    kind = str(values.dtype).removeprefix("torch.")
    if kind not in ("float32", "float64"):
        remedy = "pass its real part" if "complex" in kind else "convert it first, such as by .astype or .to"
        raise InputError(f"{name} must be real, of float32 or float64, got {kind}; {remedy}")


def squared_length(wavenumbers: tuple[np.ndarray, ...]) -> np.ndarray:
    """|k|², the symbol of −Δ, of the wavenumbers of every axis, arrays that broadcast against each other.

    Example:
        >>> squared_length((np.array([[0.0], [1.0]]), np.array([[0.0, 2.0]]))).tolist()
        [[0.0, 4.0], [1.0, 5.0]]
    """
    return reduce(np.add, (k**2 for k in wavenumbers))
