"""The FFTW convolutions as differentiable functions of torch tensors, to any order.

A convolution is linear in the signal and in the kernel. Its transposes are a convolution with the reversed kernel and
a correlation, `_KernelGradient`, and theirs are these two again. The first backward pass, when no graph of it is
wanted, is computed at once with gates and all; else it is composed of these functions.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from opforge.core.long_conv import _fftw_conv
from opforge.core.long_conv._blocks import Blocks
from opforge.core.long_conv._fftw_conv import Gradients
from opforge.core.long_conv._passage import Passage
from opforge.core.long_conv._problem import Problem
from opforge.core.long_conv._sparse import Sparse
from opforge.core.long_conv._twisted import Twisted
from opforge.core.operation import Operation

PASSAGES = {"blocks": Blocks, "sparse": Sparse, "twisted": Twisted}
Optional = torch.Tensor | None

# bytes; from this size on numpy asks Linux for large pages, which come four times as fast as small ones.
_LARGE = 2**22


def convolve(
    u: torch.Tensor, k: torch.Tensor, gate_in: Optional, gate_out: Optional, problem: Problem, way: str
) -> torch.Tensor:
    """``gate_out`` · (k conv (``gate_in`` · u)) for u and gates (batch, channels, points) and k (channels, taps)."""
    keep = way == "sparse" and torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (k, gate_out))
    return _Convolution.apply(u, k, gate_in, gate_out, problem, way, keep)[0]


@lru_cache(maxsize=64)
def _passage(problem: Problem, way: str, dtype: np.dtype) -> Passage:
    return PASSAGES[way](problem, dtype)


def _array(x: Optional) -> Any:
    # a negative is lazy in torch, and no numpy array
    return None if x is None else x.detach().resolve_neg().numpy()


def _room(shape: tuple[int, ...], dtype: np.dtype) -> tuple[torch.Tensor, np.ndarray]:
    if math.prod(shape) * dtype.itemsize >= _LARGE:
        array = np.empty(shape, dtype)
        return torch.from_numpy(array), array
    tensor = torch.empty(shape, dtype=torch.float32 if dtype.itemsize == 4 else torch.float64)
    return tensor, tensor.numpy()


class _Convolution(Operation):
    @staticmethod
    def forward(u, k, gate_in, gate_out, problem: Problem, way: str, keep: bool):
        """The result, and with ``keep`` the modes of the gated signal, as pairs of reals."""
        signal = _array(u)
        y, out = _room(signal.shape, signal.dtype)
        passage = _passage(problem, way, signal.dtype)
        modes = kept = None
        if keep:
            assert problem.modes is not None  # the back end that keeps them needs them
            modes, pairs = _room((*signal.shape[:2], 2 * problem.modes[0] + 2), signal.dtype)
            kept = pairs.view(passage.complex)
        _fftw_conv.forward(passage, signal, _array(k), _array(gate_in), _array(gate_out), out, kept)
        return y, modes

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        modes = output[1]
        if modes is not None:
            ctx.mark_non_differentiable(modes)
        ctx.save_for_backward(*inputs[:4], modes)
        ctx.save_for_forward(*inputs[:4])
        ctx.problem, ctx.way = inputs[4:6]
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        g = gradients[0]
        if g is None:
            return (None,) * 7
        needs = ctx.needs_input_grad[:4]
        u, k, gate_in, gate_out, modes = ctx.saved_tensors
        if torch.is_grad_enabled():
            found = _composed(g, u, k, gate_in, gate_out, ctx.problem, ctx.way, needs)
        else:
            found = _at_once(g, u, k, gate_in, gate_out, ctx.problem, ctx.way, needs, modes)
        return *found, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        changes = []
        for i, tangent in enumerate(tangents[:4]):
            if tangent is not None:
                u, k, gate_in, gate_out = (tangent if j == i else x for j, x in enumerate(ctx.saved_tensors[:4]))
                changes.append(convolve(u, k, gate_in, gate_out, ctx.problem, ctx.way))
        return sum(changes[1:], changes[0]), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, u, k, gate_in, gate_out, problem: Problem, way: str, keep: bool) -> Any:
        size = info.batch_size
        u, gate_in, gate_out = (_in_channels(x, in_dims[i], size, 1) for i, x in ((0, u), (2, gate_in), (3, gate_out)))
        y = convolve(u, _in_channels(k, in_dims[1], size, 0), gate_in, gate_out, problem, way)
        return (y.unflatten(1, (size, -1)), None), (1, None)


class _KernelGradient(Operation):
    """Σ over batch and n of w[n] v[n − first − j], for every tap j."""

    @staticmethod
    def forward(v, w, problem: Problem, way: str):
        k = v.new_empty(0).expand(v.shape[1], 0)
        return _at_once(w, v, k, None, None, problem, way, (False, True, False, False))[1]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.save_for_forward(*inputs[:2])
        ctx.problem, ctx.way = inputs[2:]
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (c,) = gradients
        if c is None:
            return (None,) * 4
        v, w = ctx.saved_tensors
        by_v = convolve(w, c.flip(-1), None, None, ctx.problem.reversed, ctx.way) if ctx.needs_input_grad[0] else None
        by_w = convolve(v, c, None, None, ctx.problem, ctx.way) if ctx.needs_input_grad[1] else None
        return by_v, by_w, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        (v, w), (by_v, by_w) = ctx.saved_tensors, tangents[:2]
        changes = [] if by_v is None else [_KernelGradient.apply(by_v, w, ctx.problem, ctx.way)]
        changes += [] if by_w is None else [_KernelGradient.apply(v, by_w, ctx.problem, ctx.way)]
        return sum(changes[1:], changes[0])

    @staticmethod
    def vmap(info: Any, in_dims: Any, v, w, problem: Problem, way: str) -> Any:
        v, w = (_in_channels(x, d, info.batch_size, 1) for x, d in zip((v, w), in_dims[:2], strict=True))
        return _KernelGradient.apply(v, w, problem, way).unflatten(0, (info.batch_size, -1)), 0


def _in_channels(x: Optional, dim: int | None, size: int, channels: int) -> Any:
    """``x`` with a mapped axis merged into its channels, which are the axis ``channels`` without it."""
    if x is None:
        return None
    x = x.unsqueeze(0).expand(size, *x.shape) if dim is None else x.movedim(dim, 0)
    return x.movedim(0, channels).flatten(channels, channels + 1)


def _at_once(
    g, u, k, gate_in, gate_out, problem: Problem, way: str, needs: tuple[bool, ...], modes: Optional = None
) -> tuple[Optional, ...]:
    """The gradients that are needed, by one pass over the signal, or with its ``modes`` by none."""
    signal = _array(u)
    passage = _passage(problem, way, signal.dtype)
    batch, channels = signal.shape[:2]
    parts = 1 + max(piece.part for piece in _fftw_conv.pieces(passage, batch, channels))
    shapes = (signal.shape, (parts, channels, passage.taps), signal.shape, signal.shape)
    rooms = [
        _room(shape, signal.dtype) if needed else (None, None) for shape, needed in zip(shapes, needs, strict=True)
    ]
    into = Gradients(*(array for _, array in rooms))
    kept = None if modes is None else _array(modes).view(passage.complex)
    _fftw_conv.backward(passage, _array(g), signal, _array(k), _array(gate_in), _array(gate_out), into, kept)
    by_u, by_k, by_in, by_out = (tensor for tensor, _ in rooms)
    if by_k is not None:
        by_k = by_k[0] if parts == 1 else by_k.sum(0)
    return by_u, by_k, by_in, by_out


def _composed(g, u, k, gate_in, gate_out, problem: Problem, way: str, needs: tuple[bool, ...]) -> tuple[Optional, ...]:
    """The same, of differentiable functions."""
    by_u = by_k = by_in = by_out = None
    v = u if gate_in is None else gate_in * u
    w = g if gate_out is None else gate_out * g
    if needs[0] or needs[2]:
        by_v = convolve(w, k.flip(-1), None, None, problem.reversed, way)
        by_u = by_v if gate_in is None else gate_in * by_v
        by_in = u * by_v
    if needs[1]:
        by_k = _KernelGradient.apply(v, w, problem, way)
    if needs[3]:
        by_out = g * convolve(v, k, None, None, problem, way)
    found = (by_u, by_k, by_in, by_out)
    return tuple(x if needed else None for x, needed in zip(found, needs, strict=True))
