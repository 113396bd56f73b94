"""Augmentation by an equation's symmetries: maps of fields that take solutions to solutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from opforge.errors import InputError
from opforge.training.samples import Samples


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
        """The symmetries that a dataset's equation declares for its grid ("auto"), those given, or none.

        Raises:
            InputError: a given symmetry that does not hold on the data's grid.
        """
        grid = samples.grid
        if symmetries is None:
            chosen: tuple[Any, ...] = ()
        elif isinstance(symmetries, str):
            if symmetries != "auto":
                raise InputError(f"symmetries: expected 'auto', None or a tuple of symmetries, got {symmetries!r}")
            declared = () if grid is None else getattr(samples.equation, "symmetries", ())
            chosen = tuple(s for s in declared if s.applies_to(grid))
        else:
            chosen = tuple(symmetries)
            for s in chosen:
                if grid is not None and hasattr(s, "applies_to") and not s.applies_to(grid):
                    raise InputError(f"symmetries: {s!r} does not hold on the data's grid {grid}; leave it out")
        return cls(chosen, samples.inputs, samples.outputs, len(samples.space))

    @property
    def names(self) -> list[str]:
        return [getattr(s, "name", type(s).__qualname__) for s in self.symmetries]

    def __call__(self, x: Tensor, y: Tensor, chosen: Sequence[bool]) -> tuple[Tensor, Tensor]:
        """Apply the chosen ones, in their order, to x and y, each (batch, channels, *space)."""
        if not any(chosen):
            return x, y
        before = dict(zip(self.inputs, x.unbind(1), strict=True))
        after = dict(zip(self.outputs, y.unbind(1), strict=True))
        # A time step has the same names on both sides; its two states are then mapped one after the other.
        groups = [before, after] if before.keys() & after.keys() else [before | after]
        for symmetry, take in zip(self.symmetries, chosen, strict=True):
            if take:
                groups = [symmetry(fields, self.ndim) for fields in groups]
        x = torch.stack([groups[0][name] for name in self.inputs], dim=1)
        y = torch.stack([groups[-1][name] for name in self.outputs], dim=1)
        return x, y
