import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError, UnknownNameError
from opforge.models import FNO
from opforge.models.files import read_json, write_tensors
from opforge.training import Normaliser, Operator, load
from opforge.training.checkpoint import pick_device


def operator(model, grid=None):
    normaliser = Normaliser([7.5], [4.5], [1 / 3], [0.1])
    provenance = {"recipe": "darcy", "seed": 3}
    return Operator(
        model, normaliser, inputs=["a"], outputs=["u"], grid=grid, provenance=provenance, training={"epochs": 2}
    )


@pytest.fixture
def saved(tmp_path, fakes):
    return operator(fakes.tiny(), Grid((6, 6))).save(tmp_path / "runs" / "darcy")


def test_round_trip(tmp_path, fakes):
    first = operator(fakes.tiny(width=5), Grid((6, 6), (1.0, 2.0)))
    again = load(first.save(tmp_path / "run"))
    a = np.random.default_rng(0).random((3, 1, 6, 6))
    np.testing.assert_array_equal(again(a), first(a))
    for name in ("inputs", "outputs", "grid", "provenance", "training", "dtype", "ndim"):
        assert getattr(again, name) == getattr(first, name)
    torch.testing.assert_close(again.normaliser.state_dict(), first.normaliser.state_dict(), rtol=0, atol=0)
    assert sorted(p.name for p in (tmp_path / "run" / "checkpoint").iterdir()) == [
        "checkpoint.json",
        "weights.safetensors",
    ]
    np.testing.assert_array_equal(load(tmp_path / "run" / "checkpoint")(a), first(a))


