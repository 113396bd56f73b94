"""The spectral convolution of Fourier neural operators as one operation."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import torch

from opforge.core import _gemm, _torch_spectral
from opforge.core._arguments import check_modes, check_real, check_shape, point_offset
from opforge.core.dispatch import choose
from opforge.errors import InputError

_ENGINES: dict[str, ModuleType] = {"gemm": _gemm, "torch": _torch_spectral}


def mode_shape(modes: Sequence[int]) -> tuple[int, ...]:
    """Sizes of an array over the kept modes: −K…K on leading axes, 0…K on the last.

    Example:
        >>> mode_shape((12, 12))
        (25, 13)
    """
    return (*(2 * k + 1 for k in modes[:-1]), modes[-1] + 1)


def spectral_conv(
    x: torch.Tensor,
    weight: torch.Tensor,
    modes: Sequence[int],
    out_shape: Sequence[int] | None = None,
    *,
    bias: torch.Tensor | None = None,
    points: str = "periodic",
    backend: str | None = None,
) -> torch.Tensor:
    """Mix the channels of a real field separately at each kept Fourier mode, and drop all other modes.

    With X_k the Fourier coefficients of x, normalised by 1/N so that they do not depend on the grid, the result has
    the coefficients Y_k[b, o] = Σ_i X_k[b, i] W_k[i, o] for |k_j| <= modes[j] and 0 elsewhere, made Hermitian on the
    plane k_last = 0 by taking the field's real part.

    Args:
        x: (batch, in, *space), float32 or float64. Channels-last memory (``x.movedim(1, -1)`` contiguous) is served
            without a copy, and the result then lies in memory alike.
        weight: (2K₁ + 1, …, K_d + 1, in, out, 2), of ``x``'s type; the trailing axis holds real and imaginary parts,
            the leading ones modes −K…K, on the last axis of space 0…K.
        modes: highest kept \\|k\\| per axis of space, at most (points − 1) // 2.
        out_shape: points per axis of the result, finer or coarser than ``x``'s; ``x``'s own when left out. A coarser
            grid than the modes need samples the result, and says nothing.
        bias: (out,), added to the result; it is free, since it goes into mode 0.
        points: where grid points lie, ``"periodic"`` or ``"cells"`` (see `Grid`). It matters when ``out_shape``
            differs from ``x``'s.
        backend: ``"gemm"`` (real matrix products) or ``"torch"`` (torch.fft); chosen by cost when left out.

    Returns:
        (batch, out, *out_shape).

    Raises:
        InputError: sizes that do not agree, modes that the grid does not carry, other types than float32 and float64.

    Example:
        >>> x = torch.ones(1, 2, 8, 8)
        >>> weight = torch.zeros(*mode_shape((3, 3)), 2, 1, 2)
        >>> weight[3, 0, :, :, 0] = 0.5  # the mean of both channels
        >>> spectral_conv(x, weight, (3, 3), out_shape=(4, 4)).shape
        torch.Size([1, 1, 4, 4])

    Source: Fourier Neural Operator for Parametric Partial Differential Equations, equation 5; the modes kept here are
    symmetric in sign.
    """
    check_real("x", x)
    check_real("weight", weight)
    space = check_shape("x", x.shape[2:], len(modes))
    modes = check_modes(modes, space)
    if tuple(weight.shape[:-2]) != (*mode_shape(modes), x.shape[1]) or weight.shape[-1] != 2:
        raise InputError(
            f"weight must have the shape {(*mode_shape(modes), x.shape[1], 'out', 2)} for x with {x.shape[1]} channels "
            f"and modes {modes}, got {tuple(weight.shape)}"
        )
    if weight.dtype != x.dtype or weight.device != x.device:
        raise InputError(
            f"weight must be of x's type and device, {x.dtype} on {x.device}, got {weight.dtype} on {weight.device}"
        )
    sizes = space if out_shape is None else check_shape("out_shape", out_shape, len(modes))
    engine = _ENGINES[choose(space, modes, backend).backend]
    return engine.spectral_conv(x, weight, bias, modes, sizes, point_offset(points))
