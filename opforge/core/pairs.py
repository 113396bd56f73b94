"""Fourier modes of real fields, two samples at a time: what pseudo-spectral time steppers transform with.

Two real fields u and v make one complex field u + iv. Whatever acts on Fourier coefficients as multiplication by the
symbol of a real operator (derivatives, Laplacians, their exponentials) acts on both at once, for it is linear over
complex fields; only what is done point by point has to look at the real and the imaginary part separately. Complex
transforms take 0.4 of the time of the real ones that they replace (FFTW 3.3.5, single precision, 256 points), and no
spectrum has to be taken apart.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from opforge.core.full_transforms import _fftw
from opforge.core.full_transforms.transforms import fftn, ifftn, is_torch

_COMPLEX = {"float32": np.complex64, "float64": np.complex128}

# Axes from this length on are transformed one after the other: of two long complex axes at once, FFTW's rule of thumb
# makes plans that take 10 times as long as they should.
_LONG = 256

# Objects that a thread keeps.
_MOST_KEPT = 8


class PairedModes:
    """The modes −K … K of every axis of real fields on a periodic grid, those of two samples in one complex array.

    For numpy arrays an object keeps plans and the arrays that they work on: it serves one thread at a time.

    Args:
        shape: points per axis.
        highest: K for every axis, at most (n − 1)//2, so that the Nyquist mode is none of them.

    Example:
        >>> modes = PairedModes((8,), (2,))
        >>> x = np.arange(8) / 8
        >>> z = modes.of_fields(np.stack([np.cos(2 * np.pi * x), np.sin(4 * np.pi * x)]))
        >>> np.allclose(z, [[0, 0.5, 0.5, -0.5, 0.5]])  # 0, 1, 2, -2, -1
        True
        >>> np.allclose(modes.fields(z, 2)[1], np.sin(4 * np.pi * x))
        True
    """

    def __init__(self, shape: Sequence[int], highest: Sequence[int]):
        self.shape, self.highest = tuple(shape), tuple(highest)
        self.ndim, self.size = len(self.shape), math.prod(self.shape)
        self.axes = tuple(range(-self.ndim, 0))
        self._plans: dict[tuple[Any, ...], Transforms] = {}
        # where the kept modes of every quadrant stand: among themselves, and among all
        self.quadrants = _quadrants(self.shape, self.highest)

    @property
    def modes(self) -> tuple[int, ...]:
        """How many modes are kept on every axis."""
        return tuple(2 * k + 1 for k in self.highest)

    def wavenumbers(self) -> tuple[np.ndarray, ...]:
        """0, 1, …, K, −K, …, −1 for every axis, as float64 arrays that broadcast against modes."""
        return tuple(
            np.concatenate([np.arange(k + 1.0), np.arange(-k, 0.0)]).reshape(
                [-1 if i == axis else 1 for i in range(self.ndim)]
            )
            for axis, k in enumerate(self.highest)
        )

    def of_fields(self, u: Any) -> Any:
        """The modes of real fields.

        Args:
            u: (samples, ..., *space), float32 or float64, numpy or torch.

        Returns:
            Complex array (pairs, ..., *modes): sample 2i and i times sample 2i + 1; of an odd number of samples, the
            last one is its own partner. The mode 0 is the mean over the points.
        """
        return self._kept(fftn(_paired(u), self.axes, "forward"))

    def fields(self, modes: Any, samples: int) -> Any:
        """The real fields (samples, ..., *space) that have these modes, in a new array."""
        z = ifftn(self._among_all(modes), self.axes, "forward")
        both = _parts(z)
        first, second = both[..., 0], both[..., 1]
        if is_torch(modes):
            import torch

            together = torch.stack([first, second], 1)
        else:
            together = np.stack([first, second], 1)
        return together.reshape(-1, *first.shape[1:])[:samples]

    def points(self, modes: Any) -> Any:
        """The values at all points: a real array (..., *space, 2) whose last axis has the samples of a pair.

        Of numpy arrays the result lies in memory that the next call with modes of the same shape uses again.
        """
        if is_torch(modes):
            return _parts(ifftn(self._among_all(modes), self.axes, "forward"))
        plans = self._planned(modes.shape[: -self.ndim], modes.dtype)
        for kept, where in self.quadrants:
            plans.padded[where] = modes[kept]
        return plans.to_points()

    def room(self, leading: tuple[int, ...], like: np.ndarray) -> np.ndarray:
        """Where `of_points` wants numpy's values of points (*leading, *space, 2): what lies there is not copied."""
        return self._planned(leading, _COMPLEX[like.dtype.name]).values

    def of_points(self, values: Any) -> Any:
        """The modes, times the number of points, of values at the points (..., *space, 2), in a new array."""
        if is_torch(values):
            import torch

            return self._kept(fftn(torch.view_as_complex(values.contiguous()), self.axes))
        plans = self._planned(values.shape[: -self.ndim - 1], _COMPLEX[values.dtype.name])
        if values.ctypes.data != plans.values.ctypes.data:
            plans.values[...] = values
        return self._kept(plans.to_modes())

    def transforms(self, leading: tuple[int, ...], dtype: Any) -> Transforms:
        """Transforms of their own, for modes (*leading, *space) of complex64 or complex128."""
        return Transforms((*leading, *self.shape), np.dtype(dtype), self.ndim)

    def _planned(self, leading: tuple[int, ...], dtype: Any) -> Transforms:
        key = (leading, np.dtype(dtype).char)
        if key not in self._plans:
            self._plans[key] = Transforms((*leading, *self.shape), np.dtype(dtype), self.ndim)
        return self._plans[key]

    def _kept(self, spectrum: Any) -> Any:
        if is_torch(spectrum):
            import torch

            for axis, k in zip(self.axes, self.highest, strict=True):
                low, high = spectrum.narrow(axis, 0, k + 1), spectrum.narrow(axis, spectrum.shape[axis] - k, k)
                spectrum = torch.cat([low, high], axis)
            return spectrum
        out = np.empty((*spectrum.shape[: -self.ndim], *self.modes), spectrum.dtype)
        for kept, where in self.quadrants:
            out[kept] = spectrum[where]
        return out

    def _among_all(self, modes: Any) -> Any:
        if is_torch(modes):
            return self._among_all_tensors(modes)
        padded = np.zeros((*modes.shape[: -self.ndim], *self.shape), modes.dtype)
        for kept, where in self.quadrants:
            padded[where] = modes[kept]
        return padded

    def _among_all_tensors(self, modes: Any) -> Any:
        """One pass for every axis, which matters on a GPU: most of a step's time there goes into starting passes."""
        import torch

        zero = _zero(modes)
        for axis, k, n in zip(self.axes, self.highest, self.shape, strict=True):
            between = list(modes.shape)
            between[axis] = n - 2 * k - 1
            low, high = modes.narrow(axis, 0, k + 1), modes.narrow(axis, k + 1, k)
            modes = torch.cat([low, zero.expand(between), high], axis)
        return modes


