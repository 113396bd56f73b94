"""The direct solution of the Helmholtz equation."""

import numpy as np
import pytest
from scipy.special import hankel1

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Helmholtz
from opforge.solvers import solve_helmholtz


def test_a_wave_leaves_a_source_on_both_sides():
    grid, f = Grid((400,)), np.zeros(400)
    f[200] = 400.0
    real, imag, residual = solve_helmholtz(Helmholtz(1, 20.0), {"f": f}, grid)
    assert residual < 1e-10
    # u = e^{ik|x|}/(2ik)
    away = np.abs(grid.coordinates()[0] - grid.coordinates()[0][200])
    exact = np.exp(20j * away) / 40j
    inside = slice(80, 320)
    np.testing.assert_allclose((real + 1j * imag)[inside], exact[inside], rtol=0, atol=0.02 * abs(exact[0]))


@pytest.mark.parametrize("shape", [(40,), (24, 24), (20, 28)])
@pytest.mark.parametrize("wavenumber", [6.0, 15.0])
@pytest.mark.parametrize("medium", [False, True])
def test_symmetries_by_solving_twice(shape, wavenumber, medium):
    grid, equation, rng = Grid(shape), Helmholtz(len(shape)), np.random.default_rng(0)
    fields = {"f": rng.standard_normal(shape), "wavenumber": wavenumber}
    if medium:
        fields["c"] = np.exp(0.15 * rng.standard_normal(shape))

    def solved(fields):
        real, imag, residual = solve_helmholtz(equation, fields, grid)
        assert residual < 1e-10
        return {"u_real": real, "u_imag": imag}

    wave = solved(fields)
    fixed = {"wavenumber": fields.pop("wavenumber")}
    holding = [symmetry for symmetry in equation.symmetries if symmetry.applies_to(grid)]
    assert len(holding) == {(40,): 2, (24, 24): 4, (20, 28): 3}[shape]
    for symmetry in holding:
        moved = symmetry({**fields, **wave}, grid.ndim)
        expected = {name: moved.pop(name) for name in wave}
        for name, values in solved({**moved, **fixed}).items():
            size = np.abs(wave[name]).max()
            assert np.abs(expected[name] - wave[name]).max() > 0.01 * size
            np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-9 * size, err_msg=symmetry.name)


@pytest.mark.parametrize("name", ["f", "c"])
def test_fields_that_are_not_finite_are_refused(name):
    fields = {"f": np.zeros(64), "c": np.ones(64)}
    fields[name][5] = np.nan
    with pytest.raises(InputError, match=f"field '{name}' must be finite, got NaN or infinity in 1 of 64 values"):
        solve_helmholtz(Helmholtz(1, 20.0), fields, Grid((64,)))


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"f": np.ones((2, 40))}, "field 'f' must be real or complex and have the grid's shape"),
        ({}, "field 'f' must be real or complex"),
        ({"f": np.ones(40), "c": np.ones(40) * 1j}, "field 'c' must be real and have the grid's shape"),
        (
            {"f": np.ones(40), "wavenumber": 80.0},
            r"at least 4 cells .* wavelength, 0\.0785, .* got 3\.1 on 40; take more",
        ),
        ({"f": np.ones(40), "c": np.full(40, 0.3)}, r"at least 4 cells for the shortest wavelength, 0\.0471"),
        ({"f": np.ones(40), "wavenumber": -40.0}, "wavenumber must be a number greater than 0, got -40"),
    ],
)
def test_what_is_no_source_is_refused(fields, match):
    with pytest.raises(InputError, match=match):
        solve_helmholtz(Helmholtz(ndim=1), fields, Grid((40,)))


def test_complex_sources():
    """Linear in them: a point source of complex amplitude makes the wave of Hankel's function times that."""
    grid, equation, rng = Grid((60, 50), (1.2, 1.0)), Helmholtz(2, 12.0), np.random.default_rng(0)
    one, other = rng.standard_normal((2, 60, 50))

    def wave(f):
        real, imag, residual = solve_helmholtz(equation, {"f": f}, grid)
        assert residual < 1e-12
        return real + 1j * imag

    together = wave(one + 1j * other)
    np.testing.assert_allclose(together, wave(one) + 1j * wave(other), rtol=0, atol=1e-12 * np.abs(together).max())
    grid, equation, amplitude = Grid((200, 200)), Helmholtz(2, 25.0), 0.6 - 0.8j
    f = np.zeros(grid.shape, complex)
    f[100, 100] = amplitude / np.prod(grid.spacing)
    real, imag, _ = solve_helmholtz(equation, {"f": f}, grid)
    x, y = grid.mesh()
    away = np.hypot(x - x[100, 100], y - y[100, 100])
    ring = (away > 0.15) & (away < 0.3)
    exact = -0.25j * hankel1(0, 25.0 * away[ring]) * amplitude
    np.testing.assert_allclose((real + 1j * imag)[ring], exact, rtol=0, atol=0.05 * np.abs(exact).max())
