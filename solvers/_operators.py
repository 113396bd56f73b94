"""Functions of vectors as scipy's operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


def symmetric_operator(size: int, product: Callable[[Any], Any], dtype: Any = "float64") -> LinearOperator:
    """A symmetric matrix (size, size) that is known by its product with vectors.

    Example:
        >>> import numpy as np
        >>> (symmetric_operator(2, lambda u: 2 * u) @ np.ones(2)).tolist()
        [2.0, 2.0]
    """
    from scipy.sparse.linalg import LinearOperator

    # scipy's stubs know the arguments of a subclass alone, which `__new__` makes of these
    return LinearOperator((size, size), matvec=product, rmatvec=product, dtype=dtype)  # type: ignore[call-arg]
