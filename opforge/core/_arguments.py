"""Checks that the truncated transforms share."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

import torch

from opforge.core.spectral.fourier_matrices import POINT_OFFSETS
from opforge.errors import InputError, UnknownNameError


def check_real(name: str, x: torch.Tensor, *, half: bool = False) -> None:
    if not isinstance(x, torch.Tensor):
        raise InputError(f"{name} must be a torch tensor, got {type(x).__name__}; use torch.as_tensor")
    if x.layout != torch.strided or x.is_nested:
        raise InputError(f"{name} must be a dense tensor, got one of layout {x.layout}; use to_dense()")
    if half and x.dtype == torch.bfloat16:
        return
    if x.dtype not in (torch.float32, torch.float64):
        raise InputError(f"{name} must be of float32 or float64, got {x.dtype}; convert it first")


def whole_numbers(name: str, given: int | Iterable[int]) -> tuple[int, ...]:
    """One number or several as a tuple."""
    if torch.compiler.is_compiling():  # they may be symbols
        return tuple(given) if isinstance(given, Iterable) else (given,)
    try:
        return tuple(map(operator.index, given if isinstance(given, Iterable) else (given,)))
    except TypeError as error:
        raise InputError(f"{name} must be a whole number or a sequence of them, got {given!r}") from error


def check_modes(modes: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """``modes`` as a tuple, after checking that a grid of ``shape`` carries them."""
    modes = whole_numbers("modes", modes)
    if len(modes) != len(shape):
        raise InputError(f"modes needs one value per axis of space, got modes {modes} for a grid of {tuple(shape)}")
    most = tuple((n - 1) // 2 for n in shape)
    if any(k < 0 or k > limit for k, limit in zip(modes, most, strict=True)):
        raise InputError(
            f"modes must be between 0 and (points - 1) // 2, here at most {most} on a grid of {tuple(shape)}, "
            f"got {modes}; lower modes or use a finer grid"
        )
    return modes


def check_bias(bias: torch.Tensor | None, channels: int, like: torch.Tensor) -> None:
    """Refuse a bias that is not one number per output channel of ``like``'s type and device."""
    if bias is None:
        return
    if not isinstance(bias, torch.Tensor):
        raise InputError(f"bias must be a torch tensor ({channels},), got {type(bias).__name__}; use torch.as_tensor")
    if tuple(bias.shape) != (channels,) or bias.dtype != like.dtype or bias.device != like.device:
        raise InputError(
            f"bias must have the shape ({channels},), one number per output channel, and x's type and device, "
            f"{like.dtype} on {like.device}, got {tuple(bias.shape)}, {bias.dtype} on {bias.device}"
        )


def check_shape(name: str, shape: Sequence[int], ndim: int) -> tuple[int, ...]:
    shape = whole_numbers(name, shape)
    if len(shape) != ndim or any(n < 1 for n in shape):
        raise InputError(f"{name} needs one size of at least 1 per axis of space ({ndim}), got {shape}")
    return shape


def point_offset(points: str) -> float:
    """How many spacings the first point lies from the box's corner."""
    if not isinstance(points, str) or points not in POINT_OFFSETS:
        raise InputError(f"points must be one of {', '.join(POINT_OFFSETS)} for a Fourier transform, got {points!r}")
    return POINT_OFFSETS[points]


def check_backend(backend: str | None, known: Sequence[str]) -> None:
    if backend is not None and backend not in known:
        raise UnknownNameError("backend", backend, known)
