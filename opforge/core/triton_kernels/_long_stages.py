"""The stages of long transforms on a block of signals and frequencies, from registers to registers.

N = N1·N2·N3, n = (n₁·N2 + n₂)·N3 + n₃ and f = f₁ + N1·(f₂ + N2·f₃). A program goes through the frequencies f₁ in
blocks of BLOCK, each with all f₂ and f₃ and for GROUP signals, (f₁·group·f₂, f₃); so what it holds at a time, is a part
of the spectrum and the result. Products from the left and from the right take turns: two stages need no rearrangement,
three need two. The tables are those of `_long_tables.stages`, in that order.

How a real signal becomes N complex numbers, IN and OUT say: ``"real"``, samples below N alone; ``"both"``, those from N
on as imaginary parts; ``"wrap"``, of period N: going in each sample is also the imaginary part, coming out the parts
are added, so that what lies from N on wraps around.
"""

# Functions for the device have no types: pyright takes what they return for nothing at all.
# pyright: reportGeneralTypeIssues=false

from __future__ import annotations

import triton
import triton.language as tl

from opforge.core.triton_kernels._launching import dot


@triton.jit
def load(
    pointer,
    gate,
    row,
    first,
    count,
    step,
    offset,
    length,
    N: tl.constexpr,
    REST: tl.constexpr,
    GROUP: tl.constexpr,
    BLOCK: tl.constexpr,
    HOW: tl.constexpr,
    GATED: tl.constexpr,
):
    """BLOCK rows n₁ from ``row`` on, (n₁, group·n₂·n₃), of the signals ``offset + step·i``, i from ``first`` on below
    ``count``, times the gate: what goes in as real parts and what as imaginary parts."""
    column = tl.arange(0, GROUP * REST)[None, :]
    sample = (row + tl.arange(0, BLOCK))[:, None] * REST + column % REST
    member = first + column // REST
    where = (member.to(tl.int64) * step + offset) * length + sample
    inside = (member < count) & (sample < length)
    real = tl.load(pointer + where, mask=inside, other=0.0)
    if GATED:
        real = real * tl.load(gate + where, mask=inside, other=0.0)
    imaginary = real
    if HOW == "both":
        inside = (member < count) & (sample + N < length)
        imaginary = tl.load(pointer + where + N, mask=inside, other=0.0)
        if GATED:
            imaginary = imaginary * tl.load(gate + where + N, mask=inside, other=0.0)
    return real, imaginary


