import errno
import os

import h5py
import numpy as np
import pytest

from opforge import generate, open_dataset
from opforge.datasets import merge
from opforge.datasets.darcy import DarcyRecipe
from opforge.datasets.files.layout import read_failures
from opforge.datasets.files.writer import FileWriter
from opforge.datasets.generating.sampling import sample_seed
from opforge.errors import InputError, WorkError

N = 11
COUNT = 4  # shards of 2, 3, 3 and 3 samples


def failing(*indices):
    """A recipe's sample that fails for these samples, which it knows by their seeds."""
    real, bad = DarcyRecipe.sample, {np.random.default_rng(sample_seed(2, i)).random() for i in indices}

    def sample(self, rng, grid):
        state = rng.bit_generator.state
        if rng.random() in bad:
            raise WorkError("it was to fail")
        rng.bit_generator.state = state
        return real(self, rng, grid)

    return sample


def make(folder, count=COUNT, **options):
    """The shards 1.nc to <count>.nc, and the whole dataset, made at once."""
    shards = [folder / "shards" / f"{i}.nc" for i in range(1, count + 1)]
    shards[0].parent.mkdir()
    for i, path in enumerate(shards, 1):
        generate("darcy", N, 8, seed=2, out=path, shard=(i, count), workers=1, **options)
    generate("darcy", N, 8, seed=2, out=folder / "whole.nc", workers=1, **options)
    return shards


@pytest.fixture(params=[None, 4], ids=["plain", "compressed"])
def compression(request):
    return request.param


@pytest.fixture
def shards(tmp_path, compression):
    return make(tmp_path, compression=compression)


def same(folder, path):
    return path.read_bytes() == (folder / "whole.nc").read_bytes()


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_the_whole_is_the_file_that_was_made_at_once(tmp_path, shards, order):
    before = [path.read_bytes() for path in shards]
    merged = merge([shards[i] for i in order], tmp_path / "d.nc")
    assert same(tmp_path, tmp_path / "d.nc")
    assert (len(merged), merged.path) == (N, tmp_path / "d.nc")
    assert [path.read_bytes() for path in shards] == before
    assert sorted(os.listdir(tmp_path)) == ["d.nc", "shards", "whole.nc"]


def test_folders_and_patterns(tmp_path, shards):
    for number, words in enumerate((tmp_path / "shards", str(tmp_path / "shards"), f"{tmp_path}/shards/*.nc")):
        merge(words, tmp_path / f"{number}.nc")
        assert same(tmp_path, tmp_path / f"{number}.nc")


def test_the_output_may_lie_among_the_shards(tmp_path, shards):
    folder = tmp_path / "shards"
    for _ in range(2):
        merge(folder, folder / "all.nc", overwrite=True)
        assert same(tmp_path, folder / "all.nc")
    with pytest.raises(InputError, match=r"shards must name other files than out, got .*all\.nc alone"):
        merge(folder / "all.nc", folder / "all.nc", overwrite=True)


@pytest.mark.parametrize("at_once", [1, 1000])
def test_however_few_are_copied_at_a_time(tmp_path, shards, monkeypatch, at_once):
    monkeypatch.setattr("opforge.datasets.generating.merging._AT_ONCE", at_once)
    merge(shards, tmp_path / "d.nc")
    assert same(tmp_path, tmp_path / "d.nc")


@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_interrupted_join_goes_on(tmp_path, shards, compression, monkeypatch, after):
    monkeypatch.setattr("opforge.datasets.generating.merging._AT_ONCE", 1)  # sample by sample
    put, counts = FileWriter.put, []

    def interrupted(self, start, arrays):
        put(self, start, arrays)
        counts.append(len(arrays["seed"]))
        if len(counts) == 2 * after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FileWriter, "put", interrupted)
        with pytest.warns(UserWarning, match=f"{2 * after} of {N} samples are in"), pytest.raises(KeyboardInterrupt):
            merge(shards, tmp_path / "d.nc")
    with pytest.raises(InputError, match="holds the samples of a run that was interrupted"):
        merge(shards, tmp_path / "d.nc")
    with monkeypatch.context() as patch:
        patch.setattr(FileWriter, "put", lambda self, *what: counts.append(len(what[1]["seed"])) or put(self, *what))
        merge(shards, tmp_path / "d.nc", resume=True)
    assert same(tmp_path, tmp_path / "d.nc") and sum(counts) == N, "each is copied once"
    before = (tmp_path / "d.nc").stat().st_mtime_ns
    merge(shards, tmp_path / "d.nc", resume=True)
    assert (tmp_path / "d.nc").stat().st_mtime_ns == before, "there was nothing to do"


def test_an_output_that_exists_is_kept_unless_told(tmp_path, shards):
    (tmp_path / "d.nc").write_text("what was there")
    with pytest.raises(InputError, match=r"out names .*d\.nc, which exists"):
        merge(shards, tmp_path / "d.nc")
    assert (tmp_path / "d.nc").read_text() == "what was there"
    merge(shards, tmp_path / "d.nc", overwrite=True)
    assert same(tmp_path, tmp_path / "d.nc")


