"""Limits of time steps: what is said of them; that of ETDRK4 against theory, and against where runs blow up."""

import pickle
import warnings

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.datasets import FitzHughNagumoRecipe
from opforge.errors import InputError
from opforge.pdes import (
    AllenCahn,
    Burgers,
    CahnHilliard,
    Fisher,
    GrayScott,
    KortewegDeVries,
    KuramotoSivashinsky,
    NavierStokes,
    SemilinearEquation,
    SpectralForm,
)
from opforge.solvers import ARS232, ARS443, ETDRK4, IMEXRK, BlowUp, Recorded, repeat, rollout
from opforge.solvers.stepping.limits import StepTooLong, below
from opforge.solvers.stepping.stepper import EachSample

LINE, SQUARE = Grid((96,), (32.0,), "periodic"), Grid((32, 32), points="periodic")


def waves(grid, amplitude=1.0, mean=0.0, components=1):
    """Of both signs, different for every component and along every axis."""
    angles = [2 * np.pi * x / length for x, length in zip(grid.mesh(), grid.lengths, strict=True)]
    one = np.prod([np.sin((i + 1) * x + 0.3) for i, x in enumerate(angles)], axis=0)
    other = np.cos(3 * angles[0] - sum(angles[1:]))
    return np.stack([mean + amplitude * (one * (-1) ** i + 0.3 * other) for i in range(components)])[None]


# equation, grid, first state: with amplitudes that do not grow much
CASES = {
    "burgers": (Burgers(viscosity=0.05), LINE, waves(LINE)),
    "burgers, 2-D": (Burgers(2, 0.02), SQUARE, waves(SQUARE, components=2)),
    "navier_stokes": (NavierStokes(viscosity=1e-3), SQUARE, waves(SQUARE, 10.0)),
    "navier_stokes, tracer": (NavierStokes(tracer_diffusivity=1e-3), SQUARE, waves(SQUARE, 10.0, components=2)),
    "korteweg_de_vries": (KortewegDeVries(), LINE, waves(LINE, 0.5)),
    "kuramoto_sivashinsky": (KuramotoSivashinsky(), LINE, waves(LINE, 2.0)),
    "fisher": (Fisher(rate=3.0), SQUARE, waves(SQUARE, 0.3, mean=0.5)),
    "allen_cahn": (AllenCahn(width=0.05), SQUARE, waves(SQUARE, 0.7)),
    "cahn_hilliard": (CahnHilliard(width=0.05), SQUARE, waves(SQUARE, 0.7)),
    "gray_scott": (GrayScott(), SQUARE, waves(SQUARE, 0.2, mean=0.6, components=2)),
}


def limit_of(equation, grid, state):
    with pytest.raises(StepTooLong, match="dt must be at most") as raised:
        rollout(ETDRK4(equation, grid, 1e5), state, frames=1)
    return raised.value.limit


def error_at(equation, grid, state, dt, steps):
    """Relative, of some steps; infinite of a run that blows up."""
    exact = repeat(ETDRK4(equation, grid, dt / 32), 32 * steps)(state)
    try:
        found = rollout(ETDRK4(equation, grid, dt), state, frames=1, steps=steps, checked=False)[0]
    except BlowUp:
        return np.inf
    return np.abs(found - exact).max() / np.abs(exact).max()


@pytest.mark.parametrize("name", CASES)
def test_just_below_the_limit_runs_go_on_and_far_above_they_are_refused_rightly(name):
    equation, grid, state = CASES[name]
    limit = limit_of(equation, grid, state)
    end = rollout(ETDRK4(equation, grid, 0.98 * limit), state, frames=1, steps=30)[0]
    assert np.abs(end).max() < 2 * np.abs(state).max()
    with pytest.raises(StepTooLong, match=r"got .*; take more steps or a coarser grid") as raised:
        rollout(ETDRK4(equation, grid, 1.03 * limit), state, frames=1)
    assert raised.value.limit == pytest.approx(limit, rel=1e-5)
    assert error_at(equation, grid, state, limit / 8, 8) < 3e-3
    assert error_at(equation, grid, state, 8 * limit, 4) > 0.3  # nothing is lost by refusing it


def test_without_a_linear_part_the_limit_is_that_of_the_classical_method():
    """|R(iy)| of the Runge–Kutta method of order 4 is 1 at y = 2√2, and 1.2 where y⁸/576 − y⁶/72 = 0.44."""
    limit = limit_of(Burgers(viscosity=0.0), LINE, np.full((1, 1, 96), 0.7))
    highest = 2 * np.pi / 32 * 31
    y = limit * 0.7 * highest
    assert y**8 / 576 - y**6 / 72 == pytest.approx(0.44, rel=1e-3)


def test_diffusion_of_short_waves_makes_the_limit_longer():
    u = np.full((1, 1, 96), 0.7)
    limits = [limit_of(Burgers(viscosity=nu), LINE, u) for nu in (0.0, 0.01, 0.3)]
    assert 1.02 * limits[0] < limits[1] < 2 * limits[0] < limits[2]


def test_what_bears_any_step():
    """Linear equations, states at rest, waves so small that their products do not matter."""

    class Decay(SemilinearEquation):
        name, unknowns, ndim, fields, symmetries = "decay", ("u",), 1, (), ()

        def spectral(self, wavenumbers):
            return SpectralForm(-(wavenumbers[0] ** 2)[None])

    for equation, state, dt in (
        (Decay(), waves(LINE), 1e6),
        (NavierStokes(), np.zeros((1, 1, 32, 32)), 1e6),
        (KuramotoSivashinsky(), 1e-9 * waves(LINE), 40.0),  # grows to 2e-5
    ):
        grid = SQUARE if equation.ndim == 2 else LINE
        assert np.isfinite(rollout(ETDRK4(equation, grid, dt), state, frames=1)).all()


