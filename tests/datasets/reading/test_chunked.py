import h5py
import numpy as np
import pytest

from opforge.datasets.reading.chunked import ChunkedArray, chunked_arrays
from opforge.datasets.reading.stored import Stored
from tests.datasets.reading.examples import HEADER

VALUES = np.arange(5 * 7 * 6 * 4 * 4, dtype=np.float32).reshape(5, 7, 6, 4, 4)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        yield file


def test_components_are_read_together_and_taken_apart(file):
    array = file.create_dataset("c", data=VALUES, chunks=(2, 3, 6, 2, 4), compression="gzip")
    axes = ("sample", "time", "x", "y")
    chunked = ChunkedArray({"u": Stored(("c",), (*axes, 1)), "v": Stored(("c",), (*axes, 3))}, [array], HEADER)
    assert (chunked.samples, chunked.frames, chunked.size, chunked.together) == (2, 3, 6 * 4 * 3 * 4, True)
    values = chunked.read(slice(1, 3), slice(2, 4))
    assert values.shape == (2, 2, 6, 4, 3)
    np.testing.assert_array_equal(chunked.view(values, "u"), VALUES[1:3, 2:4, ..., 1])
    np.testing.assert_array_equal(chunked.view(values, "v"), VALUES[1:3, 2:4, ..., 3])


def test_axes_in_any_order_and_some_of_them_missing(file):
    turned = file.create_dataset("t", data=VALUES[..., 0].transpose(3, 1, 2, 0), chunks=(4, 2, 6, 5))
    chunked = ChunkedArray({"u": Stored(("t",), ("y", "time", "x", "sample"))}, [turned], HEADER)
    assert (chunked.samples, chunked.frames) == (5, 2)
    found = chunked.view(chunked.read(slice(2, 5), slice(0, 7)), "u")
    np.testing.assert_array_equal(found, VALUES[2:5, ..., 0])
    common = file.create_dataset("k", data=VALUES[0, 0, :, 0, 0], chunks=(3,), compression="gzip")
    chunked = ChunkedArray({"a": Stored(("k",), ("x",))}, [common], HEADER)
    assert (chunked.samples, chunked.frames, chunked.together) == (0, 0, True)
    found = chunked.view(chunked.read(slice(3, 4), slice(0, 0)), "a")
    assert found.shape == (1, 6, 1)
    np.testing.assert_array_equal(found[0, :, 0], VALUES[0, 0, :, 0, 0])


def test_an_array_for_each_sample(file):
    arrays = [file.create_dataset(f"{i}", data=VALUES[i], chunks=(2, 6, 4, 4), compression="gzip") for i in range(5)]
    paths = tuple("01234")
    fields = {name: Stored(paths, ("time", "x", "y", i)) for i, name in enumerate("uv")}
    chunked = ChunkedArray(fields, arrays, HEADER)
    assert (chunked.samples, chunked.frames, chunked.together) == (1, 2, True)
    found = chunked.view(chunked.read(slice(1, 4), slice(2, 4)), "v")
    np.testing.assert_array_equal(found, VALUES[1:4, 2:4, ..., 1])


@pytest.mark.parametrize(
    ("options", "evolves", "together"),
    [
        ({}, True, False),
        ({"chunks": (1, 7, 6, 4)}, True, False),  # plain numbers, from which one takes what one wants
        ({"chunks": (1, 7, 6, 4), "compression": "gzip"}, True, True),
        ({"chunks": (1, 1, 6, 4), "compression": "lzf"}, True, True),  # windows share frames
        ({"chunks": (2, 1, 3, 4)}, True, True),
        ({"chunks": (1, 6, 4), "compression": "gzip"}, False, False),
        ({"chunks": (5, 2, 2)}, False, True),
    ],
)
def test_what_is_worth_holding(file, options, evolves, together):
    array = file.create_dataset("f", data=VALUES[..., 0] if evolves else VALUES[:, 0, ..., 0], **options)
    axes = ("sample", "time", "x", "y") if evolves else ("sample", "x", "y")
    found = chunked_arrays(HEADER, {"f": Stored(("f",), axes)}, {"f": [array]}, ["f"])
    assert bool(found) == together
