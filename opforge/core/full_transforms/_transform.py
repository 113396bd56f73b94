"""A full transform as a linear map: what it is, and its transpose, independent of the library that computes it.

Gradients need transposes. With T' the transform of the inverse type, half spectra and the ends of cosine and sine
transforms hold some entries once where the full periodic extension holds the others twice. So, unnormalised,

- fft and ifft are the conjugate transposes of each other;
- the transpose of rfft is irfft after halving the modes that stand for a pair ±k, that of irfft is rfft followed by
  doubling them;
- the transpose of a cosine or sine transform is T' with the entries in question doubled before types 1 and 2 and
  halved after types 1 and 3. A normalised (ortho) transform's transpose is its inverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from opforge.core.full_transforms._trigonometric import INVERSE_TYPE, transpose_ends
from opforge.core.full_transforms.fft_planning import Planning

SWAPPED = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


class Engine(Protocol):
    """A library's transforms of numpy arrays. Each returns a new array and leaves its input alone.

    ``norm`` is that of scipy.fft's function for the direction at hand: for c2c with ``inverse`` and c2r "backward"
    divides by the number of points, for the others "forward" does. ``how`` holds the effort and number of threads.
    """

    def c2c(self, x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, inverse: bool) -> np.ndarray: ...

    def r2c(self, x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning) -> np.ndarray: ...

    def c2r(
        self, x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, sizes: tuple[int, ...]
    ) -> np.ndarray: ...

    def r2r(
        self, x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, kind: str, type: int
    ) -> np.ndarray: ...


class Transform(NamedTuple):
    """Args:
    kind: "fft", "ifft", "rfft", "irfft", "cos" or "sin".
    axes: counted from the front; real transforms halve the last.
    norm: the factor, in the words of scipy.fft for this kind; cosine and sine transforms are always forward ones.
    sizes: for irfft and a transposed rfft, the points of the real array on ``axes``.
    type: of a cosine or sine transform.
    transposed: whether the (conjugate) transpose is meant.
    """

    kind: str
    axes: tuple[int, ...]
    norm: str
    sizes: tuple[int, ...] = ()
    type: int = 0
    transposed: bool = False

    @property
    def transpose(self) -> Transform:
        return self._replace(transposed=not self.transposed)

    def behind(self, count: int) -> Transform:
        """The same transform of arrays that have ``count`` more axes at the front."""
        return self._replace(axes=tuple(a + count for a in self.axes))

    def shape_after(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of the transform of an array of ``shape``; for one that is not transposed."""
        after = list(shape)
        if self.kind == "rfft":
            after[self.axes[-1]] = after[self.axes[-1]] // 2 + 1
        elif self.kind == "irfft":
            for axis, size in zip(self.axes, self.sizes, strict=True):
                after[axis] = size
        return tuple(after)

    def __call__(self, x: np.ndarray, engine: Engine, how: Planning) -> np.ndarray:
        return (_transposed if self.transposed else _plain)(self, x, engine, how)


def trigonometric(kind: str, type: int, axes: tuple[int, ...], norm: str, inverse: bool) -> Transform:
    """A cosine or sine transform; the inverse of one is the transform of the inverse type with the other's factor."""
    if inverse:
        return Transform(kind, axes, SWAPPED[norm], type=INVERSE_TYPE[type])
    return Transform(kind, axes, norm, type=type)


def _plain(t: Transform, x: np.ndarray, engine: Engine, how: Planning) -> np.ndarray:
    if t.kind in ("fft", "ifft"):
        return engine.c2c(x, t.axes, t.norm, how, inverse=t.kind == "ifft")
    if t.kind == "rfft":
        return engine.r2c(x, t.axes, t.norm, how)
    if t.kind == "irfft":
        return engine.c2r(x, t.axes, t.norm, how, sizes=t.sizes)
    return engine.r2r(x, t.axes, t.norm, how, kind=t.kind, type=t.type)


def _transposed(t: Transform, x: np.ndarray, engine: Engine, how: Planning) -> np.ndarray:
    norm = SWAPPED[t.norm]
    if t.kind in ("fft", "ifft"):
        return engine.c2c(x, t.axes, norm, how, inverse=t.kind == "fft")
    if t.kind == "rfft":
        x = x.copy()
        x[_pairs(t)] *= 0.5
        return engine.c2r(x, t.axes, norm, how, sizes=t.sizes)
    if t.kind == "irfft":
        out = engine.r2c(x, t.axes, norm, how)
        out[_pairs(t)] *= 2
        return out
    type = INVERSE_TYPE[t.type]
    if t.norm == "ortho":
        return engine.r2r(x, t.axes, "ortho", how, kind=t.kind, type=type)
    ends = transpose_ends(t.kind, t.type)
    if ends.before != 1.0:
        x = scaled_at(x.copy(), t.axes, ends.entries, ends.before)
    out = engine.r2r(x, t.axes, t.norm, how, kind=t.kind, type=type)
    return scaled_at(out, t.axes, ends.entries, ends.after)


def _pairs(t: Transform) -> tuple[slice, ...]:
    """The modes of a half spectrum that stand for a pair ±k."""
    return (slice(None),) * t.axes[-1] + (slice(1, (t.sizes[-1] + 1) // 2),)


def scaled_at(x: np.ndarray, axes: tuple[int, ...], entries: tuple[int, ...], factor: float) -> np.ndarray:
    """``x``, after multiplying what lies at ``entries`` of each of ``axes`` in place."""
    if factor != 1.0:
        for axis in axes:
            for entry in entries:
                x[(slice(None),) * axis + (entry,)] *= factor
    return x
