"""Every contestant of the spectral family computes the same, neuraloperator's as it is said to."""

import math
import warnings
from importlib.util import find_spec

import pytest
import torch

from opforge.benchmarks import spectral
from opforge.benchmarks.contest import REFERENCE, compare
from opforge.benchmarks.spectral import ASKED, LAST, PEER, Problem, cases, contestants

SMALL = [
    Problem(ASKED, 2, 3, (12, 10), (4, 4)),
    Problem(ASKED, 2, 3, (9, 10), (4, 4)),
    Problem(ASKED, 2, 2, (6, 7, 8), (2, 2, 3)),
    Problem(ASKED, 2, 3, (16,), (5,)),
]


@pytest.mark.parametrize("way", ["forward", "forward+backward"])
@pytest.mark.parametrize("problem", SMALL, ids=lambda p: "x".join(map(str, p.grid)))
def test_contestants_agree(problem, way):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # neuraloperator's imports
        made = {name: factory() for name, factory in contestants(problem, way).items()}
    assert (PEER in made) == (find_spec("neuralop") is not None)
    differences = compare(made, "test")
    assert differences[REFERENCE] == 0.0
    tensors = made[REFERENCE].result()
    assert len(tensors) == (2 if way == "forward+backward" else 1)
    assert all(math.prod(t.shape) and t.isfinite().all() for t in tensors)


def test_forward_needs_no_graph_and_backward_reaches_every_parameter(monkeypatch):
    asked = []

    def grad(y, leaves, gradient):
        asked.append(len(leaves))
        return torch.ops.aten.alias(gradient), None, None

    monkeypatch.setattr("torch.autograd.grad", grad)
    forward = contestants(SMALL[0], "forward")[REFERENCE]().result()
    assert not forward[0].requires_grad and asked == []
    contestants(SMALL[0], "forward+backward")[REFERENCE]().run()
    assert asked == [3], "x, weight and bias"


def test_channels_last_differs_in_memory_alone(monkeypatch):
    seen = []
    monkeypatch.setattr(spectral, "spectral_conv", lambda x, *_, **__: seen.append(x) or x)
    for name in (REFERENCE, LAST):
        contestants(SMALL[0], "forward")[name]().run()
    first, last = seen
    assert first.is_contiguous() and last.movedim(1, -1).is_contiguous()
    assert torch.equal(first, last)


def test_standing_bytes_are_those_of_inputs_parameters_and_gradient():
    problem = SMALL[0]
    field, weight, bias = 2 * 3 * 120 * 4, 9 * 5 * 3 * 3 * 2 * 4, 3 * 4
    assert contestants(problem, "forward")[REFERENCE]().standing == field + weight + bias
    assert contestants(problem, "forward+backward")[REFERENCE]().standing == 2 * field + weight + bias


def test_the_usual_modes_are_those_that_are_to_be_reached():
    asked = {(p.grid, p.channels, 2 * p.modes[0]) for p in spectral.PROBLEMS if p.group == ASKED}
    assert {((64, 64), 32, 16), ((64, 64), 64, 16), ((128, 128), 32, 24), ((128, 128), 64, 32)} < asked
    assert {((256, 256), 32, 32), ((64, 64, 64), 16, 16)} < asked
    assert {grid for grid, _, _ in asked} >= {(97, 97), (241, 121)}
    assert all(len(set(p.modes)) == 1 for p in spectral.PROBLEMS)


def test_all_modes_are_all_that_the_grid_carries():
    full = [p for p in spectral.PROBLEMS if p.group == spectral.FULL]
    assert {len(p.grid) for p in full} == {1, 2, 3}
    assert all(p.modes == tuple((n - 1) // 2 for n in p.grid) for p in full)


def test_labels_tell_the_cases_apart_and_quick_is_a_part():
    labels = [(case.group, case.label) for case in cases()]
    assert len(set(labels)) == len(labels)
    assert {(case.group, case.label) for case in cases(quick=True)} < set(labels)


def test_back_ends_are_timed_by_name_when_asked():
    extra = set(contestants(SMALL[0], "forward", backends=True)) - set(contestants(SMALL[0], "forward"))
    assert {f"{REFERENCE}, gemm", f"{REFERENCE}, torch"} <= extra


def test_a_back_end_that_cannot_serve_is_left_out(monkeypatch):
    monkeypatch.setattr(spectral, "BACKENDS", ("gemm", "no such back end"))
    extra = set(contestants(SMALL[0], "forward", backends=True)) - set(contestants(SMALL[0], "forward"))
    assert extra == {f"{REFERENCE}, gemm"}
