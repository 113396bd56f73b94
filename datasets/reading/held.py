"""What was read last, as far as it fits in memory; and who may read, one thread at a time."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

# Bytes of blocks that are held, in each process.
KEPT_BYTES = 2**29


class Held:
    """Blocks of arrays: those that were not used longest make room for others. The last one stays however large it is.

    Files that are read together share one, so that they hold no more than one of them would.

    Example:
        >>> held = Held()
        >>> held.array((0, 3), "u", lambda: np.ones(4)).sum(), held.array((0, 3), "u", lambda: np.zeros(4)).sum()
        (np.float64(4.0), np.float64(4.0))
    """

    def __init__(self) -> None:
        self._blocks: OrderedDict[Hashable, dict[Hashable, np.ndarray]] = OrderedDict()
        self._bytes = 0
        self._lock, self._locked_in = threading.RLock(), os.getpid()

    def guard(self) -> threading.RLock:
        """What lets one thread at a time read; a process that was forked has its own."""
        if self._locked_in != os.getpid():
            self._lock, self._locked_in = threading.RLock(), os.getpid()
        return self._lock

    @property
    def bytes(self) -> int:
        """How much is held."""
        return self._bytes

    def touch(self, block: Hashable) -> None:
        """Let a block, if it is held, stay longer than those that were used before."""
        if block in self._blocks:
            self._blocks.move_to_end(block)

    def array(self, block: Hashable, name: Hashable, read: Callable[[], np.ndarray]) -> np.ndarray:
        """An array of a block, which is read if it is not held."""
        arrays = self._blocks.get(block, {})
        if name not in arrays:
            values = read()
            arrays = self._blocks.setdefault(block, {})
            arrays[name] = values
            self._bytes += values.nbytes
        self._blocks.move_to_end(block)
        while self._bytes > KEPT_BYTES and len(self._blocks) > 1:
            _, gone = self._blocks.popitem(last=False)
            self._bytes -= sum(values.nbytes for values in gone.values())
        return arrays[name]
