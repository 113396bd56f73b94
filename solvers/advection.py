"""Advection by a constant velocity on a periodic box: the exact shift of the band-limited field."""

from __future__ import annotations

import math
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

# Coefficients that are moved and transformed together. All frames at once would take twice the memory of the result,
# and from 128 KiB on, the allocator may fetch fresh pages from the system every time: twice as slow, measured. It does
# not for arrays that are small beside another one that was freed before, such as an earlier result.
_AT_ONCE = 7000
_PARTS = 14


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
    frames = np.empty((*shape[: -grid.ndim], len(t), *grid.shape), u.dtype)
    samples = math.prod(shape[: -grid.ndim])
    starts = spectrum.reshape(samples, *spectrum.shape[-grid.ndim - 1 :])
    modes = math.prod(spectrum.shape[-grid.ndim :])
    parts = max(1, math.ceil(len(t) * modes / max(_AT_ONCE, frames.size // _PARTS)))
    step = max(1, math.ceil(len(t) / parts))
    evolutions = frames.reshape(samples, len(t), *grid.shape)
    for one, start in zip(evolutions, starts, strict=True):
        for k in range(0, len(t), step):
            one[k : k + step] = irfftn(carried(start, [f[k : k + step] for f in factors]), grid.shape, space)
    return frames


def _times(given: Any) -> np.ndarray:
    try:
        times = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # torch's for tensors on a GPU or with a gradient
        raise InputError(f"times must be a sequence of numbers, got {given!r}; pass a list or a numpy array") from error
    if times.ndim != 1 or not np.isfinite(times).all():
        raise InputError(f"times must be finite numbers, one per frame (frames,), got {given!r}")
    return times
