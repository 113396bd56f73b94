import os
import shutil
import struct

import h5py
import numpy as np
import pytest
import xarray

from opforge import generate, open_dataset
from opforge.datasets.files.layout import FAILURES, places
from opforge.datasets.files.seal import MAGIC, chunk_spans, is_sealed, place_spans, seal_of
from opforge.datasets.files.whole import partial_of
from opforge.errors import InputError

FLOAT = np.dtype(np.float32)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name, compression in (("plain", None), ("compressed", 4)):
        generate("darcy", 5, 8, out=folder / f"{name}.nc", compression=compression)
    return folder


@pytest.fixture(params=["plain", "compressed"])
def path(request, originals, tmp_path):
    return shutil.copy(originals / f"{request.param}.nc", tmp_path / "d.nc")


def end_of(path):
    """Where HDF5's part of a file ends, as the file says itself."""
    return struct.unpack_from("<Q", path.read_bytes(), 28)[0]


def left_out(path):
    """The spans of the fields."""
    with h5py.File(path) as hdf5:
        if hdf5["a"].compression:
            return chunk_spans(hdf5, ["a", "u"])
        return place_spans(places(hdf5, open_dataset(path).header, FLOAT), ["a", "u"], 5)


def test_finished_files_are_sealed(path):
    assert is_sealed(path)
    assert path.read_bytes()[end_of(path) :].startswith(MAGIC)
    assert path.read_bytes().endswith(MAGIC)


def test_every_byte_but_those_of_the_fields_is_covered(path):
    content = path.read_bytes()
    fields = np.zeros(len(content), bool)
    for start, stop in left_out(path):
        fields[start:stop] = True
    assert 0 < fields.sum() < len(content)
    for position in {*range(0, len(content), 61), *np.flatnonzero(np.diff(fields)), end_of(path), len(content) - 1}:
        changed = bytearray(content)
        changed[position] ^= 4
        path.write_bytes(changed)
        if fields[position]:
            assert is_sealed(path), position
        else:
            with pytest.raises(InputError, match=r"d\.nc is cut off or damaged \(\d+ bytes are there\); copy or gen"):
                is_sealed(path)


def test_why_samples_failed_is_covered(path):
    with h5py.File(path) as hdf5:
        place = hdf5[FAILURES].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place] = 65
    path.write_bytes(content)
    with pytest.raises(InputError, match="is cut off or damaged"):
        open_dataset(path)


def test_a_file_cut_in_its_seal_is_refused_and_one_cut_before_is_read(path):
    content, end = path.read_bytes(), end_of(path)
    expected = open_dataset(path).batch(range(5))
    for size in (*range(end + len(MAGIC), len(content), 5), len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match="is cut off or damaged"):
            open_dataset(path)
    path.write_bytes(content[:end])
    assert not is_sealed(path)
    for found, wanted in zip(open_dataset(path).batch(range(5)), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_hdf5_sees_nothing_of_a_file_that_is_damaged(path, monkeypatch):
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)

    def fail(*arguments, **options):
        raise AssertionError("HDF5 was asked")

    monkeypatch.setattr("h5py.File", fail)
    monkeypatch.setattr("h5py.is_hdf5", fail)
    with pytest.raises(InputError, match="is cut off or damaged"):
        open_dataset(path)


def test_other_programs_read_what_is_sealed(path):
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        assert dict(data.sizes) == {"sample": 5, "x": 8, "y": 8}
    assert is_sealed(path)


@pytest.mark.parametrize("change", [lambda file: None, lambda file: file.attrs.update(note="mine")])
def test_whatever_changes_the_file_through_hdf5_cuts_the_seal_off(path, change):
    with h5py.File(path, "r+") as hdf5:
        change(hdf5)
    assert path.stat().st_size == end_of(path)
    assert not is_sealed(path)
    assert open_dataset(path).samples == 5


def test_other_files_have_no_seal(tmp_path):
    for content in (b"", b"x", b"\x89HDF\r\n\x1a\n" + bytes(500), MAGIC[:-1]):
        (tmp_path / "d.nc").write_bytes(content)
        assert not is_sealed(tmp_path / "d.nc")
    (tmp_path / "d.nc").write_bytes(MAGIC)
    with pytest.raises(InputError, match="is cut off or damaged"):
        is_sealed(tmp_path / "d.nc")


@pytest.mark.parametrize("kept", [0, 1, 40, None])
def test_a_file_interrupted_while_it_was_sealed_is_gone_on_with(originals, tmp_path, kept):
    """However much of the seal was written, resuming ends with the bytes of an uninterrupted run."""
    whole = (originals / "plain.nc").read_bytes()
    end = end_of(originals / "plain.nc")
    partial_of(tmp_path / "d.nc").write_bytes(whole[: None if kept is None else end + kept])
    generate("darcy", 5, 8, out=tmp_path / "d.nc", resume=True)
    assert (tmp_path / "d.nc").read_bytes() == whole
    assert os.listdir(tmp_path) == ["d.nc"]


def test_a_seal_knows_files_that_it_cannot_seal(tmp_path):
    for content, match in (
        (b"x" * 100, "not as it was written"),
        (b"\x89HDF\r\n\x1a\n\3\x08\x08\0" + struct.pack("<3Q", 0, 0, 90), "became shorter"),
    ):
        (tmp_path / "d.nc").write_bytes(content)
        with open(tmp_path / "d.nc", "rb") as file, pytest.raises(OSError, match=match):
            seal_of(file.fileno(), [])
