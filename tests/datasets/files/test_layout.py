"""Where samples lie in a file, and their checksums."""

import itertools
import os
from dataclasses import replace

import h5netcdf
import h5py
import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.files.columns import bytes_per_sample, checksums, empty_columns, variables
from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import FAILURES, chunk_shape, lay_out, per_sample, places, plain_place, read_bytes
from opforge.errors import InputError

HEADER = Header(("a",), ("u",), Grid((3, 4)), 7)
FLOAT = np.dtype(np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bytes_written_to_their_places_are_the_samples(tmp_path, dtype):
    kind = np.dtype(dtype)
    generator = np.random.default_rng(0)
    arrays = empty_columns(HEADER, kind, 7)
    for values in arrays.values():
        values[...] = generator.integers(0, 1000, values.shape)
    arrays["checksum"] = checksums(arrays)
    with open(tmp_path / "d.nc", "x+b", buffering=0) as file:
        for name, place in lay_out(file, HEADER, kind).items():
            if name == FAILURES:
                continue
            for index in (4, 0, 6, 1, 5, 3, 2):
                file.seek(place.offset + index * place.size)
                file.write(arrays[name][index].tobytes())
    with h5py.File(tmp_path / "d.nc") as hdf5:
        for name, values in arrays.items():
            np.testing.assert_array_equal(hdf5[name][...], values)
        assert hdf5["a"].chunks == (1, 3, 4)
        assert [hdf5["a"].id.get_chunk_info(i).byte_offset for i in range(7)] == [
            places(hdf5, HEADER, kind)["a"].offset + i * 12 * kind.itemsize for i in range(7)
        ]


def test_the_room_is_set_aside_at_once(tmp_path):
    with open(tmp_path / "d.nc", "x+b", buffering=0) as file:
        found = lay_out(file, HEADER, FLOAT)
    size = (tmp_path / "d.nc").stat().st_size
    reasons = found.pop(FAILURES)
    assert all(place.offset + 7 * place.size <= size for place in found.values())
    assert bytes_per_sample(HEADER, FLOAT) == 2 * 12 * 4 + 8 + 8 + 4 == sum(place.size for place in found.values())
    spans = [(place.offset, place.offset + 7 * place.size) for place in found.values()]
    spans = sorted([*spans, (reasons.offset, reasons.offset + 32 * 256)])
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans)), "they do not overlap"


def test_another_layout_is_refused(tmp_path):
    with h5py.File(tmp_path / "d.nc", "w") as hdf5:
        hdf5.create_dataset("a", (7, 3, 4), "f4")
        with pytest.raises(ValueError, match="no room is set aside for the variable '/a'"):
            places(hdf5, HEADER, FLOAT)
        for name, (kind, shape) in variables(HEADER, FLOAT).items():
            hdf5.require_dataset(name, (7, *shape), kind)[...] = 0
        with pytest.raises(KeyError, match="component not found"):
            places(hdf5, HEADER, FLOAT)
        hdf5.create_dataset(FAILURES, (32, 256), "S1")[...] = b""
        assert set(places(hdf5, HEADER, FLOAT)) == {"a", "u", "solver_residual", "seed", "checksum", FAILURES}
        del hdf5["seed"]
        hdf5["seed"] = np.zeros(6, np.uint64)
        with pytest.raises(ValueError, match=r"the variable 'seed' is uint64 of shape \(6,\)"):
            places(hdf5, HEADER, FLOAT)


VALUES = np.random.default_rng(0).standard_normal((7, 3, 4))


