"""Which tiles a convolution by Fourier transforms works on, and what that costs.

One transform of the whole grid leaves little to choose, but its kernel spectra hold out·in numbers per frequency: on
fine grids with many channels they outgrow every cache and cost more than the rest. Overlapping tiles share the
spectra of a small grid, and pay with the overlap.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

from opforge.core.local_conv._geometry import Geometry

_LEAST_TILE = 8  # shorter transforms are mostly overhead
_MOST_TILINGS = 1000  # that are compared; each axis offers fewer where there are more

# Nanoseconds on one core of a forward and backward pass. Least squares over 430 pairs of size and tiling, measured as
# those of `opforge.core.local_conv._costs` were, leave 17 %.
_CALL = 600e3  # dispatch of the operations
_COPIES = 5.2  # a point of a tile: gather, transpose and scatter, there and back
_COMBINATION = 4.2  # a number of the product's spectrum: its parts from four products, there and back
_PRODUCT = 0.021  # a multiplication within the batched matrix products
_MATRIX = 100.0  # one of the three matrix products of a frequency, however small
_SPECTRUM = 1.1  # a number of the kernels' spectra: made, read twice, and its gradient
_SPECTRUM_FAR = 7.9  # on top where they are too many for the caches
_CACHES = 64e6  # bytes


@dataclass(frozen=True)
class Tiling:
    """Tiles of ``sizes`` points, ``counts`` of them along each axis, of which ``steps`` outputs each are used.

    On a ``circular`` axis the one tile is the periodic axis itself; elsewhere the input is extended beforehand, with
    ``tail`` zeros that complete the last tile.
    """

    sizes: tuple[int, ...]
    steps: tuple[int, ...]
    counts: tuple[int, ...]
    circular: tuple[bool, ...]
    tail: tuple[int, ...]

    @cached_property
    def extended(self) -> tuple[int, ...]:
        """Sizes that the tiles cover."""
        return tuple((c - 1) * v + t for t, v, c in zip(self.sizes, self.steps, self.counts, strict=True))


@lru_cache(maxsize=4096)
def best_tiling(geometry: Geometry, batch: int, n_in: int, n_out: int, itemsize: int) -> tuple[Tiling, float]:
    """The cheapest tiling, and its `cost`."""
    choices = tilings(geometry)
    costs = [cost(geometry, tiling, batch, n_in, n_out, itemsize) for tiling in choices]
    least = min(costs)
    return choices[costs.index(least)], least


def tilings(geometry: Geometry) -> list[Tiling]:
    """The tilings that are worth a comparison."""
    cuts = [_cuts(geometry, axis) for axis in range(len(geometry.shape))]
    while math.prod(map(len, cuts)) > _MOST_TILINGS:
        cuts = [c[:2] + c[2::2] for c in cuts]
    return [_join(parts) for parts in itertools.product(*cuts)]


def cost(geometry: Geometry, tiling: Tiling, batch: int, n_in: int, n_out: int, itemsize: int) -> float:
    """Nanoseconds on one core of a forward and backward pass."""
    tiles = batch * math.prod(tiling.counts)
    fields = tiles * (n_in + n_out) * math.prod(tiling.sizes)
    frequencies = math.prod(tiling.sizes[:-1]) * (tiling.sizes[-1] // 2 + 1)
    transforms = fields * (_COPIES + sum(map(_transform, tiling.sizes)))
    mixing = 2 * frequencies * tiles * n_out * (_COMBINATION + 6 * n_in * _PRODUCT)
    spectra = 2 * frequencies * n_in * n_out
    kernels = spectra * (_SPECTRUM + _SPECTRUM_FAR * min(1.0, spectra * itemsize / _CACHES))
    kernels += 2 * _PRODUCT * n_in * n_out * _products_per_kernel(geometry, tiling)
    return _CALL + 3 * frequencies * _MATRIX + (transforms + mixing + kernels) * itemsize / 4


def _products_per_kernel(geometry: Geometry, tiling: Tiling) -> int:
    """Multiplications by the matrices that make the spectrum of one kernel, axis by axis."""
    total, last = 0, len(geometry.taps) - 1
    for axis, (size, taps) in enumerate(zip(tiling.sizes, geometry.taps, strict=True)):
        rows = math.prod(tiling.sizes[:axis]) * 2 * (size // 2 + 1 if axis == last else size)
        total += rows * taps * (2 if axis else 1) * math.prod(geometry.taps[axis + 1 :])
    return total


def _transform(size: int) -> float:
    """Nanoseconds a point of a transform along one axis, there and back."""
    if size & (size - 1) == 0:
        return 2.9
    factor = _largest_factor(size)
    return 4.2 if factor <= 7 else 6.0 if factor <= 13 else 24.0


@lru_cache(maxsize=4096)
def _largest_factor(n: int) -> int:
    """The largest prime factor."""
    factor, largest = 2, 1
    while n > 1:
        if n % factor == 0:
            n, largest = n // factor, factor
        else:
            factor += 1
    return largest


def _fast_size(least: int) -> int:
    """The least even size from ``least`` on whose transform is fast."""
    size = least + least % 2
    while _largest_factor(size) > 5:
        size += 2
    return size


# (size, step, count, circular, tail): a `Tiling` along one axis
_Cut = tuple[int, int, int, bool, int]


def _cuts(geometry: Geometry, axis: int) -> list[_Cut]:
    """How one axis may be cut into tiles: the periodic axis itself, then one tile, then more and more."""
    n, span, extended = geometry.dense_shape[axis], geometry.spans[axis], geometry.extended[axis]
    found: list[_Cut] = [(n, n, 1, True, 0)] if geometry.padding[axis] == "periodic" else []
    wanted = 1
    while wanted <= n:
        size = _fast_size(math.ceil(n / wanted) + span)
        # Tiles that are two apart must not overlap: they are put back together in two groups.
        if wanted > 1 and size < max(2 * span, _LEAST_TILE):
            break
        step = size - span
        count = math.ceil(n / step)
        found.append((size, step, count, False, (count - 1) * step + size - extended))
        wanted = max(wanted + 1, math.ceil(1.2 * count))
    return found


def _join(cuts: tuple[_Cut, ...]) -> Tiling:
    sizes, steps, counts, circular, tail = zip(*cuts, strict=True)
    return Tiling(sizes, steps, counts, circular, tail)
