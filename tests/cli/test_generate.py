import errno

import numpy as np
import pytest
import xarray

import opforge as package

BASE = ("generate", "darcy", "-n", "3", "--resolution", "16")


def test_file_has_what_was_asked_for(opforge, tmp_path):
    done = opforge(*BASE, "--seed", "5", "--set", "coefficient=lognormal", "--dtype", "float64", "-o", "d.nc")
    assert done.status == 0 and done.out == ""
    with xarray.open_dataset("d.nc", engine="h5netcdf") as data:
        assert dict(data.sizes) == {"sample": 3, "x": 16, "y": 16}
        assert data.a.dtype == np.float64
        assert len(np.unique(data.a)) > 100, "log-normal, not two values"
        assert data.attrs["seed"] == 5
    assert [path.name for path in tmp_path.iterdir()] == ["d.nc"]


def test_numbers_do_not_depend_on_the_number_of_workers(opforge):
    for name, workers in (("one.nc", 1), ("two.nc", 2)):
        assert opforge("--quiet", *BASE, "--workers", workers, "-o", name).status == 0
    with (
        xarray.open_dataset("one.nc", engine="h5netcdf") as one,
        xarray.open_dataset("two.nc", engine="h5netcdf") as two,
    ):
        xarray.testing.assert_identical(one, two)


def test_quiet_says_nothing(opforge):
    done = opforge("--quiet", *BASE, "-o", "d.nc")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_existing_file_is_kept_unless_forced(opforge, refused, tmp_path):
    (tmp_path / "d.nc").write_text("precious")
    assert "'d.nc' exists; use --force" in refused(*BASE, "-o", "d.nc")
    assert opforge(*BASE, "-o", "d.nc", "--force").status == 0
    with xarray.open_dataset("d.nc", engine="h5netcdf") as data:
        assert data.sizes["sample"] == 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("generate", "drcy", "-o", "d.nc"), "unknown recipe 'drcy'; did you mean 'darcy'?"),
        (("generate", "darcy", "--resolution", "0", "-o", "d.nc"), "resolution must be at least"),
        (("generate", "darcy", "--resolution", "-8", "-o", "d.nc"), "resolution must be at least"),
        (("generate", "darcy", "--resolution", "1000000", "-o", "d.nc"), "lower the resolution"),
        (("generate", "darcy", "-n", "0", "-o", "d.nc"), "samples must"),
        (("generate", "darcy", "--seed", "-1", "-o", "d.nc"), "seed must"),
        (("generate", "darcy", "--workers", "0", "-o", "d.nc"), "workers must"),
        (("generate", "darcy", "--dtype", "int8", "-o", "d.nc"), "dtype must"),
        ((*BASE, "--set", "coefficent=lognormal", "-o", "d.nc"), "did you mean 'coefficient'?"),
        ((*BASE, "--set", "coefficient=normal", "-o", "d.nc"), "coefficient must be one of"),
        ((*BASE, "--set", "high", "-o", "d.nc"), "--set expects name=value"),
        ((*BASE, "-o", "none/d.nc"), "does not exist; create 'none' first"),
        ((*BASE, "-o", "."), "is a folder"),
    ],
)
def test_bad_input_is_refused(refused, words, expected):
    assert expected in refused(*words)


def test_after_a_full_disk_it_goes_on(opforge, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        done = opforge("--quiet", *BASE, "-o", "d.nc")
    assert done.status == 2 and len(done.err.splitlines()) == 1
    assert "No space left on device" in done.err and "go on with resume=True (--resume)" in done.err
    assert opforge("--quiet", *BASE, "-o", "d.nc").status == 2, "samples are not thrown away unasked"
    assert opforge("--quiet", *BASE, "-o", "d.nc", "--resume").status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["d.nc"]


def test_too_small_a_disk_is_foreseen(refused, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")(10, 10, 0)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    assert "free some space" in refused(*BASE, "-o", "d.nc")


@pytest.mark.parametrize("name", ["samples=3", "out=x.nc", "executor=1"])
def test_settings_are_the_recipes_own(refused, name):
    assert "parameter of the recipe 'darcy'" in refused(*BASE, "-o", "d.nc", "--set", name)


def test_unequal_axes(opforge, refused):
    assert opforge("--quiet", "generate", "darcy", "-n", 2, "--resolution", "12x10", "-o", "d.nc").status == 0
    assert package.open_dataset("d.nc").grid.shape == (12, 10)
    assert "--resolution expects" in refused("generate", "darcy", "-n", 2, "--resolution", "12by10", "-o", "e.nc")


def test_a_folder_that_may_not_be_written_to(refused, monkeypatch):
    def forbidden(*arguments, **options):
        raise PermissionError(13, "Permission denied", "d.nc")

    monkeypatch.setattr("opforge.generate", forbidden, raising=False)
    assert "Permission denied: d.nc; change its permissions or choose" in refused(*BASE, "-o", "d.nc")
