"""Which frames of a sample an operator is given and which it shall find."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.errors import InputError


@dataclass(frozen=True)
class Windows:
    """Pairs of runs of frames, several for each sample.

    Args:
        starts: the first frame of every pair.
        given: frames that the operator is given, counted from the start.
        wanted: frames that it shall find, counted from the start.
    """

    starts: tuple[int, ...]
    given: tuple[int, ...]
    wanted: tuple[int, ...]

    @classmethod
    def ends(cls, frames: int) -> Windows:
        """The first frame and the last one: one pair for each sample."""
        return cls((0,), (0,), (frames - 1,))

    @classmethod
    def along(cls, frames: int, given: Any, wanted: Any, step: Any, stride: Any) -> Windows:
        """Every run of ``given`` frames with the ``wanted`` ones that follow it.

        Args:
            frames: of a sample.
            given, wanted: how many, at least 1.
            step: frames from one to the next within a pair.
            stride: frames from the start of a pair to the start of the next.

        Raises:
            InputError: no whole numbers of at least 1, pairs that are longer than a sample.

        Example:
            >>> Windows.along(6, 2, 1, 1, 2)
            Windows(starts=(0, 2), given=(0, 1), wanted=(2,))
        """
        sizes = {"given": given, "wanted": wanted, "step": step, "stride": stride}
        for name, value in sizes.items():
            try:
                sizes[name] = operator.index(value)
            except TypeError as error:
                raise InputError(f"{name} must be a whole number of frames, got {value!r}") from error
            if sizes[name] < 1:
                raise InputError(f"{name} must be at least 1 frame, got {value!r}")
        given, wanted, step, stride = sizes.values()
        length = (given + wanted - 1) * step + 1
        if length > frames:
            raise InputError(
                f"given and wanted must fit the {frames} frames of a sample, got {given} + {wanted} frames that are "
                f"{step} apart, together {length}; ask for fewer"
            )
        offsets = tuple(step * i for i in range(given + wanted))
        return cls(tuple(range(0, frames - length + 1, stride)), offsets[:given], offsets[given:])

    def channels(self, name: str, *, wanted: bool) -> tuple[str, ...]:
        """Names of a field's channels: its own for one frame, else with the frame counted from the last one given.

        Example:
            >>> windows = Windows.along(6, 2, 3, 1, 1)
            >>> windows.channels("u", wanted=False), windows.channels("u", wanted=True)
            (('u[-1]', 'u[0]'), ('u[1]', 'u[2]', 'u[3]'))
        """
        offsets = self.wanted if wanted else self.given
        if len(offsets) == 1:
            return (name,)
        step = (self.given + self.wanted)[1] - self.given[0]
        return tuple(f"{name}[{(offset - self.given[-1]) // step}]" for offset in offsets)

    def frames(self, pairs: np.ndarray, *, wanted: bool) -> np.ndarray:
        """The frames (len(pairs), frames) of these pairs of their samples."""
        return np.asarray(self.starts)[pairs][:, None] + np.asarray(self.wanted if wanted else self.given)


def frames_between(times: np.ndarray, interval: float) -> int:
    """How many frames further a time lies that is later by an interval.

    Raises:
        InputError: frames that are not evenly spaced or do not meet the interval.

    Example:
        >>> frames_between(np.array([0.0, 0.1, 0.2, 0.3]), 0.2)
        2
    """
    between = np.diff(times)
    ratio = interval / float(between.mean())
    step = max(1, round(ratio))
    even = np.allclose(between, between.mean(), rtol=1e-6, atol=0)
    if not even or abs(ratio - step) > 1e-6 * step:
        spacing = f"{between.mean():g} apart" if even else "not evenly spaced"
        raise InputError(
            f"frames must meet the interval {interval:g} from one to the next, they are {spacing}; use data with such "
            "frames"
        )
    return step
