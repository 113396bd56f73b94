"""The sizes of one convolution, axis by axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import torch

from opforge.errors import InputError, UnknownNameError

_MOST = 2**15  # points from tap to tap or output to output
PADDINGS = ("periodic", "reflect", "valid", "zeros")


@dataclass(frozen=True)
class Geometry:
    """One value per axis of space in every field; hashable, so that what is derived from it can be remembered.

    Tap t of an axis reads the point ``stride·j + dilation·t − left`` for the output j.
    """

    shape: tuple[int, ...]
    taps: tuple[int, ...]
    padding: tuple[str, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    # Derived from the above. Points between the first and the last tap; points beyond the grid that are read, before
    # it and behind it; the size of the grid with these; outputs before the stride thins them out, and after.
    spans: tuple[int, ...] = field(compare=False)
    left: tuple[int, ...] = field(compare=False)
    right: tuple[int, ...] = field(compare=False)
    extended: tuple[int, ...] = field(compare=False)
    dense_shape: tuple[int, ...] = field(compare=False)
    out_shape: tuple[int, ...] = field(compare=False)

    @property
    def multiplications(self) -> int:
        """Products per pair of channels and sample of a dense kernel."""
        return math.prod(self.out_shape) * math.prod(self.taps)


def make_geometry(
    shape: Sequence[int],
    taps: Sequence[int],
    padding: str | Sequence[str],
    stride: int | Sequence[int],
    dilation: int | Sequence[int],
) -> Geometry:
    """A `Geometry`, after checking that its parts agree."""
    d = len(shape)
    steps = _steps("stride", stride, d), _steps("dilation", dilation, d)
    check = _checked.__wrapped__ if torch.compiler.is_compiling() else _checked  # dynamo warns of caches
    return check(tuple(shape), tuple(taps), _paddings(padding, d), *steps)


@lru_cache(maxsize=4096)
def _checked(
    shape: tuple[int, ...],
    taps: tuple[int, ...],
    padding: tuple[str, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Geometry:
    spans = tuple(d * (k - 1) for d, k in zip(dilation, taps, strict=True))
    for axis, (n, span, kind) in enumerate(zip(shape, spans, padding, strict=True)):
        reach = f"{span + 1} points along axis {axis} of space"
        if kind == "valid" and span + 1 > n:
            raise InputError(
                f"kernels must fit into the grid with padding 'valid', got {reach}, which has {n}; "
                f"use a finer grid, fewer taps or padding 'zeros'"
            )
        if kind == "reflect" and span - span // 2 > n - 1:
            raise InputError(
                f"kernels may reach {n - 1} points beyond the grid with padding 'reflect', got {reach}, which reach "
                f"{span - span // 2}; use a finer grid, fewer taps or padding 'zeros'"
            )
    left = tuple(0 if kind == "valid" else s // 2 for kind, s in zip(padding, spans, strict=True))
    right = tuple(0 if kind == "valid" else s - s // 2 for kind, s in zip(padding, spans, strict=True))
    extended = tuple(n + a + b for n, a, b in zip(shape, left, right, strict=True))
    dense_shape = tuple(m - s for m, s in zip(extended, spans, strict=True))
    out_shape = tuple((m - 1) // s + 1 for m, s in zip(dense_shape, stride, strict=True))
    return Geometry(shape, taps, padding, stride, dilation, spans, left, right, extended, dense_shape, out_shape)


def _paddings(padding: str | Sequence[str], d: int) -> tuple[str, ...]:
    kinds = (padding,) * d if isinstance(padding, str) else padding
    if not isinstance(kinds, Sequence) or len(kinds) != d:
        raise InputError(f"padding needs one of {', '.join(PADDINGS)}, or one per axis of space ({d}), got {padding!r}")
    for kind in kinds:
        if kind not in PADDINGS:
            raise UnknownNameError("padding", str(kind), PADDINGS)
    return tuple(kinds)


def _steps(name: str, value: int | Sequence[int], d: int) -> tuple[int, ...]:
    steps = tuple(value) if isinstance(value, Sequence) else (value,) * d
    if len(steps) != d or any(not isinstance(s, int) or isinstance(s, bool) or not 1 <= s <= _MOST for s in steps):
        raise InputError(f"{name} needs an integer from 1 to {_MOST}, or one per axis of space ({d}), got {value!r}")
    return steps
