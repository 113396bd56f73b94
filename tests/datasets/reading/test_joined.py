import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray

from opforge import open_dataset
from opforge.core import Grid
from opforge.datasets.reading.hdf5_source import HDF5Source
from opforge.datasets.reading.joined import joined_header
from opforge.datasets.reading.reach import Reach
from opforge.errors import InputError
from tests.datasets.reading.examples import HEADER, assert_equal, columns, pair, write

# Cut into parts of 3, 1 and 4 samples.
WHOLE = replace(HEADER, samples=8)
PARTS = [WHOLE.shard(0, 3), WHOLE.shard(3, 1), WHOLE.shard(4, 4)]
PATHS = [Path(f"{part.first}.nc") for part in PARTS]
ARRAYS = columns(WHOLE)


def shards(folder, compression=None, failed=()):
    arrays = columns(WHOLE, failed=failed)
    for part in PARTS:
        some = {name: values[part.first : part.first + part.samples] for name, values in arrays.items()}
        write(folder / f"{part.first}.nc", some, part, compression)
    return folder


@pytest.fixture(params=["plain", "compressed", "compressed, not kept"])
def folder(request, tmp_path, monkeypatch):
    if request.param == "compressed, not kept":
        monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 0)
    return shards(tmp_path, None if request.param == "plain" else 1)


def test_shards_are_the_whole_in_any_order_of_names(folder):
    for paths in ([folder / "4.nc", folder / "0.nc", folder / "3.nc"], folder, f"{folder}/[034].nc"):
        dataset = open_dataset(paths)
        assert (len(dataset), dataset.path, dataset.header.total) == (8, None, 0)
        x, y = dataset.batch(range(8))
        for i in range(8):
            expected = pair(ARRAYS, WHOLE, i, (0,), (6,))
            assert_equal(x[i], expected[0])
            assert_equal(y[i], expected[1])


def test_batches_in_any_order(folder):
    dataset = open_dataset(folder)
    for samples in ([7, 0, 3, 3, 5, 2], [3], [], [6, 4]):
        x, _ = dataset.batch(samples)
        assert x.shape == (len(samples), 3, 6, 4)
        for row, sample in zip(x, samples, strict=True):
            assert_equal(row, pair(ARRAYS, WHOLE, sample, (0,), (6,))[0])


def test_windows_and_whole_samples(folder):
    pairs = open_dataset(folder).windows(2, 1, step=2)
    order = np.random.default_rng(0).permutation(len(pairs))
    x, y = pairs.batch(order)
    for row, (sample, start) in enumerate(zip(*np.divmod(order, 3), strict=True)):
        expected = pair(ARRAYS, WHOLE, sample, (start, start + 2), (start + 4,))
        assert_equal(x[row], expected[0])
        assert_equal(y[row], expected[1])
    whole = open_dataset(folder).arrays([7, 2])
    for name in WHOLE.names:
        np.testing.assert_array_equal(whole[name], ARRAYS[name][[7, 2]])


def test_a_random_order_has_every_pair_once(folder):
    pairs = open_dataset(folder).windows()
    assert sorted(pairs.order().tolist()) == list(range(48))
    some = pairs.order([40, 3, 4])
    assert sorted(some.tolist()) == [0, 1, 2]


def test_columns_of_different_files_are_different(tmp_path, monkeypatch):
    monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 0)
    source, reach = open_dataset(shards(tmp_path, 1))._source, Reach(np.array([[0, 6]]))
    samples = np.array([7, 0, 3, 3, 1, 4])
    found = source.places(samples, np.full(6, 6), reach)
    assert len(set(found.columns.tolist())) == 5 and found.columns[2] == found.columns[3]
    assert open_dataset(shards(tmp_path / "..", None))._source.places(samples, np.full(6, 6), reach) is None


@pytest.mark.parametrize("copied", [False, True])
def test_shards_hold_no_more_than_one_file_would(tmp_path, monkeypatch, copied):
    monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 0)
    size = 3 * 7 * 24 * 4  # a sample's frames
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", 3 * size)
    pairs = open_dataset(shards(tmp_path, 1)).windows()
    pairs = pickle.loads(pickle.dumps(pairs)) if copied else pairs
    for x, _ in pairs.batches(5, shuffle=True):
        assert x.shape[0] in (5, 3)
        held = {id(part._held): part._held for part in pairs._source._parts}
        assert len(held) == 1 and size <= sum(each.bytes for each in held.values()) <= 3 * size


def test_shards_stay_in_memory_if_all_of_them_are_small(tmp_path, monkeypatch):
    folder, size = shards(tmp_path, 1), 8 * (24 + 3 * 7 * 24) * 4
    for room, kept in ((size, False), (size + 1, True)):
        monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", room)
        assert open_dataset(folder)._source.keeps == kept
        assert all(part.keeps == kept for part in open_dataset(folder)._source._parts)


def test_only_the_files_that_are_asked_are_opened(folder, monkeypatch):
    dataset, opened = open_dataset(folder), []
    real = HDF5Source.read
    monkeypatch.setattr(HDF5Source, "read", lambda self, *what: opened.append(self.path.name) or real(self, *what))
    dataset.batch([4, 7, 5])
    assert opened == ["4.nc"]
    dataset.batch([3, 0])
    assert sorted(opened[1:]) == ["0.nc", "3.nc"]


