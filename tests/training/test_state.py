import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from opforge.errors import InputError
from opforge.models.files import read_tensors, write_tensors
from opforge.training import Cosine, Optimiser, RelativeLp, fit, load

PLAIN = Optimiser(learning_rate=0.02)
AVERAGED = Optimiser(learning_rate=0.02, ema=0.9, schedule=Cosine())


class Stop(Exception):
    pass


class Counted:
    """The relative L2 loss, which stops the training at its n-th step."""

    def __init__(self, n=None):
        self.n, self.steps = n, 0

    def __call__(self, prediction, truth):
        if torch.is_grad_enabled():
            self.steps += 1
        if self.steps == self.n:
            raise Stop
        return RelativeLp(2)(prediction, truth)


def train(fakes, folder, *, loss=None, **options):
    defaults = {"batch_size": 5, "optimiser": AVERAGED, "validation": 0.2, "seed": 3, "progress": False}
    return fit(fakes.tiny(dropout=0.3), fakes.Doubled(15), 5, loss=loss or Counted(), out=folder, **defaults | options)


def stopped(fakes, folder, step, **options):
    with pytest.raises(Stop):
        train(fakes, folder, loss=Counted(step), **options)


def without_seconds(history):
    return [{name: value for name, value in line.items() if name != "seconds"} for line in history]


def content(folder):
    """Every file of a run folder, with the times left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".safetensors":
            tensors, metadata = read_tensors(path)
            history = without_seconds(json.loads(metadata.get("history", "[]")))
            found[path.name] = ({name: t.flatten().tolist() for name, t in tensors.items()}, history)
        elif path.suffix == ".jsonl":
            found[path.name] = without_seconds(json.loads(line) for line in path.read_text().splitlines())
        elif path.is_file():
            found[path.name] = path.read_text()
    return found


# 12 training samples in batches of 5: 3 steps an epoch. Step 1 is in epoch 1, 4 begins epoch 2, 8 is inside epoch 3.
@pytest.mark.parametrize("step", [1, 4, 8, 15])
@pytest.mark.parametrize("optimiser", [PLAIN, AVERAGED], ids=["plain", "averaged"])
def test_a_resumed_run_is_the_uninterrupted_one_to_the_last_bit(fakes, tmp_path, step, optimiser):
    whole = train(fakes, tmp_path / "whole", optimiser=optimiser)
    stopped(fakes, tmp_path / "parts", step, optimiser=optimiser)
    resumed = train(fakes, tmp_path / "parts", resume=True, optimiser=optimiser)
    assert without_seconds(resumed.history) == without_seconds(whole.history)
    fakes.same_weights(resumed.operator.model, whole.operator.model)
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_resumed_twice(fakes, tmp_path):
    whole = train(fakes, tmp_path / "whole")
    stopped(fakes, tmp_path / "parts", 5)
    stopped(fakes, tmp_path / "parts", 6, resume=True)
    fakes.same_weights(train(fakes, tmp_path / "parts", resume=True).operator.model, whole.operator.model)


def test_only_the_epochs_that_are_left_are_trained(fakes, tmp_path):
    stopped(fakes, tmp_path / "run", 8)
    loss = Counted()
    train(fakes, tmp_path / "run", loss=loss, resume=True)
    assert loss.steps == 3 * 3
    loss = Counted()
    finished = train(fakes, tmp_path / "run", loss=loss, resume=True)
    assert loss.steps == 0 and len(finished.history) == 5


@pytest.mark.parametrize("after", ["save_state", "save"])
def test_killed_between_two_files_of_an_epoch(fakes, tmp_path, monkeypatch, after):
    whole = train(fakes, tmp_path / "whole")
    from opforge.training import record

    original, calls = getattr(record, after), []

    def kill(*arguments, **options):
        original(*arguments, **options)
        calls.append(1)
        if len(calls) == 3:
            raise Stop

    monkeypatch.setattr(record, after, kill)
    with pytest.raises(Stop):
        train(fakes, tmp_path / "parts")
    monkeypatch.undo()
    monkeypatch.setattr("opforge.models.registry", lambda: {"tiny": fakes.TinyNet})
    fakes.same_weights(train(fakes, tmp_path / "parts", resume=True).operator.model, whole.operator.model)
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


KILLED = """
import os, runpy, sys
import torch
from opforge.training import RelativeLp, fit

