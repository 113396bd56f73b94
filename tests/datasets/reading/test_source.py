import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from opforge import generate, open_dataset
from opforge.datasets.formats.described import Asked
from opforge.datasets.formats.netcdf import describe
from opforge.datasets.reading.source import HDF5Source
from opforge.errors import InputError


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "darcy.nc"
    generate("darcy", 9, 8, out=path)
    return path


@pytest.fixture
def path(original, tmp_path):
    return shutil.copy(original, tmp_path / "darcy.nc")


def source(path, kept=True, monkeypatch=None):
    if not kept:
        monkeypatch.setattr("opforge.datasets.reading.source.KEEP_BYTES", 100)
    found = describe(Path(path), Asked())
    return HDF5Source(Path(path), found.header, found.fields)


STATIC = {"a": None, "u": None}


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("indices", [[0], [8, 0, 3, 4, 5, 3], list(range(9)), []])
def test_reads_what_the_file_has(path, monkeypatch, kept, indices):
    fields = source(path, kept, monkeypatch).read(np.array(indices, dtype=int), STATIC)
    with h5py.File(path) as file:
        for name, values in fields.items():
            np.testing.assert_array_equal(values, file[name][...][indices])


@pytest.mark.parametrize(("kept", "expected"), [(True, [[1, 2], [3]]), (False, [[1, 2], [1, 2, 3], [1]])])
def test_small_files_are_read_once_and_large_ones_every_time(path, monkeypatch, kept, expected):
    loaded, load = [], HDF5Source._whole
    monkeypatch.setattr(
        HDF5Source, "_whole", lambda self, names, indices: loaded.append(list(indices)) or load(self, names, indices)
    )
    reader = source(path, kept, monkeypatch)
    for indices in ([2, 1], [3, 2, 1, 1], [1]):
        reader.read(np.array(indices), STATIC)
    assert loaded == expected


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_named(path, monkeypatch, kept, value):
    with h5py.File(path, "r+") as file:
        file["u"][4, 2, 3] = value
    reader = source(path, kept, monkeypatch)
    reader.read(np.array([0, 3, 8]), STATIC)
    with pytest.raises(
        InputError, match=r"darcy\.nc: variable 'u' has a value that is not finite .* in sample 4;"
    ) as raised:
        reader.read(np.array([8, 4, 0]), STATIC)
    assert "\n" not in str(raised.value)
    with pytest.raises(InputError, match="sample 4"):  # also the second time
        reader.read(np.array([4]), STATIC)


@pytest.mark.parametrize(
    ("stored", "given"), [("float64", "float64"), ("int32", "float64"), ("int16", "float32"), (">f4", "float32")]
)
def test_other_number_formats(path, stored, given):
    with h5py.File(path, "r+") as file:
        values = file["a"][...]
        del file["a"], file["checksum"]
        file["a"] = values.astype(stored)
    a = source(path).read(np.array([2, 1]), STATIC)["a"]
    assert a.dtype == np.dtype(given)
    np.testing.assert_array_equal(a, values[[2, 1]])


@pytest.mark.parametrize("options", [{"chunks": (2, 8, 8)}, {"chunks": (3, 4, 8), "compression": "gzip"}])
def test_other_layouts(path, options):
    with h5py.File(path, "r+") as file:
        values = file["a"][...]
        del file["a"]
        file.create_dataset("a", data=values, **options)
    np.testing.assert_array_equal(source(path).read(np.array([7, 2, 3]), STATIC)["a"], values[[7, 2, 3]])


def test_damage_that_hides_a_variable_is_named(path):
    reader = source(path)
    with h5py.File(path, "r+") as file:
        del file["u"]
    with pytest.raises(InputError, match=r"is damaged: variable 'u' is missing; copy or generate the file again"):
        reader.read(np.array([0]), STATIC)


def test_damage_inside_is_named(path):
    with h5py.File(path, "r+") as file:
        values = file["a"][...]
        del file["a"]
        file.create_dataset("a", data=values, chunks=(1, 8, 8), compression="gzip", fletcher32=True)
        offset = file["a"].id.get_chunk_info(5).byte_offset
    with open(path, "r+b") as raw:
        raw.seek(offset)
        raw.write(b"\0" * 40)
    reader = source(path)
    reader.read(np.array([0, 4]), STATIC)
    with pytest.raises(InputError, match="is damaged: variable 'a' cannot be read at sample 5"):
        reader.read(np.array([5]), STATIC)


@pytest.mark.parametrize("name", ["a", "u", "seed", "solver_residual", "checksum"])
def test_a_flipped_bit_is_noticed(tmp_path, name):
    dataset = generate("darcy", 4, 8, out=tmp_path / "d.nc")
    with h5py.File(tmp_path / "d.nc") as file:
        variable = file[name]
        size = variable[0].nbytes
        start = variable.id.get_offset() or variable.id.get_chunk_info(0).byte_offset
    with open(tmp_path / "d.nc", "r+b") as file:
        file.seek(start + 2 * size)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    dataset = open_dataset(tmp_path / "d.nc")
    dataset.batch([0, 1, 3])
    with pytest.raises(InputError, match=r"d\.nc is damaged: sample 2 does not agree with its checksum; copy or"):
        dataset.batch([0, 2])


def test_a_part_of_the_fields_is_read_without_checksums(tmp_path):
    generate("darcy", 4, 8, out=tmp_path / "d.nc")
    assert open_dataset(tmp_path / "d.nc", inputs=("a",), outputs=("a",)).batch([0])[0].shape == (1, 1, 8, 8)
