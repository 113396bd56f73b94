"""Samples that fail: left out, told with their reasons, tried again by a run that goes on."""

import os

import h5py
import numpy as np
import pytest

from opforge.datasets import generate, merge, open_dataset
from opforge.datasets.darcy import DarcyRecipe
from opforge.datasets.files.layout import read_failures
from opforge.datasets.files.seal import is_sealed
from opforge.datasets.files.writer import FileWriter
from opforge.datasets.generating.sampling import sample_seed
from opforge.errors import InputError, WorkError
from tests.datasets.generating.compared import assert_same, contents

REAL = DarcyRecipe.sample


def failing(*indices, seed=3):
    """A recipe's sample that fails for these samples, which it knows by their seeds."""
    real, bad = DarcyRecipe.sample, {np.random.default_rng(sample_seed(seed, i)).random() for i in indices}

    def sample(self, rng, grid):
        state = rng.bit_generator.state
        if rng.random() in bad:
            raise ArithmeticError("it was to fail")
        rng.bit_generator.state = state
        return real(self, rng, grid)

    return sample


def told(path):
    with h5py.File(path) as file:
        return read_failures(file), np.flatnonzero(np.isnan(file["solver_residual"][...])).tolist()


@pytest.mark.parametrize("out", ["plain", "compressed", None])
def test_failed_samples_are_skipped_and_told(tmp_path, monkeypatch, reference, out):
    monkeypatch.setattr(DarcyRecipe, "sample", failing(1, 4))
    path = None if out is None else tmp_path / "d.nc"
    options = {"workers": 1, "out": path, "compression": 4 if out == "compressed" else None}
    match = (
        rf"2 of 6 samples failed and were left out, .* the first: sample 1 \(seed {sample_seed(3, 1)}\): it was to fail"
    )
    with pytest.warns(UserWarning, match=match):
        dataset = generate("darcy", 6, 12, seed=3, on_error="skip", **options)
    assert_same(contents(dataset), {name: values for name, values in reference.items()}, [0, 2, 3, 5])
    assert len(dataset) == 4
    if path is not None:
        expected = [f"sample {i} (seed {sample_seed(3, i)}): it was to fail" for i in (1, 4)]
        assert told(path) == (expected, [1, 4])
        assert os.listdir(tmp_path) == ["d.nc"]


@pytest.mark.parametrize("compression", [None, 4])
def test_after_a_stop_the_rest_can_skip(tmp_path, monkeypatch, compression):
    monkeypatch.setattr("opforge.datasets.generating.pace.Pace._size", lambda self: 1)
    monkeypatch.setattr(DarcyRecipe, "sample", failing(2, 5))
    arguments = {"seed": 3, "workers": 1, "compression": compression}
    with pytest.warns(UserWarning, match="2 of 6 samples failed"):
        generate("darcy", 6, 12, out=tmp_path / "whole.nc", on_error="skip", **arguments)
    with (
        pytest.warns(UserWarning, match="2 of 6 samples are in"),
        pytest.raises(WorkError, match=r"sample 2 .*to fail"),
    ):
        generate("darcy", 6, 12, out=tmp_path / "d.nc", **arguments)
    with pytest.warns(UserWarning, match="2 of 6 samples failed"):
        assert len(generate("darcy", 6, 12, out=tmp_path / "d.nc", on_error="skip", resume=True, **arguments)) == 4
    assert (tmp_path / "d.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()


def test_killed_between_a_failure_and_its_record_it_is_told_nevertheless(tmp_path, monkeypatch):
    monkeypatch.setattr("opforge.datasets.generating.pace.Pace._size", lambda self: 1)
    monkeypatch.setattr(DarcyRecipe, "sample", failing(0, 2))
    arguments = {"seed": 3, "workers": 1, "on_error": "skip"}
    with pytest.warns(UserWarning, match="2 of 6 samples failed"):
        generate("darcy", 6, 12, out=tmp_path / "whole.nc", **arguments)

    told_before = []

    def struck(self, reasons):
        told_before.extend(reasons)
        if len(told_before) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FileWriter, "fail", struck)
        with pytest.warns(UserWarning, match="samples are in"), pytest.raises(KeyboardInterrupt):
            generate("darcy", 6, 12, out=tmp_path / "d.nc", **arguments)
    with pytest.warns(UserWarning, match="2 of 6 samples failed"):
        generate("darcy", 6, 12, out=tmp_path / "d.nc", resume=True, **arguments)
    assert (tmp_path / "d.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()


def test_what_was_skipped_stops_a_run_that_shall_not_skip(tmp_path, monkeypatch):
    monkeypatch.setattr("opforge.datasets.generating.pace.Pace._size", lambda self: 1)
    monkeypatch.setattr(DarcyRecipe, "sample", failing(1))
    put = FileWriter.wrote

    def interrupted(self, start, count, failed):
        put(self, start, count, failed)
        if start == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FileWriter, "wrote", interrupted)
        with pytest.warns(UserWarning, match="samples are in"), pytest.raises(KeyboardInterrupt):
            generate("darcy", 6, 12, seed=3, out=tmp_path / "d.nc", on_error="skip", workers=1)
    with pytest.warns(UserWarning, match="3 of 6 samples are in"), pytest.raises(WorkError, match="sample 1 "):
        generate("darcy", 6, 12, seed=3, out=tmp_path / "d.nc", resume=True, workers=1)


