import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import xarray

from opforge import generate, open_dataset
from opforge.errors import InputError
from tests.datasets.formats import examples
from tests.sources import ROOT

A = np.random.default_rng(0).standard_normal((3, 6, 5))
U = np.random.default_rng(1).standard_normal((3, 4, 6, 5))
AXES = {"a": ("sample", "x", "y"), "u": ("sample", "time", "x", "y")}
COORDINATES = {"x": np.linspace(0.0, 1.0, 6), "y": np.arange(5.0), "time": np.arange(4.0)}


def plain(path):
    generate("darcy", 5, 8, out=path)


def compressed(path):
    generate("darcy", 5, 8, out=path, compression=4)


def unsealed(path):
    """A file of opforge that another program changed."""
    plain(path)
    with h5py.File(path, "r+") as file:
        file.attrs["note"] = "mine"


def by_xarray(path):
    data = xarray.Dataset({"a": (AXES["a"], A), "u": (AXES["u"], U)}, COORDINATES, {"title": "t"})
    data.to_netcdf(path, engine="h5netcdf", encoding={"u": {"zlib": True, "chunksizes": (1, 2, 6, 5)}})


def by_h5py(path):
    """A file in HDF5's first format, without any checksums."""
    with h5py.File(path, "w", libver="earliest") as file:
        file["a"] = A
        file.create_dataset("u", data=U, chunks=(1, 2, 6, 5), compression="gzip")
        for name, values in {"sample": np.arange(3.0), **COORDINATES}.items():
            file[name] = values
            file[name].make_scale(name)
        for name, axes in AXES.items():
            for dimension, axis in zip(file[name].dims, axes, strict=True):
                dimension.attach_scale(file[axis])
            file[name].attrs["units"] = "m"


# file -> its writer, whose it is, variables to name, damaged files that are opened in a usual run of the tests
FILES = {
    "plain.nc": (plain, "own", (), 60),
    "compressed.nc": (compressed, "own", (), 60),
    "unsealed.nc": (unsealed, "own", (), 30),
    "xarray.nc": (by_xarray, "other", ("a", "u"), 40),
    "h5py.h5": (by_h5py, "other", ("a", "u"), 40),
    "well.h5": (examples.well, "other", (), 10),
    "pdebench.h5": (lambda path: examples.pdebench_groups(path, "rdb"), "other", (), 10),
    "v5.mat": (lambda path: examples.mat_v5(path, examples.burgers()), "other", (), 10),
    "v73.mat": (lambda path: examples.mat_v73(path, examples.darcy()), "other", (), 10),
}


def opened(path, first, count, name, timeout):
    """What came of so many damaged files, by seed; opened in another process, which may crash or hang."""
    _, whose, names, _ = FILES[name]
    command = [sys.executable, "-m", "tests.datasets.formats.damage", str(path), str(first), str(count), whose, *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout)
    outcomes = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, ""), f"after {outcomes[-1:]}, returned {done.returncode}"
    return {int(seed): outcome for seed, outcome in outcomes}


def check(folder, name, first, count, timeout):
    FILES[name][0](folder / name)
    found = opened(folder / name, first, count, name, timeout)
    assert found.keys() == set(range(first, first + count))
    assert {seed: outcome for seed, outcome in found.items() if outcome not in ("read", "refused")} == {}
    assert {"read", "refused"} == set(found.values()), "the damage is neither always harmless nor always fatal"


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_read_correctly_or_refused_in_one_line(tmp_path, name):
    check(tmp_path, name, 0, FILES[name][3], timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_many_damaged_files_are_read_correctly_or_refused_in_one_line(tmp_path, name):
    for first in range(10_000, 12_000, 250):
        check(tmp_path, name, first, 250, timeout=900)


def test_what_is_no_path():
    for path in (3, None):
        with pytest.raises(InputError, match="path must be a path, several paths or an xarray Dataset, got"):
            open_dataset(path)
    with pytest.raises(InputError, match="inputs must be a tuple of names, got the text 'a'"):
        open_dataset("d.nc", inputs="a")


def test_rename_is_for_ordinary_files(tmp_path):
    examples.pdebench_1d(tmp_path / "d.h5")
    with pytest.raises(InputError, match=r"d\.h5: rename is for ordinary netCDF files"):
        open_dataset(tmp_path / "d.h5", rename={"tensor": "u"})


def test_a_link_to_a_file_is_followed_where_it_is_named(tmp_path):
    plain(tmp_path / "d.nc")
    (tmp_path / "link.nc").symlink_to("d.nc")
    assert open_dataset(tmp_path / "link.nc").samples == 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are POSIX's")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.nc")
    with pytest.raises(InputError, match=r"pipe\.nc is a device, a pipe or a socket"):
        open_dataset(tmp_path / "pipe.nc")
