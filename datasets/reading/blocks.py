"""Blocks of samples and frames: what is read in one piece, held for the pairs that share it, and gone along once.

A compressed chunk is decompressed as a whole, whatever is wanted of it. So a file whose chunks hold several samples or
frames is read in blocks that are made of whole chunks, and a block that was read is held. A column of blocks has the
same samples and all frames. Pairs of one column that come in the order of their last frames need only a few of its
blocks at a time, and several columns are gone along side by side, as many as fit.

Where the chunks are so large that not even one column can be gone along in the memory that there is, blocks have a part
of the samples of a chunk (or, of one sample, of its frames), and a chunk is decompressed once for each part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from opforge.datasets.files.header import Header
from opforge.datasets.files.opening import DAMAGE
from opforge.datasets.reading import held as memory
from opforge.datasets.reading.chunked import ChunkedArray, chunked_arrays
from opforge.datasets.reading.held import Held
from opforge.datasets.reading.reach import Reach
from opforge.datasets.reading.shuffling import Places
from opforge.datasets.reading.stored import Stored

# The block of what does not evolve, where others have the number of their run of frames.
_STILL = -1


@dataclass(frozen=True)
class Plan:
    """How to read pairs that reach so far.

    Args:
        whole: samples of a run, those of a chunk; runs are cut into columns.
        samples, frames: of a block; 0 frames where nothing evolves.
        lanes: how many columns can be gone along at a time.
    """

    whole: int
    samples: int
    frames: int
    lanes: int

    def columns(self, samples: np.ndarray) -> np.ndarray:
        """The numbers of the columns that samples are in."""
        runs, rest = np.divmod(samples, self.whole)
        return runs * -(-self.whole // self.samples) + rest // self.samples

    def places(self, samples: np.ndarray, lasts: np.ndarray) -> Places:
        """Where pairs are read, by their sample and their last frame."""
        return Places(self.columns(samples), lasts // self.frames if self.frames else 0 * lasts, self.lanes)

    def span(self, sample: int, most: int) -> slice:
        """The samples of the column that a sample is in, of ``most`` in all."""
        run, rest = divmod(sample, self.whole)
        start = run * self.whole + rest // self.samples * self.samples
        return slice(start, min(start + self.samples, (run + 1) * self.whole, most))


class Unreadable(Exception):
    """An array could not be read.

    Args:
        name: of a field that is in it.
    """

    def __init__(self, name: str):
        super().__init__(name)
        self.name = name


class Blocks:
    """The blocks of a file.

    Args:
        header: of the dataset.
        arrays: those that are read in blocks.
        held: what holds them.
        owner: what tells them from other files' there.
    """

    def __init__(self, header: Header, arrays: Sequence[ChunkedArray], held: Held, owner: int = 0):
        self._header = header
        self._held = held
        self._owner = owner
        self._arrays = list(arrays)
        self.names = frozenset(name for array in arrays for name in array.fields)
        own = [array for array in arrays if array.samples]
        self._still = sum(array.size for array in own if not array.frames)
        self._frame = sum(array.size for array in own if array.frames)
        # what all samples have in common is held once
        common = [array for array in arrays if not array.samples]
        self._common = sum(array.size for array in common if not array.frames)
        self._common_frame = sum(array.size for array in common if array.frames)
        self.frames = _multiple([array.frames for array in arrays], len(header.times))
        self.samples = _multiple([array.samples for array in own], header.samples) or 1
        if self.samples * (self._still + self.frames * self._frame) > memory.KEPT_BYTES:
            # too much for chunks that fit together; where they do not, those at the edges are read twice
            self.samples = max((array.samples for array in own), default=1)
            self.frames = max(array.frames for array in arrays)
        self._plans: dict[Reach, Plan] = {}
        self._all = Reach.whole(len(header.times))

    @classmethod
    def of(
        cls,
        header: Header,
        fields: Mapping[str, Stored],
        opened: Mapping[str, list[h5py.Dataset]],
        held: Held,
        owner: int = 0,
    ) -> Blocks | None:
        """Those of a file; None where every field is read by itself, sample by sample and frame by frame."""
        arrays = chunked_arrays(header, fields, opened, header.names)
        return cls(header, arrays, held, owner) if arrays else None

    def plan(self, reach: Reach | None = None) -> Plan:
        """How to read pairs that reach so far: all frames unless given."""
        reach = reach or self._all
        if reach not in self._plans:
            if len(self._plans) > 8:  # datasets come and go
                self._plans.clear()
            self._plans[reach] = self._planned(reach)
        return self._plans[reach]

    def _planned(self, reach: Reach) -> Plan:
        """The largest blocks of which enough fit; where none do, such as fit at all and need the least."""
        least, best = math.inf, Plan(self.samples, 1, min(1, self.frames), 1)
        for samples, frames in self._cuts():
            alive = min(reach.alive(frames) * frames, len(self._header.times)) if frames else 0
            block = samples * frames * self._frame
            one = samples * (self._still + alive * self._frame)
            free = memory.KEPT_BYTES - self._common - alive * self._common_frame
            if one <= free:
                # while one column goes on to its next block, another still needs those that it has
                more = block if frames and reach.last.max() >= frames else 0
                return Plan(self.samples, samples, frames, max(1, free // max(1, one + more)))
            if block <= free and one < least:
                least, best = one, Plan(self.samples, samples, frames, 1)
        return best

    def _cuts(self) -> Iterator[tuple[int, int]]:
        """Samples and frames of a block, from those of chunks to less and less."""
        samples, frames = self.samples, self.frames
        yield samples, frames
        while samples > 1 or frames > 1:
            if samples > 1:
                samples = -(-samples // 2)
            else:
                frames = -(-frames // 2)
            yield samples, frames

    def fill(self, into: Mapping[str, np.ndarray], row: int, sample: int, frames: Mapping[str, np.ndarray], plan: Plan):
        """Fill a row of arrays (rows, [frames], *space) of fields with a sample.

        Args:
            into: by field.
            row: number of the row.
            sample: which sample.
            frames: for each field that evolves, which of its frames.
            plan: the blocks to read.
        """
        span = plan.span(sample, self._header.samples)
        runs = {name: which // plan.frames for name, which in frames.items()}
        wanted = sorted({run for numbers in runs.values() for run in numbers.tolist()})
        # held for later: all blocks from the first to the last, then what goes with each of them
        for run in (*(range(wanted[0], wanted[-1] + 1) if wanted else ()), _STILL):
            for common in (True, False):
                self._held.touch(self._key(span, run, plan, common))
        for run in (*wanted, _STILL):
            start = max(run, 0) * plan.frames
            part = slice(start, min(start + plan.frames, len(self._header.times)))
            for number, array in enumerate(self._arrays):
                names = [name for name in into if name in array.fields and _is_in(run, runs.get(name))]
                if not names:
                    continue
                key = self._key(span, run, plan, array.samples == 0)
                values = self._held.array(key, number, lambda array=array, part=part: _read(array, span, part))
                for name in names:
                    one = array.view(values, name)[sample - span.start if array.samples else 0]
                    if name not in runs:
                        into[name][row] = one
                    else:
                        here = runs[name] == run
                        into[name][row, here] = one[frames[name][here] - start]

    def _key(self, span: slice, run: int, plan: Plan, common: bool) -> tuple[int, ...]:
        if common:
            return (self._owner, -1, -1, plan.frames, run)
        return (self._owner, span.start, span.stop, plan.frames, run)

    def load(self, into: Mapping[str, np.ndarray], span: slice) -> None:
        """Fill arrays (samples, [frames], *space) with all frames of neighbouring samples, without holding these.

        Args:
            into: by field.
            span: which samples: those of a run, so that every chunk is read once.
        """
        step = self.frames or 1
        for number, array in enumerate(self._arrays):
            names = [name for name in into if name in array.fields]
            for start in range(0, len(self._header.times) if array.frames else 1, step) if names else ():
                frames = slice(start, start + step)
                if array.samples:
                    values = _read(array, span, frames)
                else:  # the same for the next run
                    key = (self._owner, -1, -1, step, start // step)
                    values = self._held.array(
                        key, number, lambda array=array, frames=frames: _read(array, span, frames)
                    )
                for name in names:
                    part = into[name][:, frames] if array.frames else into[name]
                    part[...] = array.view(values, name)


def _is_in(run: int, runs: np.ndarray | None) -> bool:
    """Whether frames of a field, or a field without frames, are in this run."""
    return run == _STILL if runs is None else bool((runs == run).any())


def _read(array: ChunkedArray, samples: slice, frames: slice) -> np.ndarray:
    try:
        return array.read(samples, frames)
    except DAMAGE as error:
        raise Unreadable(next(iter(array.fields))) from error


def _multiple(sizes: Iterable[int], most: int) -> int:
    """How many samples or frames make whole chunks of all arrays, at most all of them; 0 if there are none."""
    found = [size for size in sizes if size]
    return min(math.lcm(*found), most) if found else 0
