"""Parameters that samples have of their own, for methods of equations that know one number of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes._arrays import detached, stack


def with_own_parameters(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of an equation, of (fields, grid), that takes the numbers in ``fields`` in place of the members.

    Samples are gone through one by one, each with the equation that is its own. Numbers have the shape (...) of the
    axes of samples, all the same; so has what the method returns, before its other axes. Fields of equations that
    evolve have an axis of frames.

    Raises:
        InputError: numbers of another shape, or that ask for gradients.

    Example:
        >>> from opforge.pdes import AllenCahn
        >>> grid = Grid((8,), points="periodic")
        >>> waves = np.cos(2 * np.pi * grid.coordinates()[0]) * np.ones((2, 1, 8))  # samples, frames, points
        >>> narrow, wide = AllenCahn(1).energy({"u": waves, "width": np.array([0.01, 0.1])}, grid)
        >>> bool(narrow[0] < wide[0])
        True
    """

    @wraps(method)
    def of_each(equation: Any, fields: Mapping[str, Any], grid: Grid) -> Any:
        members = equation.__dataclass_fields__
        known = {field.name for field in equation.fields}
        own = {name: number(name, x) for name, x in fields.items() if name in members.keys() - known}
        if not own:
            return method(equation, fields, grid)
        others = {name: x for name, x in fields.items() if name not in own}
        leading = _leading(own, others, equation, grid)
        if not leading:
            return method(replace(equation, **{name: float(x) for name, x in own.items()}), others, grid)
        found = []
        for i in np.ndindex(*leading):
            mine = replace(equation, **{name: float(x[i]) for name, x in own.items()})
            found.append(method(mine, {name: x if name == "time" else x[i] for name, x in others.items()}, grid))
        whole = stack(found, 0)
        return whole.reshape(*leading, *whole.shape[1:])

    return of_each


def number(name: str, x: Any) -> np.ndarray:
    """A parameter of samples in float64.

    Raises:
        InputError: it asks for gradients, which methods have to fields alone.
    """
    if getattr(x, "requires_grad", False):
        raise InputError(
            f"{name} asks for gradients, which this equation has to its fields alone, not to parameters; give "
            f"{name}.detach(), and differences of two values for a derivative"
        )
    return detached(x).astype(np.float64)


def _leading(own: Mapping[str, np.ndarray], fields: Mapping[str, Any], equation: Any, grid: Grid) -> tuple[int, ...]:
    """The axes of samples."""
    shapes = {name: values.shape for name, values in own.items()}
    axes = grid.ndim + equation.evolves
    shapes |= {name: tuple(fields[name].shape[:-axes]) for name in equation.unknowns if name in fields}
    if len(set(shapes.values())) > 1:
        raise InputError(
            "parameters of their own for samples must have one number for each, got the shapes "
            f"{', '.join(f'{shape} of {name!r}' for name, shape in shapes.items())}"
        )
    return next(iter(shapes.values()))
