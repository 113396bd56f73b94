"""Between rows of signals, kernels and results on one side and chunks on the other: what every such passage does."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from opforge.core.long_conv._chunks import Chunk, chunk
from opforge.core.long_conv._problem import Problem


class Passage(ABC):
    """For one `Problem` of one axis.

    A convolution loads a signal and a kernel into chunks, transforms both, multiplies what `modes` shows of them,
    puts that back, transforms it back and stores the result. The kernel is divided by the length, since going there
    and back multiplies with it.

    Args:
        problem: what is computed.
        dtype: of the signals.
        length: of the transforms.
        rows: of a chunk, per row of a signal.
    """

    gap = True  # whether chunks may have gaps

    def __init__(self, problem: Problem, dtype: np.dtype, length: int, rows: int = 1):
        (self.points,), (self.taps,), (self.first,) = problem.points, problem.taps, problem.first
        self.length, self.rows = length, rows
        self.real, self.complex = dtype, np.result_type(dtype, np.complex64)

    def chunk(self, use: str, rows: int) -> Chunk:
        """This thread's chunk for that use."""
        return chunk(use, rows, self.length, self.complex, self.gap)

    def modes(self, c: Chunk) -> np.ndarray:
        """(rows, …), the transformed numbers that the result depends on: a copy, or ``c.modes`` themselves."""
        return c.modes

    def put(self, modes: np.ndarray, c: Chunk) -> None:
        """Put such numbers where `modes` shows them, destroying them, and zeros elsewhere."""
        if not np.may_share_memory(modes, c.modes):
            c.modes[...] = modes.reshape(c.modes.shape)

    @abstractmethod
    def load(self, x: np.ndarray, c: Chunk) -> None:
        """Put rows (…, points) of a signal into ``c.points``."""

    def load_result(self, x: np.ndarray, c: Chunk) -> None:
        """Put rows (…, points) of what belongs to the result into ``c.points``."""
        self.load(x, c)

    @abstractmethod
    def store(self, c: Chunk, out: np.ndarray) -> None:
        """Take rows (…, points) of the result from ``c.points``, destroying them."""

    def store_adjoint(self, c: Chunk, out: np.ndarray) -> None:
        """Take rows (…, points) of what belongs to the signal from ``c.points``, destroying them."""
        self.store(c, out)

    @abstractmethod
    def load_kernel(self, k: np.ndarray, c: Chunk) -> None:
        """Put kernels (rows, taps), divided by the length, into ``c.points``."""

    @abstractmethod
    def store_kernel(self, c: Chunk, out: np.ndarray) -> None:
        """Take kernels (rows, taps), divided by the length, from ``c.points``, destroying them."""
