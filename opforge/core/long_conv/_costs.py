"""What the back ends of `fft_conv` cost: a forward and backward pass, in nanoseconds on one core.

Fitted to measurements on an AMD EPYC (Zen 4) with torch's MKL and pyFFTW. The numbers for GPUs are guesses from an
H200's arithmetic and memory: they are there to tell orders of magnitude apart, and what is close is measured.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from opforge.core.long_conv import _blocks, _monarch, _padded
from opforge.core.long_conv._chunks import cost as row_cost
from opforge.core.long_conv._chunks import good_length
from opforge.core.long_conv._problem import Problem


class _Rates(NamedTuple):
    """Nanoseconds.

    Args:
        call: a call, whatever its size.
        point: a point of a padded transform and log2 of their number, for all transforms of both passes.
        number: a point of a padded transform, to move it in and out of them.
        fresh: the same where arrays are so large that the system takes them back every time.
        product: a multiplication with addition in a product of matrices.
        tap: the same in torch's depthwise convolution, by the number of axes.
    """

    call: float
    point: float
    number: float
    fresh: float
    product: float
    tap: tuple[float, float, float]


_CPU = _Rates(2e5, 0.5, 3.0, 26.0, 0.03, (0.25, 0.15, 0.4))
_GPU = _Rates(1e5, 0.001, 0.05, 0.05, 0.0001, (0.002, 0.002, 0.002))
_LARGE = 2**25  # bytes
_PASSES = 3  # products of the same size in a forward and backward pass
_BACKWARD = 2.6  # rows there and back in both passes, over those in a forward pass
_KEPT = 2.2  # the same where the signal's modes are kept for the backward pass


def cost(name: str, problem: Problem, batch: int, channels: int, dtype: torch.dtype, device: str) -> float:
    """Of a back end that can serve."""
    rates = _CPU if device == "cpu" else _GPU
    wide = 2.0 if dtype == torch.float64 else 1.0
    rows = batch * channels
    one = _ROW[name](problem, rates, wide * rows)
    spread = name == "twisted" and (problem.periodic or problem.modes is not None)
    kernels = channels * (4 if spread else 1)
    return rates.call * _CALLS.get(name, 1.0) + wide * (rows + kernels) * one


def _padded_row(problem: Problem, rates: _Rates, rows: float) -> float:
    points = math.prod(_padded.sizes(problem))
    number = rates.fresh if 4 * rows * points > _LARGE else rates.number
    return points * (rates.point * math.log2(points + 1) + number)


def _direct_row(problem: Problem, rates: _Rates, rows: float) -> float:
    tap = rates.tap[problem.ndim - 1]
    return math.prod(problem.points) * (rates.number + _PASSES * tap * math.prod(problem.taps))


def _products_row(problem: Problem, rates: _Rates, rows: float) -> float:
    """Stage by stage, the last axis first: of n·… numbers 2(K + 1) or 2(2K + 1) remain in place of n."""
    assert problem.modes is not None  # else it cannot serve
    products, size = 0.0, float(math.prod(problem.points))
    for axis, (n, modes) in enumerate(zip(reversed(problem.points), reversed(problem.modes), strict=True)):
        count = 2 * (modes + 1) if axis == 0 else 2 * (2 * modes + 1)
        products += count * size
        size *= count / n if axis == 0 else count / (2 * n)
    return 2 * _PASSES * products * rates.product + rates.number * math.prod(problem.points)


def _monarch_row(problem: Problem, rates: _Rates, rows: float) -> float:
    from opforge.core.monarch import factors

    length = _monarch.length(problem)
    split = factors(length)
    return _PASSES * length * (4 * sum(split) * rates.product + 3 * len(split) * rates.number)


def _triton_row(problem: Problem, rates: _Rates, rows: float) -> float:
    """The products of `_monarch_row` for a power of two, and one passage of the numbers."""
    length = 2 ** math.ceil(math.log2(problem.points[0] + problem.taps[0]))
    return _PASSES * (length * 4 * 3 * length ** (1 / 3) * rates.product + problem.points[0] * rates.number)


def _twisted_row(problem: Problem, rates: _Rates, rows: float) -> float:
    return _BACKWARD * row_cost(good_length(problem.points[0]))


def _sparse_row(problem: Problem, rates: _Rates, rows: float) -> float:
    assert problem.modes is not None  # else it cannot serve
    # loading and storing cost less than in `row_cost`, picking modes more
    return _KEPT * (row_cost(problem.period[0] // 2) - 1.0 * problem.points[0] + 4.0 * problem.modes[0])


def _blocks_row(problem: Problem, rates: _Rates, rows: float) -> float:
    length, pairs = _blocks.plan(problem.points[0], problem.taps[0])
    return _BACKWARD * pairs * row_cost(length)


_ROW = {
    "blocks": _blocks_row,
    "direct": _direct_row,
    "fft": _padded_row,
    "gemm": _products_row,
    "monarch": _monarch_row,
    "sparse": _sparse_row,
    "triton": _triton_row,
    "twisted": _twisted_row,
}
_CALLS = {"monarch": 5.0, "blocks": 1.5, "sparse": 1.5, "twisted": 1.5}
