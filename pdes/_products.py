"""What is done point by point in several equations, for numpy written to ``out`` where it is given."""

from __future__ import annotations

from typing import Any

from opforge.pdes._arrays import multiply


def square(u: Any, out: Any = None) -> Any:
    """u² of every field."""
    return multiply(u, u, out)


def cube(u: Any, out: Any = None) -> Any:
    """u³ of every field."""
    return multiply(u * u, u, out)
