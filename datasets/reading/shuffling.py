"""Random orders of pairs in which those come together that are read in one piece; for one reader or for several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Sampler

from opforge.datasets.arguments import whole_number

if TYPE_CHECKING:
    from opforge.datasets.reading.passes import Passes


@dataclass(frozen=True)
class Places:
    """Where pairs are read.

    Args:
        columns: of each pair, the number of the run of samples that are read with it.
        steps: of each pair, the number of the run of frames that its last frame is in.
        lanes: how many columns can be gone along at a time, in the order of the steps, without reading anything twice.
    """

    columns: np.ndarray
    steps: np.ndarray
    lanes: int

    def of(self, pairs: torch.Tensor) -> Places:
        """Those of some of the pairs."""
        chosen = pairs.numpy()
        return Places(self.columns[chosen], self.steps[chosen], self.lanes)


def shuffled(count: int, places: Places | None, generator: torch.Generator | None = None) -> torch.Tensor:
    """A random order of pairs.

    Columns are gone along side by side, as many as fit, each from its first step to its last; they begin at different
    times, so that different steps are mixed. Pairs that are read at the same time come in random order.

    Args:
        count: of the pairs.
        places: of these; None where every pair is read by itself.
        generator: of the random numbers; torch's own unless given.

    Returns:
        Numbers of pairs (count,), each once.

    Example:
        >>> places = Places(np.array([0, 0, 1, 1, 2, 2]), np.zeros(6, int), lanes=1)
        >>> order = shuffled(6, places, torch.Generator().manual_seed(0))
        >>> sorted(order.tolist()), (order // 2).reshape(3, 2).diff().abs().max()
        ([0, 1, 2, 3, 4, 5], tensor(0))
    """
    order = torch.randperm(count, generator=generator)
    return order if places is None else order[_side_by_side(places.of(order), generator)]


def _side_by_side(places: Places, generator: torch.Generator | None) -> torch.Tensor:
    """The order in which columns are gone along; pairs that are read at the same time stay as they are."""
    numbers, which = np.unique(places.columns, return_inverse=True)
    steps, step = np.unique(places.steps, return_inverse=True)
    lanes = max(1, min(places.lanes, len(numbers)))
    rank = torch.randperm(len(numbers), generator=generator)[which]
    delays = torch.randint(max(1, len(steps)), (lanes,), generator=generator)
    turns = rank // lanes * len(steps) + torch.from_numpy(step) + delays[rank % lanes]
    return torch.argsort(turns, stable=True)


class ShuffledBatches(Sampler):
    """Batches of pairs in random order for torch's ``DataLoader``, whose workers read different chunks.

    Worker w is given the batches w, w + workers, ...: their pairs are of chunks that no other worker reads, up to one
    chunk between neighbours. Every pair comes once, the last batch may be smaller.

    Args:
        data: the dataset.
        size: pairs in a batch, at least 1.
        seed: the order depends on it, on the epoch and on the number of workers.
        workers: ``num_workers`` of the ``DataLoader``; 0 gives the order of ``data.batches``.

    Raises:
        InputError: numbers that are none or too small.

    Example:
        >>> import opforge
        >>> data = opforge.generate("darcy", 5, 8)
        >>> batches = ShuffledBatches(data, 2, workers=2)
        >>> batches.set_epoch(3)
        >>> [len(batch) for batch in batches], sorted(sum(batches, []))
        ([2, 2, 1], [0, 1, 2, 3, 4])
    """

    def __init__(self, data: Passes, size: int, *, seed: int = 0, workers: int = 0):
        self._data = data
        self._size = whole_number("size", size, 1)
        self._seed = whole_number("seed", seed, 0)
        self._workers = whole_number("workers", workers, 0)
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of another epoch, as in torch's ``DistributedSampler``."""
        self._epoch = whole_number("epoch", epoch, 0)

    def __len__(self) -> int:
        return -(-len(self._data) // self._size)

    def __iter__(self) -> Iterator[list[int]]:
        generator = generator_of(self._seed, self._epoch)
        if not self._workers:
            return iter([part.tolist() for part in self._data.order(generator=generator).split(self._size)])
        order = torch.randperm(len(self._data), generator=generator)
        places = self._data.places()
        if places is None:
            return iter([part.tolist() for part in order.split(self._size)])
        return iter(self._of_workers(order, places, generator))

    def _of_workers(self, order: torch.Tensor, places: Places, generator: torch.Generator) -> list[list[int]]:
        """Column after column is dealt out to the workers; each has its own gone along side by side."""
        one_by_one = Places(places.columns, places.steps, lanes=1)
        order = order[_side_by_side(one_by_one.of(order), generator)]
        batches: list[list[int]] = [[] for _ in range(len(self))]
        start = 0
        for worker in range(self._workers):
            mine = range(worker, len(self), self._workers)
            stop = start + sum(min(self._size, len(order) - number * self._size) for number in mine)
            part = order[start:stop]
            part = part[torch.randperm(len(part), generator=generator)]
            part = part[_side_by_side(places.of(part), generator)]
            for number, batch in zip(mine, part.split(self._size), strict=True):
                batches[number] = batch.tolist()
            start = stop
        return batches


def generator_of(seed: int, epoch: int) -> torch.Generator:
    """The random numbers of an epoch."""
    number = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator().manual_seed(number)
