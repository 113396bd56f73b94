import subprocess
import sys

import numpy as np
import pytest
import xarray

import opforge as package


def test_file_has_inputs_and_predicted_outputs(opforge, made, tmp_path):
    assert opforge("predict", made.run, made.fine, "-o", "p.nc").status == 0
    data = package.open_dataset(made.fine)
    inputs, _ = data.batch(range(len(data)))
    expected = package.load(made.run)(inputs)
    with xarray.open_dataset("p.nc", engine="h5netcdf") as found:
        np.testing.assert_array_equal(found.a, inputs[:, 0])
        np.testing.assert_allclose(found.u, expected[:, 0], rtol=1e-5, atol=1e-8)
        assert found.u.attrs == {"long_name": "predicted pressure", "units": "1"}
        assert found.a.attrs["long_name"] == "permeability"
        assert found.attrs["run"] == str(made.run) and "solver" not in found.attrs
    assert [path.name for path in tmp_path.iterdir()] == ["p.nc"]


def test_prediction_is_a_dataset_itself(opforge, made):
    assert opforge("--quiet", "predict", made.run, made.data, "-o", "p.nc").err == ""
    assert len(package.open_dataset("p.nc")) == 12
    assert opforge("inspect", "p.nc").status == 0


def test_outputs_are_not_needed(opforge, made):
    with xarray.open_dataset(made.data, engine="h5netcdf") as data:
        data[["a"]].transpose("y", "x", "sample").to_netcdf("inputs.nc", engine="h5netcdf")
    assert opforge("predict", made.run, made.data, "-o", "whole.nc").status == 0
    assert opforge("predict", made.run, "inputs.nc", "-o", "p.nc").status == 0
    with xarray.open_dataset("p.nc", engine="h5netcdf") as p, xarray.open_dataset("whole.nc", engine="h5netcdf") as w:
        xarray.testing.assert_allclose(p.u.transpose(*w.u.dims), w.u)


def test_existing_output_is_kept_unless_forced(opforge, refused, made, tmp_path):
    (tmp_path / "p.nc").write_text("precious")
    assert "'p.nc' exists; use --force" in refused("predict", made.run, made.data, "-o", "p.nc")
    assert opforge("predict", made.run, made.data, "-o", "p.nc", "--force").status == 0


def test_bad_input_is_refused(refused, made, tmp_path):
    (tmp_path / "text.nc").write_text("no HDF5 at all")
    with xarray.open_dataset(made.data, engine="h5netcdf") as data:
        data[["u"]].to_netcdf("lacks.nc", engine="h5netcdf")
        nan = data[["a"]].load().copy(deep=True)
    nan.a[4, 0, 0] = np.nan
    nan.to_netcdf("nan.nc", engine="h5netcdf")
    for name, expected in (
        ("none.nc", "does not exist"),
        ("text.nc", "netCDF-4"),
        ("lacks.nc", "'a'"),
        ("nan.nc", "sample 4"),
    ):
        assert expected in refused("predict", made.run, name, "-o", "p.nc")
    assert "none" in refused("predict", "none", made.data, "-o", "p.nc")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_write_that_fails_leaves_nothing(made, tmp_path):
    words = ["predict", made.run, made.data, "-o", "p.nc"]
    command = f"ulimit -f 8; exec {sys.executable} -m opforge {' '.join(map(str, words))}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "opforge: File too large: p.nc; raise the limit on the size of a file (ulimit -f) or write elsewhere"
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("batch_size", [1, 5])
def test_batch_size_does_not_change_the_numbers(opforge, made, batch_size):
    for name, size in (("one.nc", 32), ("two.nc", batch_size)):
        assert opforge("predict", made.run, made.data, "-o", name, "--batch-size", size).status == 0
    with (
        xarray.open_dataset("one.nc", engine="h5netcdf") as one,
        xarray.open_dataset("two.nc", engine="h5netcdf") as two,
    ):
        np.testing.assert_allclose(one.u, two.u, rtol=1e-4, atol=1e-7)


def test_the_first_frame_of_what_evolves_is_the_input(opforge, tmp_path):
    words = ("generate", "advection", "-n", 12, "--resolution", 32, "--set", "frames=5", "-o", "a.nc")
    assert opforge("--quiet", *words).status == 0
    assert opforge("--quiet", "train", "fno", "a.nc", "--epochs", 1, "--set", "width=4", "-o", "run").status == 0
    assert opforge("--quiet", "predict", "run", "a.nc", "-o", "p.nc").status == 0
    with xarray.open_dataset("a.nc") as given, xarray.open_dataset("p.nc") as found:
        assert dict(found.sizes) == {"sample": 12, "x": 32}
        np.testing.assert_array_equal(found.u, given.u[:, 0])
        assert found.predicted_u.shape == (12, 32)
        assert found.predicted_u.attrs["long_name"] == "predicted advected quantity"