def refused(paths, out, match):
    with pytest.raises(InputError, match=match) as raised:
        merge(paths, out)
    assert "\n" not in str(raised.value)
    assert not out.exists()


def test_shards_that_are_missing_twice_or_none(tmp_path, shards):
    out = tmp_path / "d.nc"
    refused(shards[:3], out, r"samples 8 to 10 are missing in 1\.nc, 2\.nc, 3\.nc; name every shard once")
    refused(shards[1:], out, r"samples 0 to 1 are missing in 2\.nc")
    refused([*shards, shards[1]], out, r"samples 2 to 4 are there twice")
    refused([*shards, tmp_path / "whole.nc"], out, r"whole\.nc is no shard but a whole dataset; name files that")
    refused(tmp_path / "whole.nc", out, r"is no shard but a whole dataset")
    refused([*shards[:3], tmp_path / "5.nc"], out, r"there is no file .*5\.nc")
    refused([], out, "path must name at least one file")
    (tmp_path / "text.nc").write_text("no data")
    refused([*shards, tmp_path / "text.nc"], out, r"text\.nc is not an HDF5 file")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"seed": 3}, "of different datasets, 'seed' differs among"),
        ({"forcing": 2.0}, "of different datasets, 'equation_parameters' differs|'recipe_parameters' differs"),
        ({"samples": 12}, "of different datasets, .* differs among"),
        ({"resolution": 10}, "of different datasets, 'grid' differs"),
        (
            {"dtype": "float64"},
            r"4\.nc holds float64, .* and .*1\.nc float32, .*; generate the shards with the same dtype",
        ),
        ({"compression": 7}, r"4\.nc holds float32, compressed at level 7 and .*1\.nc float32, "),
    ],
)
def test_shards_of_something_else(tmp_path, shards, compression, options, match):
    wanted = {"samples": N, "resolution": 8, "seed": 2, "compression": compression, **options}
    generate("darcy", **wanted, out=shards[3], shard=(4, 4), overwrite=True)
    refused(shards, tmp_path / "d.nc", match)
    assert not (tmp_path / "d.nc.partial").exists()


@pytest.mark.parametrize("name", ["a", "u", "seed", "solver_residual", "checksum"])
def test_a_damaged_sample_is_named(tmp_path, shards, name):
    with h5py.File(shards[2], "r+") as file:
        file[name][1] = file[name][1] + 1
    with pytest.warns(UserWarning, match="5 of 11 samples are in"):
        refused(shards, tmp_path / "d.nc", r"3\.nc is damaged: sample 6 does not agree with its checksum")
    generate("darcy", N, 8, seed=2, out=shards[2], shard=(3, 4), overwrite=True, compression=compression_of(shards[0]))
    merge(shards, tmp_path / "d.nc", resume=True)
    assert same(tmp_path, tmp_path / "d.nc")


def compression_of(path):
    with h5py.File(path) as file:
        return file["a"].compression_opts


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.9])
def test_a_shard_that_was_cut_off(tmp_path, shards, part):
    content = shards[1].read_bytes()
    shards[1].write_bytes(content[: int(part * len(content))])
    refused(shards, tmp_path / "d.nc", r"2\.nc is (cut off or damaged|empty|damaged)")


def test_a_shard_without_checksums(tmp_path, shards):
    with h5py.File(shards[1], "r+") as file:
        del file["checksum"]
    refused(shards, tmp_path / "d.nc", r"2\.nc lacks the variable 'checksum', which every shard has")


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, InputError), (errno.EIO, WorkError)])
def test_what_the_disk_refuses_is_not_blamed_on_the_shards(tmp_path, shards, monkeypatch, code, kind):
    def refuse(*arguments):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("os.pwrite", refuse)
    with pytest.raises(kind, match=rf"writing .*d\.nc failed after 0 of {N} samples: {os.strerror(code)}"):
        merge(shards, tmp_path / "d.nc")
    assert sorted(os.listdir(tmp_path)) == ["shards", "whole.nc"]


@pytest.mark.filterwarnings("ignore:.* samples failed and were left out")
def test_failures_are_carried_over(tmp_path, compression, monkeypatch):
    monkeypatch.setattr(DarcyRecipe, "sample", failing(1, 5, 6, 9))
    shards = make(tmp_path, compression=compression, on_error="skip")
    merged = merge(shards[::-1], tmp_path / "d.nc")
    assert same(tmp_path, tmp_path / "d.nc")
    assert len(merged) == N - 4 == len(open_dataset(shards))
    with h5py.File(tmp_path / "d.nc") as file:
        assert [text.split(" (")[0] for text in read_failures(file)] == ["sample 1", "sample 5", "sample 6", "sample 9"]
        assert all(text.endswith(": it was to fail") for text in read_failures(file))


def test_files_of_others_have_no_failures(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        assert read_failures(file) == []


def test_progress_is_shown_on_stderr(tmp_path, shards, capfd):
    merge(shards, tmp_path / "d.nc", progress=True)
    shown = capfd.readouterr()
    assert shown.out == "" and "joining 4 shards" in shown.err and "11/11" in shown.err
