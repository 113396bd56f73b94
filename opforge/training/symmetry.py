"""Augmentation by an equation's symmetries: maps of fields that take solutions to solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from opforge.core.grid import Grid
from opforge.errors import InputError
from opforge.training.samples import Samples, described


@dataclass(frozen=True)
class Augmentation:
    """Some of a tuple of symmetries, applied to the inputs and outputs of a batch together.

    Args:
        symmetries: callables ``(fields, ndim) -> fields`` on mappings from names to tensors (..., *space).
        inputs, outputs: names of the channels.
        ndim: number of axes of space.

    Example:
        >>> mirror = lambda fields, ndim: {name: v.flip(-1) for name, v in fields.items()}
        >>> x, y = torch.arange(3.0).view(1, 1, 3), torch.zeros(1, 1, 3)
        >>> Augmentation((mirror,), ("a",), ("u",), ndim=1)(x, y, [True])[0].flatten().tolist()
        [2.0, 1.0, 0.0]
    """

    symmetries: tuple[Any, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ndim: int

    @classmethod
    def of(cls, symmetries: Sequence[Any] | Literal["auto"] | None, samples: Samples) -> Augmentation:
        """The symmetries that a dataset's equation declares and that its grid and fields keep ("auto"), those given, or
        none.

        Raises:
            InputError: a given symmetry that does not hold on the data's grid, or lacks a field.
        """
        grid = samples.grid
        if symmetries is None:
            chosen: tuple[Any, ...] = ()
        elif isinstance(symmetries, str):
            if symmetries != "auto":
                raise InputError(f"symmetries: expected 'auto', None or a tuple of symmetries, got {symmetries!r}")
            declared = () if grid is None else getattr(samples.equation, "symmetries", ())
            chosen = tuple(s for s in declared if _lack(s, samples) is None)
        else:
            chosen = tuple(symmetries)
            for s in chosen:
                if (lack := _lack(s, samples)) is not None:
                    raise InputError(f"symmetries: {s!r} {lack}; leave it out")
        return cls(chosen, samples.inputs, samples.outputs, len(samples.space))

    @property
    def names(self) -> list[str]:
        return [getattr(s, "name", type(s).__qualname__) for s in self.symmetries]

    def __call__(self, x: Tensor, y: Tensor, chosen: Sequence[bool]) -> tuple[Tensor, Tensor]:
        """Apply the chosen ones, in their order, to x and y, each (batch, channels, *space)."""
        if not any(chosen):
            return x, y
        groups = _groups(
            dict(zip(self.inputs, x.unbind(1), strict=True)), dict(zip(self.outputs, y.unbind(1), strict=True))
        )
        for symmetry, take in zip(self.symmetries, chosen, strict=True):
            if take:
                groups = [symmetry(fields, self.ndim) for fields in groups]
        x = torch.stack([groups[0][name] for name in self.inputs], dim=1)
        y = torch.stack([groups[-1][name] for name in self.outputs], dim=1)
        return x, y


def _groups(before: dict[str, Tensor], after: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """The fields that a symmetry maps at once: all, or one state after the other where a step names both alike."""
    return [before, after] if before.keys() & after.keys() else [before | after]


def _lack(symmetry: Any, samples: Samples) -> str | None:
    """Why a symmetry does not hold for samples, if so."""
    grid, ndim = samples.grid, len(samples.space)
    if grid is not None and hasattr(symmetry, "applies_to") and not symmetry.applies_to(grid):
        return f"does not hold on the data's grid {grid}"
    point = torch.zeros(()).expand(samples.space)
    groups = _groups(dict.fromkeys(samples.inputs, point), dict.fromkeys(samples.outputs, point))
    try:
        for fields in groups:
            symmetry(fields, ndim)
    except InputError as error:  # one of two components that change places
        return f"does not fit the data: {error}"
    whole = getattr(described(samples.source, "header"), "grid", None)
    if grid is None or whole is None or whole.shape == grid.shape:
        return None
    names = {*samples.inputs, *samples.outputs}
    return None if _moves_what_is_left(symmetry, names, grid, whole) else "does not hold on every so-manieth point"


def _moves_what_is_left(symmetry: Any, names: set[str], grid: Grid, whole: Grid) -> bool:
    """Whether a symmetry takes the points that are left of a grid to points that are left, for every field.

    Not so where cells are left out in pairs, whose kept one lies beside the middle, or half places of staggered grids.
    """
    index = [
        np.rint((x - first[0]) / h).astype(int)
        for x, first, h in zip(grid.coordinates(), whole.coordinates(), whole.spacing, strict=True)
    ]

    def left(fields: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: values[np.ix_(*index)] for name, values in fields.items()}

    numbers = dict.fromkeys(names, torch.arange(1.0, whole.size + 1, dtype=torch.float64).view(whole.shape))
    after, before = left(symmetry(numbers, grid.ndim)), symmetry(left(numbers), grid.ndim)
    return all(torch.equal(after[name], before[name]) for name in names)