@pytest.mark.parametrize(
    "options",
    [{}, {"chunks": (1, 3, 4)}, {"chunks": (1, 3, 4), "maxshape": (None, 3, 4)}],
    ids=["whole", "chunks", "open"],
)
@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_plain_samples_are_read_without_hdf5(tmp_path, options, version):
    with h5py.File(tmp_path / "d.h5", "w", libver=version) as hdf5:
        place = plain_place(hdf5.create_dataset("a", data=VALUES, **options))
        hdf5.flush()
    assert place is not None or options, "one piece is always plain"
    if place is not None:
        into = np.empty((3, 3, 4))
        with open(tmp_path / "d.h5", "rb") as file:
            assert read_bytes(file.fileno(), place.offset + 2 * place.size, into)
            np.testing.assert_array_equal(into, VALUES[2:5])
            os.truncate(tmp_path / "d.h5", place.offset + 6 * place.size - 1)
            assert not read_bytes(file.fileno(), place.offset + 4 * place.size, into)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (2, 3, 4)},
        {"chunks": (1, 3, 2)},
        {"chunks": (1, 3, 4), "compression": "gzip"},
        {"chunks": (1, 3, 4), "fletcher32": True},
        {"dtype": np.int32},
    ],
)
def test_what_is_not_plain_is_left_to_hdf5(tmp_path, options):
    with h5py.File(tmp_path / "d.h5", "w") as hdf5:
        assert plain_place(hdf5.create_dataset("a", data=np.round(VALUES), **options)) is None
        assert plain_place(hdf5.create_dataset("never written", (7, 3), "f4")) is None
        out_of_order = hdf5.create_dataset("b", (7, 3, 4), "f8", chunks=(1, 3, 4))
        for i in (3, 0, 1, 2, 6, 5, 4):
            out_of_order[i] = VALUES[i]
            hdf5.flush()
        place = plain_place(out_of_order)
        assert place is None


EVOLVING = Header(("u",), ("u",), Grid((4, 3)), 2, times=(0.0, 0.5, 1.0, 1.5, 2.0, 2.5), evolving=("u",))


def test_fields_that_evolve_have_frames(tmp_path):
    with open(tmp_path / "d.nc", "x+b", buffering=0) as file:
        assert lay_out(file, EVOLVING, FLOAT)["u"].shape == (6, 4, 3)
    with h5py.File(tmp_path / "d.nc") as hdf5:
        assert hdf5["u"].chunks == (1, 6, 4, 3)
        assert hdf5["time"][...].tolist() == list(EVOLVING.times)


@pytest.mark.parametrize(("room", "frames"), [(10**6, 6), (48 * 5, 3), (48 * 2, 2), (10, 1)])
def test_large_samples_are_cut_into_equal_chunks(monkeypatch, room, frames):
    monkeypatch.setattr("opforge.datasets.files.layout._CHUNK_BYTES", room)
    assert chunk_shape(EVOLVING, "u", FLOAT, compressed=True) == (1, frames, 4, 3)
    assert chunk_shape(EVOLVING, "u", FLOAT, compressed=False) == (1, 6, 4, 3)


def test_a_frame_that_no_file_holds_is_refused():
    header = Header(("a",), ("u",), Grid((40_000, 40_000)), 1)
    with pytest.raises(InputError, match=r"a frame of 'a' takes 6\.4 GB, .* lower the resolution"):
        chunk_shape(header, "a", FLOAT, compressed=False)


def test_drawn_parameters_are_variables_of_samples_alone(tmp_path):
    header = replace(HEADER, drawn=("nu",), labels={"nu": {"long_name": "viscosity", "units": "m2 s-1"}})
    with open(tmp_path / "d.nc", "x+b", buffering=0) as file:
        assert lay_out(file, header, FLOAT)["nu"].shape == ()
    with h5netcdf.File(tmp_path / "d.nc") as file:
        assert list(file.variables)[-6:] == ["a", "u", "nu", "solver_residual", "seed", "checksum"]
        nu = file.variables["nu"]
        assert (nu.dimensions, nu.dtype, dict(nu.attrs)) == (("sample",), np.float64, header.labels["nu"])
        assert "then nu, solver_residual and seed" in file.variables["checksum"].attrs["long_name"]
        assert file.attrs["drawn"] == "nu"
    assert list(per_sample(HEADER)) == ["solver_residual", "seed", "checksum"]
