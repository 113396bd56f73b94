"""Equations whose samples have numbers of their own: residuals and energies are those of each sample's equation."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Advection, AllenCahn, Fisher, Heat

GRID = Grid((16,), points="periodic")
TIME = np.array([0.0, 0.1, 0.3])


def states(*samples):
    return np.random.default_rng(0).uniform(0.2, 0.8, (*samples, 3, 16))


@pytest.mark.parametrize(
    ("equation", "name", "values"),
    [
        (Fisher(1), "rate", [0.5, 2.0]),
        (AllenCahn(1), "width", [0.1, 0.2]),
        (Advection(1), "velocity", [-1.0, 0.5]),
        (Heat(1), "diffusivity", [0.1, 0.2]),
    ],
)
def test_residuals_are_those_of_each_samples_equation(equation, name, values):
    grid = GRID if equation.points == "periodic" else Grid((16,))
    u, numbers = states(2, 3), np.array([values] * 3).T
    found = equation.residual({"u": u, "time": TIME, name: numbers}, grid)
    assert found.shape == (2, 3, 2, 16)
    for i in range(2):
        mine = replace(equation, **{name: values[i]})
        expected = mine.residual({"u": u[i], "time": TIME}, grid)
        np.testing.assert_allclose(found[i], expected, rtol=0, atol=1e-12)
        alone = equation.residual({"u": u[i, 0], "time": TIME, name: values[i]}, grid)
        np.testing.assert_allclose(alone, expected[0], rtol=0, atol=1e-12)
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_energies_too():
    u = states(2)
    widths = np.array([0.1, 0.3])
    found = AllenCahn(1).energy({"u": u, "width": widths}, GRID)
    expected = np.stack([AllenCahn(1, width).energy({"u": one}, GRID) for width, one in zip(widths, u, strict=True)])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_gradients_flow_through_the_fields():
    rates = torch.tensor([0.5, 2.0], dtype=torch.float64)

    def residual(u):
        return Fisher(1).residual({"u": u, "time": TIME, "rate": rates}, GRID)

    assert torch.autograd.gradcheck(residual, torch.from_numpy(states(2)).requires_grad_())


def test_as_many_numbers_as_samples():
    with pytest.raises(InputError, match=r"one number for each, got the shapes \(3,\) of 'rate', \(2,\) of 'u'"):
        Fisher(1).residual({"u": states(2), "time": TIME, "rate": np.ones(3)}, GRID)


def test_gradients_to_parameters_are_refused_not_forgotten():
    rates = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    fields = {"u": torch.from_numpy(states(2)), "time": TIME, "rate": rates}
    with pytest.raises(InputError, match="rate asks for gradients, which this equation has to its fields alone"):
        Fisher(1).residual(fields, GRID)
    Fisher(1).residual({**fields, "rate": rates.detach()}, GRID)
