"""Long convolutions of whole signals, each group of signals in one program, and the transforms they are made of.

A program of `convolve` reads its signals and writes the result once; of the spectrum it holds BLOCK rows at a time.
Registers: at N = 16384 the result takes 64 KB of a multiprocessor's 256 KB, a block of 16 rows 2·16 KB, and as much
again while a stage turns one into the other. Shared memory: the operands of one stage and the rows of the signal that
the first matrix meets, under 100 KB of 228 KB in float64, so that two programs may share a multiprocessor.
"""

# Functions for the device have no types: pyright takes what they return for nothing at all.
# pyright: reportGeneralTypeIssues=false

from __future__ import annotations

import triton
import triton.language as tl

from opforge.core.triton_kernels import _long_stages as stages
from opforge.core.triton_kernels._launching import tuned

_BLOCKS = [
    triton.Config({"GROUP": 2, "BLOCK": 16}, num_warps=4, num_stages=1),
    triton.Config({"GROUP": 1, "BLOCK": 16}, num_warps=4, num_stages=1),
    triton.Config({"GROUP": 1, "BLOCK": 16}, num_warps=8, num_stages=1),
]
_KEY = ["N1", "N2", "N3", "PRECISION"]


def _fitting(configs, arguments, **constants):
    """A long signal fills the registers of eight warps alone; the compiler would spill the others' to memory."""
    long = constants["N1"] * constants["N2"] * constants["N3"] >= 4096
    return [c for c in configs if not long or (c.num_warps == 8 and c.kwargs["GROUP"] == 1)]


