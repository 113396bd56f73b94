"""Which samples share a complex transform of `PairedModes`: those of like size.

Rounding errors of a complex transform are of the size of the larger part. In single precision, a field of size 1e-7
beside one of size 3 would be noise. Samples of a pair that are further apart than that are their own partners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.core.pairs import PairedModes

# How many times larger than its partner a sample may be, in any component: it adds as many roundings to the partner's.
# Samples that are drawn alike seldom differ by more; where numbers have 16 digits, a few may be spent.
_IN_SINGLE, _IN_DOUBLE = 8.0, 4096.0

# Steps after which steppers compare the sizes of partners again.
LOOK_EVERY = 256


@dataclass(frozen=True)
class Spectrum:
    """Modes (pairs, components, *modes) of so many samples.

    Args:
        modes: of numpy, or of torch where gradients are wanted or another device has them.
        samples: how many.
        order: the samples of the pairs, two for each; neighbours unless given.
        age: steps since the sizes of partners were compared.
        threads: for numpy.
        torch: whether states are tensors, all the same.
    """

    modes: Any
    samples: int
    order: tuple[int, ...] | None = None
    age: int = 0
    threads: int = 1
    torch: bool = False

    def fields(self, paired: PairedModes) -> Any:
        """The samples (samples, components, *space)."""
        return fields_in_order(self.modes, self.samples, self.order, paired)


def fields_in_order(modes: Any, samples: int, order: Sequence[int] | None, paired: PairedModes) -> Any:
    """The real fields (samples, ..., *space) of modes whose pairs have samples in an order."""
    if order is None:
        return paired.fields(modes, samples)
    return paired.fields(modes, len(order))[[order.index(i) for i in range(samples)]]


def in_order(state: Any, order: Sequence[int] | None) -> Any:
    """Samples so that neighbours are partners.

    Example:
        >>> in_order(np.array([3.0, 5.0]), (0, 0, 1, 1)).tolist()
        [3.0, 3.0, 5.0, 5.0]
    """
    return state if order is None else state[list(order)]


def alone(samples: int) -> tuple[int, ...]:
    """The order in which every sample is its own partner.

    Example:
        >>> alone(3)
        (0, 0, 1, 1, 2, 2)
    """
    return tuple(i // 2 for i in range(2 * samples))


def order_by_size(state: Any, order: Sequence[int] | None = None) -> tuple[int, ...] | None:
    """The order in which partners that are not of like size are their own partners; None if all may stay.

    Args:
        state: real samples (samples, components, ...), numpy or torch.
        order: who would be partners; neighbours unless given.

    Example:
        >>> order_by_size(np.float32([[1.0], [2.0], [3.0], [1e-5]]))
        (0, 1, 2, 2, 3, 3)
        >>> order_by_size(np.float32([[1.0], [2.0], [3.0], [1.0]])) is None
        True
    """
    if len(state) < 2 or (is_torch(state) and traced()):
        return None
    squares = _products(state, state)
    if order is not None:
        return _order(squares[list(order[::2])], squares[list(order[1::2])], state, len(state), order)
    kept = len(state) // 2 * 2
    return _order(squares[:kept:2], squares[1:kept:2], state, len(state), None)


def order_by_modes(spectrum: Spectrum, ndim: int) -> tuple[int, ...] | None:
    """`order_by_size` of what modes say about the samples as they are paired; None if all pairs may stay.

    Of z = û + i v̂, Σ |z(k)|² = Σ |û|² + Σ |v̂|² and Re Σ z(k) z(−k) = Σ |û|² − Σ |v̂|².
    """
    modes = spectrum.modes
    if spectrum.samples < 2 or (is_torch(modes) and traced()):
        return None
    both, difference = _sums(modes, ndim)
    order = spectrum.order or _neighbours(spectrum.samples)
    return _order((both + difference) / 2, (both - difference) / 2, modes.real, spectrum.samples, order)


def _order(first: Any, second: Any, like: Any, samples: int, order: Sequence[int] | None) -> tuple[int, ...] | None:
    """From the squared sizes (pairs, components) of the samples of pairs."""
    most = (_IN_SINGLE if like.dtype.itemsize == 4 else _IN_DOUBLE) ** 2
    unlike = (first * most < second) | (second * most < first)  # not for NaN: nothing can be saved there
    if not bool(unlike.any()):
        return None
    order, apart = order or _neighbours(samples), unlike.reshape(len(unlike), -1).any(-1).tolist()
    apart += [False] * (len(order) // 2 - len(apart))
    found: list[int] = []
    for i, divided in enumerate(apart):
        one, other = order[2 * i : 2 * i + 2]
        found += (one, one, other, other) if divided and one != other else (one, other)
    return tuple(found) if len(found) > len(order) else None


def _neighbours(samples: int) -> tuple[int, ...]:
    """The usual order, in which the last one of an odd number is its own partner."""
    return tuple(min(i, samples - 1) for i in range(samples + samples % 2))


def _products(x: Any, y: Any) -> Any:
    """Sums of products over all axes but the first two."""
    x, y = (each.reshape(*each.shape[:2], -1) for each in (x, y))
    if is_torch(x):
        return (x.detach() * y.detach()).sum(-1)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.einsum("pcn,pcn->pc", x, y)


def _sums(modes: Any, ndim: int) -> tuple[Any, Any]:
    """Σ |z(k)|² and Re Σ z(k) z(−k) of every pair and component."""
    axes = tuple(range(-ndim, 0))
    if is_torch(modes):
        modes = modes.detach()
        back = modes.flip(axes).roll((1,) * ndim, axes)
        return _products(modes.real, modes.real) + _products(modes.imag, modes.imag), (
            _products(modes.real, back.real) - _products(modes.imag, back.imag)
        )
    back = np.roll(np.flip(modes, axes), (1,) * ndim, axes).conj()
    flat, turned = (np.ascontiguousarray(x).view(x.real.dtype) for x in (modes, back))
    return _products(flat, flat), _products(flat, turned)


def traced() -> bool:
    """Whether values must not be looked at."""
    from opforge.core.choice.tracing import tracing

    return tracing()
