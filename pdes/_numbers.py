"""Checks of the parameters of equations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from opforge.errors import InputError

_NUMBERS = (int, float, np.integer, np.floating)

# Magnitude up to which products of three parameters do not leave double precision.
_GREATEST = 1e100


def axes_of_space(ndim: Any, dimensions: tuple[int, ...]) -> None:
    """Refuse another number of axes than the equation may have.

    Raises:
        InputError: such a number.
    """
    if isinstance(ndim, bool) or not isinstance(ndim, int) or ndim not in dimensions:
        *most, last = map(str, dimensions)
        words = f"{', '.join(most)} or {last}" if most else last
        raise InputError(f"ndim must be {words}, got {ndim!r}")


def positive(name: str, value: Any, why: str = "") -> float:
    """A number greater than 0 as a float.

    Args:
        name: of the parameter.
        value: as given.
        why: what is added to the error in brackets.

    Raises:
        InputError: anything else.
    """
    number = _number(value)
    if not 0 < number <= _GREATEST:
        upper = f", at most {_GREATEST:g}" * (number > _GREATEST)
        raise InputError(f"{name} must be a number greater than 0{upper}{f' ({why})' * bool(why)}, got {value!r}")
    return number


def time_step(dt: Any) -> float:
    """A time step, a number greater than 0, as a float.

    Raises:
        InputError: anything else.
    """
    number = _number(dt)
    if not 0 < number < math.inf:
        raise InputError(f"dt must be a time greater than 0, got {dt!r}")
    return number


def not_negative(name: str, value: Any, why: str = "") -> float:
    """A number that is at least 0 as a float.

    Raises:
        InputError: anything else.
    """
    number = _number(value)
    if not 0 <= number <= _GREATEST:
        upper = f" and at most {_GREATEST:g}" * (number > _GREATEST)
        raise InputError(f"{name} must be a number of at least 0{upper}{f' ({why})' * bool(why)}, got {value!r}")
    return number


def finite(name: str, value: Any) -> float:
    """A finite number as a float.

    Raises:
        InputError: anything else.
    """
    number = _number(value)
    if not abs(number) <= _GREATEST:
        large = f" of magnitude at most {_GREATEST:g}" * (abs(number) > _GREATEST)
        raise InputError(f"{name} must be a finite number{large}, got {value!r}")
    return number


def _number(value: Any) -> float:
    """A number as a float, NaN of anything else."""
    if not isinstance(value, _NUMBERS) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # of a whole number
        return math.copysign(math.inf, value)
