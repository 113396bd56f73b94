"""Numbers that users give."""

from __future__ import annotations

import operator
from typing import Any

from opforge.errors import InputError


def whole_number(name: str, value: Any, least: int) -> int:
    """``value`` as an int of at least ``least`` that fits 63 bits.

    Raises:
        InputError: it is none.
    """
    try:
        number = operator.index(value)
    except TypeError as error:
        raise InputError(f"{name} must be an integer, got {value!r}") from error
    if not least <= number < 2**63:
        raise InputError(f"{name} must lie between {least} and 2**63 - 1, got {value!r}")
    return number


def numbers(name: str, values: Any, count: int) -> tuple[float, ...]:
    """So many numbers as floats.

    Raises:
        InputError: anything else.

    Example:
        >>> numbers("widths", [1, 2.5], 2)
        (1.0, 2.5)
    """
    try:
        given = tuple(values)
        found = tuple(float(value) for value in given if not isinstance(value, str | bytes | bool))
    except (TypeError, ValueError, OverflowError):
        given, found = (), ()
    if len(found) != count or len(given) != count:
        wanted = "a number" if count == 1 else f"{count} numbers"
        raise InputError(f"{name} must be {wanted}, got {(values[0] if count == 1 else values)!r}")
    return found
