"""The file under HDF5 when the system refuses to write."""

import errno

import h5py
import numpy as np
import pytest

from opforge.datasets.files.disk import Disk


class Full:
    """A disk that takes so many bytes."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(data)
        return self.file.write(data)

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_hdf5_is_not_told_of_a_failure_and_the_user_is(tmp_path):
    with open(tmp_path / "d.h5", "x+b", buffering=0) as raw:
        disk = Disk(Full(raw, 3000))
        with h5py.File(disk, "w") as file:
            file["a"] = np.arange(10_000)
        with pytest.raises(OSError, match="No space left") as raised:
            disk.check()
        assert raised.value.errno == errno.ENOSPC


def test_what_is_written_is_read(tmp_path):
    with open(tmp_path / "d.h5", "x+b", buffering=0) as raw:
        disk = Disk(raw)
        with h5py.File(disk, "w") as file:
            file["a"] = np.arange(10_000)
        disk.check()
    with h5py.File(tmp_path / "d.h5") as file:
        np.testing.assert_array_equal(file["a"][...], np.arange(10_000))
