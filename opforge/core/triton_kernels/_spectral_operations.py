"""The truncated transform of real fields in up to three dimensions and its transpose, as operators of torch.

Planes are transformed by one kernel each. Across planes, where there are more than one, the few coefficients that are
left are multiplied by one more small matrix. An operator and its transpose with the same arguments are each other's
derivative, so derivatives of every order exist, and nothing is kept for them.
"""

from __future__ import annotations

import torch

from opforge.core.triton_kernels import _spectral_kernels as kernels
from opforge.core.triton_kernels import _spectral_tables as tables
from opforge.core.triton_kernels._launching import launch, parts, power_of_two
from opforge.core.triton_kernels._pair_product import multiply
from opforge.core.triton_kernels.availability import dot_precision


@torch.library.custom_op("opforge::analyse_fields", mutates_args=())
def analyse_fields(x: torch.Tensor, k_d: int, k_h: int, k_w: int, offset: float, mean: bool) -> torch.Tensor:
    """Σ_n x_n exp(−2πi k·r_n): (fields, depth, height, width) to (modes, 2, fields), modes −k … k, on the last axis
    0 … k_w, and the points r_n in units of the box.

    ``mean`` divides by the number of points; without it modes k_w > 0 count twice, for their conjugates.
    """
    fields, depth, height, width = x.shape
    x = x.contiguous()
    planes = x.new_empty(_modes(0, k_h, k_w), 2, depth, fields)
    _launch(kernels.analyse, (x, planes), (depth * fields, depth), (height, width), (k_h, k_w), offset, mean)
    if depth > 1 or k_d > 0:
        table = tables.whole_axis(depth, k_d, offset, mean, x.dtype, x.device).expand(planes.shape[0], -1, -1, -1)
        planes = multiply(table, planes.permute(0, 2, 3, 1), False, False, "pn2r").permute(1, 0, 3, 2)
    return planes.reshape(_modes(k_d, k_h, k_w), 2, fields)


@analyse_fields.register_fake
def _(x, k_d, k_h, k_w, offset, mean):
    return x.new_empty(_modes(k_d, k_h, k_w), 2, x.shape[0])


@torch.library.custom_op("opforge::synthesise_fields", mutates_args=())
def synthesise_fields(
    spectrum: torch.Tensor,
    k_d: int,
    k_h: int,
    k_w: int,
    depth: int,
    height: int,
    width: int,
    offset: float,
    mean: bool,
) -> torch.Tensor:
    """(modes, 2, fields) to (fields, depth, height, width): the transpose of `analyse_fields`."""
    fields = spectrum.shape[-1]
    planes = spectrum.contiguous()
    if depth > 1 or k_d > 0:
        table = tables.whole_axis(depth, k_d, offset, mean, spectrum.dtype, spectrum.device).transpose(0, 1)
        planes = planes.reshape(2 * k_d + 1, _modes(0, k_h, k_w), 2, fields).permute(1, 0, 3, 2)
        planes = multiply(table.expand(planes.shape[0], -1, -1, -1), planes, True, False, "n2pr")
    x = spectrum.new_empty(fields, depth, height, width)
    # either way (modes of a plane, 2, depth, fields) in memory
    _launch(kernels.synthesise, (planes, x), (depth * fields, depth), (height, width), (k_h, k_w), offset, mean)
    return x


@synthesise_fields.register_fake
def _(spectrum, k_d, k_h, k_w, depth, height, width, offset, mean):
    return spectrum.new_empty(spectrum.shape[-1], depth, height, width)


def _modes(k_d: int, k_h: int, k_w: int) -> int:
    return (2 * k_d + 1) * (2 * k_h + 1) * (k_w + 1)


def _launch(
    kernel,
    operands: tuple[torch.Tensor, torch.Tensor],
    images: tuple[int, int],
    shape: tuple[int, int],
    modes: tuple[int, int],
    offset: float,
    mean: bool,
) -> None:
    source, target = operands
    (count, planes), (height, width), (k_h, k_w) = images, shape, modes
    # Matrix units take 16 rows at least: 8 modes, each with a cosine and a sine.
    rows, columns = 2 * power_of_two(k_h + 1, 8), 2 * power_of_two(k_w + 1, 8)
    key = (source.dtype, source.device)
    last = tables.last_axis(width, k_w, offset, mean, columns // 2, *key)
    leading = tables.leading_axis(height, k_h, offset, mean, rows // 2, *key)

    def grid(block: dict[str, int]) -> tuple[int, ...]:
        blocks = parts(height, block["BLOCK_H"])
        return (count, blocks) if kernel is kernels.synthesise else (count,)

    launch(
        kernel,
        grid,
        *(source, target, last, leading, height, width, k_h, k_w, planes, count),
        ROWS=rows,
        COLUMNS=columns,
        PRECISION=dot_precision(source.dtype),
    )


def _remember_analysis(ctx, inputs, output):
    x, *ctx.options = inputs
    ctx.shape = x.shape[1:]


def _analysis_backward(ctx, gradient):
    *modes, offset, mean = ctx.options
    return synthesise_fields(gradient, *modes, *ctx.shape, offset, mean), None, None, None, None, None


def _remember_synthesis(ctx, inputs, output):
    _, *ctx.options = inputs


def _synthesis_backward(ctx, gradient):
    k_d, k_h, k_w, _, _, _, offset, mean = ctx.options
    return (analyse_fields(gradient, k_d, k_h, k_w, offset, mean), *[None] * 8)


analyse_fields.register_autograd(_analysis_backward, setup_context=_remember_analysis)
synthesise_fields.register_autograd(_synthesis_backward, setup_context=_remember_synthesis)
