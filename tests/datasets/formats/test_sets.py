import os
from pathlib import Path

import pytest

from opforge import generate, open_dataset
from opforge.datasets.formats.sets import members
from opforge.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """Two shards, and something else."""
    (tmp_path / "set").mkdir()
    for name in ("b.nc", "a.h5", "notes.txt", "c.nc.partial"):
        (tmp_path / "set" / name).touch()
    return tmp_path / "set"


def test_one_path_is_one_file(tmp_path):
    assert members(tmp_path / "none.nc") == members(str(tmp_path / "none.nc")) == [tmp_path / "none.nc"]
    (tmp_path / "d[1].nc").touch()
    assert members(tmp_path / "d[1].nc") == [tmp_path / "d[1].nc"], "a file's own name before a pattern"
    (tmp_path / "e[1].nc").symlink_to("none.nc")
    assert members(tmp_path / "e[1].nc") == [tmp_path / "e[1].nc"], "and a link's that leads nowhere"


def test_several_paths_stay_in_order():
    assert members(("b.nc", Path("a.nc"))) == [Path("b.nc"), Path("a.nc")]


@pytest.mark.parametrize(
    ("path", "match"),
    [([], "at least one file"), (["a.nc", 3], "got int 3"), (b"a.nc", "got int 97"), ([None], "NoneT")],
)
def test_what_is_no_path(path, match):
    with pytest.raises(InputError, match=match):
        members(path)


def test_a_folder_is_its_data_files(folder):
    assert members(folder) == [folder / "a.h5", folder / "b.nc"]
    assert members(str(folder / "*.nc")) == [folder / "b.nc"]


def test_nothing_fits(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty is a folder without files that end in \.nc, \.h5, \.hdf5; name the"):
        members(tmp_path / "empty")
    with pytest.raises(InputError, match=r"no file fits the pattern .*z\*\.nc; check it"):
        members(str(folder / "z*.nc"))


@pytest.mark.parametrize("pattern", ["", "*.nc"])
def test_a_link_out_of_the_folder_is_not_followed(folder, tmp_path, pattern):
    path = folder / pattern if pattern else folder
    (folder / "inside.nc").symlink_to("b.nc")
    assert folder / "inside.nc" in members(str(path))
    (tmp_path / "other.nc").touch()
    (folder / "z.nc").symlink_to(tmp_path / "other.nc")
    with pytest.raises(
        InputError, match=r"z\.nc is a symbolic link out of its folder, to .*other\.nc, which is not fol"
    ):
        members(str(path))
    (folder / "z.nc").unlink()
    (folder / "z.nc").symlink_to("z.nc")
    with pytest.raises(InputError, match=r"(a\.h5|b\.nc) is empty"):
        open_dataset(str(path))  # a link in circles does not disturb the others


def test_a_folder_that_may_not_be_read(folder, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(InputError, match=r"the folder .*set may not be read; change its permissions or name the files"):
        members(folder)


def test_shards_are_put_in_order(tmp_path):
    for i, name in ((2, "a"), (1, "b")):
        generate("darcy", 5, 4, out=tmp_path / f"{name}.nc", shard=(i, 2))
    dataset = open_dataset(tmp_path)
    assert (dataset.samples, dataset.path) == (5, None)
    os.remove(tmp_path / "b.nc")
    with pytest.raises(InputError, match="samples 0 to 1 are missing"):
        open_dataset([tmp_path / "a.nc", tmp_path / "a.nc"])
