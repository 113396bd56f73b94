"""Leapfrog for elastic waves: order, energy, gradients, samples of their own, forces, what is refused."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Elastic
from opforge.pdes._solid import BOUNDARIES
from opforge.solvers import BlowUp, ElasticLeapfrog, repeat, rollout


def grid_of(boundary, shape=(6, 5), lengths=None):
    return Grid(shape, lengths or (1.0,) * len(shape), "periodic" if boundary == "periodic" else "nodes")


def state(equation, grid, samples=2, seed=0):
    start = np.random.default_rng(seed).standard_normal((samples, len(equation.unknowns), *grid.shape))
    return equation.admissible(start, grid)


def media(grid, samples=2, seed=1):
    rng = np.random.default_rng(seed)
    rho, cp = rng.uniform(0.5, 2.0, (2, samples, *grid.shape))
    return {"rho": rho, "cp": cp, "cs": cp * rng.uniform(0.1, 0.7, (samples, *grid.shape))}


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_numpy_torch_and_gradients(boundary, ndim):
    equation, grid = Elastic(ndim, boundary=boundary), grid_of(boundary, (4, 3, 3)[:ndim])
    stepper = ElasticLeapfrog(equation, grid, 0.04)
    start = state(equation, grid, 1)
    tensors = torch.from_numpy(start).requires_grad_()
    np.testing.assert_allclose(stepper(tensors).detach().numpy(), stepper(start), rtol=0, atol=1e-13)
    assert torch.autograd.gradcheck(repeat(stepper, 2), tensors, fast_mode=ndim > 2)


def test_gradients_in_the_medium():
    equation, grid = Elastic(boundary="surface"), grid_of("surface", (4, 4))
    start = torch.from_numpy(state(equation, grid, 1))
    own = {name: torch.from_numpy(values).requires_grad_() for name, values in media(grid, 1).items()}

    def run(rho, cp, cs):
        return repeat(ElasticLeapfrog(equation, grid, 0.03, {"rho": rho, "cp": cp, "cs": cs}), 3)(start)

    assert torch.autograd.gradcheck(run, tuple(own.values()))


def test_single_precision_stays():
    equation, grid = Elastic(), grid_of("free")
    stepper, start = ElasticLeapfrog(equation, grid, 0.02, media(grid)), state(equation, grid)
    single = stepper(start.astype(np.float32))
    tensor = stepper(torch.from_numpy(start).float())
    assert single.dtype == np.float32 and tensor.dtype == torch.float32
    for found in (single, tensor.numpy()):
        np.testing.assert_allclose(found, stepper(start), rtol=0, atol=3e-6)


@pytest.mark.parametrize("boundary", ["free", "periodic"])
def test_every_sample_has_its_medium(boundary):
    equation, grid = Elastic(boundary=boundary), grid_of(boundary)
    own, start = media(grid), state(equation, grid)
    together = repeat(ElasticLeapfrog(equation, grid, 0.02, own), 5)(start)
    for i in range(2):
        one = {name: values[i : i + 1] for name, values in own.items()}
        alone = repeat(ElasticLeapfrog(equation, grid, 0.02, one), 5)(start[i : i + 1])
        np.testing.assert_allclose(together[i : i + 1], alone, rtol=0, atol=1e-14)
    tensors = {name: torch.from_numpy(values) for name, values in own.items()}
    found = repeat(ElasticLeapfrog(equation, grid, 0.02, tensors), 5)(torch.from_numpy(start))
    np.testing.assert_allclose(found.numpy(), together, rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_symmetries_by_solving_twice(boundary, ndim):
    """Mapped before and after, with the medium: reflections turn components round, transpositions exchange them."""
    equation, grid = Elastic(ndim, boundary=boundary), grid_of(boundary, (8,) * ndim)
    own, start = media(grid, 1), state(equation, grid, 1)
    names = equation.unknowns

    def solved(fields):
        run = repeat(ElasticLeapfrog(equation, grid, 0.02, {name: fields[name] for name in own}), 12)
        end = run(np.stack([fields[name] for name in names], 1))
        return {name: end[:, i] for i, name in enumerate(names)}

    fields = {name: start[:, i] for i, name in enumerate(names)} | own
    end = solved(fields)
    for symmetry in equation.symmetries:
        found, expected = solved(symmetry(fields, ndim)), symmetry(end, ndim)
        for name in names:
            np.testing.assert_allclose(
                found[name], expected[name], rtol=0, atol=1e-12, err_msg=f"{symmetry.name}: {name}"
            )


def test_many_steps_are_one_after_the_other():
    equation, grid = Elastic(), grid_of("free")
    stepper, start = ElasticLeapfrog(equation, grid, 0.05), state(equation, grid)
    before = start.copy()
    one_by_one = start
    for _ in range(7):
        one_by_one = stepper(one_by_one)
    np.testing.assert_allclose(repeat(stepper, 7)(start), one_by_one, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(start, before)
    assert repeat(stepper, 0)(start) is start


def test_backwards_in_time():
    """A step is its own inverse for velocities that are turned round."""
    equation, grid = Elastic(boundary="rigid"), grid_of("rigid")
    stepper, start = ElasticLeapfrog(equation, grid, 0.05, media(grid)), state(equation, grid)
    turn = np.array([-1.0, -1.0, 1.0, 1.0, 1.0])[:, None, None]
    np.testing.assert_allclose(repeat(stepper, 20)(turn * repeat(stepper, 20)(start)), turn * start, rtol=0, atol=1e-12)


def manufactured(points, boundary="slip"):
    """The error at t = 0.5 in a smooth medium, forced so that the solution is known: for all of it, relative.

    With s_i = sin πx_i, c_i = cos πx_i: u = c s_y... of velocities v = cos(t) (s_x c_y, −2 c_x s_y) and displacements
    sin(t) times that, whose stresses follow from Hooke's law, and the force from Newton's.
    """
    equation, grid = Elastic(boundary=boundary), grid_of(boundary, (points + 1, points + 1))
    places = equation.places(grid)

    def moduli(x, y):
        rho, mu = 1 + 0.3 * np.cos(np.pi * x) * np.cos(np.pi * y), 0.5 + 0.2 * np.cos(np.pi * x)
        return rho, 0.8 + 0.3 * np.cos(np.pi * y), mu

    def stress(name, x, y):
        (sx, cx), (sy, cy) = ((np.sin(np.pi * a), np.cos(np.pi * a)) for a in (x, y))
        _, lam, mu = moduli(x, y)
        exx, eyy, exy = np.pi * cx * cy, -2 * np.pi * cx * cy, np.pi * (-sx * sy + 2 * sx * sy)
        own = {"sxx": 2 * mu * exx, "syy": 2 * mu * eyy, "sxy": mu * exy}[name]
        return own + (lam * (exx + eyy) if name != "sxy" else 0.0)

    def velocity(name, x, y):
        return np.sin(np.pi * x) * np.cos(np.pi * y) if name == "u" else -2 * np.cos(np.pi * x) * np.sin(np.pi * y)

    def slope(name, x, y, axis, h=1e-3):
        """By differences of order 6."""
        steps = ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60))
        move = [(h * n * (axis == 0), h * n * (axis == 1)) for n, _ in steps]
        parts = [
            w * (stress(name, x + a, y + b) - stress(name, x - a, y - b))
            for (_, w), (a, b) in zip(steps, move, strict=True)
        ]
        return sum(parts) / h

    def at(name):
        return places.coordinates(name)

    force = {}  # ρ v_t − ∇·σ = −sin t (ρ shape + ∇·σ(shape))
    for name, i, normal in (("u", 0, "sxx"), ("v", 1, "syy")):
        x, y = at(name)
        push = slope(normal, x, y, i) + slope("sxy", x, y, 1 - i)
        force["f" + "xy"[i]] = -(moduli(x, y)[0] * velocity(name, x, y) + push)
    rho, lam, mu = moduli(*at("sxx"))
    medium = {"rho": rho, "cp": np.sqrt((lam + 2 * mu) / rho), "cs": np.sqrt(mu / rho)}
    medium = {name: values[None] for name, values in medium.items()}

    def exact(t):
        parts = [np.cos(t) * velocity(name, *at(name)) for name in "uv"]
        parts += [np.sin(t) * stress(name, *at(name)) for name in ("sxx", "syy", "sxy")]
        return equation.admissible(np.stack(parts)[None], grid)

    steps = int(0.5 / (0.7 * equation.longest_step(grid, medium))) + 1
    dt, found = 0.5 / steps, exact(0.0)
    for step in range(steps):
        now = np.sin((step + 0.5) * dt)
        forces = {name: now * values[None] for name, values in force.items()}
        found = ElasticLeapfrog(equation, grid, dt, {**medium, **forces})(found)
    return np.linalg.norm(found - exact(0.5)) / np.linalg.norm(exact(0.5))


def test_order_in_a_medium_that_varies():
    errors = [manufactured(n) for n in (12, 24, 48)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all((orders > 1.85) & (orders < 2.2)) and 1e-4 < errors[-1] < 1e-2, (errors, orders)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_longest_step_is_stable_and_a_longer_one_is_not(boundary):
    equation, grid = Elastic(boundary=boundary), grid_of(boundary, (9, 9))
    limit = equation.longest_step(grid)
    start = state(equation, grid, 1)
    stepper = ElasticLeapfrog(equation, grid, limit)
    assert np.abs(repeat(stepper, 300)(start)).max() < 1e3
    own = ElasticLeapfrog(equation, grid, equation.longest_step(grid, media(grid, 1)), media(grid, 1))
    assert np.abs(repeat(own, 300)(start)).max() < 1e3
    longer = ElasticLeapfrog(Elastic(boundary=boundary, p_speed=1.2 * equation.p_speed), grid, limit / 1.2)
    longer._solid = longer._solid.over(1.2**2)  # stiffer and lighter than it was checked for
    assert np.abs(repeat(longer, 300)(start)).max() > 1e6


def test_a_run_that_blows_up_stops():
    equation, grid = Elastic(), grid_of("free")
    stepper = ElasticLeapfrog(equation, grid, 0.1)
    stepper._solid = stepper._solid.over(1e3)
    with pytest.raises(BlowUp) as error:
        rollout(stepper, state(equation, grid, 1), frames=4, steps=100)
    assert 0 < error.value.time <= 40 and np.isfinite(error.value.state).all()


def test_a_force_moves_a_free_solid():
    """Of mean density ρ, by f t/ρ."""
    equation, grid = Elastic(density=2.0), grid_of("free")
    force = {"fy": np.full((1, *grid.shape), 3.0)}
    end = repeat(ElasticLeapfrog(equation, grid, 0.1, force), 10)(np.zeros((1, 5, *grid.shape)))
    np.testing.assert_allclose(end[0, 1, :, :-1], 1.5, rtol=1e-12)
    assert np.abs(end[0, [0, 2, 3, 4]]).max() < 1e-12


def test_what_walls_hold_is_set_to_0():
    equation, grid = Elastic(boundary="rigid"), grid_of("rigid")
    end = ElasticLeapfrog(equation, grid, 0.05)(np.ones((1, 5, *grid.shape)))
    assert not end[0, 0, :, [0, -1]].any() and not end[0, 1, [0, -1]].any() and not end[0, 0, -1].any()
    free = ElasticLeapfrog(Elastic(), grid, 0.05)(np.ones((1, 5, *grid.shape)))
    assert not free[0, 2, [0, -1]].any() and not free[0, 3, :, [0, -1]].any() and free[0, 2, 2, 0] != 0


def test_what_is_refused():
    equation, grid = Elastic(), Grid((6, 5), points="nodes")
    with pytest.raises(
        InputError, match=r"dt must be at most 0\.156.*, where leapfrog is stable on this grid, got 0\.2; take more"
    ):
        ElasticLeapfrog(equation, grid, 0.2)
    with pytest.raises(InputError, match=r"dt must be at most 0\.0[0-9]*, where leapfrog is stable"):
        ElasticLeapfrog(equation, grid, 0.15, {"cp": np.full((1, 6, 5), 2.0)})
    with pytest.raises(InputError, match="dt must be a time greater than 0"):
        ElasticLeapfrog(equation, grid, 0.0)
    with pytest.raises(InputError, match="cs must be less than 1 cp everywhere"):
        ElasticLeapfrog(equation, grid, 0.1, {"cs": np.full((1, 6, 5), 2.0)})
    with pytest.raises(InputError, match="rho must be a field for each of 3 samples or one for all, got 2"):
        ElasticLeapfrog(equation, grid, 0.1, {"rho": np.ones((2, 6, 5))})(np.zeros((3, 5, 6, 5)))
    with pytest.raises(InputError, match=r"rho must be an array \(samples or 1, \*space\), got shape \(6, 5\)"):
        ElasticLeapfrog(equation, grid, 0.1, {"rho": np.ones((6, 5))})
    with pytest.raises(InputError, match="grid must have points='nodes'"):
        ElasticLeapfrog(equation, Grid((6, 5)), 0.1)
    with pytest.raises(InputError, match=r"state must be an array \(\.\.\., 5, 6, 5\)"):
        ElasticLeapfrog(equation, grid, 0.1)(np.zeros((1, 4, 6, 5)))
