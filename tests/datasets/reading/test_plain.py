import gc
import os

import h5py
import numpy as np
import pytest

from opforge.datasets.reading.plain import PlainReader
from opforge.datasets.reading.stored import Stored
from tests.datasets.reading.examples import FLOAT, HEADER, columns, write

FIELDS = {name: Stored((name,), tuple(HEADER.dimensions(name))) for name in HEADER.names}


@pytest.fixture(scope="module")
def arrays():
    return columns()


@pytest.fixture
def path(tmp_path, arrays):
    return write(tmp_path / "d.nc", arrays)


def reader(path, fields=FIELDS, header=HEADER):
    with h5py.File(path) as file:
        opened = {name: [file[part] for part in stored.paths] for name, stored in fields.items()}
        return PlainReader.of(path, header, fields, opened)


def test_any_samples_and_any_frames_of_a_sample(path, arrays):
    plain = reader(path)
    assert plain.has(HEADER.names) and plain.has(["a"]) and not plain.has(["a", "b"])
    for name in HEADER.names:
        for start in range(5):
            for stop in range(start + 1, 6):
                into = np.empty((stop - start, *HEADER.shape(name)), FLOAT)
                assert plain.read(name, start, 0, into)
                np.testing.assert_array_equal(into, arrays[name][start:stop])
    for first in range(7):
        for last in range(first + 1, 8):
            into = np.empty((1, last - first, 6, 4), FLOAT)
            assert plain.read("u", 3, first, into)
            np.testing.assert_array_equal(into, arrays["u"][3:4, first:last])


def test_what_it_cannot_read_is_left_alone(path):
    plain, before = reader(path), np.full((2, 7, 6, 4), 5.0)
    for name, into in [
        ("u", before.copy()),  # another type
        ("u", before.astype(FLOAT)[:, :3].copy()),  # parts of two samples
        ("u", np.asfortranarray(before.astype(FLOAT))),
        ("other", before.astype(FLOAT)),
    ]:
        assert not plain.read(name, 0, 0, into)
        assert (into == 5.0).all()


def test_compressed_fields_are_for_hdf5(tmp_path, arrays):
    assert reader(write(tmp_path / "c.nc", arrays, compression=1)) is None


def test_fields_with_another_order_of_axes_are_for_hdf5(tmp_path, arrays):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["a"] = arrays["a"].transpose(0, 2, 1)
        file["w"] = arrays["w"]
    fields = {"a": Stored(("a",), ("sample", "y", "x")), "w": FIELDS["w"]}
    plain = reader(tmp_path / "d.h5", fields)
    assert plain.has(["w"]) and not plain.has(["a"])


def test_a_file_that_was_cut_off_since_is_noticed(path):
    plain = reader(path)
    into = np.empty((5, 6, 4), FLOAT)
    assert plain.read("a", 0, 0, into)
    os.truncate(path, 4096)
    assert not plain.read("a", 0, 0, into)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")
def test_the_file_is_closed_with_its_reader(path):
    before = len(os.listdir("/proc/self/fd"))
    plain = reader(path)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del plain
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