@pytest.mark.parametrize("compression", [None, 4])
def test_a_run_goes_on_with_what_an_earlier_version_left(tmp_path, monkeypatch, compression):
    """Variables per sample had no units: plain samples stay in that structure, and the file is as whole as any."""
    monkeypatch.setattr("opforge.datasets.generating.pace.Pace._size", lambda self: 1)
    monkeypatch.setattr(DarcyRecipe, "sample", failing(3))
    options = {"seed": 3, "workers": 1, "compression": compression, "out": tmp_path / "d.nc"}
    with monkeypatch.context() as earlier:
        earlier.setattr("opforge.datasets.files.layout._SEED", {"long_name": "seed of the sample"})
        with pytest.warns(UserWarning, match="3 of 6 samples are in"), pytest.raises(WorkError, match="sample 3 "):
            generate("darcy", 6, 12, **options)
    with monkeypatch.context() as later:
        made = []
        later.setattr(DarcyRecipe, "sample", lambda self, rng, grid, real=REAL: made.append(0) or real(self, rng, grid))
        generate("darcy", 6, 12, resume=True, **options)
    assert len(made) == 3 and is_sealed(tmp_path / "d.nc") and os.listdir(tmp_path) == ["d.nc"]
    with monkeypatch.context() as later:
        later.setattr(DarcyRecipe, "sample", REAL)
        assert_same(contents(open_dataset(tmp_path / "d.nc")), contents(generate("darcy", 6, 12, seed=3)))
    with h5py.File(tmp_path / "d.nc") as file:
        assert file["checksum"].attrs["units"] == "1"
        assert file["seed"].attrs.get("units") == (None if compression is None else "1")


@pytest.mark.parametrize("out", [True, False])
def test_where_all_fail_there_is_no_dataset(tmp_path, monkeypatch, out):
    monkeypatch.setattr(DarcyRecipe, "sample", failing(*range(6)))
    path = tmp_path / "d.nc" if out else None
    for resume in (False, True) if out else (False,):
        with pytest.raises(WorkError, match=r"all 6 samples failed; sample 0 \(seed \d+\): it was to fail"):
            generate("darcy", 6, 12, seed=3, on_error="skip", workers=1, out=path, resume=resume)
        assert os.listdir(tmp_path) == [], "there is nothing to go on with"


def test_workers_skip_too(tmp_path):
    """Where a recipe itself fails for most samples: the same file from one process and from two."""
    arguments = {"coefficient": "lognormal", "sigma": 220.0, "on_error": "skip"}
    for workers in (1, 2):
        with pytest.warns(UserWarning, match=r"\d+ of 40 samples failed and were left out"):
            generate("darcy", 40, 16, out=tmp_path / f"{workers}.nc", workers=workers, **arguments)
    reasons, failed = told(tmp_path / "1.nc")
    assert 32 < len(failed) < 40 and len(reasons) == len(failed)
    assert all("lower sigma" in reason for reason in reasons)
    assert (tmp_path / "1.nc").read_bytes() == (tmp_path / "2.nc").read_bytes()


def test_a_shard_without_a_good_sample_is_written_and_joined(tmp_path, monkeypatch):
    monkeypatch.setattr(DarcyRecipe, "sample", failing(0, 1, 2))
    arguments = {"seed": 3, "workers": 1, "on_error": "skip"}
    with pytest.warns(UserWarning, match="3 of 3 samples failed"):
        assert len(generate("darcy", 6, 12, out=tmp_path / "1.nc", shard=(1, 2), **arguments)) == 0
    assert len(generate("darcy", 6, 12, out=tmp_path / "2.nc", shard=(2, 2), **arguments)) == 3
    alone = r"1\.nc has no samples, all 3 of them failed \(sample 0 .*\); it is a shard, 0 to 2 of 6: join it with"
    with pytest.raises(InputError, match=alone):
        open_dataset(tmp_path / "1.nc")
    assert len(open_dataset([tmp_path / "1.nc", tmp_path / "2.nc"])) == 3
    assert len(merge(tmp_path, tmp_path / "whole.nc")) == 3
    assert len(told(tmp_path / "whole.nc")[0]) == 3


@pytest.mark.parametrize("compression", [None, 1])
def test_shards_without_a_good_sample_make_no_file(tmp_path, monkeypatch, compression):
    """As little as all samples at once would."""
    monkeypatch.setattr(DarcyRecipe, "sample", failing(*range(4)))
    arguments = {"seed": 3, "workers": 1, "on_error": "skip", "compression": compression}
    for i in (1, 2):
        with pytest.warns(UserWarning, match="2 of 2 samples failed"):
            generate("darcy", 4, 12, out=tmp_path / f"{i}.nc", shard=(i, 2), **arguments)
    with pytest.raises(WorkError, match=r"all 4 samples failed; sample 0 \(seed \d+\): ") as joined:
        merge(tmp_path, tmp_path / "whole.nc")
    with pytest.raises(WorkError, match=r"all 4 samples failed; sample 0 ") as at_once:
        generate("darcy", 4, 12, out=tmp_path / "whole.nc", **arguments)
    assert str(joined.value) == str(at_once.value)
    assert sorted(os.listdir(tmp_path)) == ["1.nc", "2.nc"]
