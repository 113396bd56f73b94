"""What the back ends other than the FFT cost: nanoseconds on one core of a forward and backward pass.

Fitted by hand to the processor times of 110 sizes in 1-D, 2-D and 3-D, 1 to 64 channels, on one core of an AMD EPYC
with AVX-512 (torch 2.13). Three in four of them take between 0.7 and 1.3 times what is said here. To follow it in the
choice between direct and FFT loses 4 % against the fastest on average, and more than a third for 3 of the sizes.
"""

from __future__ import annotations

import math

from opforge.core.local_conv._geometry import Geometry

_CALL = 300e3  # dispatch of a few operations, there and back


def direct_cost(geometry: Geometry, batch: int, n_in: int, n_out: int, itemsize: int) -> float:
    """torch's convolutions: three products as large as the forward one.

    Vectors hold 16 channels, of the output forward and of the input backward: with fewer they are not full. In 1-D,
    without channels-last memory, neither is.
    """
    d = len(geometry.shape)
    pairs = max(n_in, 16) * max(n_out, 16) if d == 1 else max(n_in * n_out, 16 * max(n_in, n_out))
    if itemsize == 4:
        rate = 40.0 if d == 1 else 50.0  # products in a nanosecond
    else:  # not served by oneDNN
        rate = 8.0 if d < 3 else 1.2
    moved = n_in * math.prod(geometry.extended) + n_out * math.prod(geometry.out_shape)
    return _CALL + batch * (3.0 * pairs * geometry.multiplications / rate + 4.0 * moved)


def rebuild_cost(geometry: Geometry, batch: int, n_in: int, n_out: int, form: str, rank: int) -> float:
    """Making the dense kernels from factors, for any ``batch``."""
    numbers = float(n_in * n_out * math.prod(geometry.taps))
    return 0.3 * _CALL + numbers * (2.0 + (0.1 if form == "separable" else 2.0) * rank)


def staged_cost(geometry: Geometry, batch: int, n_in: int, n_out: int, form: str, rank: int, itemsize: int) -> float:
    """Depthwise filters along each axis, with the pointwise mixings or the sum over pairs."""
    channels = rank if form == "separable" else rank * n_in * n_out
    vectors = 16 * math.ceil(channels / 16)
    total, sizes = 0.0, list(geometry.shape)
    for axis in reversed(range(len(sizes))):
        sizes[axis] = geometry.extended[axis]
        read = math.prod(sizes)
        sizes[axis] = geometry.out_shape[axis]
        written = math.prod(sizes)
        total += 3.0 * channels * read + (1.0 + 0.15 * geometry.taps[axis]) * vectors * written
    if form == "separable":
        total += math.prod(geometry.shape) * (n_in * rank * 0.1 + 2.0 * (n_in + rank))
        total += math.prod(sizes) * (n_out * rank * 0.1 + 2.0 * (n_out + rank))
    else:
        total += 2.0 * channels * math.prod(sizes)
    if itemsize > 4:  # not served by oneDNN
        total *= 12.0
    return (1 + len(sizes)) * _CALL + batch * total
