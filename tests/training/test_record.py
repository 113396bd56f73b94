import json
import math
import shutil
from types import SimpleNamespace

import pytest

from opforge.errors import InputError, WorkError
from opforge.training import RelativeLp, fit, load


def train(fakes, folder, *, epochs=2, width=4, **options):
    return fit(fakes.tiny(width=width), fakes.Doubled(), epochs, out=folder, progress=False, **options)


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_a_run_leaves(fakes, tmp_path):
    run = train(fakes, tmp_path / "deep" / "run", validation=0.3)
    assert run.folder == tmp_path / "deep" / "run"
    assert set(files(run.folder)) == {
        "checkpoint/checkpoint.json",
        "checkpoint/weights.safetensors",
        "history.jsonl",
        "metrics.json",
        "state.safetensors",
    }
    kept = json.loads((run.folder / "metrics.json").read_text())["validation"]
    assert kept["relative_l2"] == run.validation["relative_l2"] > 0
    lines = [json.loads(line) for line in (run.folder / "history.jsonl").read_text().splitlines()]
    assert lines == run.history
    assert set(lines[0]) == {"epoch", "train_loss", "validation_loss", "learning_rate", "seconds"}


def test_the_log_grows_with_every_epoch(fakes, tmp_path):
    log, seen = tmp_path / "run" / "history.jsonl", []

    def loss(prediction, truth):
        seen.append(len(log.read_text().splitlines()) if log.exists() else 0)
        return RelativeLp(2)(prediction, truth)

    fit(fakes.tiny(), fakes.Doubled(4), 3, batch_size=4, loss=loss, out=tmp_path / "run", progress=False)
    assert seen == [0, 1, 2]


def test_a_run_is_not_overwritten_unasked(fakes, tmp_path):
    train(fakes, tmp_path / "run")
    before = files(tmp_path / "run")
    with pytest.raises(InputError, match=r"out: .* holds a run already"):
        train(fakes, tmp_path / "run", width=5)
    (tmp_path / "run" / "checkpoint" / "checkpoint.json").unlink()  # as if it had been stopped in its first epoch
    with pytest.raises(InputError, match=r"out: .* holds a run already"):
        train(fakes, tmp_path / "run", width=5)
    (tmp_path / "run" / "checkpoint" / "checkpoint.json").write_bytes(before["checkpoint/checkpoint.json"])
    assert files(tmp_path / "run") == before


def test_overwriting_leaves_nothing_of_the_old_run(fakes, tmp_path):
    train(fakes, tmp_path / "run", epochs=3)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    new = train(fakes, tmp_path / "run", width=5, overwrite=True)
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 2
    fakes.same_weights(load(tmp_path / "run").model, new.operator.model)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_wrong_arguments_leave_the_old_run_alone(fakes, tmp_path):
    train(fakes, tmp_path / "run")
    before = files(tmp_path / "run")
    with pytest.raises(InputError, match="symmetries"):
        train(fakes, tmp_path / "run", overwrite=True, symmetries="none")
    assert files(tmp_path / "run") == before


def test_wrong_folders(fakes, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"out: expected a folder, .* is a file"):
        train(fakes, tmp_path / "file")
    with pytest.raises(InputError, match="out: cannot make"):
        train(fakes, tmp_path / "file" / "run")
    with pytest.raises(InputError, match="resume: expected"):
        train(fakes, tmp_path / "run", resume=True, overwrite=True)


def test_a_full_disk_is_found_before_training(fakes, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=100))
    with pytest.raises(InputError, match=r"out: expected .* MiB of free space"):
        train(fakes, tmp_path / "run")
    assert files(tmp_path / "run") == {}


def test_a_run_that_fails_in_its_first_epoch_leaves_nothing(fakes, tmp_path):
    with pytest.raises(WorkError, match="the loss of epoch 1"):
        fit(
            fakes.tiny(),
            fakes.Doubled(4),
            2,
            loss=lambda p, t: p.sum() * math.nan,
            out=tmp_path / "run",
            progress=False,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_leaves_no_folder(fakes, tmp_path, monkeypatch):
    monkeypatch.setattr("opforge.training.record.shutil.disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(InputError, match="free space"):
        train(fakes, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"loss": "l2"}, {"optimiser": "adam"}, {"epochs": 0}, {"batch_size": 0}])
def test_a_refused_replacement_leaves_the_run_as_it_was(fakes, tmp_path, wrong):
    train(fakes, tmp_path / "run", validation=0.3)
    before = files(tmp_path / "run")
    arguments = {"epochs": 1, "out": tmp_path / "run", "overwrite": True, "progress": False} | wrong
    with pytest.raises(InputError, match=next(iter(wrong))):
        fit(fakes.tiny(), fakes.Doubled(4), **arguments)
    assert files(tmp_path / "run") == before
