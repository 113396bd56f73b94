import json
import math

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Advection, Composed, PeriodicReflection, Shift, SignChange, Transposition
from opforge.pdes.advection import carried, per_axis, phases

BOX = Grid((24, 15), (2.0, 0.5), "periodic", origin=(-1.0, 3.0))


def test_closed_form_is_the_equation():
    """u_t = −c·∇u by fourth-order differences in time and space, on a fine grid."""
    equation, grid = Advection(ndim=2, velocity=(0.7, -0.3)), Grid((240, 300), (2.0, 0.5), "periodic", (-1.0, 3.0))
    dt = 1e-3
    u = equation.exact(grid, np.array([-2, -1, 1, 2]) * dt + 0.4)["u"]
    u_t = (u[0] - 8 * u[1] + 8 * u[2] - u[3]) / (12 * dt)
    now = equation.exact(grid, [0.4])["u"][0]

    def slope(axis):
        return (
            8 * (np.roll(now, -1, axis) - np.roll(now, 1, axis)) - np.roll(now, -2, axis) + np.roll(now, 2, axis)
        ) / (12 * grid.spacing[axis])

    assert np.abs(u_t).max() > 1
    np.testing.assert_allclose(u_t, -0.7 * slope(0) + 0.3 * slope(1), rtol=0, atol=1e-4 * np.abs(u_t).max())


def test_closed_form_starts_at_the_origin_and_has_the_boxs_period():
    equation, grid = Advection(ndim=1, velocity=3.0), Grid((5,), (2.0,), "periodic", origin=(7.3,))
    fields = equation.exact(grid, [0.0, 2 / 3, 0.2])
    np.testing.assert_allclose(fields["u"][0, 0], 1.25)
    np.testing.assert_allclose(fields["u"][1], fields["u"][0], rtol=1e-14)
    assert np.abs(fields["u"][2] - fields["u"][0]).max() > 0.1
    assert equation.exact(grid)["time"].tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


@pytest.mark.parametrize("velocity", [1.0, (0.3, -2.0), (0.0, 1.5)])
def test_closed_form_leaves_rounding_in_the_residual(velocity):
    equation = Advection(ndim=2, velocity=velocity)
    fields = equation.exact(BOX, [0.0, 0.3, -0.2, 1.7])
    np.testing.assert_allclose(equation.residual(fields, BOX), 0, atol=1e-14)
    other = Advection(ndim=2, velocity=tuple(c + 0.01 for c in per_axis(velocity, 2)))
    assert np.abs(other.residual(fields, BOX)).max() > 1e-2


def test_residual_of_a_single_wave():
    """Of a wave that stands still while it should move by a quarter of its length: sin θ − sin(θ − π/2)."""
    grid = Grid((16,), points="periodic")
    theta = 2 * np.pi * grid.coordinates()[0]
    fields = {"u": np.stack([np.sin(theta)] * 2), "time": np.array([1.0, 1.5])}
    expected = np.sin(theta) + np.cos(theta)
    np.testing.assert_allclose(Advection(velocity=0.5).residual(fields, grid)[0], expected, atol=1e-14)
    np.testing.assert_allclose(Advection(velocity=0.5).residual_scale(fields, grid), math.sqrt(8))


def test_scale_is_that_of_the_frames_that_have_a_residual():
    u = np.array([[100.0, 100.0], [3.0, 0.0], [0.0, 4.0]])
    fields = {"u": np.stack([u, 2 * u, 0 * u]), "time": np.arange(3.0)}
    grid = Grid((2,), points="periodic")
    np.testing.assert_allclose(Advection().residual_scale(fields, grid), [5.0, 10.0, 0.0])


