"""Long convolutions through FFTW on the CPU, a cache full of rows at a time, gates and derivatives included.

A call reads the signal once and writes the result once; all else happens in scratch memory. The backward pass
transforms the signal again rather than to keep its spectrum, which is twice as large and would have to come from
main memory; of few modes a spectrum is small, and is kept.

The signal's gradient is the correlation with the kernel, the kernel's the correlation of the signal with the result's
gradient: both come from the conjugates of the same spectra.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from opforge.core.long_conv._chunks import Chunk, array
from opforge.core.long_conv._passage import Passage
from opforge.core.long_conv._threads import share

_CHUNK = 2**20  # bytes: the second-level cache of a core
_PIECES = 4  # at least, where there are as many rows: for threads to share
_BUFFER = 1024  # numbers, for numpy

Array = np.ndarray
Maybe = np.ndarray | None


@dataclass(frozen=True)
class Piece:
    """Some channels of some samples: what one thread does at a time."""

    part: int
    channels: slice
    batches: tuple[slice, ...]


def pieces(passage: Passage, batch: int, channels: int) -> list[Piece]:
    """The work, cut so that a chunk of one piece fits the cache; ``part`` counts cuts of the batch."""
    rows = max(1, _CHUNK // (passage.rows * passage.length * passage.complex.itemsize))
    width = max(1, min(rows // batch, -(-channels // _PIECES)))
    height = max(1, min(batch, rows // width))
    groups = -(-channels // width)
    parts = min(-(-batch // height), max(1, _PIECES // groups))
    per_part = -(-batch // (parts * height)) * height
    found = []
    for part, start in enumerate(range(0, batch, per_part)):
        stop = min(batch, start + per_part)
        batches = tuple(slice(b, min(b + height, stop)) for b in range(start, stop, height))
        found += [Piece(part, slice(c, min(c + width, channels)), batches) for c in range(0, channels, width)]
    return found


def forward(
    passage: Passage, u: Array, k: Array, gate_in: Maybe, gate_out: Maybe, y: Array, kept: Maybe = None
) -> None:
    """y = gate_out · (k conv (gate_in · u)) for (batch, channels, points).

    ``kept`` (batch, channels, modes) receives the gated signal's modes, of a passage that has few.
    """

    @_in_place
    def work(piece: Piece) -> None:
        spectrum = _kernel_modes(passage, k[piece.channels])
        for batch in piece.batches:
            here = batch, piece.channels
            c, modes = _loaded(passage, "signal", passage.load, u[here], _at(gate_in, here))
            if kept is not None:
                np.copyto(kept[here], modes[:, :, 0])
            np.multiply(modes, spectrum, out=modes)
            _transform_back(passage, modes, c)
            passage.store(c, y[here])
            if gate_out is not None:
                np.multiply(y[here], gate_out[here], out=y[here])

    share(work, pieces(passage, *u.shape[:2]))


@dataclass(frozen=True)
class Gradients:
    """Room for what `backward` shall compute; None for what is not asked for."""

    u: Maybe = None
    k: Maybe = None
    gate_in: Maybe = None
    gate_out: Maybe = None


def backward(
    passage: Passage,
    g: Array,
    u: Array,
    k: Array,
    gate_in: Maybe,
    gate_out: Maybe,
    into: Gradients,
    kept: Maybe = None,
) -> None:
    """The gradients of Σ g·y, y and ``kept`` being those of `forward`; ``into.k`` is (parts, channels, taps)."""
    wants_signal = into.u is not None or into.gate_in is not None

    @_in_place
    def work(piece: Piece) -> None:
        if wants_signal or into.gate_out is not None:
            spectrum = _kernel_modes(passage, k[piece.channels])
            conjugate = np.conjugate(spectrum, out=array("conjugate", spectrum.shape, passage.complex))
        total = None
        for batch in piece.batches:
            here = batch, piece.channels
            if into.k is not None or into.gate_out is not None:
                if kept is None:
                    _, modes = _loaded(passage, "signal", passage.load, u[here], _at(gate_in, here))
                else:
                    modes = array("kept", kept[here].shape, passage.complex)
                    np.copyto(modes, kept[here])
                    modes = modes[:, :, None]
                if into.gate_out is not None:
                    product = array("product", modes.shape, passage.complex)
                    np.multiply(modes, spectrum, out=product)
                    _gate_gradient(passage, product, g[here], into.gate_out[here])
            by_c, by_modes = _loaded(passage, "gradient", passage.load_result, g[here], _at(gate_out, here))
            if into.k is not None:
                np.conjugate(modes, out=modes)
                np.multiply(modes, by_modes, out=modes)
                total = _sum(modes, total)
            if wants_signal:
                np.multiply(by_modes, conjugate, out=by_modes)
                _transform_back(passage, by_modes, by_c)
                _signal_gradients(
                    passage, by_c, u[here], _at(gate_in, here), _at(into.u, here), _at(into.gate_in, here)
                )
        if into.k is not None and total is not None:
            c = passage.chunk("kernel", len(total))
            _transform_back(passage, total, c)
            passage.store_kernel(c, into.k[piece.part, piece.channels])

    share(work, pieces(passage, *u.shape[:2]))


def _in_place(work: Callable[[Piece], None]) -> Callable[[Piece], None]:
    """``work`` with numpy set up for it, in whatever thread it runs."""

    def wrapped(piece: Piece) -> None:
        with np.errstate(all="ignore"):  # NaN and infinity pass through without a word, as in torch
            # With its usual buffer numpy copies rows that it could work on where they are, at three times the cost.
            np.setbufsize(_BUFFER)  # until the end of the with block
            work(piece)

    return wrapped


def _kernel_modes(passage: Passage, k: Array) -> Array:
    """(channels, 1, …), divided by the length."""
    c = passage.chunk("kernel", len(k))
    passage.load_kernel(k, c)
    c.forward()
    return passage.modes(c)[:, None]


def _loaded(
    passage: Passage, use: str, load: Callable[[Array, Chunk], None], x: Array, gate: Maybe
) -> tuple[Chunk, Array]:
    """The chunk of gated rows, and their modes (batch, channels, rows of the chunk per row, …)."""
    if gate is not None:
        x = np.multiply(x, gate, out=array("gated", x.shape, passage.real))
    c = passage.chunk(use, x.shape[0] * x.shape[1] * passage.rows)
    load(x, c)
    c.forward()
    modes = passage.modes(c)
    return c, modes.reshape(*x.shape[:2], passage.rows, *modes.shape[1:])


def _transform_back(passage: Passage, modes: Array, c: Chunk) -> None:
    passage.put(modes, c)
    c.backward()


def _sum(products: Array, total: Array | None) -> Array:
    """Sum (batch, channels, parts, …) over all but channels; on top of ``total`` if there is one."""
    if total is None:
        total = array("total", (products.shape[1], *products.shape[3:]), products.dtype)
        return np.sum(products, axis=(0, 2), out=total)
    if products.shape[0] * products.shape[2] > 2:
        return np.add(total, products.sum(axis=(0, 2)), out=total)
    for row in products:  # `sum` would copy them first
        for part in range(row.shape[1]):
            np.add(total, row[:, part], out=total)
    return total


def _gate_gradient(passage: Passage, modes: Array, g: Array, out: Array) -> None:
    """``out`` = ``g`` times the result before it is gated, from its modes."""
    c = passage.chunk("product", modes.shape[0] * modes.shape[1] * passage.rows)
    _transform_back(passage, modes, c)
    passage.store(c, out)
    np.multiply(out, g, out=out)


def _signal_gradients(passage: Passage, w: Chunk, u: Array, gate: Maybe, into_u: Maybe, into_gate: Maybe) -> None:
    """The gradients of the signal and of its gate, from that of their product in ``w.points``."""
    if into_gate is None and into_u is not None:
        passage.store_adjoint(w, into_u)
        if gate is not None:
            np.multiply(into_u, gate, out=into_u)
        return
    gated = array("gated", u.shape, passage.real)
    passage.store_adjoint(w, gated)
    if into_u is not None and gate is not None:
        np.multiply(gated, gate, out=into_u)
    if into_gate is not None:
        np.multiply(gated, u, out=into_gate)


def _at(x: Maybe, here: tuple[slice, slice]) -> Maybe:
    return None if x is None else x[here]
