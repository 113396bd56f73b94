"""Evolution equations: the residual by the trapezoidal rule, states and trajectories that do not fit."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import EvolutionEquation, Field


@dataclass(frozen=True)
class Turning(EvolutionEquation):
    """u_t = v, v_t = −u at every point."""

    ndim: int = 1

    name: ClassVar[str] = "turning"
    fields: ClassVar = (Field("u", "u"), Field("v", "v"))
    unknowns: ClassVar = ("u", "v")
    points: ClassVar = "cells"
    symmetries = ()

    def tendency(self, state, grid):
        self.check_state(state, grid)
        return state[..., [1, 0], :] * np.array([[1.0], [-1.0]])


GRID = Grid((4,))


def turning(times, lib=np):
    angle = times[:, None] + np.arange(4.0)
    fields = {"u": np.sin(angle), "v": np.cos(angle)}
    return {**{name: lib.asarray(values) for name, values in fields.items()}, "time": times}


def test_residual_of_a_solution_is_of_order_3_in_the_time_between_frames():
    sizes = []
    for frames in (11, 21, 41):
        residual = Turning().residual(turning(np.linspace(0, 1, frames)), GRID)
        assert residual.shape == (2, frames - 1, 4)
        sizes.append(np.abs(residual).max())
    orders = np.log2(np.array(sizes[:-1]) / sizes[1:])
    assert np.all((orders > 2.9) & (orders < 3.1))


def test_residual_is_the_trapezoidal_rules():
    fields = turning(np.array([0.0, 0.4]))
    u, v = fields["u"], fields["v"]
    residual = Turning().residual(fields, GRID)
    np.testing.assert_allclose(residual[0, 0], u[1] - u[0] - 0.2 * (v[0] + v[1]), atol=1e-15)
    np.testing.assert_allclose(residual[1, 0], v[1] - v[0] + 0.2 * (u[0] + u[1]), atol=1e-15)
    np.testing.assert_allclose(Turning().residual_scale(fields, GRID), 2.0)  # 4 points, u² + v² = 1


def test_states_that_do_not_fit():
    with pytest.raises(InputError, match=r"state must be an array \(..., 2, 4\) with u, v on 4 points, got shape"):
        Turning().tendency(np.ones((4, 2)), GRID)
    with pytest.raises(InputError, match="grid must have points='cells' for the equation 'turning', got 'periodic'"):
        Turning().tendency(np.ones((2, 4)), Grid((4,), points="periodic"))
    with pytest.raises(InputError, match="grid must have 1 axes"):
        Turning().tendency(np.ones((2, 4, 4)), Grid((4, 4)))


def test_times_that_do_not_fit():
    fields = turning(np.array([0.0, 0.4]))
    with pytest.raises(InputError, match="field 'time' must hold the time of every frame"):
        Turning().residual({**fields, "time": np.zeros(3)}, GRID)
    with pytest.raises(InputError, match="fields must contain 'v'"):
        Turning().residual({"u": fields["u"], "time": fields["time"]}, GRID)


def test_times_may_be_tensors():
    fields = turning(np.array([0.0, 0.4]))
    tensors = {"u": fields["u"], "v": fields["v"], "time": torch.tensor([0.0, 0.4], dtype=torch.float64)}
    np.testing.assert_array_equal(Turning().residual(tensors, GRID), Turning().residual(fields, GRID))
