from dataclasses import replace

import h5py
import numpy as np
import pytest

from opforge.datasets.reading.blocks import Blocks
from opforge.datasets.reading.stored import Stored
from tests.datasets.reading.examples import HEADER, columns

# Only these two: one that stays and one that evolves.
TWO = replace(HEADER, inputs=("a",), outputs=("u",), evolving=("u",), samples=11)
AXES = {name: tuple(TWO.dimensions(name)) for name in TWO.names}
FIELDS = {name: Stored((name,), axes) for name, axes in AXES.items()}
ARRAYS = columns(TWO)


def blocks(tmp_path, options, header=TWO, fields=FIELDS):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        opened = {name: [file.create_dataset(name, data=ARRAYS[name], **options.get(name, {}))] for name in TWO.names}
        return Blocks.of(header, fields, opened)


class Reader:
    """Fills arrays from memory and keeps what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, name, start, frame, into):
        self.asked.append((name, start, len(into)))
        assert frame is None, "a block has all frames"
        into[...] = ARRAYS[name][start : start + len(into)]


def three():
    return Blocks(TWO, 3, {name: ARRAYS[name].dtype for name in TWO.names})


def test_any_samples_and_frames_are_those_of_the_blocks():
    some, reader = three(), Reader()
    for start in (0, 10, 4, 2):
        for stop in range(start + 1, 12):
            into = np.empty((stop - start, 6, 4), np.float32)
            assert some.read("a", start, 0, into, reader)
            np.testing.assert_array_equal(into, ARRAYS["a"][start:stop])
            into = np.empty((stop - start, 2, 6, 4), np.float32)
            assert some.read("u", start, 4, into, reader)
            np.testing.assert_array_equal(into, ARRAYS["u"][start:stop, 4:6])
    expected = [(name, start, count) for name in "au" for start, count in ((0, 3), (3, 3), (6, 3), (9, 2))]
    assert sorted(reader.asked) == expected, "every block is read once, the last one is short"


@pytest.mark.parametrize("room", [1, 2, 4])
def test_memory_is_bounded_and_the_block_used_last_stays(monkeypatch, room):
    size = 3 * (24 + 7 * 24) * 4
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", room * size)
    some, reader = three(), Reader()
    assert some.most == room
    into = {"a": np.empty((1, 6, 4), np.float32), "u": np.empty((1, 1, 6, 4), np.float32)}
    for sample in range(11):  # chunk by chunk
        for name, values in into.items():
            some.read(name, sample, 0, values, reader)
    assert len(reader.asked) == len(set(reader.asked)) == 8
    assert sum(values.nbytes for values in some._kept.values()) <= room * size
    for sample in (0, 10, 0):
        some.read("a", sample, 0, into["a"], reader)
        np.testing.assert_array_equal(into["a"][0], ARRAYS["a"][sample])
    assert len(reader.asked) == 8 + (1 if room < 4 else 0), "both were there, the first one perhaps again"


def test_what_was_not_used_longest_makes_room(monkeypatch):
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", 2 * 3 * 24 * 4)
    some, reader = three(), Reader()
    for sample in (0, 3, 0, 6, 0, 3):
        some.read("a", sample, 0, np.empty((1, 6, 4), np.float32), reader)
    assert [start for _, start, _ in reader.asked] == [0, 3, 6, 3]


def test_one_block_is_kept_however_large(monkeypatch):
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", 10)
    some, reader = three(), Reader()
    for sample in (0, 1, 2):
        some.read("a", sample, 0, np.empty((1, 6, 4), np.float32), reader)
    assert (some.most, len(reader.asked)) == (1, 1)


def test_wider_numbers_are_given_and_narrower_ones_left():
    some, reader = three(), Reader()
    into = np.empty((2, 6, 4))
    assert some.read("a", 2, 0, into, reader)
    np.testing.assert_array_equal(into, ARRAYS["a"][2:4])
    assert not three().read("a", 0, 0, np.empty((2, 6, 4), np.float16), reader)


def test_what_fails_is_not_kept():
    def broken(name, start, frame, into):
        raise OSError("unreadable")

    some, into = three(), np.empty((1, 6, 4), np.float32)
    with pytest.raises(OSError, match="unreadable"):
        some.read("a", 0, 0, into, broken)
    assert some.read("a", 0, 0, into, Reader())
    np.testing.assert_array_equal(into[0], ARRAYS["a"][0])


@pytest.mark.parametrize(
    ("a", "u", "samples"),
    [
        ({}, {}, None),
        ({"chunks": (1, 6, 4)}, {"chunks": (1, 7, 6, 4)}, None),
        ({"chunks": (1, 6, 4)}, {}, None),
        ({"chunks": (1, 6, 4)}, {"chunks": (1, 7, 6, 4), "compression": "gzip"}, 1),
        ({"chunks": (2, 6, 4)}, {"chunks": (2, 1, 3, 4)}, 2),
        ({"chunks": (1, 6, 4)}, {"chunks": (4, 7, 6, 4)}, 4),
        ({"chunks": (11, 2, 2)}, {"chunks": (11, 1, 1, 1)}, 11),
    ],
)
def test_when_chunks_hold_more_than_a_sample_or_a_frame(tmp_path, a, u, samples):
    found = blocks(tmp_path, {"a": a, "u": u})
    assert (None if found is None else found.samples) == samples


def test_large_blocks_and_fields_without_samples_are_read_one_by_one(tmp_path, monkeypatch):
    options = {"a": {"chunks": (2, 6, 4)}, "u": {"chunks": (2, 7, 6, 4)}}
    assert blocks(tmp_path, options).samples == 2
    assert blocks(tmp_path, options, fields={**FIELDS, "a": Stored(("a",), (0, "x", "y"))}) is None
    monkeypatch.setattr("opforge.datasets.reading.blocks._BLOCK_BYTES", 2 * 7 * 24 * 4 - 1)
    assert blocks(tmp_path, options) is None
