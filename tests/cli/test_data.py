"""Opening what the commands are given: patterns, folders, files of other programs."""

import shutil

import h5py
import numpy as np
import pytest
import xarray

import opforge as package
from opforge.cli.data import Names
from opforge.errors import InputError


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (Names(), {}),
        (Names("a, b", "u"), {"inputs": ("a", "b"), "outputs": ("u",)}),
        (Names(points="nodes"), {"points": "nodes"}),
        (Names(rename=["lon=x", "k = a"]), {"rename": {"lon": "x", "k": "a"}}),
    ],
)
def test_options_are_arguments(names, expected):
    assert names.arguments() == expected


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (Names("a,,b"), "--inputs must be different names with commas between them, got 'a,,b'"),
        (Names(outputs="u,u"), "--outputs must be different names"),
        (Names(points="edges"), "--points must be one of cells, nodes, periodic, got 'edges'"),
        (Names(rename=["lon"]), "--rename must be NAME=MEANING, got 'lon'; write for example --rename lon=x"),
        (Names(rename=["lon="]), "--rename must be NAME=MEANING"),
        (Names(rename=["lon=x", "lon=y"]), "--rename gives 'lon' two meanings, 'x' and 'y'"),
    ],
)
def test_options_that_cannot_be_read(names, match):
    with pytest.raises(InputError, match=match):
        names.arguments()


@pytest.fixture
def ordinary(made, tmp_path):
    """The samples as another program may have left them: other names, and nothing that says which is which."""
    with xarray.open_dataset(made.data, engine="h5netcdf") as data:
        other = data[["a", "u"]].load().rename({"a": "k", "x": "lon", "y": "lat", "sample": "run"})
    other.attrs = {}
    other.to_netcdf("other.nc", engine="h5netcdf")
    return ["--rename", "lon=x", "--rename", "lat=y", "--rename", "run=sample", "--rename", "k=a"]


FIELDS = ("--inputs", "a", "--outputs", "u")


def test_ordinary_files_serve_every_command(opforge, made, ordinary):
    assert opforge("inspect", "other.nc", *FIELDS, *ordinary).status == 0
    assert opforge("plot", "other.nc", *FIELDS, *ordinary, "-o", "p.png").status == 0
    assert opforge("plot", made.run, "--data", "other.nc", *FIELDS, *ordinary, "-o", "q.png").status == 0
    assert opforge("evaluate", made.run, "other.nc", *FIELDS, *ordinary).status == 0
    assert opforge("predict", made.run, "other.nc", *ordinary, "-o", "p.nc").status == 0
    assert opforge("predict", made.run, made.data, "-o", "q.nc").status == 0
    with xarray.open_dataset("p.nc", engine="h5netcdf") as p, xarray.open_dataset("q.nc", engine="h5netcdf") as q:
        np.testing.assert_allclose(p.u, q.u, rtol=1e-5, atol=1e-7)
    assert opforge("convert", "other.nc", "--to", "the-well", "-o", "w.hdf5", *FIELDS, *ordinary).status == 0
    trained = opforge(
        "train", "fno", "other.nc", *FIELDS, *ordinary, "-o", "run", "--epochs", "1", "--set", "width=4",
        "--set", "modes=2", "--validation", "other.nc",
    )  # fmt: skip
    assert trained.status == 0
    assert package.load("run").inputs == ("a",)


def test_errors_name_the_options(refused, made, ordinary):
    assert "--inputs and --outputs" in refused("inspect", "other.nc", "--rename", "run=sample")
    assert "--rename NAME=sample" in refused("inspect", "other.nc", *FIELDS)
    assert "--rename lon=x" in refused("inspect", "other.nc", "--inputs", "k", "--outputs", "u", *ordinary[4:6])
    assert "leave it out" in refused("inspect", made.run, *FIELDS)


def test_patterns_and_folders_serve_every_command(opforge, refused, made, tmp_path):
    for i in (1, 2):
        assert (
            opforge(
                "generate", "darcy", "-n", "6", "--resolution", "16", "--shard", f"{i}/2", "-o", f"part-{i}.nc"
            ).status
            == 0
        )
    (tmp_path / "parts").mkdir()
    for i in (1, 2):
        shutil.copy(f"part-{i}.nc", "parts")
    for i, place in enumerate(("part-*.nc", "parts")):
        for words in (
            ("inspect", place),
            ("plot", place, "-o", f"{i}.png"),
            ("plot", made.run, "--data", place, "-o", f"run-{i}.png"),
            ("evaluate", made.run, place),
            ("predict", made.run, place, "-o", f"{i}.nc"),
            ("convert", place, "--to", "the-well", "-o", f"{i}.hdf5", "--force"),
            ("train", "fno", place, "-o", f"run-{i}", "--epochs", "1", "--set", "width=4", "--set", "modes=2"),
        ):
            assert opforge(*words).status == 0, words
    with xarray.open_dataset("0.nc", engine="h5netcdf") as predicted:
        assert predicted.u.shape == (6, 16, 16)
    assert "no file fits the pattern none-*.nc" in refused("evaluate", made.run, "none-*.nc")


def test_files_of_pdebench_are_predicted(opforge, made):
    rng = np.random.default_rng(0)
    with h5py.File("2D_DarcyFlow_beta1.0_Train.hdf5", "w") as file:
        file["nu"] = rng.random((3, 12, 16), np.float32)
        file["tensor"] = rng.random((3, 1, 12, 16), np.float32)
        file["x-coordinate"], file["y-coordinate"] = (np.arange(12) + 0.5) / 12, (np.arange(16) + 0.5) / 16
        file.attrs["beta"] = 1.0
    data = package.open_dataset("2D_DarcyFlow_beta1.0_Train.hdf5")
    words = ["train", "fno", "2D_DarcyFlow_beta1.0_Train.hdf5", "--epochs", "1", "--set", "width=4", "--set", "modes=2"]
    assert opforge(*words, "--validation", "0", "-o", "run").status == 0
    assert opforge("predict", "run", "2D_DarcyFlow_beta1.0_Train.hdf5", "-o", "p.nc").status == 0
    x, _ = data.batch(range(3))
    with xarray.open_dataset("p.nc", engine="h5netcdf") as predicted:
        expected = package.load("run")(x)
        np.testing.assert_allclose(predicted[data.outputs[0]], expected[:, 0], rtol=1e-5, atol=1e-6)
