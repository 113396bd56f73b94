"""Which frames the pairs of a sample take, and how many runs of frames are in use at a time as one goes along them."""

from __future__ import annotations

import numpy as np


class Reach:
    """The frames of a sample's pairs.

    Args:
        frames: numbers (pairs, frames) of the frames of the file that each pair of a sample takes.

    Example:
        >>> steps = Reach(np.arange(9)[:, None] + [0, 1])  # every frame with the next
        >>> steps.alive(5), steps.alive(20), Reach.whole(10).alive(2)
        (2, 1, 5)
    """

    def __init__(self, frames: np.ndarray):
        self.frames = frames
        self.last = frames.max(axis=1)
        self._alive: dict[int, int] = {}

    @classmethod
    def whole(cls, frames: int) -> Reach:
        """One pair, which takes all frames."""
        return cls(np.arange(max(1, frames))[None])

    def alive(self, size: int) -> int:
        """How many runs of ``size`` frames it takes in memory at a time to read each of them once.

        Pairs come in the order of the runs that their last frames are in.
        """
        if size not in self._alive:
            runs = self.frames // size
            steps = np.broadcast_to((self.last // size)[:, None], runs.shape)
            count = int(runs.max()) + 1
            first, last = np.full(count, count), np.full(count, -1)
            np.minimum.at(first, runs, steps)
            np.maximum.at(last, runs, steps)
            used = last >= 0
            changes = np.zeros(count + 1, np.intp)
            np.add.at(changes, first[used], 1)
            np.add.at(changes, last[used] + 1, -1)
            self._alive[size] = int(np.cumsum(changes).max())
        return self._alive[size]
