"""How often the chunks of HDF5 files are read, in this process and in the workers of a DataLoader."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import h5py

_real = h5py.Dataset.__getitem__


def count_into(log: Path, worker: int = 0) -> None:
    """From now on, write the name and the place of every chunk to a file each time it is read."""

    def counted(self, key):
        if self.chunks is not None and self.ndim > 1:
            parts = key if isinstance(key, tuple) else (key,)
            parts += (slice(None),) * (self.ndim - len(parts))
            slices = [part if isinstance(part, slice) else slice(part, part + 1) for part in parts]
            ends = [part.indices(size)[:2] for part, size in zip(slices, self.shape, strict=True)]
            places = [range(a // c, -(-b // c)) for (a, b), c in zip(ends, self.chunks, strict=True)]
            with open(log, "a") as file:
                file.writelines(f"{self.file.filename} {self.name} {where}\n" for where in product(*places))
        return _real(self, key)

    h5py.Dataset.__getitem__ = counted


@contextmanager
def counting(log: Path) -> Iterator[Callable[[], list[str]]]:
    """A block in which chunks are counted; what was read so far is told when asked."""
    log.write_text("")
    count_into(log)
    try:
        yield lambda: log.read_text().splitlines()
    finally:
        h5py.Dataset.__getitem__ = _real


def in_worker(log: Path) -> Callable[[int], None]:
    """What a DataLoader calls in each worker, which may have been spawned."""
    return partial(count_into, log)