@tuned(_BLOCKS, _KEY, _fitting)
def convolve(
    signal,
    kernel,
    gate_in,
    gate_out,
    result,
    tables,
    batch,
    channels,
    length,
    out_length,
    N1: tl.constexpr,
    N2: tl.constexpr,
    N3: tl.constexpr,
    IN: tl.constexpr,
    OUT: tl.constexpr,
    GATED_IN: tl.constexpr,
    GATED_OUT: tl.constexpr,
    SIGN: tl.constexpr,
    PRECISION: tl.constexpr,
    GROUP: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """gate_out · (kernel ∗ (gate_in · signal)) of (batch, channels, length), the kernel's spectrum (channels, 2, N)
    given, conjugated where SIGN is −1; GROUP samples of one channel a program."""
    size: tl.constexpr = N1 * N2 * N3
    rest: tl.constexpr = N2 * N3
    kind: tl.constexpr = result.dtype.element_ty
    channel = tl.program_id(0) % channels
    member = tl.program_id(0) // channels * GROUP
    real = tl.full((N1, GROUP * rest), 0.0, kind)
    imaginary = tl.full((N1, GROUP * rest), 0.0, kind)
    for first in range(0, N1, BLOCK):
        a = tl.full((BLOCK, GROUP * rest), 0.0, kind)
        b = tl.full((BLOCK, GROUP * rest), 0.0, kind)
        for row in range(0, N1, BLOCK):
            x, y = stages.load(
                *(signal, gate_in, row, member, batch, channels, channel, length),
                *(size, rest, GROUP, BLOCK, IN, GATED_IN),
            )
            a, b = stages.add_first(a, b, x, y, tables, first, row, N1, BLOCK, IN != "real", PRECISION)
        a, b = stages.forwards(a, b, tables, first, N1, N2, N3, GROUP, BLOCK, PRECISION)
        place, _ = stages.places(first, BLOCK, N2, N3, GROUP)
        where = kernel + channel.to(tl.int64) * (2 * size) + place
        k_real = tl.load(where) * (1 / size)
        k_imaginary = tl.load(where + size) * (SIGN / size)
        a, b = a * k_real - b * k_imaginary, a * k_imaginary + b * k_real
        a, b = stages.backwards(a, b, tables, first, N1, N2, N3, GROUP, BLOCK, PRECISION)
        real, imaginary = stages.add_last(real, imaginary, a, b, tables, first, N1, BLOCK, OUT != "real", PRECISION)
    stages.store(
        *(result, gate_out, real, imaginary, member, batch, channels, channel, out_length),
        *(N1, rest, GROUP, OUT, GATED_OUT),
    )


@tuned(_BLOCKS, _KEY, _fitting)
def spectrum(
    signal,
    result,
    tables,
    signals,
    length,
    N1: tl.constexpr,
    N2: tl.constexpr,
    N3: tl.constexpr,
    IN: tl.constexpr,
    PRECISION: tl.constexpr,
    GROUP: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """(signals, length) to (signals, 2, N); BLOCK rows of the spectra of GROUP signals a program."""
    size: tl.constexpr = N1 * N2 * N3
    rest: tl.constexpr = N2 * N3
    kind: tl.constexpr = result.dtype.element_ty
    member = tl.program_id(0) * GROUP
    first = tl.program_id(1) * BLOCK
    a = tl.full((BLOCK, GROUP * rest), 0.0, kind)
    b = tl.full((BLOCK, GROUP * rest), 0.0, kind)
    for row in range(0, N1, BLOCK):
        x, y = stages.load(
            *(signal, signal, row, member, signals, 1, 0, length),
            *(size, rest, GROUP, BLOCK, IN, False),
        )
        a, b = stages.add_first(a, b, x, y, tables, first, row, N1, BLOCK, IN != "real", PRECISION)
    a, b = stages.forwards(a, b, tables, first, N1, N2, N3, GROUP, BLOCK, PRECISION)
    place, extra = stages.places(first, BLOCK, N2, N3, GROUP)
    where = result + (member + extra).to(tl.int64) * (2 * size) + place
    tl.store(where, a, mask=member + extra < signals)
    tl.store(where + size, b, mask=member + extra < signals)


@tuned(_BLOCKS, _KEY, _fitting)
def signal(
    spectra,
    result,
    tables,
    signals,
    length,
    N1: tl.constexpr,
    N2: tl.constexpr,
    N3: tl.constexpr,
    OUT: tl.constexpr,
    PRECISION: tl.constexpr,
    GROUP: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """(signals, 2, N) to (signals, length), the transpose of `spectrum`."""
    size: tl.constexpr = N1 * N2 * N3
    rest: tl.constexpr = N2 * N3
    kind: tl.constexpr = result.dtype.element_ty
    member = tl.program_id(0) * GROUP
    real = tl.full((N1, GROUP * rest), 0.0, kind)
    imaginary = tl.full((N1, GROUP * rest), 0.0, kind)
    for first in range(0, N1, BLOCK):
        place, extra = stages.places(first, BLOCK, N2, N3, GROUP)
        where = spectra + (member + extra).to(tl.int64) * (2 * size) + place
        a = tl.load(where, mask=member + extra < signals, other=0.0)
        b = tl.load(where + size, mask=member + extra < signals, other=0.0)
        a, b = stages.backwards(a, b, tables, first, N1, N2, N3, GROUP, BLOCK, PRECISION)
        real, imaginary = stages.add_last(real, imaginary, a, b, tables, first, N1, BLOCK, OUT != "real", PRECISION)
    stages.store(
        *(result, result, real, imaginary, member, signals, 1, 0, length),
        *(N1, rest, GROUP, OUT, False),
    )


@tuned(_BLOCKS[1:], _KEY, _fitting)
def correlate(
    signal,
    other,
    result,
    tables,
    batch,
    channels,
    length,
    other_length,
    N1: tl.constexpr,
    N2: tl.constexpr,
    N3: tl.constexpr,
    IN: tl.constexpr,
    OTHER: tl.constexpr,
    PRECISION: tl.constexpr,
    GROUP: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """(1/N) Σ_batch conj(S) T, (channels, 2, N), with S and T the spectra of two signals (batch, channels, length): the
    gradient with respect to a kernel's spectrum; BLOCK rows of one channel a program."""
    size: tl.constexpr = N1 * N2 * N3
    rest: tl.constexpr = N2 * N3
    kind: tl.constexpr = result.dtype.element_ty
    channel = tl.program_id(0)
    first = tl.program_id(1) * BLOCK
    real = tl.full((BLOCK * N2, N3), 0.0, kind)
    imaginary = tl.full((BLOCK * N2, N3), 0.0, kind)
    for member in range(0, batch):
        a = tl.full((BLOCK, rest), 0.0, kind)
        b = tl.full((BLOCK, rest), 0.0, kind)
        c = tl.full((BLOCK, rest), 0.0, kind)
        d = tl.full((BLOCK, rest), 0.0, kind)
        for row in range(0, N1, BLOCK):
            x, y = stages.load(
                *(signal, signal, row, member, batch, channels, channel, length),
                *(size, rest, 1, BLOCK, IN, False),
            )
            a, b = stages.add_first(a, b, x, y, tables, first, row, N1, BLOCK, IN != "real", PRECISION)
            x, y = stages.load(
                *(other, other, row, member, batch, channels, channel, other_length),
                *(size, rest, 1, BLOCK, OTHER, False),
            )
            c, d = stages.add_first(c, d, x, y, tables, first, row, N1, BLOCK, OTHER != "real", PRECISION)
        a, b = stages.forwards(a, b, tables, first, N1, N2, N3, 1, BLOCK, PRECISION)
        c, d = stages.forwards(c, d, tables, first, N1, N2, N3, 1, BLOCK, PRECISION)
        real += a * c + b * d
        imaginary += a * d - b * c
    place, _ = stages.places(first, BLOCK, N2, N3, 1)
    where = result + channel.to(tl.int64) * (2 * size) + place
    tl.store(where, real * (1 / size))
    tl.store(where + size, imaginary * (1 / size))