def test_round_trip_through_a_fresh_process(tmp_path):
    first = operator(FNO(1, 1, (3, 2), width=4, depth=2), Grid((8, 8)))
    first.save(tmp_path / "run")
    a = np.random.default_rng(0).random((3, 1, 9, 8), dtype=np.float32)
    np.save(tmp_path / "a.npy", a)
    code = (
        "import sys, numpy, opforge; folder = sys.argv[1];"
        "numpy.save(folder + '/u.npy', opforge.load(folder + '/run')(numpy.load(folder + '/a.npy')))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "u.npy"), first(a))


def test_precision_is_kept(tmp_path, fakes):
    first = operator(fakes.tiny().double())
    again = load(first.save(tmp_path / "run"))
    assert again.dtype == torch.float64
    fakes.same_weights(again.model, first.model)


def test_the_description_says_what_it_is(saved):
    description = read_json(saved / "checkpoint" / "checkpoint.json")
    assert description["model"]["name"] == "tiny" and description["model"]["config"]["width"] == 4
    assert set(description) == {
        "format",
        "opforge",
        "torch",
        "model",
        "inputs",
        "outputs",
        "grid",
        "normaliser",
        "provenance",
        "training",
    }


def test_loading_leaves_the_generators_alone(saved):
    before = torch.get_rng_state()
    load(saved)
    torch.testing.assert_close(torch.get_rng_state(), before, rtol=0, atol=0)


def test_a_model_of_one_s_own_is_given(tmp_path, fakes):
    class Mine(fakes.TinyNet):
        pass

    first = operator(Mine(1, 1))
    folder = first.save(tmp_path / "run")
    with pytest.raises(InputError, match=r"Mine', which is not one of opforge's .* load\(folder, model=...\)"):
        load(folder)
    fakes.same_weights(load(folder, model=Mine(1, 1)).model, first.model)


def test_does_not_overwrite_unasked(saved, fakes):
    before = {p: p.read_bytes() for p in saved.rglob("*") if p.is_file()}
    other = operator(fakes.tiny(width=9))
    with pytest.raises(InputError, match=r"out: .* holds a checkpoint already"):
        other.save(saved)
    assert {p: p.read_bytes() for p in saved.rglob("*") if p.is_file()} == before
    other.save(saved, overwrite=True)
    fakes.same_weights(load(saved).model, other.model)


def test_a_checkpoint_that_is_half_replaced_counts_as_none(saved, fakes, monkeypatch):
    def fail(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("opforge.training.checkpoint.write_tensors", fail)
    with pytest.raises(KeyboardInterrupt):
        operator(fakes.tiny(width=9)).save(saved, overwrite=True)
    with pytest.raises(InputError, match=r"has no checkpoint/checkpoint\.json, it holds checkpoint"):
        load(saved)


def test_missing_folder_names_the_closest_run(saved):
    with pytest.raises(InputError, match=r"darcyy does not exist; did you mean .*runs/darcy\?"):
        load(saved.parent / "darcyy")
    with pytest.raises(InputError, match="does not exist; train one"):
        load(saved / "deep" / "down" / "nowhere")


def test_folder_without_a_checkpoint_says_what_it_holds(saved):
    (saved.parent / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"it holds darcy, notes\.txt; did you mean .*runs/darcy\?"):
        load(saved.parent)
    (saved.parent / "empty").mkdir()
    with pytest.raises(InputError, match=r"it holds nothing; did you mean .*runs/darcy\?"):
        load(saved.parent / "empty")
    with pytest.raises(InputError, match="is a file"):
        load(saved.parent / "notes.txt")


def test_cut_off_weights(saved):
    path = saved / "checkpoint" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"weights\.safetensors is cut off or damaged"):
        load(saved)


def edit(saved, change):
    path = saved / "checkpoint" / "checkpoint.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


@pytest.mark.parametrize(
    ("change", "kind", "match"),
    [
        (lambda d: d.update(format=2), InputError, "expected format 1, got 2"),
        (lambda d: d.pop("normaliser"), InputError, "is damaged .KeyError: 'normaliser'"),
        (lambda d: d["normaliser"].update(input_std=[0.0]), InputError, "is damaged .*input_std"),
        (lambda d: d["normaliser"].update(input_std="x"), InputError, "is damaged"),
        (lambda d: d.update(model=3), InputError, "is damaged"),
        (lambda d: d.update(inputs=5), InputError, "is damaged"),
        (lambda d: d.update(provenance=[1, 2]), InputError, "is damaged"),
        (lambda d: d["grid"].pop("shape"), InputError, "is damaged"),
        (lambda d: d.update(inputs=["a", "b"]), InputError, "inputs: expected one name"),
        (lambda d: d["model"].update(name="tinny"), UnknownNameError, "unknown model 'tinny'; did you mean 'tiny'"),
        (lambda d: d["model"]["config"].update(heads=3), InputError, "'tiny' cannot be built from its config .*heads"),
        (lambda d: d["model"].update(config=None), InputError, "'tiny' cannot be built"),
        (lambda d: d["model"]["config"].update(width=8), InputError, r"net\.0\.bias \(8,\), got \(4,\)"),
        (lambda d: d["model"].update(name="fno", config={"in_channels": 1, "out_channels": 1, "modes": [2]}),
         InputError, "does not fit model 'fno': expected"),
    ],
)  # fmt: skip
def test_damaged_description(saved, change, kind, match):
    edit(saved, change)
    with pytest.raises(kind, match=match) as caught:
        load(saved)
    assert "\n" not in str(caught.value)


def test_weights_with_another_set_of_names(saved, fakes):
    tensors = fakes.tiny().state_dict() | {"extra": torch.ones(2)}
    write_tensors(saved / "checkpoint" / "weights.safetensors", tensors)
    with pytest.raises(InputError, match=r"expected extra nothing, got \(2,\)"):
        load(saved)


def test_devices(monkeypatch):
    assert pick_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    for wrong in ("cuda", "cuda:3"):
        with pytest.raises(InputError, match=r"device: expected one of this machine's \(0 cuda\)"):
            pick_device(wrong)
    with pytest.raises(InputError, match="device: expected 'auto'"):
        pick_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("auto") == torch.device("cuda")
    assert pick_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match="device"):
        pick_device("cuda:2")
