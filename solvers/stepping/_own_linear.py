"""ETDRK4 for samples whose equations differ in the linear part or the source: all in one call, factors for each."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from opforge.core.pairing import Spectrum, alone
from opforge.core.pairs import PairedModes
from opforge.pdes.semilinear import SpectralForm
from opforge.solvers.stepping.exponential import ETDRK4, _Arrays
from opforge.solvers.stepping.stepper import Stepper


def joined(steppers: Sequence[Stepper]) -> ETDRK4 | None:
    """One stepper for as many samples; None if their equations differ in more than the linear part and the source."""
    if not all(type(one) is ETDRK4 for one in steppers):
        return None
    each = cast("Sequence[ETDRK4]", steppers)
    first = each[0]
    for one in {id(one): one for one in each}.values():
        if (one.grid, one.dt, one._compiled, one._modes.highest) != (
            *(first.grid, first.dt, first._compiled, first._modes.highest),
        ):
            return None
        if not _differ_in_linear_terms_alone(first._form, one._form):
            return None
    made = _Joined.__new__(_Joined)
    made.__dict__.update(first.__dict__)
    forms = [one._form for one in each]
    linear = np.stack([form.linear for form in forms])
    made._form = replace(forms[0], linear=linear, source=_stacked([form.source for form in forms]))
    made._factors = {name: np.stack([one._factors[name] for one in each]) for name in first._factors}
    made._renew()
    return made


class _Joined(ETDRK4):
    """Factors are (samples, components, *modes); every sample is its own partner, for a pair has factors in common."""

    recordable = True

    def joined(self, steppers: Sequence[Stepper]) -> Stepper | None:
        return None

    def _renew(self) -> None:
        """Forget what belongs to the stepper that this one was made from."""
        self._modes = PairedModes(self._modes.shape, self._modes.highest)
        self._tensors, self._arrays = {}, _Arrays()
        self._parts: dict[tuple[int, int], _Joined] = {}

    def _spectrum(self, state: Any, order: tuple[int, ...] | None) -> Spectrum:
        return super()._spectrum(state, alone(len(state)))

    def _of_pairs(self, place: slice) -> ETDRK4:
        key = (place.start, place.stop)
        if key not in self._parts:
            part = copy.copy(self)
            source = self._form.source
            if source is not None and source.ndim == self._form.linear.ndim:
                source = source[place]
            part._form = replace(self._form, linear=self._form.linear[place], source=source)
            part._factors = {name: factor[place] for name, factor in self._factors.items()}
            part._renew()
            self._parts[key] = part
        return self._parts[key]


def _differ_in_linear_terms_alone(one: SpectralForm, other: SpectralForm) -> bool:
    return (
        one.product == other.product
        and one.products == other.products
        and one.linear.shape == other.linear.shape
        and (one.source is None) == (other.source is None)
        and _equal(one.inner, other.inner)
        and _equal(one.outer, other.outer)
    )


def _equal(x: np.ndarray | None, y: np.ndarray | None) -> bool:
    return x is y or (x is not None and y is not None and np.array_equal(x, y))


def _stacked(sources: list[np.ndarray | None]) -> np.ndarray | None:
    """Sources of their own, or the one that all have."""
    if all(_equal(sources[0], source) for source in sources):
        return sources[0]
    return np.stack([source for source in sources if source is not None])
