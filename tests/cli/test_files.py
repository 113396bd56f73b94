import os
from pathlib import Path

import pytest

from opforge.cli.files import existing, free, free_folder, free_json, made_folder
from opforge.errors import InputError


def test_existing(tmp_path):
    assert existing(tmp_path, what="file") == tmp_path
    with pytest.raises(InputError, match=r"file '.*none' does not exist"):
        existing(tmp_path / "none", what="file")


def test_free(tmp_path):
    taken = tmp_path / "taken"
    taken.touch()
    assert free(taken, force=True) == taken
    assert free(tmp_path / "new", force=False) == tmp_path / "new"
    with pytest.raises(InputError, match=r"output .* exists; use --force"):
        free(taken, force=False)
    with pytest.raises(InputError, match=r"picture .* is a folder"):
        free(tmp_path, force=True, what="picture")
    with pytest.raises(InputError, match=r"folder of output .* does not exist"):
        free(tmp_path / "none" / "new", force=False)


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(
        InputError, match=r"picture must have a name of at most .* bytes, got 304: the file system takes"
    ):
        free(tmp_path / ("a" * 300 + ".png"), force=False, what="picture")


def test_the_home_folder_in_quotes(monkeypatch):
    monkeypatch.setenv("HOME", "/home/her")
    with pytest.raises(InputError, match=r"does not exist; ~ is no home folder in quotes .* give '/home/her/new\.nc'"):
        free(Path("~/new.nc"), force=False)
    with pytest.raises(InputError, match=r"file '~/old\.nc' does not exist; ~ is no home .* '/home/her/old\.nc'"):
        existing(Path("~/old.nc"), what="file")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a folder in which nobody can make files, as Linux has")
def test_a_folder_that_takes_no_files(tmp_path):
    with pytest.raises(InputError, match=r"picture '/proc/new' cannot be written: .*; choose another folder"):
        free(Path("/proc/new"), force=False, what="picture")
    free(tmp_path / "new", force=False)
    assert list(tmp_path.iterdir()) == []  # nothing is left of the trial


def test_free_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert free_folder(tmp_path / "empty", force=False) == tmp_path / "empty"
    assert free_folder(tmp_path / "new", force=False) == tmp_path / "new"
    assert free_folder(tmp_path, force=True) == tmp_path
    with pytest.raises(InputError, match=r"output folder .* is not empty; use --force"):
        free_folder(tmp_path, force=False)
    with pytest.raises(InputError, match=r"output folder .* is a file"):
        free_folder(tmp_path / "file", force=True)


def test_no_folder_is_named_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/her")
    with pytest.raises(InputError, match=r"output folder '~/run' would make a folder '~'; .* give '/home/her/run'"):
        free_folder(Path("~/run"), force=False)
    (tmp_path / "~").mkdir()
    assert free_folder(Path("~/run"), force=False) == Path("~/run")


def test_made_folder(tmp_path):
    assert made_folder(tmp_path / "new" / "below").is_dir()
    assert made_folder(tmp_path) == tmp_path
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=r"output folder .*file/below' cannot be made: Not a directory; choose another"
    ):
        made_folder(tmp_path / "file" / "below")


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for force in (False, True):
        with pytest.raises(InputError, match="is a device or a pipe"):
            free(tmp_path / "pipe", force=force)


def test_what_is_read_is_never_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.nc", "b.nc"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link.nc").symlink_to("a.nc")
    for reads in ("a.nc", ".", "*.nc", "link.nc"):
        with pytest.raises(InputError, match=r"output 'a\.nc' is what the command reads; give another name"):
            free(Path("a.nc"), force=True, reads=Path(reads))
    assert free(Path("b.nc"), force=True, reads=Path("a.nc")) == Path("b.nc")
    with pytest.raises(InputError, match=r"JSON file 'b\.nc' is what the command reads"):
        free_json("b.nc", force=True, reads=Path("b.nc"))
