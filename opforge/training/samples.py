"""What training asks of a dataset: any torch ``Dataset`` of pairs, and what it says about itself, if anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Subset

from opforge.core.grid import Grid
from opforge.errors import InputError


def described(data: Any, name: str) -> Any:
    """An attribute of a dataset, looked up through torch's ``Subset``; None if it has none."""
    while isinstance(data, Subset) and not hasattr(data, name):
        data = data.dataset
    return getattr(data, name, None)


class Samples:
    """The samples of a dataset, in batches.

    Args:
        data: anything with ``len(data)`` and ``data[i] -> (x, y)``, x (in_channels, *space), y (out_channels, *space).
            ``data.batch(indices) -> (X, Y)``, ``data.order(indices)`` and ``data.read_ahead(batches)`` are used when
            present (see `opforge.datasets.OperatorDataset`), as are the attributes ``inputs``, ``outputs``
            (names of the channels), ``grid``, ``equation``, ``provenance``, ``drawn`` and ``pairing`` (of frames).
        indices: which of the samples, all unless given.

    Raises:
        InputError: no length or no items, no samples, items that are not pairs of fields.

    Example:
        >>> from torch.utils.data import TensorDataset
        >>> samples = Samples(TensorDataset(torch.rand(5, 2, 8), torch.rand(5, 1, 8)))
        >>> len(samples), samples.inputs, samples.outputs
        (5, ('input0', 'input1'), ('output0',))
        >>> samples.batch([3, 1])[0].shape
        torch.Size([2, 2, 8])
    """

    def __init__(self, data: Any, indices: Sequence[int] | None = None) -> None:
        if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
            raise InputError(
                f"data: expected a dataset with len(data) and data[i] -> (x, y), got {type(data).__name__}; "
                "wrap tensors in torch.utils.data.TensorDataset(x, y)"
            )
        self.source = data
        self.indices = list(range(len(data))) if indices is None else list(indices)
        if not self.indices:
            raise InputError("data: expected at least 1 sample, got 0")
        self._held: tuple[Tensor, Tensor] | None = None
        self._place: tuple[torch.device, torch.dtype] | None = None
        x, y = self.batch([0])
        if min(x.ndim, y.ndim) < 3 or not (x.is_floating_point() and y.is_floating_point()):
            raise InputError(
                f"data: expected pairs of float tensors (channels, *space), got {tuple(x.shape[1:])} {x.dtype} and "
                f"{tuple(y.shape[1:])} {y.dtype}"
            )
        self.in_channels, self.out_channels = x.shape[1], y.shape[1]
        self.space, self.out_space = tuple(x.shape[2:]), tuple(y.shape[2:])
        self.bytes = len(self) * (x.nbytes + y.nbytes)
        self.inputs = self._names("inputs", self.in_channels)
        self.outputs = self._names("outputs", self.out_channels)
        self.grid: Grid | None = described(data, "grid")
        self.equation: Any = described(data, "equation")
        self.provenance: dict[str, Any] = dict(described(data, "provenance") or {})
        pairing = described(data, "pairing")
        if pairing is not None:
            self.provenance["pairing"] = pairing

    @classmethod
    def of(cls, data: Any) -> Samples:
        return data if isinstance(data, Samples) else cls(data)

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, positions: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
        """X (batch, in_channels, *space) and Y (batch, out_channels, *space), contiguous, of these positions."""
        if self._held is not None:
            where = torch.as_tensor(positions, device=self._held[0].device)
            return self._held[0].index_select(0, where), self._held[1].index_select(0, where)
        chosen = [self.indices[int(p)] for p in positions]
        if hasattr(self.source, "batch"):
            x, y = self.source.batch(chosen)
        else:
            x, y = (torch.stack([torch.as_tensor(v) for v in side]) for side in self._pairs(chosen))
        return self._placed(x, y)

    def _placed(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if self._place is None:
            return x.contiguous(), y.contiguous()
        return x.to(*self._place).contiguous(), y.to(*self._place).contiguous()

    def drawn(self, positions: Sequence[int] | Tensor, device: torch.device | None = None) -> dict[str, Tensor]:
        """The equation's parameters that were drawn for each of these: float64 (batch,) by name; none for most data.

        They are a dataset's ``drawn``, one number for each of its samples, which ``pairs_per_sample`` pairs share.
        """
        source, chosen = self.source, [self.indices[int(p)] for p in positions]
        while isinstance(source, Subset) and not hasattr(source, "drawn"):
            source, chosen = source.dataset, [source.indices[i] for i in chosen]
        rows = torch.as_tensor(chosen) // (described(source, "pairs_per_sample") or 1)
        found = described(source, "drawn") or {}
        return {name: torch.as_tensor(values, dtype=torch.float64)[rows].to(device) for name, values in found.items()}

    def to(self, device: torch.device, dtype: torch.dtype, *, hold_below: int = 0) -> Samples:
        """The same samples on a device; read once and held there if they take at most ``hold_below`` bytes."""
        moved = Samples(self.source, self.indices)
        moved._place = (device, dtype)
        if self.bytes <= hold_below:
            x, y = (
                torch.empty((len(self), channels, *space), device=device, dtype=dtype)
                for channels, space in ((self.in_channels, self.space), (self.out_channels, self.out_space))
            )
            for positions, pair in moved.passes():
                x[positions], y[positions] = pair
            moved._held = (x, y)
        return moved

    def passes(self) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
        """All samples in order, positions and batches, small enough to hold a few of in memory (64 MiB each)."""
        batches = torch.arange(len(self)).split(max(1, min(64, 2**26 * len(self) // self.bytes)))
        return zip(batches, self.batches(batches), strict=True)

    def batches(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of these positions one after the other, read ahead of their use where the dataset can."""
        if self._held is not None or not hasattr(self.source, "read_ahead"):
            yield from map(self.batch, batches)
            return
        chosen = ([self.indices[p] for p in positions.tolist()] for positions in batches)
        with closing(self.source.read_ahead(chosen)) as pairs:
            yield from (self._placed(x, y) for x, y in pairs)

    def order(self) -> Tensor:
        """A random order of the positions, by torch's generator; one that is cheap to read where the dataset knows."""
        if self._held is not None or not hasattr(self.source, "order"):
            return torch.randperm(len(self))
        return self.source.order(self.indices)

    def split(self, fraction: float, seed: int) -> tuple[Samples, Samples]:
        """Two disjoint parts, the second with ``fraction`` of the samples (at least one), drawn by ``seed``.

        Where a dataset makes several pairs of a sample (``pairs_per_sample``), they stay together.
        """
        if not 0 < fraction < 1:
            raise InputError(f"validation: expected a fraction between 0 and 1 or a dataset, got {fraction}")
        each = getattr(self.source, "pairs_per_sample", 1)
        owners = sorted({index // each for index in self.indices})
        count = max(1, round(fraction * len(owners)))
        if count >= len(owners):
            raise InputError(
                f"validation: {fraction} of {len(owners)} samples leaves none for training; use more samples"
            )
        order = torch.randperm(len(owners), generator=torch.Generator().manual_seed(seed)).tolist()
        held_out = {owners[i] for i in order[:count]}
        return (
            Samples(self.source, [i for i in self.indices if i // each not in held_out]),
            Samples(self.source, [i for i in self.indices if i // each in held_out]),
        )

    def refuse_non_finite(self, positions: Sequence[int] | Tensor, x: Tensor, y: Tensor) -> None:
        """Raise an InputError that names the first sample and variable of a batch with NaN or infinity, if any."""
        for names, values in ((self.inputs, x), (self.outputs, y)):
            bad = (~torch.isfinite(values)).flatten(2).any(2)
            if bad.any():
                row, channel = bad.nonzero()[0].tolist()
                raise InputError(
                    f"data: expected finite values, got NaN or infinity in variable {names[channel]!r} of sample "
                    f"{self.indices[int(positions[row])]}; repair or leave out that sample"
                )

    def _pairs(self, chosen: list[int]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        items = [self.source[i] for i in chosen]
        if not all(isinstance(item, (tuple, list)) and len(item) == 2 for item in items):
            raise InputError(
                f"data: expected data[i] -> (x, y), got {type(items[0]).__name__}; pair inputs and outputs"
            )
        xs, ys = zip(*items, strict=True)
        return xs, ys

    def _names(self, side: str, channels: int) -> tuple[str, ...]:
        names = described(self.source, side)
        if names is None:
            return tuple(f"{side[:-1]}{i}" for i in range(channels))
        if len(names) != channels:
            raise InputError(f"data.{side}: expected one name per channel ({channels}), got {tuple(names)}")
        return tuple(names)
