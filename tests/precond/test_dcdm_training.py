"""Training of conjugate directions: the loss is its definition, a short training helps elsewhere, seeds decide."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError, WorkError
from opforge.precond import ConjugateDirections, residual_loss, train_directions
from opforge.precond.dcdm_training import Schedule, right_hand_sides
from opforge.solvers import Stencil
from tests.precond.test_dcdm import noise, region

SHORT = Schedule(steps=80, cells=(10, 24), regions=4)


def started(ndim: int = 2, seed: int = 0) -> ConjugateDirections:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ConjugateDirections(ndim, 8, 8)


def test_the_loss_is_its_definition():
    A = region(7, 6)
    b, d = noise(A, 3), noise(A, 3, seed=1)
    matrix = A.matrix().toarray()
    for b_i, d_i, found in zip(b, d, residual_loss(A, 5 * b, -3 * d), strict=True):
        b_i, d_i = b_i.numpy().ravel(), d_i.numpy().ravel()
        alpha = (d_i @ b_i) / (d_i @ matrix @ d_i)
        left = b_i - alpha * matrix @ d_i
        np.testing.assert_allclose(float(found), left @ left / (b_i @ b_i), rtol=1e-10)
    exact = torch.from_numpy(np.linalg.solve(matrix, b[0].numpy().ravel())).reshape(1, 7, 6)
    torch.testing.assert_close(residual_loss(A, b[:1], exact), torch.zeros(1, dtype=torch.float64), rtol=0, atol=1e-20)


def test_the_loss_has_gradients():
    A = region(5, 5)
    b, d = noise(A), noise(A, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda d: residual_loss(A, b, d), [d])


def mean_log_loss(net: ConjugateDirections, shapes: list[tuple[int, ...]]) -> float:
    found = []
    for seed, shape in enumerate(shapes):
        A = region(*shape, seed=1000 + seed)
        b = noise(A, seed=seed)
        found.append(float(residual_loss(A, b, net.on(A)(b)).log()))
    return float(np.mean(found))


@pytest.mark.parametrize(
    ("ndim", "cells", "shapes"), [(2, (10, 24), [(64, 48), (51, 51), (30, 30)]), (3, (5, 9), [(16, 20, 18)])]
)
def test_a_short_training_lowers_the_loss_on_larger_grids_and_unseen_regions(ndim, cells, shapes):
    net = started(ndim)
    before = mean_log_loss(net, shapes)
    record = train_directions(net, Schedule(steps=160, cells=cells, regions=4), seed=1)
    assert record.complete and len(record.losses) == 160 and record.seconds > 0
    assert mean_log_loss(net, shapes) < before - 1


def test_the_seed_decides_and_the_callers_generator_is_left_alone():
    few = Schedule(steps=4, cells=(8, 12), regions=2)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    records = []
    for seed in (1, 1, 2):
        records.append(train_directions(started(), few, seed=seed).losses)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    assert records[0] == records[1] != records[2]


def test_time_is_bounded():
    record = train_directions(started(), Schedule(steps=10**6, cells=(8, 10), regions=1, minutes=0.02))
    assert not record.complete and 1 <= len(record.losses) < 10**5


def test_a_loss_that_is_no_number_ends_it():
    net = started()
    with torch.no_grad():
        net.pre.widen[0, 0] = torch.nan
    with pytest.raises(WorkError, match="the loss is no number after 1 steps; lower the rate"):
        train_directions(net, SHORT)


@pytest.mark.parametrize("boundary", ["neumann", "periodic", "dirichlet"])
def test_right_hand_sides_have_solutions_and_norm_root_n(boundary):
    solid = np.zeros((3, 16, 12))
    solid[1, 4:8, 4:8] = 1
    A = Stencil(Grid((16, 12), (16.0, 12.0)), boundary, solid=solid, dtype=torch.float32)
    b = right_hand_sides(A, 3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.linalg.vector_norm(b.flatten(1), dim=1), torch.full((3,), 192.0).sqrt())
    assert b[solid == 1].abs().max() < 1e-4
    if boundary != "dirichlet":
        assert b.flatten(1).sum(1).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"steps": 0}, "steps must be greater than 0"),
        ({"minutes": -1.0}, "minutes must be greater than 0"),
        ({"cells": (2, 8)}, "cells must be least and most along an axis"),
        ({"cells": (9, 8)}, "cells must be least and most along an axis"),
    ],
)
def test_schedules_out_of_range(option, said):
    with pytest.raises(InputError, match=said):
        Schedule(**option)


def test_progress_is_shown_when_asked_for(capfd):
    few = Schedule(steps=2, cells=(8, 9), regions=1)
    train_directions(started(), few)
    assert capfd.readouterr().err == ""
    train_directions(started(), few, progress=True)
    assert "2/2" in capfd.readouterr().err
