"""Numbers that steps need again and again: each is brought to a device and a precision once."""

from __future__ import annotations

from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.pdes._arrays import like, stack


class Constant:
    """A numpy array whose tensors are kept, one for each precision and device that asked for it.

    Args:
        values: of float64 or complex128.

    Example:
        >>> import torch
        >>> third = Constant(np.array([1 / 3]))
        >>> third.like(torch.ones(2)) is third.like(torch.zeros(5))
        True
    """

    def __init__(self, values: np.ndarray):
        self.values = values
        self._tensors: dict[Any, Any] = {}

    def like(self, x: Any) -> Any:
        """The values as `opforge.pdes._arrays.like` gives them: of the kind, precision and device of ``x``."""
        if not is_torch(x):
            return like(x, self.values)
        key = (x.dtype.is_complex, x.dtype.itemsize, x.device)
        if key not in self._tensors:
            self._tensors[key] = like(x, self.values)
        return self._tensors[key]


class ModeMatrix:
    """M for every mode: products with the entries that are not 0, in as few passes as there can be.

    Args:
        matrix: (rows, columns, *modes), float64 or complex128; modes may have length 1.

    Example:
        >>> swap = ModeMatrix(np.array([[[0.0], [1.0]], [[1.0], [0.0]]]))
        >>> swap(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()  # components, modes
        [[3.0, 4.0], [1.0, 2.0]]
    """

    def __init__(self, matrix: np.ndarray):
        self._ndim = matrix.ndim - 2
        self._column = Constant(matrix[:, 0]) if matrix.shape[1] == 1 else None
        self._rows = [
            [(j, Constant(entry)) for j, entry in enumerate(row) if np.any(entry)] or [(0, Constant(0 * row[0]))]
            for row in matrix
        ]

    def __call__(self, modes: Any) -> Any:
        """Σ_j M[i, j] x[..., j] for x (..., columns, *modes)."""
        if self._column is not None:
            return self._column.like(modes) * modes
        space = (slice(None),) * self._ndim
        rows = []
        for (first, factor), *others in self._rows:
            total = factor.like(modes) * modes[(..., first, *space)]
            for j, entry in others:
                total = total + entry.like(modes) * modes[(..., j, *space)]
            rows.append(total)
        return stack(rows, -self._ndim - 1) if len(rows) > 1 else rows[0][(..., None, *space)]
