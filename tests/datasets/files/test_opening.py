import gc
import random
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch
import xarray

from opforge import generate, open_dataset
from opforge.core import Grid
from opforge.datasets.files.opening import load_variables
from opforge.errors import InputError


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "darcy.nc"
    generate("darcy", 5, 8, out=path)
    return path


@pytest.fixture
def path(original, tmp_path):
    return shutil.copy(original, tmp_path / "darcy.nc")


def refused(path, match, **options):
    with pytest.raises(InputError, match=match) as raised:
        open_dataset(path, **options)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_file_that_does_not_exist_names_the_closest(path):
    refused(path.with_name("dacry.nc"), r"there is no file .*dacry\.nc; did you mean .*darcy\.nc\?")
    refused(path.parent / "none" / "darcy.nc", "there is no file .*; the folder .*none does not exist either")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty, expected a netCDF-4"),
        (b"a,u\n1,2\n", "is not an HDF5 file, expected netCDF-4"),
        (b"CDF\x01" + b"\0" * 40, "is netCDF-3, expected netCDF-4 .*nccopy"),
        (b"\x89HDF\r\n\x1a\n", "is cut off or damaged"),
    ],
)
def test_file_of_another_kind(tmp_path, content, match):
    (tmp_path / "d.nc").write_bytes(content)
    refused(tmp_path / "d.nc", match)


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9, 0.999])
def test_file_that_is_cut_off(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    refused(path, r"is cut off or damaged \(\d+ bytes are there\)")


def test_hole_in_the_structures(path):
    content = bytearray(path.read_bytes())
    content[9000:9060] = b"\xff" * 60
    path.write_bytes(content)
    refused(path, "damaged")


@pytest.mark.parametrize("read", [open_dataset, lambda path: load_variables(path, ["a"])])
def test_overwritten_bytes_are_one_line(original, tmp_path, read, capfd):
    """Also where h5netcdf leaves half an object behind: nothing else is said, not even by a destructor."""
    for seed in range(40):
        content, rng = bytearray(original.read_bytes()), random.Random(seed)
        for _ in range(30):
            content[rng.randrange(6000)] = rng.randrange(256)
        (tmp_path / "d.nc").write_bytes(content)
        with pytest.raises(InputError, match=r"d\.nc") as raised:
            read(tmp_path / "d.nc")
        assert "\n" not in str(raised.value)
        del raised
        gc.collect()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("error", [AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError, OSError])
def test_whatever_reading_the_structure_raises_is_damage(path, monkeypatch, error):
    def fail(*arguments, **options):
        raise error("two\nlines")

    monkeypatch.setattr("h5netcdf.File.__init__", fail)
    refused(path, "is damaged: its structure cannot be read; copy or generate it again")


@pytest.mark.parametrize("name", ["x", "y"])
def test_coordinate_that_was_deleted(path, name):
    with h5py.File(path, "r+") as file:
        del file[name]
    refused(path, "the coordinate .* of variable 'a' is missing")
    with pytest.raises(InputError, match="the coordinate .* of variable 'a' is missing"):
        load_variables(path, ["a"])


def test_loaded_variables_are_xarrays(path):
    with xarray.open_dataset(path) as expected:
        xarray.testing.assert_identical(load_variables(path, ["a"]), expected[["a"]])
        xarray.testing.assert_identical(load_variables(path, ["u", "a"]), expected[["u", "a"]])


def test_loaded_variables_that_are_missing(path):
    with pytest.raises(InputError, match=r"darcy\.nc: the variable 'b' is missing"):
        load_variables(path, ["b"])
    with pytest.raises(InputError, match="there is no file"):
        load_variables(path.with_name("none.nc"), ["a"])


def test_file_that_may_not_be_read(path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("opforge.datasets.files.opening.h5py.File", refuse)
    refused(path, "may not be read; change its permissions")


@pytest.mark.parametrize("name", ["a", "u"])
def test_missing_variable(path, name):
    with h5py.File(path, "r+") as file:
        file.move(name, name + "0")
    refused(path, f"the variable {name!r} is missing; .*The file has: .*{name}0")


@pytest.mark.parametrize("name", ["inputs", "outputs", "grid"])
def test_missing_attribute(path, name):
    with h5py.File(path, "r+") as file:
        del file.attrs[name]
    refused(path, f"the attribute {name!r} is missing")


def test_sizes_that_do_not_agree(path, original):
    with h5py.File(path, "r+") as file:
        file.attrs["grid"] = file.attrs["grid"].replace("[8, 8]", "[8, 9]")
    refused(path, "variable 'a' must have the dimensions sample=5, x=8, y=9, got sample=5, x=8, y=8")


def test_attributes_that_are_wrong(path):
    with h5py.File(path, "r+") as file:
        file.attrs["equation"] = "darcie"
    refused(path, "the attribute 'equation' names 'darcie'")


def test_not_finite_is_seen_when_it_is_read(path):
    with h5py.File(path, "r+") as file:
        file["a"][3, 0, 0] = np.nan
    dataset = open_dataset(path)
    dataset[2]
    with pytest.raises(InputError, match=r"variable 'a' has a value that is not finite .* in sample 3"):
        dataset[3]


def test_plain_hdf5_has_no_dimensions(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["a"] = np.zeros((5, 8))
    refused(tmp_path / "d.h5", "the dimension 'sample' is missing", inputs=("a",), outputs=("a",))


# --- netCDF that opforge did not write -----------------------------------------------------------------------------


def foreign(path, points="cells", ndim=2, coordinates=True, dimensions=None):
    """A file as xarray writes it: two variables of other names, an attribute of another meaning."""
    grid = Grid((6, 5, 4)[:ndim], (2.0, 1.0, 0.5)[:ndim], points, (1.0, 0.0, -1.0)[:ndim])
    axes = ("sample", *grid.axis_names) if dimensions is None else dimensions
    values = np.random.default_rng(0).standard_normal((3, *grid.shape))
    data = xarray.Dataset(
        {"conductivity": (axes, values), "head": (axes, -values)},
        dict(zip(grid.axis_names, grid.coordinates(), strict=True)) if coordinates else {},
        {"equation": "whatever it was", "seed": "none"},
    )
    data.to_netcdf(path, engine="h5netcdf")
    return grid, values


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("points", ["cells", "nodes", "periodic"])
def test_ordinary_netcdf_opens_when_told_its_variables(tmp_path, points, ndim):
    grid, values = foreign(tmp_path / "d.nc", points, ndim)
    dataset = open_dataset(tmp_path / "d.nc", inputs=("conductivity",), outputs=("head",), points=points)
    assert dataset.grid.shape == grid.shape
    assert dataset.grid.points == points
    np.testing.assert_allclose(dataset.grid.lengths, grid.lengths)
    np.testing.assert_allclose(dataset.grid.origin, grid.origin, atol=1e-12)
    assert (dataset.equation, dataset.provenance) == (None, {"samples": 3})
    X, Y = dataset.astype(torch.float64).batch([2, 0])
    np.testing.assert_array_equal(X[:, 0], values[[2, 0]])
    np.testing.assert_array_equal(Y[:, 0], -values[[2, 0]])
    assert list(dataset.subset([1]).to_xarray().data_vars) == ["conductivity", "head"]


def test_ordinary_netcdf_without_coordinates_is_on_the_unit_box(tmp_path):
    foreign(tmp_path / "d.nc", coordinates=False)
    assert open_dataset(tmp_path / "d.nc", inputs=["conductivity"], outputs=["head"]).grid == Grid((6, 5))


def test_ordinary_netcdf_untold(tmp_path):
    foreign(tmp_path / "d.nc")
    refused(tmp_path / "d.nc", "the attribute 'inputs' is missing: .*name the variables as open_dataset")
    refused(tmp_path / "d.nc", "the attribute 'inputs' is missing", outputs=("head",))
    refused(tmp_path / "d.nc", "the variable 'hed' is missing; did you mean 'head'", inputs=("hed",), outputs=("head",))
    with pytest.raises(InputError, match=r"inputs must be a tuple of names.*write \('head',\)"):
        open_dataset(tmp_path / "d.nc", inputs="head", outputs=("head",))


def test_ordinary_netcdf_with_other_dimensions(tmp_path):
    foreign(tmp_path / "d.nc", dimensions=("sample", "lon", "lat"), coordinates=False)
    refused(
        tmp_path / "d.nc",
        r"must have the dimensions sample, \[time\], x.*got lon, lat; give rename=",
        inputs=("head",),
        outputs=("head",),
    )


def test_coordinates_that_are_not_uniform(tmp_path):
    data = xarray.Dataset({"a": (("sample", "x"), np.zeros((2, 4)))}, {"x": [0.0, 1.0, 2.0, 4.0]})
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    refused(tmp_path / "d.nc", "coordinate 'x' is not that of a uniform", inputs=("a",), outputs=("a",))


def test_text_is_refused(tmp_path):
    data = xarray.Dataset({"a": (("sample", "x"), np.array([["p", "q"]]))}, {"x": [0.0, 1.0]})
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    refused(tmp_path / "d.nc", "variable 'a' must hold real numbers", inputs=("a",), outputs=("a",))


def test_points_that_the_file_contradicts(path):
    assert open_dataset(path, points="cells").grid.points == "cells"
    refused(path, "points must be 'cells' as the file's attribute 'grid' says, got 'nodes'", points="nodes")


def test_files_open_without_generating_anything():
    """Opening needs neither pyamg nor the worker's machinery."""
    code = "import opforge.datasets.reading.dataset, sys; print({'pyamg', 'loky', 'pyfftw'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_packed_coordinates(tmp_path):
    data = xarray.Dataset({"a": (("sample", "x"), np.zeros((2, 4)))}, {"x": [0.0, 0.5, 1.0, 1.5]})
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf", encoding={"x": {"dtype": "i2", "scale_factor": 0.25}})
    grid = open_dataset(tmp_path / "d.nc", inputs=("a",), outputs=("a",), points="nodes").grid
    assert grid == Grid((4,), (1.5,), "nodes")


def test_packing_that_is_not_a_number(tmp_path):
    foreign(tmp_path / "d.nc")
    with h5py.File(tmp_path / "d.nc", "r+") as file:
        file["head"].attrs["scale_factor"] = "0.1"
    refused(
        tmp_path / "d.nc",
        "attribute 'scale_factor' of variable 'head' must be a number, got '0.1'",
        inputs=("head",),
        outputs=("head",),
    )
