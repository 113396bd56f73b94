"""The Fourier layer as one operation: a spectral convolution and a pointwise matrix product of the same field.

Channels-last in memory and through the ``gemm`` back end, it makes no pass over the field beyond its products: the
transform back adds to the pointwise product in place, and in the backward pass the gradients of both branches are
added in the same way. A nonlinearity before it is computed again in the backward pass instead of being kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd import forward_ad

from opforge.core import pointwise as at_points
from opforge.core._arguments import check_bias, check_modes, check_real, check_shape, point_offset, whole_numbers
from opforge.core.activation import Activation, pulled_back, recomputable
from opforge.core.autocast import without_autocast
from opforge.core.choice.tracing import tracing
from opforge.core.spectral import gemm
from opforge.core.spectral.convolution import check_tensors, mixed, spectral_conv
from opforge.core.spectral.engines import engine_for
from opforge.core.spectral.weights import Weight, check_weight, parts
from opforge.errors import InputError


@without_autocast
def fourier_layer(
    x: torch.Tensor,
    weight: Weight,
    pointwise: torch.Tensor,
    modes: Sequence[int],
    *,
    lift: torch.Tensor | None = None,
    before: Activation | None = None,
    kind: str = "dense",
    bias: torch.Tensor | None = None,
    points: str = "periodic",
    backend: str | None = None,
) -> torch.Tensor:
    """y = spectral_conv(a) + a P at each point, with a = before(x), or before(x) L.

    Args:
        x: (batch, in, *space), as for `spectral_conv`; with ``lift``, (batch, few, *space).
        weight: of the spectral convolution, as for `spectral_conv`.
        pointwise: P, a matrix (in, out).
        modes: highest kept \\|k\\| per axis of space.
        lift: L, a matrix (few, in). For few channels it saves most of the work: they are transformed and not those that
            L makes of them, of which only the kept modes are computed.
        before: a pointwise nonlinearity. One of `torch.nn.functional` (gelu, relu, silu, tanh, ...) is not kept for
            the backward pass but computed again: half the memory of a stack of such layers.
        kind: the structure of ``weight``.
        bias: (out,), added to the result.
        points: where grid points lie, ``"periodic"`` or ``"cells"``.
        backend: as for `spectral_conv`.

    Returns:
        (batch, out, *space).

    Raises:
        InputError: as `spectral_conv`; a ``pointwise`` or ``lift`` of another shape or type.

    Example:
        >>> x, weight, pointwise = torch.ones(1, 2, 8), torch.zeros(4, 2, 3, 2), torch.ones(2, 3)
        >>> fourier_layer(x, weight, pointwise, (3,), before=torch.relu)[0, :, 0].tolist()
        [2.0, 2.0, 2.0]

    Source: Fourier Neural Operator for Parametric Partial Differential Equations, equation 2.
    """
    check_real("x", x, half=True)
    modes = whole_numbers("modes", modes)
    space = check_shape("x", x.shape[2:], len(modes))
    modes = check_modes(modes, space)
    _check_lift(lift, x)
    channels = x.shape[1] if lift is None else lift.shape[1]
    out_channels = check_weight(weight, kind, modes, channels)
    check_tensors(x, weight)
    check_bias(bias, out_channels, x)
    _check_matrix("pointwise", "(in, out)", pointwise, (channels, out_channels), x.dtype)
    if before is not None and not callable(before):
        raise InputError(f"before must be a function of a tensor, such as torch.nn.functional.gelu, got {before!r}")
    engine = engine_for("spectral_conv", x, modes, space, space, (x.shape[1], out_channels), backend)
    if (
        kind == "axis"
        or engine is not gemm
        or not recomputable(before)
        or not _plain(x, pointwise, lift, bias, *parts(weight))
    ):
        a = x if before is None else before(x)
        a = a if lift is None else (a.movedim(1, -1) @ lift).movedim(-1, 1)
        y = spectral_conv(a, weight, modes, kind=kind, bias=bias, points=points, backend=backend)
        return y + (a.movedim(1, -1) @ pointwise).movedim(-1, 1)
    offset = point_offset(points)
    lying = x.movedim(1, -1).contiguous()
    pointwise = pointwise if lift is None else lift @ pointwise
    there, back = gemm.analysis_matrices(x, modes, offset), gemm.synthesis_matrices(x, modes, space, offset)
    if before is None and not x.requires_grad:  # no gradients of both branches are to be added up for x
        rows = gemm.to_rows(lying.movedim(-1, 1), there, True)
        rows = mixed(rows if lift is None else rows @ lift, weight, kind, bias, modes)
        return _Sum.apply(lying, pointwise, rows, back).movedim(-1, 1)
    y, rows = _Split.apply(lying, pointwise, there, before)
    rows = mixed(rows if lift is None else rows @ lift, weight, kind, bias, modes)
    return _Join.apply(y, rows, back).movedim(-1, 1)


def _plain(*tensors: torch.Tensor | None) -> bool:
    """Whether these are just numbers with gradients: nothing traces them, and they are no dual numbers."""
    return not tracing() and all(t is None or forward_ad.unpack_dual(t).tangent is None for t in tensors)


def _check_lift(lift: torch.Tensor | None, x: torch.Tensor) -> None:
    if lift is not None:
        check_real("lift", lift, half=True)
        wide = lift.shape[1] if lift.ndim == 2 else -1
        _check_matrix("lift", "(few, in)", lift, (x.shape[1], wide), x.dtype)


def _check_matrix(name: str, axes: str, given: torch.Tensor, shape: tuple[int, int], dtype: torch.dtype) -> None:
    check_real(name, given, half=True)
    if tuple(given.shape) != shape or given.dtype != dtype:
        sizes = str(shape).replace("-1", "any")
        raise InputError(
            f"{name} must be a matrix {axes} = {sizes} of {dtype}, got {tuple(given.shape)} of {given.dtype}"
        )


class _Split(torch.autograd.Function):
    """x ↦ (a P, rows of a), a = before(x); x (batch, *space, in), a P (batch, *space, out)."""

    @staticmethod
    def forward(ctx: Any, x, p, matrices, before):
        ctx.save_for_backward(x, p)
        ctx.matrices, ctx.before = matrices, before
        found = []
        y = at_points.forward(x, p, before, lambda a, _: found.append(gemm.coefficients(a, matrices)))
        return y, gemm.combined(torch.cat(found), matrices)

    @staticmethod
    @without_autocast
    def backward(ctx: Any, *gradients):
        grad, rows = gradients
        x, p = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_composed(x, p, grad, rows, ctx), None, None
        t = gemm.separated(rows, ctx.matrices) if ctx.needs_input_grad[0] else None

        def add(ga: torch.Tensor, part: slice) -> None:
            assert t is not None  # a's gradient is made for x's alone
            gemm.field(t[part], ctx.matrices, onto=ga)

        gx, gp = at_points.backward(x, p, ctx.before, grad, ctx.needs_input_grad[:2], finish=add)
        return gx, gp, None, None


def _composed(x, p, grad, rows, ctx: Any) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """The gradients of `_Split`, themselves differentiable."""
    gp = gx = None
    if ctx.needs_input_grad[1]:
        a = x if ctx.before is None else ctx.before(x)
        gp = a.flatten(0, -2).T @ grad.flatten(0, -2)
    if ctx.needs_input_grad[0]:
        ga = grad @ p.T + gemm.transform_back(rows, ctx.matrices, True).movedim(1, -1)
        gx = pulled_back(ctx.before, x, ga)
    return gx, gp


class _Join(torch.autograd.Function):
    """(y, rows) ↦ y + field of rows, in place; y (batch, *space, out).

    y must not be a view, or autograd would copy it back and forth.
    """

    @staticmethod
    def forward(ctx: Any, y, rows, matrices):
        ctx.matrices = matrices
        ctx.mark_dirty(y)
        gemm.field(gemm.separated(rows, matrices), matrices, onto=y)
        return y

    @staticmethod
    @without_autocast
    def backward(ctx: Any, *gradients):
        (grad,) = gradients
        return grad, gemm.transform(grad.movedim(-1, 1), ctx.matrices, True), None


class _Sum(torch.autograd.Function):
    """(x, rows) ↦ x P + field of rows, for an x without a gradient; x (batch, *space, in).

    The product is made where the field is added, in the cache, and both gradients come from one passage.
    """

    @staticmethod
    def forward(ctx: Any, x, p, rows, matrices):
        ctx.save_for_backward(x, p)
        ctx.matrices = matrices
        t = gemm.separated(rows, matrices)
        return at_points.forward(x, p, None, finish=lambda y, part: gemm.field(t[part], matrices, onto=y))

    @staticmethod
    @without_autocast
    def backward(ctx: Any, *gradients):
        (grad,) = gradients
        x, p = ctx.saved_tensors
        if torch.is_grad_enabled():
            rows = gemm.transform(grad.movedim(-1, 1), ctx.matrices, True)
            return None, x.flatten(0, -2).T @ grad.flatten(0, -2), rows, None
        found = []
        _, gp = at_points.backward(
            x, p, None, grad, (False, True), lambda g, _: found.append(gemm.coefficients(g, ctx.matrices))
        )
        return None, gp, gemm.combined(torch.cat(found), ctx.matrices), None