torch.set_num_threads(1)
fakes = runpy.run_path(sys.argv[1])
kill_at, steps = int(sys.argv[2]), 0

def loss(prediction, truth):
    global steps
    steps += 1
    if steps == kill_at:
        os._exit(9)
    return RelativeLp(2)(prediction, truth)

for folder in sys.argv[3:]:
    options = {"loss": loss, "batch_size": 5, "out": folder, "progress": False}
    fit(fakes["tiny"](), fakes["Doubled"](12), 4, resume=os.path.exists(folder), **options)
"""


def test_a_killed_process_is_gone_on_with_in_another(fakes, tmp_path):
    def process(kill_at, *names):
        arguments = [str(Path(__file__).parent / "conftest.py"), str(kill_at), *(str(tmp_path / n) for n in names)]
        return subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False).returncode

    assert process(8, "parts") == 9
    assert process(0, "parts", "whole") == 0
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"seed": 4}, "resume: seed was 3 .* got 4"),
        ({"batch_size": 6}, "resume: batch_size was 5 .* got 6"),
        ({"optimiser": PLAIN}, r"resume: optimiser\.schedule\.name was Cosine .* got OneCycle"),
        ({"loss": RelativeLp(2)}, "resume: loss was Counted .* got "),
        ({"symmetries": None}, "resume: symmetries was"),
        ({"validation": 0.4}, "resume: "),
    ],
    ids=str,
)
def test_refuses_to_go_on_with_other_options(fakes, tmp_path, options, match):
    stopped(fakes, tmp_path / "run", 8)
    before = content(tmp_path / "run")
    with pytest.raises(InputError, match=match):
        train(fakes, tmp_path / "run", resume=True, **options)
    assert content(tmp_path / "run") == before


def test_refuses_to_go_on_with_other_data_or_another_model(fakes, tmp_path):
    options = {"out": tmp_path / "run", "progress": False, "symmetries": None}
    fit(fakes.tiny(), fakes.Doubled(), 1, **options)
    with pytest.raises(InputError, match=r"resume: data\.statistics\.input_mean was"):
        fit(fakes.tiny(), fakes.Doubled(seed=1), 1, resume=True, **options)
    with pytest.raises(InputError, match=r"resume: model\.config\.width was 4 .* got 5"):
        fit(fakes.tiny(width=5), fakes.Doubled(), 1, resume=True, **options)
    with pytest.raises(InputError, match=r"resume: epochs was 1 .* got 2"):
        fit(fakes.tiny(), fakes.Doubled(), 2, resume=True, **options)


def test_refuses_where_there_is_nothing_or_something_damaged(fakes, tmp_path):
    with pytest.raises(InputError, match=r"resume: .* holds no training to go on with"):
        train(fakes, tmp_path / "nothing", resume=True)
    assert not (tmp_path / "nothing").exists()
    stopped(fakes, tmp_path / "run", 4)
    path = tmp_path / "run" / "state.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(InputError, match=r"state\.safetensors is cut off or damaged"):
        train(fakes, tmp_path / "run", resume=True)
    tensors, metadata = read_tensors_of(whole, path)
    write_tensors(path, tensors, metadata | {"history": "[{"})
    with pytest.raises(InputError, match=r"state\.safetensors is damaged"):
        train(fakes, tmp_path / "run", resume=True)
    write_tensors(path, {k: v for k, v in tensors.items() if k != "model/net.0.bias"}, metadata)
    with pytest.raises(InputError, match=r"is of another training: expected net\.0\.bias"):
        train(fakes, tmp_path / "run", resume=True)


def read_tensors_of(whole, path):
    path.write_bytes(whole)
    return read_tensors(path)


def test_an_unfinished_run_can_be_used(fakes, tmp_path):
    stopped(fakes, tmp_path / "run", 8)
    assert load(tmp_path / "run")(fakes.Doubled(2).a).shape == (2, 1, 6, 6)
