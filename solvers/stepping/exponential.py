"""Exponential time differencing with a Runge-Kutta method of order 4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.core.pairs import PairedModes
from opforge.errors import InputError
from opforge.pdes._arrays import like, matrix_vector
from opforge.pdes._phi import contour_mean
from opforge.pdes.semilinear import SemilinearEquation
from opforge.solvers.stepping.stepper import Stepper


class ETDRK4(Stepper):
    """Exponential time differencing with a Runge–Kutta method of order 4, for equations that are linear but for N.

    For û_t = L û + N(û) of every Fourier mode, with E = e^{L dt} and E₂ = e^{L dt/2}:

    a = E₂ û + Q N(û),  b = E₂ û + Q N(a),  c = E₂ a + Q (2 N(b) − N(û)),
    û' = E û + f₁ N(û) + 2 f₂ (N(a) + N(b)) + f₃ N(c).

    The linear part is solved exactly, however stiff it is; the coefficients are means over a contour and stay complex
    where L is.

    Args:
        equation: what is solved.
        grid: periodic points.
        dt: the time step, greater than 0.

    Raises:
        InputError: a time step that is not positive, a grid that does not fit.

    Example:
        >>> from opforge.pdes import KuramotoSivashinsky
        >>> stepper = ETDRK4(KuramotoSivashinsky(), Grid((64,), (32.0,), "periodic"), dt=0.1)
        >>> u = np.cos(np.arange(64) / 64 * 2 * np.pi)
        >>> stepper(u[None, None]).shape  # samples, components, points
        (1, 1, 64)

    Source:
        Cox and Matthews, "Exponential time differencing for stiff systems", equations 26 to 29; Kassam and Trefethen,
        "Fourth-order time-stepping for stiff PDEs", section 3, for the contour.
    """

    def __init__(self, equation: SemilinearEquation, grid: Grid, dt: float):
        if not 0 < dt < np.inf:
            raise InputError(f"dt must be a time greater than 0, got {dt!r}")
        self.equation, self.grid, self.dt = equation, grid, float(dt)
        self._form = equation.form(grid)
        self._modes = PairedModes(grid.shape, equation.highest_modes(grid))
        self._constants: dict[Any, _Coefficients] = {}

    def prepare(self, state: Any) -> _Spectrum:
        self.equation.check_state(state, self.grid)
        if state.ndim != self.grid.ndim + 2:
            raise InputError(f"state must be an array (samples, components, *space), got shape {tuple(state.shape)}")
        return _Spectrum(self._modes.of_fields(state), len(state))

    def finish(self, inner: _Spectrum) -> Any:
        return self._modes.fields(inner.modes, inner.samples)

    def advance(self, inner: _Spectrum) -> _Spectrum:
        step = self._step if is_torch(inner.modes) else self._step_in_place
        return _Spectrum(step(inner.modes, self._coefficients(inner.modes)), inner.samples)

    def _step(self, u: Any, c: _Coefficients) -> Any:
        """A step for torch, whose gradients need every intermediate value."""
        n1 = self._rest(u)
        a = c.half * u + c.q * n1
        n2 = self._rest(a)
        b = c.half * u + c.q * n2
        n3 = self._rest(b)
        n4 = self._rest(c.half * a + c.q * (2 * n3 - n1))
        return c.whole * u + c.f1 * n1 + c.f2 * (n2 + n3) + c.f3 * n4

    def _rest(self, modes: Any) -> Any:
        return self._form.nonlinear(modes, self._modes)

    def _step_in_place(self, u: np.ndarray, c: _Coefficients) -> np.ndarray:
        """A step for numpy, with no more arrays than it takes; the outer symbol and the source are in the factors."""
        out = _times(c.whole, u)
        if self._form.product is not None:
            half = _times(c.half, u)
            n = self._products(u)
            first = _times(c.q, n)
            out += _times(c.f1, n, n)
            a = np.add(half, first, out=self._room(0, u))
            _add(a, c.source_half)
            n = self._products(a)
            b = _times(c.q, n, self._room(1, u))
            b += half
            _add(b, c.source_half)
            m = self._products(b)
            n += m
            out += _times(c.f2, n, n)
            last = _times(c.half, a, a)
            m = _times(c.twice_q, m, m)
            last += m
            last -= first
            _add(last, c.source_half)
            n = self._products(last)
            out += _times(c.f3, n, n)
        _add(out, c.source_whole)
        return out

    def _products(self, modes: np.ndarray) -> np.ndarray:
        found = self._form.products_of(modes, self._modes)
        outer = self._form.outer
        if outer is None or _diagonal(outer):
            return found
        return matrix_vector(outer / self._modes.size, found, self.grid.ndim)

    def _room(self, number: int, u: np.ndarray) -> np.ndarray:
        return np.empty_like(u)

    def _coefficients(self, modes: Any) -> _Coefficients:
        key = (modes.dtype, getattr(modes, "device", None))
        if key not in self._constants:
            self._constants[key] = self._made(modes)
        return self._constants[key]

    def _made(self, modes: Any) -> _Coefficients:
        h, z = self.dt, self.dt * self._form.linear
        q = h * contour_mean(lambda s: (np.exp(s / 2) - 1) / s, z)
        f1 = h * contour_mean(lambda s: (-4 - s + np.exp(s) * (4 - 3 * s + s**2)) / s**3, z)
        f2 = 2 * h * contour_mean(lambda s: (2 + s + np.exp(s) * (s - 2)) / s**3, z)
        f3 = h * contour_mean(lambda s: (-4 - 3 * s - s**2 + np.exp(s) * (4 - s)) / s**3, z)
        whole, half = np.exp(z), np.exp(z / 2)
        if is_torch(modes):
            return _Coefficients(*(like(modes, x) for x in (whole, half, q, 2 * q, f1, f2, f3)))
        source = None if self._form.source is None else (1 + 1j) * self._form.source
        at_half, at_end = (None, None) if source is None else (q * source, (f1 + 2 * f2 + f3) * source)
        outer = self._form.outer
        if outer is None:
            outer = np.asarray(1 / self._modes.size)
        elif _diagonal(outer):
            outer = np.stack([outer[i, i] for i in range(len(outer))]) / self._modes.size
        else:
            outer = np.asarray(1.0)
        found = [whole, half, *(x * outer for x in (q, 2 * q, f1, f2, f3))]
        kept = (*np.broadcast_shapes(*(x.shape for x in found), (1, *self._modes.modes)),)
        return _Coefficients(
            *(_factor(modes, np.broadcast_to(x, kept)) for x in found),
            *(None if x is None else like(modes, x) for x in (at_half, at_end)),
        )


@dataclass(frozen=True)
class _Spectrum:
    """Modes (pairs, components, *modes) of so many samples."""

    modes: Any
    samples: int


@dataclass(frozen=True)
class _Coefficients:
    whole: Any
    half: Any
    q: Any
    twice_q: Any
    f1: Any
    f2: Any
    f3: Any
    source_half: Any = None
    source_whole: Any = None


def _diagonal(outer: np.ndarray) -> bool:
    return outer.shape[0] == outer.shape[1] and not any(
        np.any(outer[i, j]) for i in range(len(outer)) for j in range(len(outer)) if i != j
    )


def _factor(modes: np.ndarray, symbol: np.ndarray) -> np.ndarray:
    """A symbol, real ones with every entry twice: numpy is faster at the real and imaginary parts of modes by then."""
    if not np.iscomplexobj(symbol):
        symbol = np.repeat(symbol, 2, axis=-1)
    return np.ascontiguousarray(like(modes, symbol))


def _times(factor: np.ndarray, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    out = np.empty_like(x) if out is None else out
    if np.iscomplexobj(factor):
        np.multiply(factor, x, out=out)
    else:
        np.multiply(factor, x.view(factor.dtype), out=out.view(factor.dtype))
    return out


def _add(x: np.ndarray, more: np.ndarray | None) -> None:
    if more is not None:
        x += more