class _Kept(threading.local):
    """The objects of a thread."""

    def __init__(self) -> None:
        self.made: dict[tuple[Any, ...], PairedModes] = {}


_kept = _Kept()


def paired_modes(shape: Sequence[int], highest: Sequence[int]) -> PairedModes:
    """The `PairedModes` of this thread for these points and modes; the next call gives the same object.

    Example:
        >>> paired_modes((8,), (2,)) is paired_modes((8,), (2,))
        True
    """
    key = (os.getpid(), tuple(shape), tuple(highest))
    if key not in _kept.made:
        if len(_kept.made) >= _MOST_KEPT:
            _kept.made.clear()
        _kept.made[key] = PairedModes(shape, highest)
    return _kept.made[key]


class Transforms:
    """FFTW's plans for one shape, and the arrays between which they work.

    Attributes:
        padded: where all modes (*leading, *space) are put to become values at points; 0 at first, and nothing but the
            caller writes to it.
        values: where real values (*leading, *space, 2) are put to become modes.
        points: where `to_points` leaves values (*leading, *space, 2).
        modes: where `to_modes` leaves all modes (*leading, *space).
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, ndim: int):
        axes = range(len(shape) - ndim, len(shape))
        short = [axis for axis in axes if shape[axis] < _LONG]
        groups = [*([tuple(short)] if short else []), *((axis,) for axis in axes if axis not in short)]
        self._inverse = _chain(shape, dtype, groups, inverse=True)
        self._forward = _chain(shape, dtype, groups, inverse=False)
        self.padded, self.values = self._inverse[0].input_array, _parts(self._forward[0].input_array)
        self.padded[...] = 0
        self.points, self.modes = _parts(self._inverse[-1].output_array), self._forward[-1].output_array

    def to_points(self) -> np.ndarray:
        """Σ_k û_k e^{ikx} of ``padded``: values at the points, in ``points``."""
        for plan in self._inverse:
            plan.execute()
        return self.points

    def to_modes(self) -> np.ndarray:
        """Σ_x u e^{−ikx} of ``values``: all modes, in ``modes``."""
        for plan in self._forward:
            plan.execute()
        return self.modes


# 0 in every precision and on every device that asked for it; never freed, for recorded CUDA graphs read it.
_zeros: dict[Any, Any] = {}


def _zero(x: Any) -> Any:
    """A tensor () of ``x``'s precision and device."""
    import torch

    from opforge.core.choice.tracing import tracing

    key = (x.dtype, x.device)
    if type(x) in (torch.Tensor, torch.nn.Parameter) and not torch.compiler.is_compiling() and key in _zeros:
        return _zeros[key]
    made = x.new_zeros(())
    if not tracing():
        _zeros[key] = made
    return made


