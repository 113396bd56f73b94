"""Truncated Fourier transforms as real matrix products: the ``gemm`` back end. No complex tensor appears.

A transform has two parts. First, one product per axis of space with its cosines and sines (`fourier_matrices`),
batched so that no operand is copied: channels-first fields end as (coefficients…, batch · channels), which is the order
that mixing wants, and channels-last ones as (batch, coefficients…, channels). Then sums and differences of the few real
coefficients make the complex modes of both signs, held as pairs of reals.

`to_rows` and `from_rows` with the same matrices are each other's adjoint, so either is the other's derivative, to any
order; nothing is kept for it. Source of the factorisation into real stages: the separability of the multidimensional
transform and e^{iθ} = cos θ + i sin θ; the arrangement is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from opforge.core.autocast import without_autocast
from opforge.core.choice.tracing import tracing
from opforge.core.operation import Operation
from opforge.core.spectral.butterfly import combine, combine_fast, spread, spread_fast
from opforge.core.spectral.fourier_matrices import matrix

Matrices = tuple[torch.Tensor, ...]
_WIDE = 16  # channels


def analyse(x: torch.Tensor, modes: Sequence[int], offset: float, channels_last: bool) -> torch.Tensor:
    """The kept Fourier coefficients (*modes, 2, batch, channels) of a real field (batch, channels, *space)."""
    matrices = analysis_matrices(x, modes, offset)
    return transform(x, matrices, channels_last)


def synthesise(
    rows: torch.Tensor, modes: Sequence[int], shape: Sequence[int], offset: float, channels_last: bool
) -> torch.Tensor:
    """The real field (batch, channels, *shape) with the coefficients ``rows``: the inverse of `analyse`."""
    matrices = synthesis_matrices(rows, modes, shape, offset)
    return transform_back(rows, matrices, channels_last)


def analysis_matrices(x: torch.Tensor, modes: Sequence[int], offset: float) -> Matrices:
    """What `to_rows` needs for the coefficients of ``x``."""
    return tuple(matrix(n, k, offset, "analysis", x.dtype, x.device) for n, k in zip(x.shape[2:], modes, strict=True))


def synthesis_matrices(rows: torch.Tensor, modes: Sequence[int], shape: Sequence[int], offset: float) -> Matrices:
    """What `from_rows` needs for the field with the coefficients ``rows``."""
    kinds = ["leading"] * (len(modes) - 1) + ["last"]
    return tuple(
        matrix(n, k, offset, weights, rows.dtype, rows.device)
        for n, k, weights in zip(shape, modes, kinds, strict=True)
    )


def transform(x: torch.Tensor, matrices: Matrices, channels_last: bool) -> torch.Tensor:
    """`to_rows` with its derivatives; those that torch finds by itself where it traces or transforms functions."""
    if tracing():
        return to_rows(x, matrices, channels_last)
    return _ToRows.apply(x, matrices, channels_last)


def transform_back(rows: torch.Tensor, matrices: Matrices, channels_last: bool) -> torch.Tensor:
    """`from_rows` with its derivatives; those that torch finds by itself where it traces or transforms functions."""
    if tracing():
        return from_rows(rows, matrices, channels_last)
    return _FromRows.apply(rows, matrices, channels_last)


class _ToRows(Operation):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, matrices, channels_last):
        return to_rows(x, matrices, channels_last)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.constants = inputs[1:]

    @staticmethod
    @without_autocast
    def backward(ctx, grad):
        return _FromRows.apply(grad, *ctx.constants), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        return _ToRows.apply(tangent, *ctx.constants)


class _FromRows(Operation):
    generate_vmap_rule = True

    @staticmethod
    def forward(rows, matrices, channels_last):
        return from_rows(rows, matrices, channels_last)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.constants = inputs[1:]

    @staticmethod
    @without_autocast
    def backward(ctx, grad):
        return _ToRows.apply(grad, *ctx.constants), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        return _FromRows.apply(tangent, *ctx.constants)


def to_rows(x: torch.Tensor, matrices: Matrices, channels_last: bool) -> torch.Tensor:
    """(batch, channels, *space) to its modes (*modes, 2, batch, channels), scaled as the ``matrices`` say."""
    if channels_last:
        return combined(coefficients(x.movedim(1, -1), matrices), matrices)
    modes = [m.shape[0] // 2 - 1 for m in matrices]
    batch, channels = x.shape[:2]
    t = x.reshape(batch * channels, *x.shape[2:])
    for axis, m in enumerate(matrices[:-1], 1):
        t = along(m, t, axis)
    # the last axis with batch · channels as columns: (others, n, batch · channels) without a copy
    columns = t.reshape(batch * channels, -1, t.shape[-1]).permute(1, 2, 0)
    t = torch.bmm(matrices[-1].expand(columns.shape[0], *matrices[-1].shape), columns)
    if _tables_serve(x):
        rows = combine_fast(t, modes, batch, False)
        return rows.reshape(*rows.shape[:-2], batch, channels)
    return combine(t.reshape(*_pairs(matrices), batch, channels), len(modes))


def coefficients(x: torch.Tensor, matrices: Matrices) -> torch.Tensor:
    """A field (batch, *space, channels) to its real coefficients (batch, coefficients…, channels)."""
    for axis in _order(matrices, x.shape[-1]):
        x = along(matrices[axis - 1], x, axis)
    return x


def combined(t: torch.Tensor, matrices: Matrices) -> torch.Tensor:
    """What `coefficients` gives to modes (*modes, 2, batch, channels)."""
    batch, channels = t.shape[0], t.shape[-1]
    if _tables_serve(t):
        return combine_fast(t, [m.shape[0] // 2 - 1 for m in matrices], batch, True)
    return combine(t.reshape(batch, *_pairs(matrices), channels).movedim(0, -2), len(matrices))


def _pairs(matrices: Matrices) -> list[int]:
    return [size for m in matrices for size in (2, m.shape[0] // 2)]


def from_rows(rows: torch.Tensor, matrices: Matrices, channels_last: bool) -> torch.Tensor:
    """Modes (*modes, 2, batch, channels) to the field (batch, channels, *space): the adjoint of `to_rows`."""
    if channels_last:
        return field(separated(rows, matrices), matrices).movedim(-1, 1)
    counts = [m.shape[0] for m in matrices]
    batch, channels = rows.shape[-2:]
    if _tables_serve(rows):
        t = spread_fast(rows, [count // 2 - 1 for count in counts], False)
    else:
        t = spread(rows, len(matrices))
    others = math.prod(counts[:-1])
    columns = t.reshape(others, counts[-1], batch * channels).transpose(1, 2)
    last = matrices[-1].expand(others, *matrices[-1].shape)
    t = torch.bmm(columns, last).reshape(*counts[:-1], batch * channels, last.shape[-1]).movedim(-2, 0)
    for axis in range(len(matrices) - 1, 0, -1):
        t = along(matrices[axis - 1].T, t, axis)
    return t.reshape(batch, channels, *t.shape[1:])


def separated(rows: torch.Tensor, matrices: Matrices) -> torch.Tensor:
    """Modes (*modes, 2, batch, channels) to coefficients (batch, coefficients…, channels): `combined`'s adjoint."""
    if _tables_serve(rows):
        return spread_fast(rows, [m.shape[0] // 2 - 1 for m in matrices], True)
    t = spread(rows, len(matrices)).movedim(-2, 0)
    return t.reshape(t.shape[0], *(m.shape[0] for m in matrices), t.shape[-1])


def field(t: torch.Tensor, matrices: Matrices, onto: torch.Tensor | None = None) -> torch.Tensor:
    """Coefficients (batch, coefficients…, channels) to (batch, *space, channels): the adjoint of `coefficients`.

    With ``onto`` the last product adds to it in place.
    """
    *others, last = reversed(_order(matrices, t.shape[-1]))
    for axis in others:
        t = along(matrices[axis - 1].T, t, axis)
    return along(matrices[last - 1].T, t, last, onto)


def _order(matrices: Matrices, channels: int) -> list[int]:
    """The axes of space in the order in which channels-last fields are transformed.

    With the last one first, columns are the channels, one short product for each index of the other axes: on CPUs
    that is up to a third faster than few products with long columns, if channels fill a register.
    """
    axes = list(range(1, len(matrices) + 1))
    # what counts as channels may be a symbol: a graph must not depend on it
    return axes[::-1] if not torch.compiler.is_compiling() and channels >= _WIDE else axes


def along(matrix: torch.Tensor, x: torch.Tensor, axis: int, onto: torch.Tensor | None = None) -> torch.Tensor:
    """Apply ``matrix`` (m, n) to an axis of n points, as one product for each index before it; add it to ``onto``.

    An explicit bmm: torch.matmul would fold the batch into the columns, which copies x.
    """
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    operands = matrix.expand(before, *matrix.shape), x.reshape(before, x.shape[axis], after)
    if onto is None:
        y = torch.bmm(*operands)
    else:
        y = onto.view(before, matrix.shape[0], after).baddbmm_(*operands)
    return y.reshape(*x.shape[:axis], matrix.shape[0], *x.shape[axis + 1 :])


def _tables_serve(x: torch.Tensor) -> bool:
    """Whether coefficients can be combined by tables: on the CPU, where nothing traces."""
    return x.device.type == "cpu" and not tracing()
