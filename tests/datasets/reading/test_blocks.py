from dataclasses import replace

import h5py
import numpy as np
import pytest

from opforge.datasets.reading.blocks import Blocks, Plan, Unreadable
from opforge.datasets.reading.chunked import ChunkedArray
from opforge.datasets.reading.held import Held
from opforge.datasets.reading.reach import Reach
from opforge.datasets.reading.stored import Stored
from tests.datasets.reading.examples import HEADER, columns

# Only these two: one that stays and one that evolves.
TWO = replace(HEADER, inputs=("a",), outputs=("u",), evolving=("u",), samples=11)
AXES = {name: tuple(TWO.dimensions(name)) for name in TWO.names}
FIELDS = {name: Stored((name,), axes) for name, axes in AXES.items()}
ARRAYS = columns(TWO)
FRAME = 24 * 4  # bytes, of either
STEPS = Reach(np.arange(6)[:, None] + [0, 1])


@pytest.fixture
def blocks(tmp_path):
    """Makes the blocks of a file with such chunks."""
    with h5py.File(tmp_path / "d.h5", "w") as file:

        def made(a=(1, 6, 4), u=(3, 7, 6, 4), held=None):
            chunks, pack = {"a": a, "u": u}, {"compression": "gzip"}
            for name in TWO.names:
                file.pop(name, None)
            opened = {
                name: [file.create_dataset(name, data=ARRAYS[name], chunks=chunks[name], **pack)] for name in "au"
            }
            return Blocks.of(TWO, FIELDS, opened, held or Held())

        yield made


@pytest.fixture
def reads(monkeypatch):
    found, real = [], ChunkedArray.read

    def read(self, samples, frames):
        found.append((*self.fields, samples.start, samples.stop, frames.start))
        return real(self, samples, frames)

    monkeypatch.setattr(ChunkedArray, "read", read)
    return found


def filled(some, sample, frames, plan):
    into = {"u": np.zeros((2, len(frames), 6, 4), np.float32)}
    if "a" in some.names:
        into["a"] = np.zeros((2, 6, 4), np.float32)
        some.fill(into, 1, sample, {"u": np.asarray(frames)}, plan)
        np.testing.assert_array_equal(into["a"][1], ARRAYS["a"][sample])
    else:
        some.fill(into, 1, sample, {"u": np.asarray(frames)}, plan)
    np.testing.assert_array_equal(into["u"][1], ARRAYS["u"][sample, frames])
    assert not into["u"][0].any()


@pytest.mark.parametrize("a", [(1, 6, 4), (2, 6, 4)])
@pytest.mark.parametrize("plan", [Plan(3, 3, 7, 1), Plan(3, 2, 7, 1), Plan(3, 1, 4, 1), Plan(6, 6, 1, 1)])
def test_any_frames_of_any_sample_by_any_plan(blocks, a, plan):
    some = blocks(a)
    assert some.names == ({"u"} if a[0] == 1 else {"a", "u"})
    for sample in (0, 10, 4, 2, 9):
        for frames in ([0], [6, 2, 3], [5, 5], range(7)):
            filled(some, sample, list(frames), plan)


def test_blocks_are_whole_chunks_of_all_arrays(blocks, monkeypatch):
    some = blocks((2, 6, 4), (3, 4, 6, 4))
    assert (some.samples, some.frames) == (6, 4)
    assert (blocks((11, 6, 4), (3, 2, 6, 4)).samples, blocks((4, 2, 2), (11, 7, 3, 2)).samples) == (11, 11)
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", 5 * 5 * FRAME)
    some = blocks((2, 6, 4), (3, 4, 6, 4))
    assert (some.samples, some.frames) == (3, 4), "together they would take more than there is room for"


