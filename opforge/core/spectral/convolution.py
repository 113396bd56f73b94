"""The spectral convolution of Fourier neural operators as one operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch

from opforge.core._arguments import check_bias, check_modes, check_real, check_shape, point_offset, whole_numbers
from opforge.core.autocast import without_autocast
from opforge.core.choice.tracing import tracing
from opforge.core.operation import Operation
from opforge.core.spectral import axiswise
from opforge.core.spectral.engines import engine_for
from opforge.core.spectral.mixing import mix
from opforge.core.spectral.weights import Weight, check_weight, parts
from opforge.errors import InputError


@without_autocast
def spectral_conv(
    x: torch.Tensor,
    weight: Weight,
    modes: Sequence[int],
    out_shape: Sequence[int] | None = None,
    *,
    kind: str = "dense",
    bias: torch.Tensor | None = None,
    points: str = "periodic",
    backend: str | None = None,
) -> torch.Tensor:
    """Mix the channels of a real field separately at each kept Fourier mode, and drop all other modes.

    With X_k the Fourier coefficients of x, normalised by 1/N so that they do not depend on the grid, the result has
    the coefficients Y_k[b, o] = Σ_i X_k[b, i] W_k[i, o] for |k_j| <= modes[j] and 0 elsewhere, made Hermitian on the
    plane k_last = 0 by taking the field's real part.

    Args:
        x: (batch, in, *space), float32 or float64; bfloat16 is served by ``gemm``, with errors of 0.6 % in the norm and
            0.9 % at most, of the largest value. Under autocast it is taken in the precision of the weight.
            Channels-last memory (``x.movedim(1, -1)`` contiguous) is served without a copy, and the result then lies
            in memory alike.
        weight: of ``x``'s type, with a trailing axis for real and imaginary parts. For the kind ``"dense"``
            (2K₁ + 1, …, K_d + 1, in, out, 2), the leading axes holding modes −K…K, the last axis of space 0…K.
        modes: highest kept \\|k\\| per axis of space, at most (points − 1) // 2.
        out_shape: points per axis of the result, finer or coarser than ``x``'s; ``x``'s own when left out. A coarser
            grid than the modes need samples the result, and says nothing.
        kind: the structure of the weight. With M the sizes of the modes' axes:
            ``"dense"`` (*M, in, out, 2);
            ``"separable"`` (*M, channels, 2), every channel by itself;
            ``"block"`` (*M, blocks, in/blocks, out/blocks, 2), groups of channels by themselves;
            ``"cp"`` a `CPWeight` and ``"tucker"`` a `TuckerWeight`, contracted factor by factor where that is cheaper
            than making the dense weight;
            ``"axis"`` one tensor (K_j + 1, in, out, 2) per axis: the sum of one-dimensional convolutions along each
            (factorised FNO), on another grid after band-limited resampling of the other axes.
        bias: (out,), added to the result; it is free, since it goes into mode 0.
        points: where grid points lie, ``"periodic"`` or ``"cells"`` (see `Grid`). It matters when ``out_shape``
            differs from ``x``'s.
        backend: ``"gemm"`` (real matrix products), ``"torch"`` (torch.fft) or ``"fftw"`` (FFTW, on the CPU); chosen
            by cost, and by measurement where that is close, when left out: see `explain`.

    Returns:
        (batch, out, *out_shape).

    Raises:
        InputError: sizes that do not agree, modes that the grid does not carry, other types than float32 and float64.

    Example:
        >>> from opforge.core import mode_shape
        >>> x = torch.ones(1, 2, 8, 8)
        >>> weight = torch.zeros(*mode_shape((3, 3)), 2, 1, 2)
        >>> weight[3, 0, :, :, 0] = 0.5  # the mean of both channels
        >>> spectral_conv(x, weight, (3, 3), out_shape=(4, 4)).shape
        torch.Size([1, 1, 4, 4])

    ``gemm`` is traced by ``torch.compile`` and ``torch.export``, with any batch and grid. Where ``out_shape`` or a
    padding makes sizes such as n + 1 of the dynamic ones, torch cannot prove all that it wants to know of them: export
    with ``prefer_deferred_runtime_asserts_over_guards=True``.

    Source: Fourier Neural Operator for Parametric Partial Differential Equations, equation 5; the modes kept here are
    symmetric in sign.
    """
    check_real("x", x, half=True)
    modes = whole_numbers("modes", modes)
    space = check_shape("x", x.shape[2:], len(modes))
    modes = check_modes(modes, space)
    out_channels = check_weight(weight, kind, modes, x.shape[1])
    check_tensors(x, weight)
    check_bias(bias, out_channels, x)
    wanted = None if out_shape is None else check_shape("out_shape", out_shape, len(modes))
    offset = point_offset(points)
    channels_last = x.shape[1] > 1 and x.stride(1) == 1
    if kind == "axis":
        weights = cast(Sequence[torch.Tensor], weight)
        y = axiswise.spectral_conv(
            x, weights, modes, wanted, offset=offset, channels_last=channels_last, backend=backend
        )
        return y if bias is None else y + bias.reshape(-1, *[1] * len(modes))
    sizes = space if wanted is None else wanted
    engine = engine_for("spectral_conv", x, modes, space, sizes, (x.shape[1], out_channels), backend)
    rows = mixed(engine.analyse(x, modes, offset, channels_last), weight, kind, bias, modes)
    return engine.synthesise(rows, modes, sizes, offset, channels_last)


def check_tensors(x: torch.Tensor, weight: Weight) -> None:
    """Refuse an empty ``x`` and weights of another type or device."""
    check_shape("x", x.shape, x.ndim)
    for part in parts(weight):
        if part.dtype != x.dtype or part.device != x.device:
            raise InputError(
                f"weight must be of x's type and device, {x.dtype} on {x.device}, got {part.dtype} on {part.device}"
            )


def mixed(
    rows: torch.Tensor, weight: Weight, kind: str, bias: torch.Tensor | None, modes: Sequence[int]
) -> torch.Tensor:
    """The rows of the result: those of the input mixed by ``weight``, with the constant ``bias`` added."""
    rows = mix(rows, weight, kind)
    if bias is None:
        return rows
    zero = (*modes[:-1], 0) if rows.is_complex() else (*modes[:-1], 0, 0)
    if tracing():
        one = bias.new_zeros(rows.shape[:-2])
        one[zero] = 1
        return rows + one[..., None, None] * bias
    if torch.is_grad_enabled():
        return _PlusConstant.apply(rows, bias, zero)
    rows[zero] += bias
    return rows


class _PlusConstant(Operation):
    """Rows with ``bias`` (out,) added to those at ``zero``, (batch, out)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(rows, bias, zero):
        rows = rows.clone()
        rows[zero] += bias
        return rows

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.zero = inputs[2]

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (grad,) = gradients
        of_bias = grad[ctx.zero].sum(0)
        return grad, of_bias.real if grad.is_complex() else of_bias, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        rows, bias, _ = tangents
        return rows if bias is None else _PlusConstant.apply(rows, bias, ctx.zero)
