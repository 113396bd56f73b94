"""Where a field's numbers are in an HDF5 file, whatever the order of the axes there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Stored:
    """A scalar field, as arrays of an HDF5 file hold it.

    Args:
        paths: of the array in the file; one for all samples, or one for each sample.
        axes: what each axis of the array stands for: ``"sample"``, ``"time"``, ``"x"``, ``"y"``, ``"z"``, or a whole
            number, the position at which the field is found on an axis that is none of these (a component, a channel).
            Without ``"sample"`` every sample has the same values (or ``paths`` has one array for each). Without
            ``"time"`` the field does not evolve. Without an axis of space it is constant along it.

    Example:
        >>> velocity_y = Stored(("t1_fields/velocity",), ("sample", "time", "x", "y", 1))
        >>> velocity_y.selection({"sample": slice(3, 5), "time": slice(0, 1)})
        (slice(3, 5, None), slice(0, 1, None), slice(None, None, None), slice(None, None, None), 1)
        >>> velocity_y.order(("x", "y"))
        (0, 1, 2, 3)
    """

    paths: tuple[str, ...]
    axes: tuple[str | int, ...]

    @property
    def by_sample(self) -> bool:
        """Whether every sample has an array of its own."""
        return "sample" not in self.axes and len(self.paths) > 1

    @property
    def kept_axes(self) -> tuple[str, ...]:
        """The axes that are left when the pinned ones are gone, in the order of the array."""
        return tuple(axis for axis in self.axes if isinstance(axis, str))

    def selection(self, wanted: dict[str, slice]) -> tuple[slice | int, ...]:
        """What to select of the array: ``wanted`` of the axes that it names, all of the others."""
        return tuple(wanted.get(axis, slice(None)) if isinstance(axis, str) else axis for axis in self.axes)

    def order(self, space: Sequence[str]) -> tuple[int, ...]:
        """How to transpose what was selected to sample, time (those that there are), then the axes of space."""
        return tuple(self.kept_axes.index(axis) for axis in ("sample", "time", *space) if axis in self.kept_axes)

    def constant(self, space: Sequence[str]) -> tuple[int, ...]:
        """Where, among sample, time and the axes of space, there is none of the array.

        Example:
            >>> Stored(("force",), ("time", "y")).constant(("x", "y"))
            (0, 2)
        """
        first = [
            axis for axis in ("sample", "time") if axis in self.kept_axes or (axis == "sample" and not self.by_sample)
        ]
        return tuple(i for i, axis in enumerate((*first, *space)) if axis not in self.kept_axes)
