"""Long convolutions of whole rows by complex transforms of the signal's own length.

With ω = exp(iπ/2L), the transform of x[n] ω^n evaluates the polynomial Σ x[n] z^n where z^L = i, for z has there the
values ω exp(−2πi f/L). Products of such values belong to products of polynomials modulo z^L = i: a term of degree
n + L comes back at the place n, times i. The product of two real polynomials of degree below L therefore fits into L
complex numbers without an overlap, real parts the places 0 … L − 1 and imaginary parts the places L … 2L − 1, and what
would have been padded to 2L real points takes a complex transform of L points and no padding.

A tap of negative lag m stands at the place 2L + m times −1, as z^2L = −1.

Source: the right-angle circular convolution, Nussbaumer, Fast Fourier Transform and Convolution Algorithms, chapter 6.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from opforge.core.long_conv._chunks import Chunk, array, good_length, levels, turns
from opforge.core.long_conv._passage import Passage
from opforge.core.long_conv._problem import Problem
from opforge.core.long_conv._spread import Spread


@lru_cache(maxsize=32)
def _twist(length: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ω^n, itself and its conjugate divided by the length, laid out by `levels`."""
    twist = turns(np.arange(length), 4 * length).reshape(levels(length))
    return twist.astype(dtype), (twist / length).astype(dtype), (twist.conj() / length).astype(dtype)


class Twisted(Passage):
    """For one `Problem`."""

    @staticmethod
    def why_not(problem: Problem) -> str:
        return "it works along one axis" if problem.ndim > 1 else ""

    def __init__(self, problem: Problem, dtype: np.dtype):
        super().__init__(problem, dtype, good_length(problem.points[0]))
        self.ahead = min(max(0, -self.first), self.taps)  # taps of negative lags
        self.spread = Spread(problem, dtype) if problem.periodic or problem.modes is not None else None
        self.twist, self.scaled, self.back = _twist(self.length, self.complex)
        self.pairs = self.twist.view(dtype)

    def load(self, x: np.ndarray, c: Chunk) -> None:
        np.multiply(self._split(x), self.twist, out=c.points.reshape(*x.shape[:-1], *self.twist.shape))

    def store(self, c: Chunk, out: np.ndarray) -> None:
        pairs = c.points.view(self.real)
        np.multiply(pairs, self.pairs, out=pairs)
        parts = c.points.reshape(*out.shape[:-1], *self.twist.shape)
        if self.points == self.length:
            np.add(parts.real, parts.imag, out=out.reshape(parts.shape))
        else:
            whole = array("whole", (*out.shape[:-1], self.length), self.real)
            np.add(parts.real, parts.imag, out=whole.reshape(parts.shape))
            np.copyto(out, whole[..., : self.points])

    def load_kernel(self, k: np.ndarray, c: Chunk) -> None:
        z = array("kernel", (len(k), self.length), self.complex)
        z.view(self.real)[...] = 0
        if self.spread is None:
            behind, ahead = k[:, self.ahead :], k[:, : self.ahead]
        else:
            behind, ahead = self.spread.forward(k)
        behind_places, ahead_places = self._places(z)
        behind_places[...] = behind
        np.negative(ahead, out=ahead_places)
        np.multiply(z.reshape(c.points.shape), self.scaled, out=c.points)

    def store_kernel(self, c: Chunk, out: np.ndarray) -> None:
        z = array("kernel", (len(out), self.length), self.complex)
        np.multiply(c.points, self.back, out=z.reshape(c.points.shape))
        behind, minus_ahead = self._places(z)
        if self.spread is None:
            out[:, self.ahead :] = behind
            np.negative(minus_ahead, out=out[:, : self.ahead])
        else:
            self.spread.transposed(behind, minus_ahead, out)

    def _places(self, z: Any) -> tuple[np.ndarray, np.ndarray]:
        """Where the taps of lags from 0 on stand, and those of negative lags with the sign turned."""
        if self.spread is None:
            first, ahead, taps = self.first, self.ahead, self.taps
        else:
            first, ahead, taps = 1 - self.points, self.points - 1, 2 * self.points - 1
        start = self.length + first
        return z.real[:, first + ahead : first + taps], z.imag[:, start : start + ahead]

    def _split(self, x: np.ndarray) -> np.ndarray:
        """Rows (…, points) as (…, L₁, L₂), padded with zeros up to the length."""
        if self.points != self.length:
            padded = array("padded", (*x.shape[:-1], self.length), self.real)
            padded[..., : self.points] = x
            padded[..., self.points :] = 0
            x = padded
        return x.reshape(*x.shape[:-1], *self.twist.shape)
