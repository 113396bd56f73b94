"""The Helmholtz equation: matrix and residual, drawn wavenumbers, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Helmholtz


@pytest.mark.parametrize("shape", [(9,), (7, 8)])
def test_residual_is_matrix_times_wave_less_source(shape):
    grid, rng, equation = Grid(shape, (1.0, 2.0)[: len(shape)]), np.random.default_rng(0), Helmholtz(len(shape), 5.0)
    fields = {name: rng.standard_normal(shape) for name in ("f", "u_real", "u_imag")}
    fields["c"] = rng.uniform(0.5, 2, shape)
    A, b = equation.operator(fields, grid), equation.right_hand_side(fields, grid)
    assert abs(A - A.T).max() < 1e-12
    expected = (A @ (fields["u_real"] + 1j * fields["u_imag"]).ravel() - b).reshape(shape)
    found = equation.residual(fields, grid)
    np.testing.assert_allclose(found, np.stack([expected.real, expected.imag]), rtol=0, atol=1e-10)
    other = equation.residual({**fields, "wavenumber": 7.0}, grid)
    np.testing.assert_allclose(other, Helmholtz(len(shape), 7.0).residual(fields, grid), rtol=0, atol=1e-12)


def test_every_sample_has_its_wavenumber():
    grid, rng, equation = Grid((7, 8)), np.random.default_rng(0), Helmholtz(2)
    fields = {name: rng.standard_normal((3, 7, 8)) for name in ("f", "u_real", "u_imag")}
    k = np.array([5.0, 6.0, 7.0])
    together = equation.residual({**fields, "wavenumber": k}, grid)
    for i in range(3):
        alone = Helmholtz(2, float(k[i])).residual({name: values[i] for name, values in fields.items()}, grid)
        np.testing.assert_allclose(together[i], alone, rtol=0, atol=1e-11)


def test_no_layer_inside():
    grid, equation = Grid((20, 40)), Helmholtz(2, layer=0.15)
    assert equation.inside(grid) == (slice(3, 17), slice(6, 34))
    cells, _ = equation.stretches(grid, 10.0)
    assert np.all(cells[0][3:17] == 1) and np.all(cells[0].imag[[0, -1]] > 0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"wavenumber": 0.0}, "wavenumber must be"),
        ({"layer": 0.5}, "layer must be a part"),
        ({"ndim": 3}, "ndim must be 1 or 2"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        Helmholtz(**parameters)


def test_speeds_that_are_not_positive():
    with pytest.raises(InputError, match="field 'c' must be positive"):
        Helmholtz(1).operator({"c": np.zeros(8)}, Grid((8,)))


def test_residuals_of_complex_sources_have_gradients():
    grid, equation = Grid((9,)), Helmholtz(1, 5.0)
    f = torch.randn(9, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)).requires_grad_()
    u = torch.randn(2, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()

    def residual(f, u):
        return equation.residual({"f": f, "u_real": u[0], "u_imag": u[1]}, grid)

    assert torch.autograd.gradcheck(residual, (f, u))
    fields = {"f": f.detach().numpy(), "u_real": u[0].detach().numpy(), "u_imag": u[1].detach().numpy()}
    np.testing.assert_allclose(equation.residual(fields, grid), residual(f, u).detach(), rtol=0, atol=1e-12)
    expected = np.linalg.norm(fields["f"])
    assert float(equation.residual_scale(fields, grid)) == pytest.approx(expected)
    assert float(equation.residual_scale({"f": f.detach()}, grid)) == pytest.approx(expected)
