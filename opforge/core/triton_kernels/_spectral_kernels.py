"""The truncated 2-D transform of one image a program, and its transpose.

A program reads its image once, block by block, and keeps only the coefficients: 4·K₁·K₂ numbers in registers.

Of 228 KB of shared memory (H100, H200) a program with up to 31 modes per axis takes 64 KB in float32: a block of the
image and one of each table, 16 KB each, loaded ahead, and the half-transformed block; 128 KB in float64.
"""

from __future__ import annotations

import triton
import triton.language as tl

from opforge.core.triton_kernels._launching import dot, tuned

_BLOCKS = [
    triton.Config({"BLOCK_H": 64, "BLOCK_W": 64}, num_warps=4, num_stages=2),
    triton.Config({"BLOCK_H": 64, "BLOCK_W": 32}, num_warps=4, num_stages=3),
    triton.Config({"BLOCK_H": 32, "BLOCK_W": 64}, num_warps=4, num_stages=2),
    triton.Config({"BLOCK_H": 128, "BLOCK_W": 32}, num_warps=8, num_stages=2),
]
_KEY = ["height", "width", "COLUMNS", "ROWS", "PRECISION"]


@tuned(_BLOCKS, _KEY)
def analyse(
    image_pointer,
    spectrum_pointer,
    last_pointer,
    leading_pointer,
    height,
    width,
    modes_h,
    modes_w,
    planes,
    images,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_W: tl.constexpr,
):
    """(images, height, width) to (modes, 2, images), with ``planes`` images in a row that become the slowest axis.

    ``ROWS`` and ``COLUMNS`` are the tables' sizes: twice the modes 0 … K, padded, cosines and sines in turn.
    """
    program = tl.program_id(0).to(tl.int64)
    kind: tl.constexpr = image_pointer.dtype.element_ty
    columns = tl.arange(0, COLUMNS)
    rows = tl.arange(0, ROWS)
    products = tl.full((ROWS, COLUMNS), 0.0, kind)
    for h0 in range(0, height, BLOCK_H):
        h = h0 + tl.arange(0, BLOCK_H)
        half = tl.full((BLOCK_H, COLUMNS), 0.0, kind)
        for w0 in range(0, width, BLOCK_W):
            w = w0 + tl.arange(0, BLOCK_W)
            inside = (h[:, None] < height) & (w[None, :] < width)
            where = (program * height + h[:, None]) * width + w[None, :]
            block = tl.load(image_pointer + where, mask=inside, other=0.0)
            last = tl.load(last_pointer + w[:, None] * COLUMNS + columns[None, :], mask=w[:, None] < width, other=0.0)
            half = dot(block, last, half, PRECISION)
        leading = tl.load(leading_pointer + rows[:, None] * height + h[None, :], mask=h[None, :] < height, other=0.0)
        products = dot(leading, half, products, PRECISION)
    # (k_h, cos or sin, k_w, real or imaginary)
    real, imaginary = tl.split(tl.reshape(products, (ROWS // 2, 2, COLUMNS // 2, 2)))
    cos_real, sin_real = tl.split(tl.permute(real, (0, 2, 1)))
    cos_imaginary, sin_imaginary = tl.split(tl.permute(imaginary, (0, 2, 1)))
    k_h = tl.arange(0, ROWS // 2)[:, None].to(tl.int64)
    k_w = tl.arange(0, COLUMNS // 2)[None, :]
    column = (program % planes) * (images // planes) + program // planes
    kept = (k_h <= modes_h) & (k_w <= modes_w)
    place = spectrum_pointer + ((modes_h + k_h) * (modes_w + 1) + k_w) * 2 * images + column
    tl.store(place, cos_real + sin_imaginary, mask=kept)
    tl.store(place + images, cos_imaginary - sin_real, mask=kept)
    kept = kept & (k_h > 0)
    place = spectrum_pointer + ((modes_h - k_h) * (modes_w + 1) + k_w) * 2 * images + column
    tl.store(place, cos_real - sin_imaginary, mask=kept)
    tl.store(place + images, cos_imaginary + sin_real, mask=kept)


@tuned(_BLOCKS, _KEY)
def synthesise(
    spectrum_pointer,
    image_pointer,
    last_pointer,
    leading_pointer,
    height,
    width,
    modes_h,
    modes_w,
    planes,
    images,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_W: tl.constexpr,
):
    """The transpose of `analyse` with the same tables; a program makes ``BLOCK_H`` rows of one image."""
    program = tl.program_id(0).to(tl.int64)
    kind: tl.constexpr = image_pointer.dtype.element_ty
    columns = tl.arange(0, COLUMNS)
    rows = tl.arange(0, ROWS)
    k_h = tl.arange(0, ROWS // 2)[:, None].to(tl.int64)
    k_w = tl.arange(0, COLUMNS // 2)[None, :]
    column = (program % planes) * (images // planes) + program // planes
    kept = (k_h <= modes_h) & (k_w <= modes_w)
    place = spectrum_pointer + ((modes_h + k_h) * (modes_w + 1) + k_w) * 2 * images + column
    plus_real = tl.load(place, mask=kept, other=0.0)
    plus_imaginary = tl.load(place + images, mask=kept, other=0.0)
    kept = kept & (k_h > 0)
    place = spectrum_pointer + ((modes_h - k_h) * (modes_w + 1) + k_w) * 2 * images + column
    minus_real = tl.load(place, mask=kept, other=0.0)
    minus_imaginary = tl.load(place + images, mask=kept, other=0.0)
    real = tl.permute(tl.join(plus_real + minus_real, minus_imaginary - plus_imaginary), (0, 2, 1))
    imaginary = tl.permute(tl.join(plus_imaginary + minus_imaginary, plus_real - minus_real), (0, 2, 1))
    products = tl.reshape(tl.join(real, imaginary), (ROWS, COLUMNS))
    h = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    leading = tl.load(leading_pointer + rows[None, :] * height + h[:, None], mask=h[:, None] < height, other=0.0)
    half = dot(leading, products, tl.full((BLOCK_H, COLUMNS), 0.0, kind), PRECISION)
    for w0 in range(0, width, BLOCK_W):
        w = w0 + tl.arange(0, BLOCK_W)
        last = tl.load(last_pointer + w[None, :] * COLUMNS + columns[:, None], mask=w[None, :] < width, other=0.0)
        block = dot(half, last, tl.full((BLOCK_H, BLOCK_W), 0.0, kind), PRECISION)
        inside = (h[:, None] < height) & (w[None, :] < width)
        tl.store(image_pointer + (program * height + h[:, None]) * width + w[None, :], block, mask=inside)