def test_xarray_of_the_whole_reads_what_it_is_asked_for(folder, tmp_path, monkeypatch):
    write(tmp_path / "whole", ARRAYS, WHOLE)
    read, real = [], HDF5Source.read

    def log(self, samples, frames, reach=None):
        read.append(
            (self.path.name, samples.tolist(), {name: None if f is None else f.tolist() for name, f in frames.items()})
        )
        return real(self, samples, frames, reach)

    monkeypatch.setattr(HDF5Source, "read", log)
    data = open_dataset(folder).to_xarray()
    assert read == []
    assert data.u[6, 2:4, 1].shape == (2, 4)
    np.testing.assert_array_equal(data.u[6, 2:4, 1], ARRAYS["u"][6, 2:4, 1])
    assert read and all(entry == ("4.nc", [2], {"u": [[2, 3]]}) for entry in read)
    with xarray.open_dataset(tmp_path / "whole", engine="h5netcdf") as whole:
        xarray.testing.assert_identical(data.load(), whole.load())


def test_failed_samples_are_left_out_also_where_a_whole_shard_failed(tmp_path):
    dataset = open_dataset(shards(tmp_path, failed=[1, 3, 6]))
    assert len(dataset) == 5
    good = [0, 2, 4, 5, 7]
    assert_equal(dataset.batch(range(5))[0], [pair(ARRAYS, WHOLE, i, (0,), (6,))[0] for i in good])
    np.testing.assert_array_equal(dataset.to_xarray().u, ARRAYS["u"][good])
    with pytest.raises(InputError, match=r"no samples, all 8 of them failed"):
        open_dataset(shards(tmp_path, failed=range(8)))


def test_damage_in_one_of_them_is_named(tmp_path):
    paths = sorted(shards(tmp_path).glob("*.nc"))
    with h5py.File(paths[2], "r+") as file:
        file["v"][1, 3, 2, 2] += 1
    dataset = open_dataset(paths).windows()
    dataset.batch([0])
    with pytest.raises(InputError, match=r"4\.nc is damaged: sample 1 does not agree"):
        dataset.batch([5 * 6])


def test_shards_of_another_precision_lose_nothing(tmp_path):
    shards(tmp_path)
    double = {name: values[4:] for name, values in columns(WHOLE, np.dtype(np.float64)).items()}
    write(tmp_path / "4.nc", double, PARTS[2])
    dataset = open_dataset(tmp_path)
    for samples in ([0, 7], [7, 0]):
        fields = dataset.arrays(samples)
        row = samples.index(7)
        np.testing.assert_array_equal(fields["a"][row], double["a"][3])
        np.testing.assert_array_equal(fields["a"][1 - row], ARRAYS["a"][0])
    data = dataset.to_xarray()
    assert data.a.dtype == np.float64
    np.testing.assert_array_equal(data.a[7], double["a"][3])


def test_pickled(folder):
    dataset = open_dataset(folder).subset([6, 1])
    dataset.batch([0])
    again = pickle.loads(pickle.dumps(dataset))
    assert_equal(again.batch([0, 1])[1], dataset.batch([0, 1])[1])


def test_the_header_of_the_whole():
    assert joined_header(PARTS, PATHS) == replace(WHOLE, total=0)
    assert joined_header([HEADER], PATHS[:1]) == HEADER, "a whole file by itself"


@pytest.mark.parametrize(
    ("headers", "match"),
    [
        (PARTS[:2], r"samples 4 to 7 are missing in 0\.nc, 3\.nc"),
        (PARTS[1:], "samples 0 to 2 are missing"),
        ([PARTS[0], PARTS[2]], "samples 3 to 3 are missing"),
        ([PARTS[0], PARTS[0], PARTS[2]], "samples 0 to 2 are there twice"),
        ([PARTS[0], WHOLE.shard(2, 6)], "samples 2 to 2 are there twice"),
        ([PARTS[0], WHOLE], "one of .* is a whole one"),
        ([PARTS[0], replace(PARTS[1], provenance={"seed": 2})], "of different datasets, 'seed' differs among"),
        ([PARTS[0], replace(PARTS[1], total=9)], "of different datasets, 'total_samples' differs"),
        ([PARTS[0], replace(PARTS[1], grid=Grid((6, 4)))], "of different datasets, 'grid' differs"),
        ([PARTS[0], replace(PARTS[1], times=(0.0, 1.0))], "the grid or the times differs"),
    ],
)
def test_sets_that_are_no_whole_are_refused(headers, match):
    with pytest.raises(InputError, match=match) as raised:
        joined_header(headers, PATHS)
    assert "\n" not in str(raised.value)


def test_many_names_are_counted():
    with pytest.raises(InputError, match=r"in 0\.nc, 1\.nc, 2\.nc and 6 more; name every shard once"):
        joined_header([WHOLE.shard(0, 1)], [Path(f"{i}.nc") for i in range(9)])
