import shutil
import warnings

import h5py
import numpy as np
import pytest
import torch
import xarray

from opforge import open_dataset
from opforge.datasets.files.packing import packing, unpack
from opforge.errors import InputError
from tests.datasets.formats import examples

VALUES = np.random.default_rng(0).integers(1, 3000, (3, 5, 4)) * 0.001

ENCODINGS = [
    {"dtype": "i2", "scale_factor": 0.001, "_FillValue": -1},
    {"dtype": "i2", "scale_factor": 0.001, "add_offset": 1.0},
    {"dtype": "i4", "scale_factor": 0.001, "add_offset": -2.0, "missing_value": np.int32(-9999)},
    {"dtype": "u1", "scale_factor": np.float32(0.05), "add_offset": np.float32(0.5)},
    {"dtype": "f4", "scale_factor": 0.5},
    {"dtype": "f8", "add_offset": 3.0},
    {"dtype": "f4", "_FillValue": np.float32(1e20), "missing_value": np.float32(1e20)},
    {"dtype": "i2", "_FillValue": -1},
    {"dtype": "f8", "_FillValue": np.nan},
]


def packed_file(path, encoding, values=VALUES):
    data = xarray.Dataset({"k": (("sample", "x", "y"), values), "p": (("sample", "x", "y"), -VALUES)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xarray.SerializationWarning)  # integers without a stand-in for NaN
        data.to_netcdf(path, engine="h5netcdf", encoding={"k": encoding})
    return path


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_reads_what_xarray_reads(tmp_path, monkeypatch, encoding, kept):
    if not kept:
        monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 10)
    path = packed_file(tmp_path / "d.nc", encoding)
    dataset = open_dataset(path, inputs=("k",), outputs=("p",)).astype(torch.float64)
    with xarray.open_dataset(path) as data:
        expected = data.k.values
    for indices in ([0, 1, 2], [2, 0], []):
        X, Y = dataset.batch(indices)
        np.testing.assert_array_equal(X[:, 0].numpy(), expected[indices])
        np.testing.assert_array_equal(Y[:, 0].numpy(), -VALUES[indices])


@pytest.mark.parametrize("encoding", [ENCODINGS[0], ENCODINGS[2], ENCODINGS[6]])
def test_missing_values_are_named_with_their_sample(tmp_path, encoding):
    values = VALUES.copy()
    values[1, 2, 3] = np.nan
    dataset = open_dataset(packed_file(tmp_path / "d.nc", encoding, values), inputs=("k",), outputs=("p",))
    dataset.batch([0, 2])
    with pytest.raises(InputError, match=r"variable 'k' has a value that is not finite .* in sample 1;"):
        dataset.batch([0, 1, 2])


def test_numbers_that_stand_for_themselves_are_left_alone():
    values = np.arange(3.0)
    assert unpack(values, packing("k", {"units": "m", "_FillValue": np.array([np.nan])})) is values


def test_netcdf_keeps_numbers_in_arrays_of_one():
    in_array = packing("k", {"scale_factor": np.array([0.1], np.float32)})
    scalar = packing("k", {"scale_factor": np.float32(0.1)})
    one, other = (unpack(np.arange(5, dtype=np.int16), packed) for packed in (in_array, scalar))
    assert one.dtype == other.dtype == np.float32
    np.testing.assert_array_equal(one, other)


def test_two_stand_ins_for_missing_values():
    packed = packing("k", {"_FillValue": np.int16(-1), "missing_value": np.int16(-2)})
    np.testing.assert_array_equal(unpack(np.array([-2, -1, 0, 1], np.int16), packed), [np.nan, np.nan, 0.0, 1.0])


@pytest.mark.parametrize("key", ["scale_factor", "add_offset", "_FillValue", "missing_value"])
def test_text_is_refused(key):
    with pytest.raises(InputError, match=f"attribute {key!r} of variable 'k' must be a number, got 'a lot'"):
        packing("k", {key: "a lot"})


def test_signed_numbers_that_stand_for_unsigned_ones():
    packed = packing("k", {"_Unsigned": "true", "scale_factor": 0.5})
    np.testing.assert_array_equal(unpack(np.array([-1, 1], np.int8), packed), [127.5, 0.5])


@pytest.mark.parametrize(("key", "value"), [("scale_factor", 0.0), ("scale_factor", np.nan), ("add_offset", np.inf)])
def test_a_scale_that_leaves_no_numbers_is_refused(key, value):
    with pytest.raises(InputError, match=f"attribute {key!r} of variable 'k' must be finite"):
        packing("k", {key: np.float64(value)})


# A file of another layout; its variables that are packed: fields, coordinates, times, scalars.
LAYOUTS = {
    "arrays": (lambda path: examples.pdebench_cfd(path, 2), ["Vx", "x-coordinate", "y-coordinate", "t-coordinate"]),
    "groups": (
        lambda path: examples.pdebench_groups(path, "diff-react"),
        [f"{sample:04d}/{name}" for sample in range(3) for name in ("data", "grid/x", "grid/y", "grid/t")],
    ),
    "runs": (examples.pdebench_incompressible, ["velocity", "force", "t"]),
    "the well": (
        examples.well,
        ["t1_fields/velocity", "t0_fields/mask", "dimensions/x", "dimensions/time", "scalars/gain"],
    ),
    "matlab": (lambda path: examples.mat_v73(path, examples.navier_stokes()), ["u", "t"]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_other_layouts_are_unpacked_too(tmp_path, layout):
    """None of them has packed variables by itself: whoever packs them gets what was meant."""
    write, names = LAYOUTS[layout]
    write(tmp_path / "plain.h5")
    shutil.copy(tmp_path / "plain.h5", tmp_path / "packed.h5")
    with h5py.File(tmp_path / "packed.h5", "r+") as file:
        for name in names:
            file[name][...] = 2 * file[name][...] + 6
            file[name].attrs.update(scale_factor=0.5, add_offset=-3.0)
    plain, packed = (open_dataset(tmp_path / f"{name}.h5") for name in ("plain", "packed"))
    np.testing.assert_allclose(packed.grid.lengths, plain.grid.lengths, rtol=1e-6)
    np.testing.assert_allclose(packed.grid.origin, plain.grid.origin, rtol=0, atol=1e-6)
    np.testing.assert_allclose(packed.times, plain.times, rtol=0, atol=2e-7)
    for name, values in plain.arrays(range(3)).items():
        np.testing.assert_allclose(packed.arrays(range(3))[name], values, rtol=1e-6)
    assert packed.provenance == plain.provenance


def test_a_coordinate_that_is_packed_in_one_group_only_is_unpacked(tmp_path):
    """Its first sample's grid is compared with the others' as they are meant."""
    examples.pdebench_groups(tmp_path / "d.h5", "rdb")
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        file["0001/grid/x"].attrs["scale_factor"] = 2.0
    data = open_dataset(tmp_path / "d.h5")
    data.arrays([0, 2])
    with pytest.raises(InputError, match=r"coordinate .0001/grid/x. must agree with .0000/grid/x., got .* instead"):
        data.arrays([1])
