"""Steps of ETDRK4 on numpy arrays: no more passes over memory than they need, and nothing allocated on the way.

Of the last axis all modes are worked on, those that are not kept with factors of 0: copies of parts of rows would cost
more. Of the other axes only the kept ones are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakMethod

import numpy as np

from opforge.core.pairs import PairedModes
from opforge.pdes.semilinear import SpectralForm

# Names of the factors, in the order in which `Steps` is given them: E₂, E, Q, Q (E₂ − 1), 2 Q, f₁, 2 f₂, f₃. The first
# two multiply the state, the others N.
FACTORS = ("half", "whole", "q", "q_later", "twice_q", "f1", "f2", "f3")

# Bytes of a state up to which factors are kept for every pair: to take one factor for all of them costs numpy a call of
# its inner loop for each.
_SMALL = 2**19


class Steps:
    """Takes steps of a state's modes (pairs, components, *modes); it serves one thread at a time.

    Args:
        form: the equation's.
        modes: which of them are kept.
        shape: (pairs, components) of the state.
        dtype: complex64 or complex128.
        factors: symbols of the `FACTORS` that multiply the state and N, ([pairs,] components, *modes).
        sources: what a constant source adds to a and b, to c, and to u, likewise; None without one.
        compiled: whether passes over the modes are compiled.
    """

    def __init__(
        self,
        form: SpectralForm,
        modes: PairedModes,
        shape: tuple[int, int],
        dtype: np.dtype,
        factors: Sequence[np.ndarray],
        sources: Sequence[np.ndarray | None],
        *,
        compiled: bool = False,
    ):
        self._form, self._modes, self._dtype = form, modes, np.dtype(dtype)
        space = (*modes.modes[:-1], modes.shape[-1])
        # where modes stand among the kept ones and in this layout, and where in this layout and among all
        self._places = [(kept, (*kept[:-1], where[-1])) for kept, where in modes.quadrants]
        rows = slice(None)
        self._slabs = [
            ((*kept[:-1], rows), (*where[:-1], rows)) for kept, where in modes.quadrants if not where[-1].start
        ]
        self._transforms = modes.transforms((shape[0], shape[1] if form.inner is None else len(form.inner)), dtype)
        products = form.products or shape[1]
        self._back = modes.transforms((shape[0], products), dtype) if form.product is not None else self._transforms
        outer = form.outer
        self._mixes = not (outer is None or _one_each(outer))
        scale = np.asarray(1 / modes.size)
        alone = scale if outer is None else _diagonal(outer) * scale if not self._mixes else np.asarray(1.0)
        full = (*shape, *space)
        mixed = [x if i < 2 else x * alone for i, x in enumerate(factors)]
        if compiled:
            from opforge.solvers.stepping import _compiled
        self._compiled = _compiled if compiled else None
        self._factors = {name: self._factor(x, full) for name, x in zip(FACTORS, mixed, strict=True)}
        self._sources = [None if x is None else self._expanded(x) for x in sources]
        self._inner = None if form.inner is None else self._prepared(form.inner)
        self._outer = self._prepared(outer * scale) if self._mixes and outer is not None else None
        # a stage is put together where it is transformed, if it is transformed as it is
        direct = modes.ndim == 1 and self._inner is None
        self._stage = self._transforms.padded if direct else np.empty(full, dtype)
        own = self._outer is not None or modes.ndim > 1
        self._n = np.empty(full, dtype) if own else self._back.modes
        self._u = np.zeros(full, dtype)
        if form.product is None:
            self._program = self._linear()
        else:
            self._program = self._compiled_stages() if compiled else self._stages()

    def run(self, modes: np.ndarray, steps: int) -> np.ndarray:
        """So many steps from modes (pairs, components, *modes): those after them, in a new array."""
        self._u.fill(0)  # a run that blew up leaves NaN where no modes are kept: infinity times 0
        for kept, where in self._places:
            self._u[where] = modes[kept]
        for _ in range(steps):
            for work, *arrays in self._program:
                work(*arrays)
        out = np.empty_like(modes)
        for kept, where in self._places:
            out[kept] = self._u[where]
        return out

    def _linear(self) -> list[tuple[Any, ...]]:
        """What a step of a linear equation does, one call after the other."""
        return [self._times("whole", self._u, self._u), *self._plus(self._u, 2)]

    def _stages(self) -> list[tuple[Any, ...]]:
        """What a step does, one call after the other.

        a = E₂ u + Q N(u);  b = E₂ u + Q N(a);  c = E u + Q (E₂ − 1) N(u) + 2 Q N(b), for E = E₂²;
        u ← E u + f₁ N(u) + 2 f₂ (N(a) + N(b)) + f₃ N(c).
        """
        u, n, stage, times, plus = self._u, self._n, self._stage, self._times, self._plus
        rest = _weakly(self._rest)
        half, last, room, kept = (np.empty_like(u) for _ in range(4))
        return [
            (np.copyto, stage, u),
            (rest,),
            times("half", u, half),
            times("whole", u, u),
            *plus(half, 0),
            times("q", n, room),
            (np.add, half, room, stage),
            times("q_later", n, room),
            (np.add, u, room, last),
            *plus(last, 1),
            times("f1", n, room),
            (np.add, u, room, u),
            (rest,),
            times("q", n, room),
            (np.copyto, kept, n),
            (np.add, half, room, stage),
            (rest,),
            times("twice_q", n, room),
            (np.add, last, room, stage),
            (np.add, kept, n, kept),
            times("f2", kept, room),
            (np.add, u, room, u),
            (rest,),
            times("f3", n, room),
            (np.add, u, room, u),
            *plus(u, 2),
        ]

    def _compiled_stages(self) -> list[tuple[Any, ...]]:
        """What `_stages` does, with a pass over the modes for each of the four."""
        u, n, stage, plus = self._u, self._n, self._stage, self._plus
        rest = _weakly(self._rest)
        half, last, kept = (np.empty_like(u) for _ in range(3))
        flat_u, flat_n, flat_stage, flat_half, flat_last, flat_kept = (
            x.reshape(len(u), -1) for x in (u, n, stage, half, last, kept)
        )
        passes: Any = self._compiled
        f = {name: x.reshape(-1, flat_u.shape[1]) for name, x in self._factors.items()}
        return [
            (np.copyto, stage, u),
            (rest,),
            (
                *(passes.first, flat_u, flat_n, f["half"], f["whole"], f["q"], f["q_later"], f["f1"]),
                *(flat_half, flat_stage, flat_last),
            ),
            *plus(half, 0),
            *plus(stage, 0),
            *plus(last, 1),
            (rest,),
            (passes.second, flat_n, f["q"], flat_half, flat_stage, flat_kept),
            (rest,),
            (passes.third, flat_n, f["twice_q"], f["f2"], flat_last, flat_kept, flat_stage, flat_u),
            (rest,),
            (passes.fourth, flat_n, f["f3"], flat_u),
            *plus(u, 2),
        ]

    def _times(self, name: str, x: np.ndarray, out: np.ndarray) -> tuple[Any, ...]:
        factor = self._factors[name]
        if factor.dtype == x.dtype:
            return np.multiply, factor, x, out
        return np.multiply, factor, x.view(factor.dtype), out.view(factor.dtype)

    def _plus(self, x: np.ndarray, source: int) -> list[tuple[Any, ...]]:
        """What adds a source, if there is one."""
        more = self._sources[source]
        return [] if more is None else [(np.add, x, more, x)]

    def _rest(self) -> None:
        """From the stage to N, but for factors of its own."""
        assert self._form.product is not None
        padded = self._transforms.padded
        if self._inner is not None:
            self._combine(self._inner, self._stage, padded, put=True)
        elif self._stage is not padded:
            for here, where in self._slabs:
                padded[where] = self._stage[here]
        self._form.product(self._transforms.to_points(), self._back.values)
        spectrum = self._back.to_modes()
        if self._outer is not None:
            self._combine(self._outer, spectrum, self._n, put=False)
        elif self._n is not spectrum:
            for here, where in self._slabs:
                self._n[here] = spectrum[where]

    def _prepared(self, matrix: np.ndarray) -> Any:
        """A matrix of symbols as `_combine` takes it."""
        if not self._compiled:
            return _rows(matrix, self._symbol)
        symbols = self._expanded(matrix)
        return np.ascontiguousarray(symbols.reshape(*symbols.shape[:2], -1, symbols.shape[-1]))

    def _combine_compiled(self, symbols: np.ndarray, source: np.ndarray, target: np.ndarray, *, put: bool) -> None:
        passes: Any = self._compiled
        among_all = passes.rows_kept(self._modes.shape, self._modes.highest)
        own = np.arange(len(among_all))
        there, here = (own, among_all) if put else (among_all, own)
        if put:
            target = self._transforms.padded_rows
        else:
            source = self._back.modes_rows
        flat = (x.reshape(*x.shape[:2], -1, x.shape[-1]) for x in (source, target))
        passes.combine(symbols, *flat, there, here)

    def _combine(self, rows: Any, source: np.ndarray, target: np.ndarray, *, put: bool) -> None:
        """Fields (pairs, rows, …) that are sums of others times symbols, between this layout and all modes.

        Args:
            rows: for every field what it is the sum of; from `_prepared`.
            source: what the columns are of.
            target: where the fields are put.
            put: whether ``target`` has all modes, and ``source`` this layout; or else the other way round.
        """
        if self._compiled:
            self._combine_compiled(rows, source, target, put=put)
            return
        for i, row in enumerate(rows):
            for here, where in self._slabs:
                to, of = (where, here) if put else (here, where)
                out = target[:, i][to]
                for number, (j, factor) in enumerate(row):
                    x = source[:, j][of]
                    entry = factor[here]
                    if number:
                        out += entry * x if entry.dtype == x.dtype else (entry * x.view(entry.dtype)).view(x.dtype)
                    elif entry.dtype == x.dtype:
                        np.multiply(entry, x, out)
                    else:  # a real symbol, every entry twice
                        np.multiply(entry, x.view(entry.dtype), out.view(entry.dtype))

    def _factor(self, symbol: np.ndarray, full: tuple[int, ...]) -> np.ndarray:
        """A symbol for states of the shape ``full``."""
        found = self._expanded(symbol)
        own = found.ndim == len(full)
        if self._compiled and self._form.product is not None:
            return np.ascontiguousarray(np.broadcast_to(found, full if own else full[1:]))
        small = own or np.prod(full) * self._dtype.itemsize <= _SMALL
        found = np.broadcast_to(found, full if small else (*full[1:],))
        return np.ascontiguousarray(_twice(found))

    def _symbol(self, symbol: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(_twice(self._expanded(symbol)))

    def _expanded(self, symbol: np.ndarray) -> np.ndarray:
        """A symbol in the layout and the precision of the steps."""
        real = np.float32 if self._dtype == np.complex64 else np.float64
        kind = self._dtype if np.iscomplexobj(symbol) else real
        kept = (*symbol.shape[: -self._modes.ndim], *self._modes.modes)
        symbol = np.broadcast_to(symbol, kept)
        out = np.zeros((*kept[:-1], self._modes.shape[-1]), kind)
        for at, where in self._places:
            out[where] = symbol[at]
        return out


# A column, and the symbol that multiplies it.
_Term = tuple[int, np.ndarray]


def _rows(matrix: np.ndarray, expanded: Any) -> list[list[_Term]]:
    """For every row of a matrix of symbols its entries that are not 0, with their columns; of 0 alone the first one."""
    rows = [[(j, expanded(entry)) for j, entry in enumerate(row) if np.any(entry)] for row in matrix]
    return [found or [(0, expanded(row[0]))] for found, row in zip(rows, matrix, strict=True)]


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """A method for a list that its object holds: else both would stay until somebody looks for such cycles."""
    reference = WeakMethod(method)

    def call() -> None:
        found = reference()
        assert found is not None
        found()

    return call


def _twice(symbol: np.ndarray) -> np.ndarray:
    """Real symbols with every entry twice: numpy is faster at the parts of modes than at modes times real numbers."""
    return symbol if np.iscomplexobj(symbol) else np.repeat(symbol, 2, axis=-1)


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
