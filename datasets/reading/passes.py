"""Going over all of a dataset: in which order, read ahead of its use, in pieces that fit in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

from opforge.core import Grid, Moments
from opforge.datasets.arguments import whole_number
from opforge.datasets.reading.picking import positions
from opforge.datasets.reading.shuffling import Places, ShuffledBatches, generator_of, shuffled

Batch = tuple[torch.Tensor, torch.Tensor]

# Bytes of samples that a pass over all of them holds at a time.
_PIECE_BYTES = 2**26


class Passes(ABC):
    """What `opforge.datasets.OperatorDataset` can do with all of its pairs or samples."""

    grid: Grid
    times: np.ndarray | None
    fields: tuple[str, ...]
    evolving: tuple[str, ...]
    samples: int

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batch(self, indices: Any) -> Batch:
        """The pairs ``indices``, stacked."""

    @abstractmethod
    def arrays(self, samples: Any) -> dict[str, np.ndarray]:
        """Whole samples of every field."""

    @abstractmethod
    def _passing(self) -> AbstractContextManager[object]:
        """A block in which what is read does not stay in memory."""

    @property
    @abstractmethod
    def _keeps(self) -> bool:
        """Whether what was read stays in memory."""

    @abstractmethod
    def places(self, indices: Sequence[int] | np.ndarray | None = None) -> Places | None:
        """Where pairs are read, all unless given; None where each is read by itself."""

    def order(
        self, indices: Sequence[int] | np.ndarray | None = None, *, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """A random order of pairs, in which those come together that are read in one piece.

        Where every sample is read by itself, as in opforge's plain files, or stays in memory once it was read, it is a
        random permutation. Where chunks hold several samples, or compressed ones several frames, runs of samples that
        share chunks come in random order, as many at a time as fit in 512 MiB, and their pairs are mixed. Runs that do
        not fit with all their frames are gone along from the first frame to the last, each begun at another time. So
        every chunk is decompressed about once. One of more than 512 MiB, or 256 MiB where windows reach from one to the
        next, is read in parts that fit, and decompressed once for each part.

        Workers of a ``DataLoader`` share out the chunks by `batch_sampler`.

        Args:
            indices: the pairs; all unless given.
            generator: of the random numbers; torch's own unless given.

        Returns:
            Positions in ``indices``, each once: an integer tensor.

        Example:
            >>> import opforge
            >>> dataset = opforge.generate("darcy", 4, 8)
            >>> sorted(dataset.order(generator=torch.Generator().manual_seed(0)).tolist())
            [0, 1, 2, 3]
        """
        count = len(self) if indices is None else len(positions(indices, len(self), "pairs"))
        return shuffled(count, None if self._keeps else self.places(indices), generator)

    def batch_sampler(self, size: int, *, seed: int = 0, workers: int = 0) -> ShuffledBatches:
        """Batches in random order for torch's ``DataLoader``, each worker of which reads other chunks than the rest.

        Args:
            size: pairs in a batch, at least 1.
            seed: of the order, which ``set_epoch`` of the result changes from epoch to epoch.
            workers: ``num_workers`` of the ``DataLoader``.

        Raises:
            InputError: a number that is none or too small.

        Example:
            >>> import opforge
            >>> from torch.utils.data import DataLoader
            >>> data = opforge.generate("darcy", 5, 8)
            >>> [len(x) for x, y in DataLoader(data, batch_sampler=data.batch_sampler(2))]
            [2, 2, 1]
        """
        return ShuffledBatches(self, size, seed=seed, workers=workers)

    def read_ahead(self, batches: Iterable[Any], *, ahead: int = 2) -> Iterator[Batch]:
        """The batches of these indices, read by a thread of their own while earlier ones are worked on.

        Args:
            batches: indices of one batch after the other, each as in `batch`.
            ahead: how many batches are read before they are asked for, at least 1.

        Raises:
            InputError: as `batch` does, when it is that batch's turn.

        Example:
            >>> import opforge
            >>> dataset = opforge.generate("darcy", 5, 8)
            >>> [len(x) for x, y in dataset.read_ahead([[0, 1, 2], [4, 3]])]
            [3, 2]
        """
        whole_number("ahead", ahead, 1)
        return self._read_ahead(batches, ahead)

    def _read_ahead(self, batches: Iterable[Any], ahead: int) -> Iterator[Batch]:
        with ThreadPoolExecutor(1) as reader:
            waiting: deque[Future] = deque()
            try:
                for indices in batches:
                    waiting.append(reader.submit(self.batch, indices))
                    if len(waiting) > ahead:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def batches(
        self, size: int, *, shuffle: bool = False, seed: int = 0, epoch: int = 0, ahead: int = 2
    ) -> Iterator[Batch]:
        """Go once through all pairs in batches, read ahead of their use; the last batch may be smaller.

        Args:
            size: pairs in a batch, at least 1.
            shuffle: whether in a random order, see `order`; else in their own.
            seed, epoch: the order depends on both, and on nothing else.
            ahead: how many batches are read before they are asked for.

        Raises:
            InputError: a number that is none or too small; what `batch` refuses.

        Example:
            >>> import opforge
            >>> [len(x) for x, y in opforge.generate("darcy", 5, 8).batches(2, shuffle=True)]
            [2, 2, 1]
        """
        size, seed, epoch = (
            whole_number("size", size, 1),
            whole_number("seed", seed, 0),
            whole_number("epoch", epoch, 0),
        )
        order = torch.arange(len(self))
        if shuffle:
            order = self.order(generator=generator_of(seed, epoch))
        return self.read_ahead(order.split(size), ahead=ahead)

    def statistics(self) -> dict[str, Moments]:
        """Mean, deviation, least and greatest value of every field, over samples, frames and points, in one pass.

        Nothing but a few samples is in memory at a time. Points and frames that `every` left out do not count.

        Example:
            >>> import opforge
            >>> a = opforge.generate("darcy", 4, 16).statistics()["a"]
            >>> float(a.least), float(a.greatest), 3 < float(a.mean) < 12
            (3.0, 12.0, True)
        """
        found = {name: Moments(1) for name in self.fields}
        for _, fields in self.pieces(keep=True):
            for name, values in fields.items():
                found[name].add(torch.from_numpy(np.ascontiguousarray(values)).reshape(len(values), 1, -1))
        return found

    def pieces(self, most: int = _PIECE_BYTES, *, keep: bool = False) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """All samples in order, as many at a time as take ``most`` bytes in double precision, at least one.

        Args:
            most: bytes at a time.
            keep: whether samples of small files stay in memory, as they do where batches are read.

        Yields:
            The position of the first, and `arrays` of it and those after it.
        """
        frames = 1 if self.times is None else len(self.times)
        size = 8 * self.grid.size * sum(frames if name in self.evolving else 1 for name in self.fields)
        count = max(1, most // size)
        for start in range(0, self.samples, count):
            with nullcontext() if keep else self._passing():
                values = self.arrays(range(start, min(start + count, self.samples)))
            yield start, values