def test_growth_within_a_step_counts():
    """The same small waves grow to 1e8 in a step of twice the length."""
    with pytest.raises(StepTooLong):
        rollout(ETDRK4(KuramotoSivashinsky(), LINE, 160.0), 1e-9 * waves(LINE), frames=1)


def test_tensors_and_single_precision_have_the_same_limit():
    equation, grid, state = CASES["kuramoto_sivashinsky"]
    expected = limit_of(equation, grid, state)
    tensor = torch.tensor(state, requires_grad=True)
    assert limit_of(equation, grid, tensor) == pytest.approx(expected, rel=1e-6)
    assert limit_of(equation, grid, state.astype(np.float32)) == pytest.approx(expected, rel=1e-3)


def test_steppers_made_of_others_look_at_theirs():
    equation, grid, state = CASES["kuramoto_sivashinsky"]
    still, lively = 1e-9 * state, state
    two = [ETDRK4(KuramotoSivashinsky(viscosity=nu), grid, 4.0) for nu in (1.0, 2.0)]
    for steppers in (two, [*two, two[0]], two[:1] * 2):
        with pytest.raises(StepTooLong):
            rollout(EachSample(steppers), np.concatenate([still] * (len(steppers) - 1) + [lively]), frames=1)
        rollout(EachSample(steppers), np.concatenate([still] * len(steppers)), frames=1)
    with pytest.raises(InputError, match="state must have 3 samples, one for each stepper, got 1"):
        rollout(EachSample([*two, two[0]]), state, frames=1)
    with pytest.raises(StepTooLong):
        repeat(Recorded(ETDRK4(equation, grid, 4.0)), 2)(torch.from_numpy(state))


@pytest.mark.parametrize("table", [ARS232, ARS443], ids=lambda table: table.name)
@pytest.mark.parametrize("name", ["burgers", "kuramoto_sivashinsky", "navier_stokes"])
def test_implicit_explicit_methods_have_one_too(name, table):
    equation, grid, state = CASES[name]
    growth = float(np.real(equation.form(grid).linear).max())
    longest = 0.9 / (growth * max(row[-1] for row in table.implicit)) if growth > 0 else 1e5
    with pytest.raises(StepTooLong, match=r"where ARS\(.*\) is stable from this state on this grid") as raised:
        rollout(IMEXRK(equation, grid, longest, table), state, frames=1)
    limit = raised.value.limit
    end = rollout(IMEXRK(equation, grid, 0.98 * limit, table), state, frames=1, steps=30)[0]
    assert np.abs(end).max() < 2.5 * np.abs(state).max()
    with pytest.raises(StepTooLong):
        rollout(IMEXRK(equation, grid, 1.03 * limit, table), state, frames=1)


def test_without_an_implicit_part_their_limit_is_that_of_the_explicit_method():
    """What the explicit tableau makes of e^{iy} is 1.2 in size there."""
    equation, u = Burgers(viscosity=0.0), np.full((1, 1, 96), 0.7)
    for table in (ARS443, ARS232):
        with pytest.raises(StepTooLong) as raised:
            rollout(IMEXRK(equation, LINE, 1e5, table), u, frames=1)
        y = raised.value.limit * 0.7 * 2 * np.pi / 32 * 31
        z, stages = 1j * y, [1.0]
        for row in table.explicit:
            stages.append(1 + z * sum(a * s for a, s in zip(row, stages, strict=True)))
        end = 1 + z * sum(w * s for w, s in zip(table.explicit_weights, stages, strict=True))
        assert abs(end) == pytest.approx(1.2, rel=1e-3)


def test_the_reaction_of_a_splitting_limits_it():
    recipe = FitzHughNagumoRecipe(ndim=1)
    grid = recipe.grid(64)
    state = np.zeros((1, 2, 64))
    state[0, 0, 5] = 3.0
    why = r"at most 0\.107.*, where the Runge–Kutta method of order 4 is stable from this state"
    with pytest.raises(StepTooLong, match=why) as raised:
        rollout(recipe.stepper(grid, 0.2), state, frames=1)
    assert raised.value.limit == pytest.approx(2.785 / 25.96, rel=1e-3)
    rollout(recipe.stepper(grid, 0.1), state, frames=1, steps=3)


def test_a_step_so_long_that_its_coefficients_are_no_numbers_is_refused_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert 0.1 < limit_of(*CASES["fisher"]) < 1


def test_a_limit_is_told_as_a_number_within_it():
    for limit in (0.123456789, 9.99999999, 1.0, 0.1 + 0.2, 3e-7 / 7, 123456789.0):
        assert (1 - 2e-5) * limit < float(below(limit)) <= limit
    assert below(np.inf) == "inf"


def test_it_comes_home_from_a_worker():
    error = pickle.loads(pickle.dumps(StepTooLong(0.1, "for a reason", 2.0)))
    assert (error.limit, error.why, str(error)) == (
        0.1,
        "for a reason",
        "dt must be at most 0.1, for a reason, got 2; take more steps or a coarser grid",
    )
    assert isinstance(error, InputError)
