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
