"""How fast the nonlinear part of an equation acts on small waves, its coefficients frozen where they are extreme."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.core.pairs import PairedModes
from opforge.pdes._arrays import detached
from opforge.pdes._constants import ModeMatrix
from opforge.pdes.semilinear import SpectralForm

# Modes that are looked at: all up to this many, else as many, spread evenly from the longest to the shortest.
_MOST_MODES = 1024

# Of a field's largest value: how far products are taken to either side to find their slopes.
_ASIDE = 1e-3


class FrozenRates:
    """û_t = (L + M) û for small waves û on a state, of a form û_t = L û + O F[p(F⁻¹[I û])], with M = O p' I.

    p' is that of the state at a point, as if it were the same everywhere: for u u_x, M is −i k u, for a reaction its
    Jacobian. The points are those where some entry of p' is greatest or least, or all together are, over all samples.

    Args:
        form: the equation's; it has a product.
        paired: the modes that are kept.

    Attributes:
        linear: L of some modes, (components, modes).

    Example:
        >>> from opforge.core import Grid
        >>> from opforge.pdes import Burgers
        >>> grid = Grid.cube(1, 32, points="periodic")
        >>> rates = FrozenRates(Burgers().form(grid), Burgers().paired(grid))
        >>> float((rates(np.full((1, 1, 32), 0.5)).imag.min() / np.pi).round(6))  # −k u, the highest mode is 2π · 10
        -10.0
    """

    def __init__(self, form: SpectralForm, paired: PairedModes):
        assert form.product is not None
        self._product, self._paired = form.product, paired
        self._fields_of = None if form.inner is None else ModeMatrix(form.inner)
        chosen = _spread(paired.highest)
        every = tuple(2 * k + 1 for k in paired.highest)
        self.linear = _of_modes(form.linear, every, chosen)
        one = np.eye(len(self.linear))[..., None]
        self._inner = one if form.inner is None else _of_modes(form.inner, every, chosen)
        self._outer = one if form.outer is None else _of_modes(form.outer, every, chosen)

    def __call__(self, state: Any) -> np.ndarray:
        """M at some points of a state (samples, components, *space): (points, components, components, modes).

        The state is numpy's or torch's, M is numpy's, float64 or complex128.
        """
        slopes = self._slopes(self._where_extreme(state))
        return np.einsum("iqm,xqf,fjm->xijm", self._outer, slopes, self._inner)

    def _where_extreme(self, state: Any) -> np.ndarray:
        """The fields at the points where their products' slopes are extreme: (points, fields)."""
        with _no_gradients(state):
            modes = self._paired.of_fields(state)
            fields = self._paired.points(modes if self._fields_of is None else self._fields_of(modes))
            fields = fields.clone() if is_torch(fields) else fields.copy()
            found, squares = set(), 0 * fields[:, 0]
            for i in range(fields.shape[1]):
                slopes = self._slope(fields, i)
                squares += (slopes * slopes).sum(1)
                for q in range(slopes.shape[1]):
                    found |= {int(slopes[:, q].argmax()), int(slopes[:, q].argmin())}
            found.add(int(squares.argmax()))
            by_point = [fields[:, i].reshape(-1)[sorted(found)] for i in range(fields.shape[1])]
        return np.stack([detached(values) for values in by_point], -1).astype(np.float64)

    def _slope(self, fields: Any, i: int) -> Any:
        """∂p/∂(field i) of fields (..., fields, *space, pair), by a central difference: exact for degrees up to 2."""
        aside = _ASIDE * (float(abs(fields[:, i]).max()) or 1.0)
        before, after = (fields.clone() if is_torch(fields) else fields.copy() for _ in range(2))
        before[:, i] -= aside
        after[:, i] += aside
        return (self._product(after, None) - self._product(before, None)) / (2 * aside)

    def _slopes(self, values: np.ndarray) -> np.ndarray:
        """p' of fields (points, fields): (points, products, fields)."""
        fields = values.reshape(*values.shape, *(1,) * (self._paired.ndim + 1))
        return np.stack([self._slope(fields, i).reshape(len(values), -1) for i in range(values.shape[1])], -1)


def _spread(highest: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Indices of some modes among the kept ones, to be used together; with every one its complex conjugate is there."""
    ndim = len(highest)
    per_axis = round((_MOST_MODES / 2 ** (ndim - 1)) ** (1 / ndim))
    axes = []
    for axis, k in enumerate(highest):
        some = np.unique(np.linspace(0, k, min(k + 1, per_axis)).round().astype(int))
        below = 2 * k + 1 - some[some > 0] if axis < ndim - 1 else some[:0]  # of the last axis the others say the same
        axes.append(np.concatenate([some, below]))
    return np.ix_(*axes)


def _of_modes(symbol: np.ndarray, every: tuple[int, ...], chosen: tuple[np.ndarray, ...]) -> np.ndarray:
    """A symbol (..., *modes) of the chosen modes, (..., modes)."""
    leading = symbol.shape[: symbol.ndim - len(every)]
    return np.broadcast_to(symbol, (*leading, *every))[(..., *chosen)].reshape(*leading, -1)


def _no_gradients(state: Any) -> Any:
    if not is_torch(state):
        return nullcontext()
    import torch

    return torch.no_grad()
