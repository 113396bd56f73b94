"""Real Fourier transforms that keep low modes only, and band-limited resampling between grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from opforge.core._arguments import check_modes, check_real, check_shape, point_offset, whole_numbers
from opforge.core.autocast import without_autocast
from opforge.core.full_transforms.transforms import irfftn, is_torch, rfftn
from opforge.core.spectral.engines import PAIRS, engine_for
from opforge.core.spectral.engines import question as spectral_question
from opforge.errors import InputError

if TYPE_CHECKING:
    from opforge.core.choice.decision import Question
    from opforge.core.full_transforms.transforms import Array


@without_autocast
def rfftn_modes(
    x: torch.Tensor,
    modes: Sequence[int],
    dim: Sequence[int] | None = None,
    *,
    points: str = "periodic",
    backend: str | None = None,
) -> torch.Tensor:
    """The low Fourier modes of a real field, X_k = (1/N) Σ_n x_n exp(−2πi k·r_n), r_n the points in units of the box.

    Normalised by the number of points, so the coefficients of a function do not depend on the grid.

    Args:
        x: real tensor, float32 or float64.
        modes: highest kept \\|k\\| per axis of ``dim``, at most (points − 1) // 2.
        dim: axes to transform; the last ``len(modes)`` when left out.
        points: where grid points lie, ``"periodic"`` or ``"cells"`` (see `Grid`).
        backend: ``"gemm"``, ``"torch"`` or ``"fftw"``; chosen when left out, see `explain`.

    Returns:
        Real tensor with a trailing axis of real and imaginary parts; the axes ``dim`` hold modes −K…K, the last of
        them 0…K.

    Raises:
        InputError: modes that the grid does not carry, other types than float32 and float64.

    Example:
        >>> x = torch.tensor([1.0, 0.0, -1.0, 0.0])
        >>> rfftn_modes(x, (1,)).round(decimals=6).abs().tolist()
        [[0.0, 0.0], [0.5, 0.0]]
    """
    check_real("x", x)
    check_shape("x", x.shape, x.ndim)
    modes = whole_numbers("modes", modes)
    axes = _axes(x.ndim, len(modes), dim)
    sizes = tuple(x.shape[a] for a in axes)
    modes = check_modes(modes, sizes)
    offset = point_offset(points)
    x = x.movedim(axes, tuple(range(-len(axes), 0)))
    others = x.shape[: x.ndim - len(axes)]
    engine = engine_for("rfftn_modes", x, modes, sizes, sizes, (1, 1), backend)
    rows = engine.analyse(x.reshape(-1, 1, *sizes), modes, offset, False)
    if rows.is_complex():
        spectrum = torch.view_as_real(rows.flatten(len(axes)).movedim(-1, 0).contiguous())
    else:
        spectrum = rows.flatten(len(axes) + 1).movedim(-1, 0).movedim(len(axes) + 1, -1)
    spectrum = spectrum.reshape(*others, *spectrum.shape[1:])
    return spectrum.movedim(tuple(range(len(others), len(others) + len(axes))), axes)


@without_autocast
def irfftn_modes(
    spectrum: torch.Tensor,
    shape: Sequence[int],
    dim: Sequence[int] | None = None,
    *,
    points: str = "periodic",
    backend: str | None = None,
) -> torch.Tensor:
    """The real field with the Fourier coefficients ``spectrum`` at the points of a grid of any ``shape``.

    The part of the plane k_last = 0 that is not Hermitian is dropped: it belongs to no real field.

    Args:
        spectrum: what `rfftn_modes` returns: an odd number of modes −K…K on each axis of ``dim`` but the last, 0…K on
            the last, and a trailing axis of size 2.
        shape: points per axis of the result. A grid too coarse for the modes samples the field.
        dim: the axes of modes, counted without the trailing one; the last ``len(shape)`` of these when left out.
        points: where grid points lie, ``"periodic"`` or ``"cells"``.
        backend: ``"gemm"``, ``"torch"`` or ``"fftw"``; chosen when left out, see `explain`.

    Returns:
        Real tensor without the trailing axis, of sizes ``shape`` on ``dim``.

    Raises:
        InputError: no trailing axis of 2, an even number of modes on a leading axis.

    Example:
        >>> spectrum = torch.tensor([[0.0, 0.0], [0.5, 0.0]])  # cos
        >>> torch.allclose(irfftn_modes(spectrum, (4,)), torch.tensor([1.0, 0.0, -1.0, 0.0]), atol=1e-6)
        True
    """
    check_real("spectrum", spectrum)
    check_shape("spectrum", spectrum.shape, spectrum.ndim)
    shape = whole_numbers("shape", shape)
    axes = _axes(spectrum.ndim - 1, len(shape), dim)
    sizes = check_shape("shape", shape, len(axes))
    counts = [spectrum.shape[a] for a in axes]
    if spectrum.shape[-1] != 2 or any(c % 2 == 0 for c in counts[:-1]) or counts[-1] < 1:
        raise InputError(
            "spectrum must hold 2K + 1 modes on each axis of dim, K + 1 on the last, and a trailing axis of size 2, "
            f"got shape {tuple(spectrum.shape)}"
        )
    modes = (*(c // 2 for c in counts[:-1]), counts[-1] - 1)
    offset = point_offset(points)
    last = tuple(range(spectrum.ndim - 1 - len(axes), spectrum.ndim - 1))
    spectrum = spectrum.movedim(axes, last)
    others = spectrum.shape[: last[0]]
    flat = spectrum.reshape(-1, *counts, 2)
    engine = engine_for("irfftn_modes", flat, modes, sizes, sizes, (1, 1), backend)
    if engine in PAIRS:
        rows = flat.movedim(-1, 1).movedim((0, 1), (-1, -2))[..., None]
    else:
        rows = torch.view_as_complex(flat.contiguous()).movedim(0, -1)[..., None]
    x = engine.synthesise(rows, modes, sizes, offset, False).reshape(*others, *sizes)
    return x.movedim(last, axes)


def question(
    shape: Sequence[int],
    *,
    modes: Sequence[int],
    batch: int = 1,
    channels: int = 1,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    threads: int | None = None,
) -> Question:
    """Which back end should serve `rfftn_modes` of ``batch`` · ``channels`` fields on a grid of ``shape``.

    Example:
        >>> question((64, 64), modes=(12, 12), batch=4, channels=8, threads=2).key
        '64x64 modes 12x12 batch 32 channels 1 float32 cpu 2 threads'
    """
    options = {"batch": batch * channels, "channels": 1, "dtype": dtype, "device": device, "threads": threads}
    return replace(spectral_question(shape, modes=modes, **options), op="rfftn_modes")


def inverse_question(shape: Sequence[int], *, modes: Sequence[int], **options: Any) -> Question:
    """Which back end should serve `irfftn_modes` to a grid of ``shape``; the options are those of `question`."""
    return replace(question(shape, modes=modes, **options), op="irfftn_modes")


def resample(x: Array, shape: Sequence[int], *, points: str = "periodic") -> Array:
    """Values on another grid of the trigonometric polynomial through the values of a periodic field.

    Exact for band-limited fields in every dimension and sign quadrant. A finer grid keeps every mode: an even grid's
    Nyquist mode is taken as a cosine. A coarser grid drops the modes that it does not carry, its Nyquist mode included.

    Args:
        x: (..., *space), real floating point, numpy or torch; the last ``len(shape)`` axes are resampled.
        shape: new points per axis of space.
        points: where grid points lie, ``"periodic"`` or ``"cells"``.

    Returns:
        (..., *shape), of ``x``'s type.

    Raises:
        InputError: more sizes than ``x`` has axes, sizes below 1, complex or integer input.

    Example:
        >>> resample(np.array([1.0, 0.0, -1.0, 0.0]), (8,)).round(4)[:3].tolist()
        [1.0, 0.7071, 0.0]
    """
    if isinstance(x, torch.Tensor):
        check_real("x", x)
    elif not isinstance(x, np.ndarray) or x.dtype.kind != "f" or x.dtype.itemsize not in (4, 8):
        what = f"an array of {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
        raise InputError(f"x must be a torch tensor or numpy array of float32 or float64, got {what}; convert it first")
    sizes = whole_numbers("shape", shape)
    check_shape("shape", sizes, len(sizes))
    if not sizes or len(sizes) > len(x.shape):
        raise InputError(f"shape must have from one to as many sizes as x has axes, got {sizes} for {tuple(x.shape)}")
    offset = point_offset(points)
    for axis, size in zip(range(-len(sizes), 0), sizes, strict=True):
        if x.shape[axis] != size:
            x = _resample_axis(x, size, axis, offset)
    return x


def _resample_axis(x: Any, size: int, axis: int, offset: float) -> Any:
    n = x.shape[axis]
    spectrum = rfftn(x.swapaxes(axis, -1), (-1,), norm="forward")
    nyquist = n % 2 == 0 and size > n
    kept = (min(n, size) - 1) // 2 + 1 + nyquist
    # half a spacing of either grid, for points in cells
    phase = np.exp(2j * np.pi * np.arange(kept) * offset * (1 / size - 1 / n))
    if nyquist:
        phase[-1] *= 0.5  # the inverse counts it twice, as a pair of modes
    gap = size // 2 + 1 - kept
    if is_torch(x):
        phase = torch.as_tensor(phase, dtype=spectrum.dtype, device=spectrum.device)
        full: Any = torch.nn.functional.pad(spectrum[..., :kept] * phase, (0, gap))
    else:
        widths = [(0, 0)] * (spectrum.ndim - 1) + [(0, gap)]
        full = np.pad(spectrum[..., :kept] * phase.astype(spectrum.dtype), widths)
    return irfftn(full, (size,), (-1,), norm="forward").swapaxes(axis, -1)


def _axes(ndim: int, count: int, dim: Sequence[int] | None) -> tuple[int, ...]:
    if count == 0:
        raise InputError("modes or shape needs one value for each axis to transform, got none")
    axes = tuple(range(ndim - count, ndim)) if dim is None else whole_numbers("dim", dim)
    if len(axes) != count or not all(-ndim <= a < ndim for a in axes) or len({a % ndim for a in axes}) != count:
        raise InputError(f"dim must name {count} distinct axes of the {ndim} there are, got {axes}")
    return tuple(a % ndim for a in axes)