def test_nothing_is_held_of_what_is_read_by_itself(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        opened = {name: [file.create_dataset(name, data=ARRAYS[name])] for name in TWO.names}
        assert Blocks.of(TWO, FIELDS, opened, Held()) is None


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        # blocks of 3 samples and 3 frames: two are alive, and a third one where columns are not at the same place
        (18, Plan(3, 3, 3, 1)),
        (27, Plan(3, 3, 3, 1)),
        (54, Plan(3, 3, 3, 2)),
        (17, Plan(3, 2, 3, 1)),  # too little for whole chunks
        (6, Plan(3, 1, 3, 1)),
        (5, Plan(3, 1, 2, 1)),
        (1, Plan(3, 1, 1, 1)),  # a frame at a time is held however large it is
    ],
)
def test_plans_fit_in_the_room_that_there_is(blocks, monkeypatch, room, expected):
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", room * FRAME)
    some = blocks(u=(3, 3, 6, 4))
    assert some.plan(STEPS) == some.plan(STEPS) == expected


def test_samples_that_do_not_fit_are_read_whole_chunk_by_chunk(blocks, monkeypatch):
    """As to compare them with their checksums: smaller blocks would only have chunks decompressed more often."""
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", 5 * FRAME)
    assert blocks(u=(1, 3, 6, 4)).plan() == Plan(1, 1, 3, 1)
    assert blocks(u=(1, 7, 6, 4)).plan() == Plan(1, 1, 4, 1), "the largest part that fits"


def test_columns_that_fit_with_all_frames_need_no_more(blocks, monkeypatch):
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", 5 * 3 * 7 * FRAME)
    assert blocks().plan(STEPS) == blocks().plan() == Plan(3, 3, 7, 5)


def test_columns_are_runs_of_samples_that_never_share_chunks():
    plan, samples = Plan(5, 2, 4, 1), np.arange(11)
    columns = plan.columns(samples)
    assert columns.tolist() == [0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 6]
    for sample in samples:
        span = plan.span(int(sample), 11)
        assert np.flatnonzero(columns == columns[sample]).tolist() == list(range(span.start, span.stop))
    places = plan.places(samples, np.full(11, 6))
    assert places.columns.tolist() == columns.tolist() and set(places.steps.tolist()) == {1}


def test_going_along_a_column_reads_each_block_once_in_the_room_of_two(blocks, monkeypatch, reads):
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", (3 + 2 * 9) * FRAME)
    held = Held()
    some = blocks((3, 6, 4), (3, 3, 6, 4), held)
    plan = some.plan(STEPS)
    assert plan == Plan(3, 3, 3, 1)
    rng = np.random.default_rng(0)
    for step in range(3):
        pairs = [(s, t) for s in range(3) for t in range(6) if (t + 1) // 3 == step]
        for index in rng.permutation(len(pairs)):
            sample, start = pairs[index]
            filled(some, sample, [start, start + 1], plan)
            assert held.bytes <= (3 + 2 * 9) * FRAME
    assert sorted(reads) == [("a", 0, 3, 0), ("u", 0, 3, 0), ("u", 0, 3, 3), ("u", 0, 3, 6)]


def test_whole_runs_are_loaded_and_not_held(blocks, reads):
    held = Held()
    some = blocks((2, 6, 4), (3, 4, 6, 4), held)
    into = {"a": np.zeros((6, 6, 4)), "u": np.zeros((6, 7, 6, 4), np.float32)}
    some.load(into, slice(0, 6))
    for name, values in into.items():
        np.testing.assert_array_equal(values, ARRAYS[name][:6])
    assert len(reads) == 3 and held.bytes == 0


def test_what_cannot_be_read_is_named(blocks, monkeypatch):
    def broken(self, samples, frames):
        raise OSError("unreadable")

    some = blocks()
    monkeypatch.setattr(ChunkedArray, "read", broken)
    with pytest.raises(Unreadable, match="u"):
        filled(some, 0, [0], some.plan())
    with pytest.raises(Unreadable, match="u"):
        some.load({"u": np.zeros((3, 7, 6, 4))}, slice(0, 3))
