"""Parameters of an equation that are drawn for every sample: which, from what range, by what law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import ClassVar, Self

import numpy as np

from opforge.datasets.recipe import Recipe
from opforge.errors import InputError, UnknownNameError
from opforge.pdes.equation import Field


@dataclass(frozen=True)
class Drawable:
    """A parameter of a recipe that may be drawn for every sample.

    Args:
        name: of the recipe's member and of the equation's.
        long_name: what it is, in words.
        usual: least and greatest, in parts of the recipe's own value, where no range is given.
        uniform: whether the number itself is uniform; else its logarithm is, and the range is of positive numbers.
        units: see `Field`.

    Example:
        >>> viscosity = Drawable("viscosity", "viscosity")
        >>> float(viscosity.between(1e-4, 1e-2, 0.5).round(12))  # halfway, of the logarithms
        0.001
    """

    name: str
    long_name: str
    usual: tuple[float, float] = (1.0, 10.0)
    uniform: bool = False
    units: str = "1"

    def between(self, low: float, high: float, part: float) -> np.float64:
        """The number that a part from 0 to 1 of the law lies below."""
        if self.uniform:
            return np.float64(low + (high - low) * part)
        return np.float64(low * (high / low) ** part)


@dataclass(frozen=True)
class DrawingRecipe(Recipe):
    """A recipe that can draw some parameters of its equation for every sample; the members here are what it takes.

    Args:
        draw: the names of such parameters, each with its range: ``"viscosity:0.001:0.01"``, or several,
            ``"feed:0.02:0.04,kill:0.05:0.06"``. Without a range it lies around the recipe's own value, from it to ten
            times as much unless the recipe says otherwise. None are drawn unless given.

    Raises:
        InputError: a parameter that cannot be drawn, a range that is none.

    Example:
        >>> from opforge.datasets import FisherRecipe
        >>> recipe = FisherRecipe(ndim=1, frames=2, end_time=1.0, draw="rate:0.5:2")
        >>> recipe.ranges
        {'rate': (0.5, 2.0)}
        >>> bool(0.5 <= recipe.sample(np.random.default_rng(0), recipe.grid(64)).drawn["rate"] <= 2)
        True
    """

    draw: str | None = None

    drawable: ClassVar[tuple[Drawable, ...]] = ()

    def __post_init__(self) -> None:
        if self.draw == "none":  # what files of earlier versions say
            object.__setattr__(self, "draw", None)
        self._asked()

    @property
    def drawn(self) -> tuple[Field, ...]:
        asked = self._asked()
        return tuple(Field(one.name, one.long_name, one.units) for one in self.drawable if one.name in asked)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The least and the greatest value of every parameter that is drawn.

        Raises:
            InputError: a range that the law does not have.
        """
        asked, found = self._asked(), {}
        for one in self.drawable:
            if one.name not in asked:
                continue
            value = getattr(self, one.name)
            given = asked[one.name]
            if given is None and not isinstance(value, int | float):
                raise InputError(f"draw must give a range for {one.name}, which is {value!r}: {one.name}:LOW:HIGH")
            low, high = given or sorted(value * part for part in one.usual)
            if not one.uniform and not low > 0:
                why = "where it is drawn, from it to ten times as much" if given is None else "throughout its range"
                raise InputError(f"{one.name} must be greater than 0 {why}, got {low:g}")
            found[one.name] = (float(low), float(high))
        return found

    def least(self, name: str) -> float:
        """The least value of a parameter: its own where it is not drawn."""
        return self.ranges[name][0] if name in self._asked() else getattr(self, name)

    def greatest(self, name: str) -> float:
        """The greatest value of a parameter: its own where it is not drawn."""
        return self.ranges[name][1] if name in self._asked() else getattr(self, name)

    def check_draw(self) -> None:
        """Refuse ranges that have values which the recipe would not take; to be called when all members are set.

        Raises:
            InputError: such a range.
        """
        ranges = self.ranges
        if not ranges:
            return
        for corner in product(*ranges.values()):
            values = dict(zip(ranges, corner, strict=True))
            try:
                self.with_numbers(values)
            except InputError as error:
                raise InputError(f"draw={self.draw!r} has values that are out of range: {error}") from error

    def numbers(self, rngs: Sequence[np.random.Generator]) -> dict[str, np.ndarray]:
        """The parameters in ``drawn``, (samples,), one sample from each generator."""
        ranges, laws = self.ranges, {one.name: one for one in self.drawable}
        found = {name: np.empty(len(rngs)) for name in ranges}
        for i, rng in enumerate(rngs):
            for name, (low, high) in ranges.items():
                found[name][i] = laws[name].between(low, high, rng.random())
        return found

    def with_numbers(self, values: dict[str, float]) -> Self:
        """The recipe that has these values and draws none."""
        return replace(self, draw=None, **values)

    def _asked(self) -> dict[str, tuple[float, float] | None]:
        """What ``draw`` says: names and ranges, None for one that is not given.

        Raises:
            InputError: text that says nothing of the kind.
        """
        if self.draw is None:
            return {}
        names = [one.name for one in self.drawable]
        if not names:
            raise InputError(f"draw must be left out, nothing of the recipe {self.name!r} is drawn, got {self.draw!r}")
        if not isinstance(self.draw, str):
            raise InputError(f"draw must be text such as '{names[0]}:LOW:HIGH', got {self.draw!r}")
        found: dict[str, tuple[float, float] | None] = {}
        for part in self.draw.split(","):
            name, *bounds = (word.strip() for word in part.split(":"))
            if name not in names:
                raise UnknownNameError(f"parameter in draw of the recipe {self.name!r}:", name, names)
            if name in found:
                raise InputError(f"draw must name {name} once, got {self.draw!r}")
            found[name] = _bounds(name, bounds) if bounds else None
        return found


def _bounds(name: str, words: Sequence[str]) -> tuple[float, float]:
    try:
        low, high = map(float, words)
    except ValueError as error:
        raise InputError(f"draw must be {name}:LOW:HIGH with two numbers, got {':'.join([name, *words])!r}") from error
    if not (np.isfinite([low, high]).all() and low < high):
        raise InputError(f"draw must have a range from a lower to a higher number, got {low:g} to {high:g} for {name}")
    return low, high
