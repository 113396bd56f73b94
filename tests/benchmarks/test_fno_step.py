import copy
import warnings

import pytest
import torch

from opforge.benchmarks import fno_step
from opforge.benchmarks.contest import REFERENCE, compare
from opforge.benchmarks.fno_step import BY_SETTINGS, PEER, EveryOther, Problem, cases, contestants

SMALL = Problem(2, 16, 4, 3)


def test_the_sizes_are_those_that_are_to_be_reached():
    sizes = [(p.batch, p.points, p.width, 2 * p.modes) for p in fno_step.PROBLEMS]
    assert sizes == [(16, 64, 32, 16), (8, 128, 64, 32)] and fno_step.DEPTH == 4
    assert [case.label for case in cases(quick=True)] == [cases()[0].label]


def test_a_step_changes_every_parameter_and_leaves_no_gradient(monkeypatch):
    models = []
    model = Problem.model
    monkeypatch.setattr(Problem, "model", lambda self: models.append(model(self)) or models[-1])
    one = contestants(SMALL, "training step")[REFERENCE]()
    before = copy.deepcopy(models[-1].state_dict())
    assert torch.equal(one.result()[0], one.result()[0])
    one.run()
    assert all(not torch.equal(before[name], after) for name, after in models[-1].state_dict().items())
    assert all(p.grad is None for p in models[-1].parameters())


def test_standing_bytes_are_those_of_model_optimiser_and_data():
    one = contestants(SMALL, "training step")[REFERENCE]()
    parameters = sum(p.numel() for p in SMALL.model().parameters())
    assert one.standing == 3 * 4 * parameters + 2 * 2 * 256 * 4
    assert one.note == f"{parameters:,} real parameters"


def test_every_other_call():
    double = EveryOther(lambda x: 2 * x)
    assert [double(1) for _ in range(4)] == [2, 1, 2, 1]


def test_neuraloperators_steps_are_those_of_the_same_function():
    pytest.importorskip("neuralop")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # neuraloperator's imports
        made = {name: factory() for name, factory in contestants(SMALL, "training step").items()}
    assert set(made) == {REFERENCE, PEER, BY_SETTINGS}
    assert compare(made, "before any step")[PEER] > 0.0, "two implementations"
    assert "two GELUs" in made[BY_SETTINGS].note