@triton.jit
def places(first, BLOCK: tl.constexpr, N2: tl.constexpr, N3: tl.constexpr, GROUP: tl.constexpr):
    """For a block of the spectrum (f₁·group·f₂, f₃): the place of a frequency among all, and of whose spectrum."""
    row = tl.arange(0, BLOCK * GROUP * N2)[:, None]
    place = ((first + row // (GROUP * N2)) * N2 + row % N2) * N3 + tl.arange(0, N3)[None, :]
    return place, row // N2 % GROUP


@triton.jit
def _turned(a, b, cosine, sine, SIGN: tl.constexpr):
    """(a + ib)·exp(SIGN·iθ)."""
    return a * cosine - SIGN * b * sine, b * cosine + SIGN * a * sine


@triton.jit
def _from_right(a, b, pointer, SIZE: tl.constexpr, SIGN: tl.constexpr, PRECISION: tl.constexpr):
    """The complex product of (rows, SIZE) with a symmetric matrix exp(SIGN·iθ)."""
    i = tl.arange(0, SIZE)
    where = pointer + i[:, None] * SIZE + i[None, :]
    cosine = tl.load(where)
    sine = tl.load(where + SIZE * SIZE) * SIGN
    zero = tl.full(a.shape, 0.0, a.dtype)
    real = dot(b, -sine, dot(a, cosine, zero, PRECISION), PRECISION)
    imaginary = dot(a, sine, dot(b, cosine, zero, PRECISION), PRECISION)
    return real, imaginary


@triton.jit
def _swapped(x, OUTER: tl.constexpr, MIDDLE: tl.constexpr, INNER: tl.constexpr):
    """(outer, middle, inner), of whatever shape, as (outer·inner, middle)."""
    return tl.reshape(tl.permute(tl.reshape(x, (OUTER, MIDDLE, INNER)), (0, 2, 1)), (OUTER * INNER, MIDDLE))


@triton.jit
def _first_twiddles(tables, first, N1: tl.constexpr, REST: tl.constexpr, GROUP: tl.constexpr, BLOCK: tl.constexpr):
    frequency = first + tl.arange(0, BLOCK)[:, None]
    where = tables + 2 * N1 * N1 + frequency * REST + tl.arange(0, GROUP * REST)[None, :] % REST
    return tl.load(where), tl.load(where + N1 * REST)


@triton.jit
def _middle_twiddles(pointer, OUTER: tl.constexpr, N2: tl.constexpr, N3: tl.constexpr):
    where = pointer + tl.arange(0, OUTER * N3)[:, None] % N3 * N2 + tl.arange(0, N2)[None, :]
    return tl.load(where), tl.load(where + N2 * N3)


@triton.jit
def add_first(
    a,
    b,
    real,
    imaginary,
    tables,
    first,
    sample,
    N1: tl.constexpr,
    BLOCK: tl.constexpr,
    COMPLEX: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Add what BLOCK rows n₁ from ``sample`` on give to BLOCK frequencies f₁ from ``first`` on; (n₁, group·n₂·n₃)."""
    i = tl.arange(0, BLOCK)
    where = tables + (first + i)[:, None] * N1 + (sample + i)[None, :]
    cosine = tl.load(where)
    sine = tl.load(where + N1 * N1)
    a = dot(cosine, real, a, PRECISION)
    b = dot(-sine, real, b, PRECISION)
    if COMPLEX:
        a = dot(sine, imaginary, a, PRECISION)
        b = dot(cosine, imaginary, b, PRECISION)
    return a, b


@triton.jit
def forwards(
    a,
    b,
    tables,
    first,
    N1: tl.constexpr,
    N2: tl.constexpr,
    N3: tl.constexpr,
    GROUP: tl.constexpr,
    BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """From after the first matrix, (f₁, group·n₂·n₃), to the spectrum Σ_n z_n exp(−2πi n(f − ¼)/N)."""
    rest: tl.constexpr = N2 * N3
    outer: tl.constexpr = BLOCK * GROUP
    last = tables + 2 * N1 * (N1 + rest)
    cosine, sine = _first_twiddles(tables, first, N1, rest, GROUP, BLOCK)
    a, b = _turned(a, b, cosine, sine, -1)
    if N2 > 1:
        middle = last + 2 * N3 * N3
        a, b = _from_right(_swapped(a, outer, N2, N3), _swapped(b, outer, N2, N3), middle, N2, -1, PRECISION)
        cosine, sine = _middle_twiddles(middle + 2 * N2 * N2, outer, N2, N3)
        a, b = _turned(a, b, cosine, sine, -1)
        a = _swapped(a, outer, N3, N2)
        b = _swapped(b, outer, N3, N2)
    else:
        a = tl.reshape(a, (outer, N3))
        b = tl.reshape(b, (outer, N3))
    return _from_right(a, b, last, N3, -1, PRECISION)


@triton.jit
def backwards(
    a,
    b,
    tables,
    first,
    N1: tl.constexpr,
    N2: tl.constexpr,
    N3: tl.constexpr,
    GROUP: tl.constexpr,
    BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """The conjugate transpose of `forwards`."""
    rest: tl.constexpr = N2 * N3
    outer: tl.constexpr = BLOCK * GROUP
    last = tables + 2 * N1 * (N1 + rest)
    a, b = _from_right(a, b, last, N3, 1, PRECISION)
    if N2 > 1:
        middle = last + 2 * N3 * N3
        a = _swapped(a, outer, N2, N3)
        b = _swapped(b, outer, N2, N3)
        cosine, sine = _middle_twiddles(middle + 2 * N2 * N2, outer, N2, N3)
        a, b = _turned(a, b, cosine, sine, 1)
        a, b = _from_right(a, b, middle, N2, 1, PRECISION)
        a = _swapped(a, outer, N3, N2)
        b = _swapped(b, outer, N3, N2)
    cosine, sine = _first_twiddles(tables, first, N1, rest, GROUP, BLOCK)
    return _turned(tl.reshape(a, (BLOCK, GROUP * rest)), tl.reshape(b, (BLOCK, GROUP * rest)), cosine, sine, 1)


@triton.jit
def add_last(
    real,
    imaginary,
    a,
    b,
    tables,
    first,
    N1: tl.constexpr,
    BLOCK: tl.constexpr,
    COMPLEX: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Add what BLOCK frequencies f₁ from ``first`` on give to all samples (n₁, group·n₂·n₃)."""
    where = tables + (first + tl.arange(0, BLOCK))[None, :] * N1 + tl.arange(0, N1)[:, None]
    cosine = tl.load(where)
    sine = tl.load(where + N1 * N1)
    real = dot(-sine, b, dot(cosine, a, real, PRECISION), PRECISION)
    if COMPLEX:
        imaginary = dot(sine, a, dot(cosine, b, imaginary, PRECISION), PRECISION)
    return real, imaginary


@triton.jit
def store(
    pointer,
    gate,
    real,
    imaginary,
    first,
    count,
    step,
    offset,
    length,
    N1: tl.constexpr,
    REST: tl.constexpr,
    GROUP: tl.constexpr,
    HOW: tl.constexpr,
    GATED: tl.constexpr,
):
    """Write the samples below ``length``, times the gate, of the signals that `load` reads with these arguments."""
    column = tl.arange(0, GROUP * REST)[None, :]
    sample = tl.arange(0, N1)[:, None] * REST + column % REST
    member = first + column // REST
    where = (member.to(tl.int64) * step + offset) * length + sample
    inside = (member < count) & (sample < length)
    if HOW == "wrap":
        real = real + imaginary
    if GATED:
        real = real * tl.load(gate + where, mask=inside, other=0.0)
    tl.store(pointer + where, real, mask=inside)
    if HOW == "both":
        where += N1 * REST
        inside = (member < count) & (sample + N1 * REST < length)
        if GATED:
            imaginary = imaginary * tl.load(gate + where, mask=inside, other=0.0)
        tl.store(pointer + where, imaginary, mask=inside)
