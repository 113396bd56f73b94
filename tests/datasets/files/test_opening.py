import gc
import os
import random
import shutil
import subprocess
import sys
from contextlib import suppress

import h5py
import numpy as np
import pytest

from opforge import generate, open_dataset
from opforge.datasets.files.outputs import no_writer
from opforge.datasets.files.writer import FileWriter
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
        (b"CDF\x01" + b"\0" * 40, r"is netCDF-3, expected netCDF-4 .* `nccopy -k nc4 \S*/d\.nc \S*/d-nc4\.nc`$"),
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


@pytest.fixture(params=[None, 1], ids=["plain", "compressed"])
def unfinished(request, tmp_path):
    """What a generation of 4 samples leaves that was interrupted after one."""
    made = generate("darcy", 4, 8)
    arrays = {name: values.values[:1] for name, values in made.to_xarray().data_vars.items()}
    with pytest.warns(UserWarning, match="1 of 4 samples are in"), suppress(KeyboardInterrupt):
        options = {"compression": request.param}
        with FileWriter(tmp_path / "d.nc", made.header, np.dtype("float32"), **options) as writer:
            writer.put(0, arrays)
            raise KeyboardInterrupt
    return tmp_path / "d.nc.partial"


def test_unfinished_file_of_a_generation(unfinished):
    text = r"d\.nc\.partial is the unfinished file of a generation; go on with `opforge generate … -o .*d\.nc --resume`"
    refused(unfinished, text)
    refused(unfinished.with_name("d.nc"), rf"there is no file .*d\.nc yet; .*{text}")
    unfinished.write_bytes(b"")
    refused(unfinished, text)
    unfinished.write_bytes(b"notes")
    refused(unfinished, "is not an HDF5 file")


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_file_that_is_being_generated(unfinished):
    with open(unfinished, "r+b") as file:
        no_writer(file)
        text = r"d\.nc\.partial is being written by another process; wait until .*d\.nc is there"
        refused(unfinished, text)
        refused(unfinished.with_name("d.nc"), text)


def test_a_finished_file_may_have_any_name(path):
    assert len(open_dataset(path.rename(path.with_name("d.partial")))) == 5


def test_hole_in_the_structures(path):
    content = bytearray(path.read_bytes())
    content[9000:9060] = b"\xff" * 60
    path.write_bytes(content)
    refused(path, "damaged")


@pytest.mark.slow
def test_overwritten_bytes_are_one_line(original, tmp_path, capfd):
    """Also where h5netcdf leaves half an object behind: nothing else is said, not even by a destructor."""
    with h5py.File(shutil.copy(original, tmp_path / "unsealed.nc"), "r+"):
        pass  # cuts the seal off, which would tell before HDF5 and h5netcdf see the file
    for seed in range(15):
        content, rng = bytearray((tmp_path / "unsealed.nc").read_bytes()), random.Random(seed)
        for _ in range(30):
            content[rng.randrange(6000)] = rng.randrange(256)
        (tmp_path / "d.nc").write_bytes(content)
        with pytest.raises(InputError, match=r"d\.nc") as raised:
            open_dataset(tmp_path / "d.nc")
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


def test_links_that_lead_nowhere_and_pipes(tmp_path):
    (tmp_path / "link.nc").symlink_to("none.nc")
    (tmp_path / "loop.nc").symlink_to("loop.nc")
    refused(tmp_path / "link.nc", r"link\.nc is a symbolic link to none\.nc, which does not exist; name another file")
    refused(tmp_path / "loop.nc", r"is a symbolic link to loop\.nc, which does not exist")
    refused(tmp_path / ("x" * 300), "there is no file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.nc")
        refused(tmp_path / "pipe.nc", "is a device, a pipe or a socket, expected a netCDF-4 file")


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


def test_points_that_the_file_contradicts(path):
    assert open_dataset(path, points="cells").grid.points == "cells"
    refused(path, "points must be 'cells' as the file's attribute 'grid' says, got 'nodes'", points="nodes")


def test_files_open_without_generating_anything():
    """Opening needs neither pyamg nor the worker's machinery."""
    code = "import opforge.datasets.reading.dataset, sys; print({'pyamg', 'loky', 'pyfftw'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.skipif(sys.platform == "win32", reason="files are locked by POSIX means")
def test_a_file_that_another_program_writes(path):
    code = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"open\n"
    try:
        refused(path, "is open for writing in another program; close it there, or copy the file")
    finally:
        writer.communicate()
    assert len(open_dataset(path)) > 0
