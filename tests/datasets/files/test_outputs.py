import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.files.columns import bytes_per_sample
from opforge.datasets.files.header import Header
from opforge.datasets.files.outputs import check_output, check_space
from opforge.datasets.files.writer import FileWriter
from opforge.errors import InputError
from opforge.pdes import Darcy

HEADER = Header(("a",), ("u",), Grid((3, 4)), 5, Darcy(), {"recipe": "darcy", "seed": 1, "samples": 5})
FLOAT = np.dtype(np.float32)


def test_output_that_exists(tmp_path):
    (tmp_path / "d.nc").touch()
    with pytest.raises(InputError, match=r"out names .*d\.nc, which exists; .*overwrite=True"):
        check_output(tmp_path / "d.nc", overwrite=False)
    check_output(tmp_path / "d.nc", overwrite=True)
    check_output(tmp_path / "new.nc", overwrite=False)


def test_output_in_a_folder_that_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"out lies in the folder .*none, which does not exist"):
        check_output(tmp_path / "none" / "d.nc", overwrite=False)


def test_output_that_is_a_folder(tmp_path):
    with pytest.raises(InputError, match=r"out must be a file, .* is a folder"):
        check_output(tmp_path, overwrite=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
@pytest.mark.parametrize("overwrite", [True, False])
def test_output_that_is_a_pipe_is_left_there(tmp_path, overwrite):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"out must be a file, .*pipe is a device, a pipe or a socket"):
        check_output(tmp_path / "pipe", overwrite=overwrite)
    assert (tmp_path / "pipe").is_fifo()


def test_too_little_space_is_seen_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(100_000, 50_000, 50_000))
    with pytest.raises(InputError, match=r"needs 0\.1 MB and the disk has 0\.1 MB free"):
        check_space(tmp_path / "d.nc", HEADER, FLOAT)
    with pytest.raises(InputError, match="MB free"), FileWriter(tmp_path / "d.nc", HEADER, FLOAT):
        pass
    assert os.listdir(tmp_path) == []


def test_a_compressed_file_needs_room_twice(tmp_path, monkeypatch):
    """Apart and put together, even of what compresses best: 20 bytes and a block for each sample."""
    many = replace(HEADER, samples=10**11)
    free = {"is": 10**15}
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, free["is"]))
    block = os.statvfs(tmp_path).f_frsize
    fields = bytes_per_sample(HEADER, FLOAT) - 20
    needed = 10**11 * (block + 20 + fields // 1032)
    check_space(tmp_path / "d.nc", many, FLOAT, compressed=True)
    free["is"] = needed + 2**17
    check_space(tmp_path / "d.nc", many, FLOAT, compressed=True)
    free["is"] = needed
    with pytest.raises(InputError, match=r"needs \d+\.\d TB, however well it compresses, "):
        check_space(tmp_path / "d.nc", many, FLOAT, compressed=True)
    with (
        pytest.raises(InputError, match="however well it compresses"),
        FileWriter(tmp_path / "d.nc", replace(HEADER, samples=2**62), FLOAT, compression=1),
    ):
        pass
    assert os.listdir(tmp_path) == []


def test_only_what_is_missing_needs_room(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 2**20))
    size = bytes_per_sample(HEADER, FLOAT)
    many = replace(HEADER, samples=2**24 // size)
    with pytest.raises(InputError, match="needs 16"):
        check_space(tmp_path / "d.nc", many, FLOAT)
    check_space(tmp_path / "d.nc", many, FLOAT, samples=2**19 // size)


@pytest.mark.parametrize("exists", [True, False])
def test_output_that_is_a_symbolic_link_is_left_there(tmp_path, exists):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "d.nc"
    if exists:
        target.write_text("precious")
    (tmp_path / "d.nc").symlink_to(target)
    for overwrite in (True, False):
        with pytest.raises(InputError, match=r"out names .*d\.nc, a symbolic link to .*elsewhere/d\.nc, which writing"):
            check_output(tmp_path / "d.nc", overwrite=overwrite)
    assert (tmp_path / "d.nc").is_symlink() and (not exists or target.read_text() == "precious")


def test_partial_file_that_is_a_symbolic_link_is_not_written_to(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "d.nc.partial").symlink_to(tmp_path / "precious")
    with pytest.raises(InputError, match=r"d\.nc\.partial is a symbolic link, which is not written to"):
        check_output(tmp_path / "d.nc", overwrite=True)
