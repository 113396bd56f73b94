"""Checks of the parameters of equations."""

from __future__ import annotations

from typing import Any

import numpy as np

from opforge.errors import InputError

_NUMBERS = (int, float, np.integer, np.floating)


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
    if not _is_number(value) or not 0 < value < np.inf:
        raise InputError(f"{name} must be a number greater than 0{f' ({why})' * bool(why)}, got {value!r}")
    return float(value)


def time_step(dt: Any) -> float:
    """A time step, a number greater than 0, as a float.

    Raises:
        InputError: anything else.
    """
    if not _is_number(dt) or not 0 < dt < np.inf:
        raise InputError(f"dt must be a time greater than 0, got {dt!r}")
    return float(dt)


def not_negative(name: str, value: Any, why: str = "") -> float:
    """A number that is at least 0 as a float.

    Raises:
        InputError: anything else.
    """
    if not _is_number(value) or not 0 <= value < np.inf:
        raise InputError(f"{name} must be a number of at least 0{f' ({why})' * bool(why)}, got {value!r}")
    return float(value)


def finite(name: str, value: Any) -> float:
    """A finite number as a float.

    Raises:
        InputError: anything else.
    """
    if not _is_number(value) or not np.isfinite(value):
        raise InputError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)
