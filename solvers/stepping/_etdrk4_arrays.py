"""Steps of ETDRK4 on numpy arrays: no more passes over memory than they need, and nothing allocated on the way.

In one dimension all modes are worked on, those that are not kept with factors of 0: copies of the others would cost
more. In more dimensions only the kept ones are, which are less than half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opforge.core.pairs import PairedModes
from opforge.pdes.semilinear import SpectralForm

# Names of the factors, in the order in which `Steps` is given them.
FACTORS = ("whole", "half", "q", "twice_q", "f1", "f2", "f3")


class Steps:
    """Takes steps of a state's modes (pairs, components, *modes), in place; it serves one thread at a time.

    Args:
        form: the equation's.
        modes: which of them are kept.
        shape: (pairs, components) of the state.
        dtype: complex64 or complex128.
        factors: symbols of the `FACTORS` that multiply the state and N, (components, *modes).
        sources: what a constant source adds at half and at whole steps, (components, *modes); None without one.
    """

    def __init__(
        self,
        form: SpectralForm,
        modes: PairedModes,
        shape: tuple[int, int],
        dtype: np.dtype,
        factors: Sequence[np.ndarray],
        sources: Sequence[np.ndarray | None],
    ):
        self._form, self._modes, self._dtype = form, modes, np.dtype(dtype)
        self._whole = modes.ndim == 1
        space = modes.shape if self._whole else modes.modes
        self._transforms = modes.transforms((shape[0], shape[1] if form.inner is None else len(form.inner)), dtype)
        products = form.products or shape[1]
        self._back = modes.transforms((shape[0], products), dtype) if form.product is not None else self._transforms
        outer = form.outer
        self._mixes = not (outer is None or _one_each(outer))
        scale = np.asarray(1 / modes.size)
        alone = scale if outer is None else _diagonal(outer) * scale if not self._mixes else np.asarray(1.0)
        mixed = [
            x * alone if name in ("q", "twice_q", "f1", "f2", "f3") else x
            for name, x in zip(FACTORS, factors, strict=True)
        ]
        self._factors = {name: self._factor(x) for name, x in zip(FACTORS, mixed, strict=True)}
        self._sources = [None if x is None else self._expanded(x) for x in sources]
        self._inner = None if form.inner is None else _rows(form.inner, self._expanded)
        self._outer = _rows(outer * scale, self._expanded) if self._mixes and outer is not None else None
        full = (*shape, *space)
        self._half, self._stage, self._last, self._room = (np.empty(full, dtype) for _ in range(4))
        self._n = np.empty(full, dtype)

    def enter(self, modes: np.ndarray) -> np.ndarray:
        """Modes (pairs, components, *modes) in the layout that steps work on, in a new array."""
        if not self._whole:
            return modes.copy()
        out = np.zeros((*modes.shape[:-1], *self._modes.shape), modes.dtype)
        for kept, where in self._modes.quadrants:
            out[where] = modes[kept]
        return out

    def leave(self, state: np.ndarray) -> np.ndarray:
        """The modes (pairs, components, *modes) of a state in the layout that steps work on, in a new array."""
        if not self._whole:
            return state.copy()
        out = np.empty((*state.shape[:-1], *self._modes.modes), state.dtype)
        for kept, where in self._modes.quadrants:
            out[kept] = state[where]
        return out

    def step(self, u: np.ndarray) -> None:
        """One step of a state, in place.

        a = E₂ u + Q N(u);  b = E₂ u + Q N(a);  c = E₂ a + 2 Q N(b) − Q N(u);
        u ← E u + f₁ N(u) + 2 f₂ (N(a) + N(b)) + f₃ N(c).
        """
        if self._form.product is None:
            self._times("whole", u, u)
            _add(u, self._sources[1])
            return
        half, stage, last, room = self._half, self._stage, self._last, self._room
        n = self._rest(u)
        self._times("half", u, half)
        self._times("q", n, room)
        np.add(half, room, out=stage)
        _add(stage, self._sources[0])
        self._times("half", stage, last)
        last -= room
        self._times("whole", u, u)
        u += self._times("f1", n, room)
        n = self._rest(stage)
        np.add(half, self._times("q", n, room), out=stage)
        _add(stage, self._sources[0])
        u += self._times("f2", n, room)
        n = self._rest(stage)
        np.add(last, self._times("twice_q", n, room), out=stage)
        _add(stage, self._sources[0])
        u += self._times("f2", n, room)
        n = self._rest(stage)
        u += self._times("f3", n, room)
        _add(u, self._sources[1])

    def _rest(self, state: np.ndarray) -> np.ndarray:
        """N of a state but for factors of its own; what is given lies there until the next call."""
        assert self._form.product is not None
        source = self._transforms.padded
        if self._inner is None:
            self._put(state, source)
        else:
            self._put_rows(state, source)
        points = self._transforms.to_points()
        self._form.product(points, self._back.values)
        spectrum = self._back.to_modes()
        if self._outer is None:
            return spectrum if self._whole else self._taken(spectrum, self._n)
        return self._mixed(spectrum)

    def _put(self, state: np.ndarray, padded: np.ndarray) -> None:
        if self._whole:
            np.copyto(padded, state)
            return
        for kept, where in self._modes.quadrants:
            padded[where] = state[kept]

    def _put_rows(self, state: np.ndarray, padded: np.ndarray) -> None:
        """The fields that N needs, from the state's components, straight to where they are transformed."""
        assert self._inner is not None
        for i, row in enumerate(self._inner):
            for kept, where in [(..., ...)] if self._whole else self._modes.quadrants:
                target = padded[:, i][where]
                (j, entry), *others = row
                np.multiply(entry[kept], state[:, j][kept], out=target)
                for j, entry in others:
                    target += entry[kept] * state[:, j][kept]

    def _taken(self, spectrum: np.ndarray, out: np.ndarray) -> np.ndarray:
        for kept, where in self._modes.quadrants:
            out[kept] = spectrum[where]
        return out

    def _mixed(self, spectrum: np.ndarray) -> np.ndarray:
        assert self._outer is not None
        for i, row in enumerate(self._outer):
            for kept, where in [(..., ...)] if self._whole else self._modes.quadrants:
                target = self._n[:, i][kept]
                (j, entry), *others = row
                np.multiply(entry[kept], spectrum[:, j][where], out=target)
                for j, entry in others:
                    target += entry[kept] * spectrum[:, j][where]
        return self._n

    def _times(self, name: str, x: np.ndarray, out: np.ndarray) -> np.ndarray:
        factor = self._factors[name]
        if factor.dtype == x.dtype:
            return np.multiply(factor, x, out=out)
        np.multiply(factor, x.view(factor.dtype), out=out.view(factor.dtype))
        return out

    def _factor(self, symbol: np.ndarray) -> np.ndarray:
        """Real symbols have every entry twice: by then numpy is faster at the parts of the modes."""
        kept = (*np.broadcast_shapes(symbol.shape, (1, *self._modes.modes)),)
        full = self._expanded(np.broadcast_to(symbol, kept))
        return full if np.iscomplexobj(full) else np.ascontiguousarray(np.repeat(full, 2, axis=-1))

    def _expanded(self, symbol: np.ndarray) -> np.ndarray:
        """A symbol in the layout and the precision of the steps."""
        real = np.float32 if self._dtype == np.complex64 else np.float64
        kind = self._dtype if np.iscomplexobj(symbol) else real
        kept = (*symbol.shape[: -self._modes.ndim], *self._modes.modes)
        symbol = np.broadcast_to(symbol, kept)
        if not self._whole:
            return np.ascontiguousarray(symbol, dtype=kind)
        out = np.zeros((*kept[:-1], *self._modes.shape), kind)
        for at, where in self._modes.quadrants:
            out[where] = symbol[at]
        return out


def _rows(matrix: np.ndarray, expanded: Any) -> list[list[tuple[int, np.ndarray]]]:
    """For every row of a matrix of symbols its entries that are not 0, with their columns.

    Raises:
        ValueError: a row without any.
    """
    rows = [[(j, expanded(entry)) for j, entry in enumerate(row) if np.any(entry)] for row in matrix]
    if not all(rows):
        raise ValueError("a field that an equation's products are made of is always 0")
    return rows


def _one_each(outer: np.ndarray) -> bool:
    """Whether every component takes its own product alone."""
    return outer.shape[0] == outer.shape[1] and not any(
        np.any(outer[i, j]) for i in range(len(outer)) for j in range(len(outer)) if i != j
    )


def _diagonal(outer: np.ndarray) -> np.ndarray:
    return np.stack([outer[i, i] for i in range(len(outer))])


def _add(x: np.ndarray, more: np.ndarray | None) -> None:
    if more is not None:
        x += more
