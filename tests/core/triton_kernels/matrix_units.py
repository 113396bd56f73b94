"""Matrix units imitated in Triton's interpreter: operands are rounded as the units round them, sums are exact."""

import triton
import triton.language as tl


@triton.jit
def _rounded(x, HALF: tl.constexpr, MASK: tl.constexpr):
    """The nearest number with fewer bits, halves away from zero."""
    return ((x.to(tl.int32, bitcast=True) + HALF) & MASK).to(tl.float32, bitcast=True)


@triton.jit
def tf32(a, b, acc, PRECISION: tl.constexpr):
    return tl.dot(_rounded(a, 1 << 12, -(1 << 13)), _rounded(b, 1 << 12, -(1 << 13)), acc)


@triton.jit
def bf16(a, b, acc, PRECISION: tl.constexpr):
    return tl.dot(_rounded(a, 1 << 15, -(1 << 16)), _rounded(b, 1 << 15, -(1 << 16)), acc)


@triton.jit
def tf32x3(a, b, acc, PRECISION: tl.constexpr):
    a_high = _rounded(a, 1 << 12, -(1 << 13))
    b_high = _rounded(b, 1 << 12, -(1 << 13))
    acc = tf32(a - a_high, b_high, acc, PRECISION)
    acc = tf32(a_high, b - b_high, acc, PRECISION)
    return tf32(a_high, b_high, acc, PRECISION)


# how each is called, and the bounds on its relative error in L2: `availability.dot_precision` states the upper ones
UNITS = [("tf32x3", 1e-8, 1e-6), ("tf32", 1e-4, 1e-3), ("bf16", 1e-3, 1e-2)]
