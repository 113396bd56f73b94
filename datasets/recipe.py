"""A recipe: an equation, a distribution of its inputs and a solver, joined into samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.errors import InputError, UnknownNameError
from opforge.pdes import Equation


@dataclass(frozen=True)
class Sample:
    """One sample of a dataset.

    Args:
        fields: physical fields by name, float64 arrays of the grid's shape; those that evolve (frames, *space).
        residual: relative residual of the discrete equation that the solver left.
    """

    fields: dict[str, np.ndarray]
    residual: float


class Recipe(ABC):
    """How samples of one dataset are made; subclasses are frozen dataclasses whose members are its parameters.

    Recipes are pickled into worker processes: their files import neither torch nor anything else that is heavy.
    """

    # every recipe is a dataclass; this base is none, for its bare annotations would become parameters
    __dataclass_fields__: ClassVar[dict[str, Any]]
    name: ClassVar[str]
    summary: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]]
    # The fields that change with time, and where in its spacing a point of the grid lies.
    evolving: ClassVar[tuple[str, ...]] = ()
    points: ClassVar[Points] = "cells"
    solver: ClassVar[str]
    # Bytes of memory that one point of the grid costs while a sample is made, with all frames: measured, rounded up.
    bytes_per_point: ClassVar[int]
    # Cells per axis below which the recipe's fields are not resolved at all.
    least_resolution: ClassVar[int] = 4
    tolerance: float

    @property
    @abstractmethod
    def equation(self) -> Equation:
        """The equation that the samples solve."""

    @property
    def times(self) -> np.ndarray | None:
        """The times (frames,) at which the fields in ``evolving`` are kept; None where nothing evolves."""
        return None

    @abstractmethod
    def sample(self, rng: np.random.Generator, grid: Grid) -> Sample:
        """Draw the inputs and solve for the outputs.

        Raises:
            WorkError: the solver failed.
        """

    def grid(self, resolution: int | tuple[int, ...]) -> Grid:
        """The grid with this many points per axis.

        Raises:
            InputError: a resolution that is too low, or of another number of axes.
        """
        ndim = self.equation.ndim
        shape = tuple(resolution) if isinstance(resolution, Sequence) else (resolution,) * ndim
        if len(shape) != ndim or not all(isinstance(n, Integral) for n in shape):
            raise InputError(f"resolution must be an integer or {ndim} of them, got {resolution!r}")
        if min(shape) < self.least_resolution:
            raise InputError(
                f"resolution must be at least {self.least_resolution} points per axis (fewer do not resolve one wave "
                f"of the input), got {resolution!r}"
            )
        return Grid(shape, points=self.points)

    def check(self, grid: Grid) -> None:  # noqa: B027 -- a recipe without limits of its own
        """Refuse, before any work, a grid on which the recipe cannot keep its tolerance.

        Raises:
            InputError: such a grid.
        """

    def refined(self) -> Self:
        """The same recipe solved more exactly on the same grid: a tenth of the tolerance, half the time step."""
        return replace(self, tolerance=self.tolerance / 10)

    def parameters(self) -> dict[str, Any]:
        """The parameters as plain values for JSON, without those that do not apply."""
        values = asdict(self)
        return {name: value for name, value in values.items() if value is not None}


def registry() -> dict[str, type[Recipe]]:
    """The recipes by name.

    Example:
        >>> sorted(registry())
        ['advection', 'darcy']
    """
    from opforge import datasets

    return {cls.name: cls for cls in (getattr(datasets, name) for name in datasets.RECIPES)}


def make_recipe(name: str, parameters: Mapping[str, Any]) -> Recipe:
    """The recipe of this name with these parameters; those left out have their defaults.

    Raises:
        UnknownNameError: no such recipe, no such parameter.
        InputError: a parameter out of range or of another type.

    Example:
        >>> make_recipe("darcy", {"ndim": 1}).equation
        Darcy(ndim=1, forcing=1.0)
    """
    recipes = registry()
    if name not in recipes:
        raise UnknownNameError("recipe", name, recipes)
    known = [field.name for field in fields(recipes[name])]
    for parameter in parameters:
        if parameter not in known:
            raise UnknownNameError(f"parameter of the recipe {name!r}:", parameter, known)
    return recipes[name](**parameters)
