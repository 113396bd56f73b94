"""ETDRK4 for samples whose equations differ in the linear part or the source: all in one call, factors for each."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from opforge.core.pairing import Spectrum, order_by_size
from opforge.core.pairs import PairedModes
from opforge.solvers.stepping.exponential import ETDRK4, _Arrays
from opforge.solvers.stepping.stepper import Stepper

# Bytes of modes that are worked on at once: with their factors, and what stages are put in, some twenty times as many
# stay in the processor's caches.
_BLOCK = 2**17


def joined(steppers: Sequence[Stepper]) -> ETDRK4 | None:
    """One stepper for as many samples; None if their equations differ in more than the linear part and the source."""
    different = list({id(one): one for one in steppers}.values())
    if not all(type(one) is ETDRK4 for one in different):
        return None
    each = cast("list[ETDRK4]", different)
    if not all(_alike(each[0], one) for one in each[1:]):
        return None
    numbers = {id(one): i for i, one in enumerate(each)}
    return _Joined(each, [numbers[id(one)] for one in steppers])


class _Joined(ETDRK4):
    """A pair has factors in common: partners are samples with the same stepper, others are their own.

    Args:
        steppers: those that differ.
        numbers: which of them every sample has.
    """

    def __init__(self, steppers: Sequence[ETDRK4], numbers: Sequence[int]):
        self.__dict__.update(steppers[0].__dict__)
        self._modes = PairedModes(self._modes.shape, self._modes.highest)
        self._steppers, self._numbers = steppers, numbers
        self._for: dict[tuple[int, ...], _OwnFactors] = {}
        self._pairs = _pairs(numbers)

    def joined(self, steppers: Sequence[Stepper]) -> Stepper | None:
        return None

    def _first_order(self, state: Any) -> tuple[int, ...]:
        return order_by_size(state, self._pairs) or self._pairs

    def _advanced(self, inner: Spectrum, steps: int) -> Any:
        assert inner.order is not None
        rows = tuple(self._numbers[i] for i in inner.order[::2])
        if rows not in self._for:
            self._for[rows] = _OwnFactors([self._steppers[row] for row in rows])
        return self._for[rows]._advanced(inner, steps)


class _OwnFactors(ETDRK4):
    """Takes the steps of pairs that each have their own stepper: factors are (pairs, components, *modes)."""

    def __init__(self, steppers: Sequence[ETDRK4]):
        self.__dict__.update(steppers[0].__dict__)
        forms = [one._form for one in steppers]
        linear = np.stack([form.linear for form in forms])
        self._form = replace(forms[0], linear=linear, source=_stacked([form.source for form in forms]))
        self._factors = {name: np.stack([one._factors[name] for one in steppers]) for name in self._factors}
        self._renew()

    def _renew(self) -> None:
        self._modes = PairedModes(self._modes.shape, self._modes.highest)
        self._tensors, self._arrays = {}, _Arrays()
        self._parts: dict[tuple[int, int], _OwnFactors] = {}

    def _some(self, modes: np.ndarray, steps: int) -> np.ndarray:
        at_once = max(1, _BLOCK // modes[0].nbytes)
        if len(modes) <= at_once:
            return super()._some(modes, steps)
        places = [slice(i, min(i + at_once, len(modes))) for i in range(0, len(modes), at_once)]
        return np.concatenate([self._of_pairs(place)._some(modes[place], steps) for place in places])

    def _of_pairs(self, place: slice) -> ETDRK4:
        key = (place.start, place.stop)
        if key not in self._parts:
            part, source = copy.copy(self), self._form.source
            if source is not None and source.ndim == self._form.linear.ndim:
                source = source[place]
            part._form = replace(self._form, linear=self._form.linear[place], source=source)
            part._factors = {name: factor[place] for name, factor in self._factors.items()}
            part._renew()
            self._parts[key] = part
        return self._parts[key]


def _pairs(numbers: Sequence[int]) -> tuple[int, ...]:
    """The order in which samples with the same number are partners, the last of an odd number its own.

    Example:
        >>> _pairs([5, 7, 5, 5])
        (0, 2, 3, 3, 1, 1)
    """
    members: dict[int, list[int]] = {}
    for i, number in enumerate(numbers):
        members.setdefault(number, []).append(i)
    return tuple(i for rows in members.values() for i in (rows if len(rows) % 2 == 0 else [*rows, rows[-1]]))


def _alike(one: ETDRK4, other: ETDRK4) -> bool:
    """Whether two steppers differ in the linear part and the source alone."""
    x, y = one._form, other._form
    return (
        (one.grid, one.dt, one._compiled, one._modes.highest)
        == (other.grid, other.dt, other._compiled, other._modes.highest)
        and (x.product, x.products, x.linear.shape) == (y.product, y.products, y.linear.shape)
        and (x.source is None) == (y.source is None)
        and _equal(x.inner, y.inner)
        and _equal(x.outer, y.outer)
    )


def _equal(x: np.ndarray | None, y: np.ndarray | None) -> bool:
    return x is y or (x is not None and y is not None and np.array_equal(x, y))


def _stacked(sources: list[np.ndarray | None]) -> np.ndarray | None:
    """Sources of their own, or the one that all have."""
    if all(_equal(sources[0], source) for source in sources):
        return sources[0]
    return np.stack([source for source in sources if source is not None])
