"""Products of many small complex matrices, complex numbers as pairs of reals wherever the pairs stand in memory."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from opforge.core.triton_kernels._launching import dot, launch, parts, tuned
from opforge.core.triton_kernels.availability import dot_precision

# Of 228 KB of shared memory four blocks of operands, the largest 64×32 float32, take 24 KB, twice over to load ahead.
# Rows are the samples of a batch, or the channels that come in where the weight's gradient is made.
_BLOCKS = [
    triton.Config({"BLOCK_P": 16, "BLOCK_Q": 32, "BLOCK_R": 32}, num_warps=4, num_stages=2),
    triton.Config({"BLOCK_P": 32, "BLOCK_Q": 16, "BLOCK_R": 32}, num_warps=4, num_stages=2),
    triton.Config({"BLOCK_P": 64, "BLOCK_Q": 16, "BLOCK_R": 32}, num_warps=4, num_stages=2),
]


@tuned(_BLOCKS, ["size_p", "size_q", "size_r", "PRECISION"])
def _kernel(
    a_pointer,
    b_pointer,
    c_pointer,
    size_p,
    size_q,
    size_r,
    a_batch,
    a_p,
    a_q,
    a_pair,
    b_batch,
    b_q,
    b_r,
    b_pair,
    c_batch,
    c_p,
    c_r,
    c_pair,
    A_SIGN: tl.constexpr,
    B_SIGN: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_R: tl.constexpr,
):
    batch = tl.program_id(0).to(tl.int64)
    kind: tl.constexpr = c_pointer.dtype.element_ty
    p = (tl.program_id(1) * BLOCK_P + tl.arange(0, BLOCK_P)).to(tl.int64)[:, None]
    r = (tl.program_id(2) * BLOCK_R + tl.arange(0, BLOCK_R)).to(tl.int64)[None, :]
    real = tl.full((BLOCK_P, BLOCK_R), 0.0, kind)
    imaginary = tl.full((BLOCK_P, BLOCK_R), 0.0, kind)
    for q0 in range(0, size_q, BLOCK_Q):
        q = (q0 + tl.arange(0, BLOCK_Q)).to(tl.int64)
        a_inside = (p < size_p) & (q[None, :] < size_q)
        a_place = a_pointer + batch * a_batch + p * a_p + q[None, :] * a_q
        a_real = tl.load(a_place, mask=a_inside, other=0.0)
        a_imaginary = tl.load(a_place + a_pair, mask=a_inside, other=0.0) * A_SIGN
        b_inside = (q[:, None] < size_q) & (r < size_r)
        b_place = b_pointer + batch * b_batch + q[:, None] * b_q + r * b_r
        b_real = tl.load(b_place, mask=b_inside, other=0.0)
        b_imaginary = tl.load(b_place + b_pair, mask=b_inside, other=0.0) * B_SIGN
        real = dot(a_real, b_real, real, PRECISION)
        real = dot(-a_imaginary, b_imaginary, real, PRECISION)
        imaginary = dot(a_real, b_imaginary, imaginary, PRECISION)
        imaginary = dot(a_imaginary, b_real, imaginary, PRECISION)
    inside = (p < size_p) & (r < size_r)
    c_place = c_pointer + batch * c_batch + p * c_p + r * c_r
    tl.store(c_place, real, mask=inside)
    tl.store(c_place + c_pair, imaginary, mask=inside)


def _result(a: torch.Tensor, b: torch.Tensor, layout: str) -> torch.Tensor:
    sizes = {"n": a.shape[0], "p": a.shape[1], "r": b.shape[2], "2": 2}
    memory = a.new_empty([sizes[axis] for axis in layout])
    return memory.permute([layout.index(axis) for axis in "npr2"])


def multiply(a: torch.Tensor, b: torch.Tensor, conjugate_a: bool, conjugate_b: bool, layout: str) -> torch.Tensor:
    """`pair_bmm` for use inside another operator: autograd does not see it."""
    c = _result(a, b, layout)
    n, p, r = c.shape[:3]
    launch(
        _kernel,
        lambda block: (n, parts(p, block["BLOCK_P"]), parts(r, block["BLOCK_R"])),
        *(a, b, c, p, a.shape[2], r, *a.stride(), *b.stride(), *c.stride()),
        A_SIGN=-1 if conjugate_a else 1,
        B_SIGN=-1 if conjugate_b else 1,
        PRECISION=dot_precision(a.dtype),
    )
    return c


@torch.library.custom_op("opforge::pair_bmm", mutates_args=())
def pair_bmm(a: torch.Tensor, b: torch.Tensor, conjugate_a: bool, conjugate_b: bool, layout: str) -> torch.Tensor:
    """C[n] = A[n] B[n] for complex A (n, p, q, 2) and B (n, q, r, 2) of any strides; either may be conjugated.

    ``layout`` orders the result's axes in memory, ``"npr2"`` or a permutation of it.
    """
    return multiply(a, b, conjugate_a, conjugate_b, layout)


@pair_bmm.register_fake
def _(a, b, conjugate_a, conjugate_b, layout):
    return _result(a, b, layout)


def _remember(ctx, inputs, output):
    a, b, *ctx.options = inputs
    ctx.save_for_backward(a, b)


def _backward(ctx, gradient):
    """dA = dC Bᴴ and dB = Aᴴ dC, conjugated where A and B were."""
    a, b = ctx.saved_tensors
    conjugate_a, conjugate_b, _ = ctx.options
    alike = conjugate_a == conjugate_b
    a_gradient = b_gradient = None
    if ctx.needs_input_grad[0]:
        a_gradient = pair_bmm(gradient, b.transpose(1, 2), conjugate_a, alike, _layout(a))
    if ctx.needs_input_grad[1]:
        b_gradient = pair_bmm(a.transpose(1, 2), gradient, alike, conjugate_b, _layout(b))
    return a_gradient, b_gradient, None, None, None


def _layout(x: torch.Tensor) -> str:
    return "npr2" if x.stride(-1) == 1 else "n2pr"


pair_bmm.register_autograd(_backward, setup_context=_remember)
