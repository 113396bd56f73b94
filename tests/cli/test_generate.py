import errno

import h5py
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


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (("coefficient=pdebench",), {1.0, 0.1}),
        (("coefficient=pdebench", "forcing=0.01"), {1.0, 0.1}),
        (("coefficient=threshold", "low=4"), {12.0, 4.0}),
    ],
)
def test_media_by_name(opforge, settings, values):
    named = [word for setting in settings for word in ("--set", setting)]
    assert opforge("--quiet", *BASE, *named, "--dtype", "float64", "-o", "d.nc").status == 0
    with xarray.open_dataset("d.nc", engine="h5netcdf") as data:
        assert set(np.unique(data.a)) == values and data.u.min() > 0


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


def test_a_file_that_is_complete_is_not_said_to_be_written(opforge):
    assert "wrote d.nc: " in opforge(*BASE, "-o", "d.nc").err
    done = opforge(*BASE, "-o", "d.nc", "--resume")
    assert done.status == 0 and "d.nc is complete already: " in done.err and "wrote" not in done.err


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


def test_a_part_compressed(opforge):
    assert opforge("--quiet", *BASE, "--shard", "2/3", "--compress", "4", "-o", "d.nc").status == 0
    part = package.open_dataset("d.nc")
    assert (len(part), part.header.first, part.header.total) == (1, 1, 3)
    with h5py.File("d.nc") as file:
        assert file["a"].compression_opts == 4


@pytest.mark.parametrize("options", [(), ("--compress", "1")])
def test_shards_are_merged_to_the_same_bytes(opforge, tmp_path, options):
    (tmp_path / "parts").mkdir()
    opforge("--quiet", *BASE, *options, "-o", "whole.nc")
    names = [f"parts/{i}.nc" for i in (1, 2, 3)]
    for i, name in enumerate(names, 1):
        assert opforge("--quiet", *BASE, *options, "--shard", f"{i}/3", "-o", name).status == 0
    for number, words in enumerate(((names[2], names[0], names[1]), ("parts",), ("parts/*.nc",))):
        done = opforge("merge", *words, "-o", f"{number}.nc")
        assert (done.status, done.out) == (0, "")
        assert f"wrote {number}.nc: 3 samples on 16 x 16 points" in done.err
        assert (tmp_path / f"{number}.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()
    assert opforge("--quiet", "merge", "parts", "-o", "0.nc", "--resume").status == 0
    assert opforge("merge", "parts", "-o", "0.nc", "--force").status == 0


def test_what_merge_refuses(opforge, refused):
    for i in (1, 2):
        opforge("--quiet", *BASE, "--shard", f"{i}/3", "-o", f"{i}.nc")
    assert "samples 2 to 2 are missing in 1.nc, 2.nc" in refused("merge", "1.nc", "2.nc", "-o", "d.nc")
    assert "samples 0 to 0 are there twice" in refused("merge", "1.nc", "1.nc", "-o", "d.nc")
    assert "there is no file" in refused("merge", "1.nc", "3.nc", "-o", "d.nc")
    assert "'2.nc' exists; use --force" in refused("merge", "1.nc", "-o", "2.nc")
    opforge("--quiet", *BASE, "-o", "whole.nc")
    assert "is no shard but a whole dataset" in refused("merge", "whole.nc", "-o", "d.nc")


@pytest.mark.filterwarnings("always::UserWarning")
def test_samples_that_fail_are_skipped_on_demand(opforge, tmp_path):
    words = ("generate", "darcy", "-n", "40", "--resolution", "16", "--workers", "1")
    words = (*words, "--set", "coefficient=lognormal", "--set", "sigma=220", "-o", "d.nc")
    stopped = opforge("--quiet", *words)
    assert stopped.status == 1 and "lower sigma" in stopped.err
    done = opforge("--quiet", *words, "--on-error", "skip", "--force")
    assert done.status == 0 and "of 40 samples failed and were left out" in done.err
    assert 0 < len(package.open_dataset("d.nc")) < 40


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--shard", "4/3"), "shard must be (i, n) with i from 1 to n, got 4/3"),
        (("--shard", "0/3"), "shards count from 1"),
        (("--shard", "1/4"), "shard must be one of at most 3 parts"),
        (("--shard", "3"), "--shard expects I/N, such as 3/8"),
        (("--shard", "a/b"), "--shard expects I/N, such as 3/8"),
        (("--shard", "-1/3"), "--shard expects I/N"),
        (("--compress", "0"), "compression must be a level from 1 (fast) to 9 (small)"),
        (("--compress", "10"), "compression must be a level from 1"),
        (("--on-error", "ignore"), "on_error must be 'stop' or 'skip', got 'ignore'"),
        (("--dask", "tcp://localhost:8786", "--workers", "2"), "--dask has its own; give one of them"),
        (("--dask", "localhost"), "dask must be a scheduler's address"),
    ],
)
def test_what_the_ways_to_share_the_work_refuse(refused, words, expected):
    assert expected in refused(*BASE, *words, "-o", "d.nc")
