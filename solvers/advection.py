"""Advection by a constant velocity on a periodic box: the exact shift of the band-limited field."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from opforge.core import Grid, irfftn, rfftn
from opforge.errors import InputError
from opforge.pdes.advection import carried, check_periodic, phases

if TYPE_CHECKING:
    import torch

    Array = TypeVar("Array", np.ndarray, torch.Tensor)

# Recorded in data files.
METHOD = "exact shift of the trigonometric interpolant by the phases of its Fourier coefficients"

# Bytes of coefficients that are moved and transformed together: enough to make calls cheap, and in the caches.
_AT_ONCE = 2**22


class _Room(threading.local):
    """Where coefficients are moved. Getting such room anew for every call takes up to twice the time of the work: the
    allocator may fetch its pages from the system each time, measured."""

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def array(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array of this thread's own; the next call gets the same memory."""
        size = math.prod(shape) * dtype.itemsize
        if len(self._bytes) < size:
            self._bytes = np.empty(size, np.uint8)
        return self._bytes[:size].view(dtype).reshape(shape)


_room = _Room()


def advect(u: Array, velocity: float | Sequence[float], times: Sequence[float] | np.ndarray, grid: Grid) -> Array:
    """The solution of u_t + c·∇u = 0 on a periodic box at any times, u(x, t) = u(x − c t, 0).

    A field is the trigonometric polynomial through its values; it is moved exactly, whatever the time, as it stands in
    `opforge.pdes.Advection`: only the Nyquist mode, of axes with an even number of points, stays where it is. Shifts by
    s and by t make the shift by s + t, and mean and mean square of u stay the same, all to rounding: for times of
    relative precision ε the phases of wavenumber k are exact to about 2πk ε |c t/L|.

    Args:
        u: the state at time 0, (..., *space), float32 or float64, numpy or torch on any device.
        velocity: c, in the grid's lengths per unit of time; a number that holds for every axis, or one number per axis.
        times: at which the solution is wanted, (frames,), in any order, negative ones too.
        grid: periodic points, with the shape of u's last axes.

    Returns:
        An array (..., frames, *space) of u's kind, precision and device, differentiable in u to any order.

    Raises:
        InputError: a grid that is not periodic, shapes that do not fit, velocities, times or values of u that are not
            finite.

    Example:
        >>> grid = Grid.cube(1, 8, points="periodic")
        >>> u = np.sin(2 * np.pi * grid.coordinates()[0])
        >>> frames = advect(u, 1.0, [0.0, 0.125, 0.3], grid)
        >>> np.allclose(frames[1], np.roll(u, 1)), np.allclose(frames[2], np.sin(2 * np.pi * (grid.mesh()[0] - 0.3)))
        (True, True)
    """
    check_periodic(grid)
    space = tuple(range(-grid.ndim, 0))
    shape = tuple(getattr(u, "shape", ()))
    if shape[-grid.ndim :] != grid.shape:
        raise InputError(f"u must be an array that ends in the grid's shape {grid.shape}, got shape {shape}")
    if not bool((abs(u) < math.inf).all()):
        raise InputError("u must be finite, got NaN or infinity in it; correct the initial state")
    t = _times(times)
    factors = phases(velocity, t, grid)
    spectrum = rfftn(u, space)[(..., None, *(slice(None),) * grid.ndim)]
    if not isinstance(u, np.ndarray):
        return irfftn(carried(spectrum, factors), grid.shape, space)
    samples, modes = math.prod(shape[: -grid.ndim]), spectrum.shape[-grid.ndim :]
    at_rest = spectrum.reshape(samples, 1, *modes)
    frame = math.prod(modes) * spectrum.itemsize
    steps = max(1, min(len(t), _AT_ONCE // frame))
    together = max(1, min(samples, _AT_ONCE // (frame * steps)))
    if samples == together and len(t) == steps:
        return _moved(at_rest, factors, grid).reshape(*shape[: -grid.ndim], len(t), *grid.shape)
    frames = np.empty((samples, len(t), *grid.shape), u.dtype)
    for i in range(0, samples, together):
        for k in range(0, len(t), steps):
            some = [factor[k : k + steps] for factor in factors]
            frames[i : i + together, k : k + steps] = _moved(at_rest[i : i + together], some, grid)
    return frames.reshape(*shape[: -grid.ndim], len(t), *grid.shape)


def _moved(at_rest: np.ndarray, factors: Sequence[np.ndarray], grid: Grid) -> np.ndarray:
    """Fields (samples, frames, *space) from coefficients (samples, 1, *modes)."""
    samples, _, *modes = at_rest.shape
    room = _room.array((samples, len(factors[0]), *modes), at_rest.dtype)
    return irfftn(carried(at_rest, factors, out=room), grid.shape, tuple(range(-grid.ndim, 0)))


def _times(given: Any) -> np.ndarray:
    try:
        times = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # torch's for tensors on a GPU or with a gradient
        raise InputError(f"times must be a sequence of numbers, got {given!r}; pass a list or a numpy array") from error
    if times.ndim != 1 or not np.isfinite(times).all():
        raise InputError(f"times must be finite numbers, one per frame (frames,), got {given!r}")
    return times
