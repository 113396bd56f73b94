"""The structure of an unfinished file is as it was laid out, whatever happened to it meanwhile."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import lay_out, places
from opforge.datasets.files.structure import renew

FLOAT = np.dtype(np.float32)
HEADER = Header(("a",), ("u",), Grid((3, 4)), 40, times=(0.0, 1.0), evolving=("u",))


@pytest.fixture
def unfinished(tmp_path):
    """A laid-out file with numbers where samples and reasons go, and its places."""
    with open(tmp_path / "d.nc.partial", "x+b", buffering=0) as file:
        found = lay_out(file, HEADER, FLOAT)
        for place in found.values():
            file.seek(place.offset)
            file.write(b"s" * place.size)
    return tmp_path / "d.nc.partial", found


def changed(path, at):
    data = bytearray(path.read_bytes())
    for index in at:
        data[index] ^= 0x10
    path.write_bytes(data)


def test_damaged_structure_is_written_again_and_samples_are_left(unfinished):
    path, found = unfinished
    before = path.read_bytes()
    taken = np.zeros(len(before), bool)
    for place in found.values():  # as many reasons as samples have room
        taken[place.offset : place.offset + place.size * HEADER.samples] = True
    rng = np.random.default_rng(0)
    at = [*rng.choice(np.flatnonzero(~taken), 50), *rng.choice(np.flatnonzero(taken), 5)]
    changed(path, at)
    with open(path, "r+b", buffering=0) as file:
        assert renew(file, HEADER, FLOAT, found)
    differs = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(path.read_bytes(), np.uint8))
    assert set(differs) == set(at[50:]), "samples have checksums of their own"


def test_a_file_of_other_places_is_left_alone(unfinished):
    path, found = unfinished
    before = path.read_bytes()
    elsewhere = {name: replace(place, offset=place.offset + 8) for name, place in found.items()}
    with open(path, "r+b", buffering=0) as file:
        assert not renew(file, HEADER, FLOAT, elsewhere)
    assert path.read_bytes() == before


def test_nothing_stays_beside_the_file(unfinished):
    path, found = unfinished
    with open(path, "r+b", buffering=0) as file:
        renew(file, HEADER, FLOAT, found)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    with h5py.File(path) as hdf5:
        assert places(hdf5, HEADER, FLOAT) == found