def _chain(shape: tuple[int, ...], dtype: np.dtype, groups: list[tuple[int, ...]], *, inverse: bool) -> list[Any]:
    """Plans for groups of axes, one after the other, between as many arrays as it takes to keep the first input."""
    plans, source = [], None
    for axes in groups:
        plan = _fftw.estimated_c2c(shape, dtype.char, axes, inverse=inverse, source=source)
        plans.append(plan)
        source = plan.output_array
    return plans


def _paired(u: Any) -> Any:
    """Complex arrays (pairs, ...) of real ones (samples, ...)."""
    if is_torch(u):
        import torch

        if len(u) % 2:
            u = torch.cat([u, u[-1:]])
        return torch.complex(u[::2], u[1::2])
    z = np.empty(((len(u) + 1) // 2, *u.shape[1:]), _COMPLEX[u.dtype.name])
    z.real, z.imag[: len(u) // 2] = u[::2], u[1::2]
    z.imag[len(u) // 2 :] = u[len(u) - len(u) % 2 :]
    return z


def _parts(z: Any) -> Any:
    """A complex array as a real one with an axis for both parts."""
    if is_torch(z):
        import torch

        return torch.view_as_real(z)
    return z.view(z.real.dtype).reshape(*z.shape, 2)


@lru_cache(maxsize=64)
def _quadrants(shape: tuple[int, ...], highest: tuple[int, ...]) -> list[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """(where among the kept modes, where among all) of every quadrant of wavenumbers >= 0 and < 0."""
    axes = [
        [(slice(0, k + 1), slice(0, k + 1)), *([(slice(k + 1, None), slice(n - k, n))] if k else [])]
        for n, k in zip(shape, highest, strict=True)
    ]
    return [((..., *(kept for kept, _ in parts)), (..., *(where for _, where in parts))) for parts in product(*axes)]
