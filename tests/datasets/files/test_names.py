"""Paths of files to write: too long a name or a path, folders that may not be entered, ~ that no shell has replaced."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from opforge.cli import main
from opforge.datasets import generate, merge, open_dataset
from opforge.datasets.files.names import check_place, home_hint
from opforge.datasets.files.whole import LONGEST_ENDING, assembled_of, written_whole
from opforge.errors import InputError


def longest(folder):
    """Bytes of the longest name that can be written."""
    return os.pathconf(folder, "PC_NAME_MAX") - len(LONGEST_ENDING)


@pytest.mark.parametrize("letter", ["a", "é"])
def test_the_longest_name_is_written_and_one_that_is_longer_refused(tmp_path, letter):
    most, size = longest(tmp_path), len(letter.encode())
    ending = ".nc" if (longest(tmp_path) - 3) % size == 0 else ".ncx"
    path = tmp_path / (letter * ((most - len(ending)) // size) + ending)
    assert len(os.fsencode(path.name)) == most
    check_place(path, "out")
    with written_whole(path) as partial:
        partial.write_text("all of it")
    assembled_of(path).touch()
    with pytest.raises(InputError, match=rf"^out must have a name of at most {most} bytes, got {most + 1}: the"):
        check_place(path.with_name("b" + path.name), "out")


@pytest.mark.parametrize("size", [252, 255, 256])
def test_every_writer_refuses_long_names_before_any_work(tmp_path, monkeypatch, capsys, size):
    monkeypatch.chdir(tmp_path)
    for i in (1, 2):
        generate("darcy", 2, 8, shard=(i, 2), out=f"{i}.nc")
    before = sorted(os.listdir())
    match = f"must have a name of at most {longest(tmp_path)} bytes, got {size}"
    name = "a" * (size - 5) + ".hdf5"
    for options in ({}, {"resume": True}, {"compression": 1}, {"overwrite": True}):
        with pytest.raises(InputError, match=f"^out {match}"):
            generate("darcy", 2, 8, out=name, **options)
    with pytest.raises(InputError, match=f"^out {match}"):
        merge(["1.nc", "2.nc"], name)
    commands = (
        ("generate", "darcy", "-n", "2", "--resolution", "8", "-o", name),
        ("merge", "1.nc", "2.nc", "-o", name),
        ("convert", "1.nc", "--to", "the-well", "-o", name),
        ("inspect", "1.nc", "--card", "-o", name),
    )
    for words in commands:
        assert main(words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert match in line
    assert sorted(os.listdir()) == before


def test_paths_that_are_too_long(tmp_path, capsys):
    deep = Path(tmp_path, *["b" * 200] * 25, "x.nc")
    for options in ({}, {"resume": True}):
        with pytest.raises(
            InputError, match=r"^out lies in a folder whose name or path is too long .*, \d+ bytes; choose"
        ):
            generate("darcy", 2, 8, out=deep, **options)
    with pytest.raises(InputError, match="there is no file"):
        open_dataset(deep)
    assert main(["inspect", str(deep)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("opforge: File name too long: ") and line.endswith("; give a shorter one")


def test_a_home_folder_that_no_shell_has_put_in(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/her")
    monkeypatch.chdir(tmp_path)
    match = r"~ is no home folder in quotes or in Python: give '/home/her/{}'"
    for refused, name in (
        (lambda: generate("darcy", 1, 8, out="~/x.nc"), r"x\.nc"),
        (lambda: open_dataset("~/x.nc"), r"x\.nc"),
        (lambda: open_dataset("~/x-*.nc"), r"x-\*\.nc"),
        (lambda: merge(["~/1.nc", "~/2.nc"], "x.nc"), r"1\.nc"),
    ):
        with pytest.raises(InputError, match=match.format(name)):
            refused()
    assert home_hint("./~/x.nc") == home_hint("~nobody-of-this-name/x.nc") == ""
    Path("~").mkdir()
    assert len(generate("darcy", 1, 8, out="~/x.nc")) == len(open_dataset("~/x.nc")) == 1


@contextmanager
def somebody():
    """A block in which the superuser, who may do everything, is nobody; others stay who they are."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(user)


@pytest.fixture
def places(monkeypatch):
    """A current folder that anyone may enter, with ``closed``, which takes no files, and ``forbidden``."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        for i in (1, 2):
            generate("darcy", 2, 8, shard=(i, 2), out=f"{i}.nc")
        for name in ("closed", "forbidden"):
            os.mkdir(name)
            generate("darcy", 1, 8, out=f"{name}/there.nc")
        os.chmod(folder, 0o755)
        os.chmod("closed", 0o555)
        os.chmod("forbidden", 0)
        yield
        for name in ("closed", "forbidden"):
            os.chmod(name, 0o755)
        assert os.listdir("closed") == os.listdir("forbidden") == ["there.nc"]
        monkeypatch.undo()  # leaves the folder


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions as POSIX has them")
def test_folders_that_take_no_files(places, capsys):
    made = ("generate", "darcy", "-n", "2", "--resolution", "8", "--workers", "1", "-o")
    for words in (
        (*made, "{}/x.nc"),
        (*made, "{}/x.nc", "--compress", "1"),
        (*made, "{}/x.nc", "--resume"),
        (*made, "{}/there.nc", "--force"),
        ("merge", "1.nc", "2.nc", "-o", "{}/x.nc"),
        ("convert", "1.nc", "--to", "the-well", "-o", "{}/x.hdf5"),
        ("inspect", "1.nc", "--card", "-o", "{}/x.md"),
    ):
        for folder, expected in (("closed", "cannot be written: Permission denied"), ("forbidden", "not be entered")):
            with somebody():
                assert main([word.format(folder) for word in words]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert expected in line and folder in line
    for options in ({}, {"resume": True}, {"overwrite": True}):
        for folder, expected in (
            ("closed", "cannot write closed/x.nc.partial"),
            ("forbidden", "^out .*not be entered"),
        ):
            with pytest.raises(InputError, match=expected), somebody():
                generate("darcy", 2, 8, workers=1, out=f"{folder}/x.nc", **options)
            with pytest.raises(InputError, match=expected), somebody():
                merge(["1.nc", "2.nc"], f"{folder}/x.nc", **options)