def test_phases_are_exact_at_high_wavenumbers():
    """Against the same phases in extended precision; computed plainly they are off by 5e-13 here."""
    n, times = 2**15, np.linspace(0, 2, 50)
    turns = np.multiply.outer(times.astype(np.longdouble), np.arange(n // 2 + 1)) % 1
    expected = np.exp(-2j * np.pi * turns.astype(np.float64))
    expected[:, -1] = 1
    np.testing.assert_allclose(phases(1.0, times, Grid((n,), points="periodic"))[0], expected, rtol=0, atol=2e-14)


@pytest.mark.parametrize("shape", [(8, 6), (7, 5), (1, 2), (2, 1), (3, 3)])
def test_phases_are_in_the_order_of_the_transform(shape):
    grid = Grid(shape, (2.0, 3.0), "periodic")
    found = phases((0.5, -1.5), np.array([0.0, 0.4]), grid)
    kx, ky = np.fft.fftfreq(shape[0], 1 / shape[0]), np.arange(shape[1] // 2 + 1)
    x, y = np.exp(-2j * np.pi * kx * 0.5 * 0.4 / 2), np.exp(2j * np.pi * ky * 1.5 * 0.4 / 3)
    x[2 * abs(kx) == shape[0]] = 1
    y[2 * ky == shape[1]] = 1
    np.testing.assert_allclose(found[0][1] * found[1][1], np.outer(x, y), rtol=0, atol=1e-15)
    np.testing.assert_allclose(found[0][0] * found[1][0], 1, rtol=0, atol=0)


def test_phases_that_are_kept_can_not_be_changed():
    grid, times = Grid((8,), points="periodic"), np.array([0.1])
    with pytest.raises(ValueError, match="read-only"):
        phases(1.0, times, grid)[0][...] = 0
    times[0] = 0.25
    np.testing.assert_allclose(phases(1.0, times, grid)[0][0], [1, -1j, -1, 1j, 1], atol=1e-15)


def test_coefficients_that_are_given_stay_as_they_are():
    spectrum, grid = np.ones((1, 4, 3), np.complex128), Grid((4, 5), points="periodic")
    carried(spectrum, phases(1.0, np.array([0.3]), grid))
    np.testing.assert_array_equal(spectrum, 1)


def test_single_precision_stays_single():
    grid = Grid((8,), points="periodic")
    fields = {"u": torch.rand(3, 2, 8), "time": torch.tensor([0.0, 0.3])}
    assert Advection().residual(fields, grid).dtype == torch.float32
    assert Advection().residual_scale(fields, grid).dtype == torch.float32
    fields = {"u": np.ones((2, 8), np.float32), "time": np.array([0.0, 0.3])}
    assert Advection().residual(fields, grid).dtype == np.float32


def test_velocity_is_one_number_per_axis_and_survives_json():
    assert Advection(ndim=2, velocity=2) == Advection(ndim=2, velocity=[2.0, 2.0])
    assert Advection(ndim=1, velocity=0.4).velocity == (0.4,)
    assert Advection(ndim=1, velocity=np.array(0.4)).velocity == (0.4,)
    equation = Advection(ndim=3, velocity=(1.0, 0.0, -2.5))
    assert Advection.from_parameters(json.loads(json.dumps(equation.parameters()))) == equation
    assert hash(Advection(ndim=2, velocity=np.array([1.0, 2.0]))) == hash(Advection(ndim=2, velocity=[1, 2]))


def test_symmetries_depend_on_the_velocity():
    assert Transposition(0, 1) in Advection(ndim=2).symmetries
    assert Transposition(0, 1) not in Advection(ndim=2, velocity=(1.0, 2.0)).symmetries
    found = [s for s in Advection(ndim=3, velocity=(1.0, 2.0, 1.0)).symmetries if isinstance(s, Transposition)]
    assert found == [Transposition(0, 2)]
    assert Advection(ndim=1).symmetries == (Shift(0, 2), Shift(0, 4), Shift(0, 8), SignChange(("u",)))
    assert PeriodicReflection(1) in Advection(ndim=2, velocity=(1.0, 0.0)).symmetries
    across = Composed((Transposition(0, 1), PeriodicReflection(0), PeriodicReflection(1)))
    assert across in Advection(ndim=2, velocity=(1.0, -1.0)).symmetries


@pytest.mark.parametrize("ndim", [0, 4, 2.0, True])
def test_wrong_dimension_is_refused(ndim):
    with pytest.raises(InputError, match="ndim must be 1, 2 or 3"):
        Advection(ndim=ndim)


@pytest.mark.parametrize("velocity", [(1.0,), (1.0, 2.0, 3.0), "ab", "1", None, True, [1.0, None], {}, 1j])
def test_velocities_that_do_not_fit_are_refused(velocity):
    with pytest.raises(InputError, match="velocity must be a number, or 2 of them for 2 axes, got"):
        Advection(ndim=2, velocity=velocity)


@pytest.mark.parametrize("velocity", [math.nan, math.inf, (1.0, -math.inf), 10**400])
def test_velocities_that_are_not_finite_are_refused(velocity):
    with pytest.raises(InputError, match="velocity must be finite"):
        Advection(ndim=2, velocity=velocity)


def test_shifts_that_no_float_holds_are_refused():
    with pytest.raises(InputError, match="velocity times time must be finite"):
        phases(1e200, np.array([1e200]), Grid((4,), points="periodic"))


@pytest.mark.parametrize("points", ["nodes", "cells"])
def test_other_points_are_refused(points):
    with pytest.raises(InputError, match="grid must have points='periodic'"):
        Advection(ndim=2).exact(Grid.cube(2, 8, points=points))


@pytest.mark.parametrize("time", [np.arange(4.0), np.array(0.0), np.zeros((3, 1)), torch.arange(2.0)])
def test_times_that_do_not_fit_the_frames_are_refused(time):
    fields = {"u": np.ones((3, 8)), "time": time}
    with pytest.raises(InputError, match="field 'time' must hold the time of every frame of 'u'"):
        Advection().residual(fields, Grid.cube(1, 8, points="periodic"))


@pytest.mark.parametrize(("u", "time"), [(np.ones((1, 8)), np.zeros(1)), (np.ones(8), np.zeros(0))])
def test_a_single_frame_is_refused(u, time):
    with pytest.raises(InputError, match=r"field 'time' .* of at least 2"):
        Advection().residual({"u": u, "time": time}, Grid.cube(1, 8, points="periodic"))
