"""Steps of finite volumes: numpy and torch, gradients, time steps that are too long, faster waves on the way."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import CompressibleFlow, ShallowWater
from opforge.solvers import BlowUp, FiniteVolumes, repeat, rollout
from opforge.solvers.stepping.limits import StepTooLong

CASES = [(ShallowWater(), 3), (CompressibleFlow(2, 0.01, 0.02), 4), (ShallowWater(boundary="walls"), 3)]
GRID = Grid((6, 5))


def state(components):
    return np.random.default_rng(0).uniform(0.8, 1.2, (2, components, 6, 5))


@pytest.mark.parametrize(
    ("equation", "components"), [CASES[0], pytest.param(*CASES[1], marks=pytest.mark.slow), CASES[2]]
)
def test_numpy_torch_and_gradients(equation, components):
    stepper = FiniteVolumes(equation, GRID, 0.01)
    tensors = torch.from_numpy(state(components)[:1]).requires_grad_()
    np.testing.assert_allclose(stepper(tensors).detach().numpy(), stepper(state(components)[:1]), rtol=0, atol=1e-12)
    assert torch.autograd.gradcheck(stepper, tensors)


@pytest.mark.parametrize(("equation", "components"), CASES)
def test_gradients_in_single_precision(equation, components):
    """Finite, and those of double precision, of a smooth state without equal neighbours, where slopes have kinks."""
    x, y = (2 * np.pi * c for c in Grid((16, 12)).mesh())
    smooth = 1 + 0.1 * np.stack([np.sin(x + i + 0.3) * np.cos(y - i + 0.2) for i in range(components)])[None]
    found = []
    for dtype in (torch.float64, torch.float32):
        state = torch.from_numpy(smooth).to(dtype).requires_grad_()
        end = repeat(FiniteVolumes(equation, Grid((16, 12)), 0.005), 5)(state)
        assert end.dtype == dtype
        (gradient,) = torch.autograd.grad((end**2).sum(), state)
        assert gradient.isfinite().all()
        found.append(gradient.double())
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=2e-4)


def test_gradients_are_finite_beside_dry_beds():
    h = torch.tensor([1.0, 1.0, 0.5, 0.0, 0.0, 0.0], dtype=torch.float64)
    start = torch.stack([h, 0 * h])[None].requires_grad_()
    end = repeat(FiniteVolumes(ShallowWater(1, boundary="walls"), Grid((6,)), 0.02), 5)(start)
    (gradient,) = torch.autograd.grad((end**2).sum(), start)
    assert gradient.isfinite().all() and gradient.abs().max() > 0.1


def test_time_steps_beyond_the_limit_are_refused_with_it():
    with pytest.raises(
        InputError, match=r"dt must be at most 0\.0\d+, the time in which the fastest wave crosses a cell"
    ):
        FiniteVolumes(CompressibleFlow(), GRID, 0.5)(state(4))
    with pytest.raises(InputError, match="dt must be a time greater than 0"):
        FiniteVolumes(CompressibleFlow(), GRID, 0.0)


@pytest.mark.parametrize(
    ("equation", "medium", "message"),
    [
        (
            CompressibleFlow(),
            np.ones((3, 2)),
            r"viscosities must be η and ζ of 2 samples, \(samples, 2\), got shape \(3, 2\)",
        ),
        (CompressibleFlow(), np.array([[-1.0, 0.0]]), r"viscosities must be finite and at least 0, got \[-1\.\]"),
        (ShallowWater(), np.ones((6, 5)), r"bottom must be finite and of shape \(1, 6, 5\) or \(2, 6, 5\)"),
        (ShallowWater(), np.full((1, 6, 5), np.nan), "got shape .*, not finite"),
    ],
)
def test_media_that_do_not_fit(equation, medium, message):
    with pytest.raises(InputError, match=message):
        FiniteVolumes(equation, GRID, 0.01, medium)(state(len(equation.unknowns)))


@pytest.mark.parametrize(
    ("equation", "row", "message"),
    [
        (CompressibleFlow(), 0, "density rho must be greater than 0 everywhere, got -0.5"),
        (CompressibleFlow(), 3, "pressure p must be greater than 0 everywhere, got -0.5"),
        (ShallowWater(), 0, "depth h must be at least 0 everywhere"),
    ],
)
def test_states_that_are_not_physical(equation, row, message):
    start = state(len(equation.unknowns))
    start[1, row, 2, 3] = -0.5
    with pytest.raises(InputError, match=message):
        FiniteVolumes(equation, GRID, 0.01)(start)


def test_media_of_samples_are_their_own():
    """Viscosities and bottoms of two samples, of which one needs parts of steps, as of each alone; torch too."""
    grid = Grid((16,))
    x = grid.coordinates()[0]
    start = np.stack([np.ones((2, 16)), np.zeros((2, 16)), 1 + np.array([[30.0], [0.3]]) * (x < 0.5)], 1)
    own, equation = np.array([[0.1, 0.0], [0.01, 0.02]]), CompressibleFlow(1, boundary="walls")
    run = repeat(FiniteVolumes(equation, grid, 0.01, own, strict=False), 5)
    alone = [
        repeat(FiniteVolumes(CompressibleFlow(1, *pair, boundary="walls"), grid, 0.01, strict=False), 5)(
            start[i : i + 1]
        )
        for i, pair in enumerate(own)
    ]
    np.testing.assert_allclose(run(start), np.concatenate(alone), rtol=0, atol=1e-13)
    np.testing.assert_allclose(run(torch.from_numpy(start)).numpy(), run(start), rtol=0, atol=1e-12)
    lake, bottoms = ShallowWater(1, boundary="walls"), 0.3 * np.random.default_rng(0).random((2, 16))
    still = np.stack([1 - bottoms, 0 * bottoms], 1)
    found = repeat(FiniteVolumes(lake, grid, 0.01, bottoms), 5)(torch.from_numpy(still))
    np.testing.assert_allclose(found.numpy(), still, rtol=0, atol=1e-14)


def test_faster_waves_take_a_step_in_parts():
    grid, equation = Grid((64,)), CompressibleFlow(1, boundary="outflow")
    x = grid.coordinates()[0]
    start = np.stack([np.ones(64), np.zeros(64), np.where(x < 0.5, 10.0, 0.1)])[None]
    dt = 0.9 / equation.courant(start, grid)
    coarse = rollout(FiniteVolumes(equation, grid, dt), start, frames=1, steps=20)
    fine = rollout(FiniteVolumes(equation, grid, dt / 4), start, frames=1, steps=80)
    assert np.abs(coarse - fine).mean() < 0.05


def test_samples_take_steps_in_parts_of_their_own():
    grid, equation = Grid((32,)), CompressibleFlow(1, boundary="outflow")
    x = grid.coordinates()[0]
    high = np.where(x < 0.5, np.array([[10.0], [1.0]]), 0.1)
    start = np.stack([np.ones((2, 32)), np.zeros((2, 32)), high], 1)
    stepper = FiniteVolumes(equation, grid, 0.9 / equation.courant(start, grid))
    assert equation.courant(repeat(stepper, 5)(start[:1]), grid) * stepper.dt > 1  # the first needs parts
    alone = np.concatenate([repeat(stepper, 10)(start[i : i + 1]) for i in (0, 1)])
    np.testing.assert_array_equal(repeat(stepper, 10)(start), alone)


def test_a_run_that_leaves_the_numbers_is_a_blow_up():
    grid = Grid((32,))
    away = np.where(grid.coordinates()[0] < 0.5, -1e9, 1e9)  # of its energy rounding is more than the pressure
    start = np.stack([np.ones(32), away, np.full(32, 1e-3)])[None]
    stepper = FiniteVolumes(CompressibleFlow(1, boundary="outflow"), grid, 1e-11)
    with pytest.raises(BlowUp, match="not finite any more at time"):
        rollout(stepper, start, frames=5, steps=10)


def test_water_that_leaves_the_numbers_is_a_blow_up_too():
    class Leaking(ShallowWater):
        def conserved_rate(self, state, grid, bottom=None, keep=None):
            return [rate - 1e6 for rate in super().conserved_rate(state, grid, bottom, keep)]

    start = np.stack([np.ones(8), np.zeros(8)])[None]
    with pytest.raises(BlowUp, match="not finite any more at time"):
        rollout(FiniteVolumes(Leaking(1), Grid((8,)), 0.01), start, frames=2)


@pytest.mark.parametrize(
    ("kind", "parts", "behind", "front"),
    [
        # h* of u₀ = (h* − h₀) √(g/2 (1/h* + 1/h₀)) and the front's speed h₀ u₀/(h* − h₀), for h₀ = u₀ = g = 1
        (ShallowWater, (1.0, 1.0), 2.1700864866260337, 0.8546376797184761),
        # ρ₀, u₀, p₀ = 1, 1, 1/γ: s = (γ − 3)/4 + √(((γ + 1)/4)² + 1) and ρ* = ρ₀ (1 + s)/s
        (CompressibleFlow, (1.0, 1.0, 1 / 1.4), (1 + 0.7661903789690601) / 0.7661903789690601, 0.7661903789690601),
    ],
)
def test_a_shock_returns_from_a_wall(kind, parts, behind, front):
    """Against the exact states, and as streams that meet: the method of images, to rounding."""
    n, time = 200, 0.25
    half, full = Grid((n,), (1.0,)), Grid((2 * n,), (2.0,))
    state = np.stack([np.full(n, part) for part in parts])[None]
    images = np.concatenate([state, state[..., ::-1] * np.array([1, -1, 1])[: len(parts), None]], -1)
    steps = int(np.ceil(time * 2.5 / half.spacing[0] / 0.5))
    found = repeat(FiniteVolumes(kind(1, boundary="walls"), half, time / steps), steps)(state)[0]
    met = repeat(FiniteVolumes(kind(1, boundary="periodic"), full, time / steps), steps)(images)[0]
    np.testing.assert_allclose(met[:, :n], found, rtol=0, atol=1e-12)
    x = half.coordinates()[0]
    at_wall = (x > 1 - 0.8 * front * time) & (x < 0.97)
    np.testing.assert_allclose(found[0, at_wall].mean(), behind, rtol=1e-3)
    np.testing.assert_allclose(found[0, at_wall], behind, rtol=1e-2)
    np.testing.assert_allclose(found[1, at_wall], 0, atol=1e-2)
    place = 1 - x[(found[0] > (behind + parts[0]) / 2) & (x > 0.6)].min()
    np.testing.assert_allclose(place, front * time, atol=2 * half.spacing[0])


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ShallowWater, {}),
        (CompressibleFlow, {}),
        (CompressibleFlow, {"shear_viscosity": 0.02, "bulk_viscosity": 0.01}),
        (CompressibleFlow, {"shear_viscosity": 0.02, "boundary": "no-slip"}),
    ],
)
def test_walls_keep_mass_and_energy(kind, options, ndim):
    equation = kind(ndim, **{"boundary": "walls", **options})
    grid = Grid((16,) * ndim)
    start = np.random.default_rng(0).uniform(0.6, 1.4, (2, len(equation.unknowns), *grid.shape))
    steps = 100
    end = repeat(FiniteVolumes(equation, grid, 0.5 / equation.courant(start, grid)), steps)(start)
    before, after = (equation.conserved(state, ndim).reshape(2, -1, grid.size).mean(2) for state in (start, end))
    kept = [0] if kind is ShallowWater else [0, -1]
    np.testing.assert_allclose(after[:, kept], before[:, kept], rtol=1e-13)
    assert np.abs(after[:, 1] - before[:, 1]).min() > 1e-3  # walls push


def test_gas_is_held_by_walls_without_slip():
    """A shear flow between two walls decays as its first mode, at η π²/ρ; along slippery ones more of it stays.

    The walls at both ends are so far away that the sound from them does not arrive in the middle.
    """
    errors = []
    for n in (16, 32):
        grid = Grid((n, 16), (1.0, 4.0))
        x = grid.mesh()[0]
        start = np.stack([1 + 0 * x, 0 * x, 1e-4 * np.sin(np.pi * x), 1 + 0 * x])[None]
        held, free = CompressibleFlow(2, 0.05, boundary="no-slip"), CompressibleFlow(2, 0.05, boundary="walls")
        decays = []
        for equation in (held, free):
            steps = int(np.ceil(0.5 * equation.courant(start, grid) / 0.5))
            end = repeat(FiniteVolumes(equation, grid, 0.5 / steps), steps)(start)
            middle = (end[0, 2] * np.sin(np.pi * x))[:, 8].sum() / (start[0, 2] * np.sin(np.pi * x))[:, 8].sum()
            decays.append(middle)
        errors.append(abs(decays[0] / np.exp(-0.05 * np.pi**2 * 0.5) - 1))
        assert decays[1] > 1.1 * decays[0]
    print("errors", errors)
    assert errors[1] < 1e-3 and 3 < errors[0] / errors[1] < 5


@pytest.mark.parametrize("shape", [(32,), (16, 24)])
def test_the_limit_is_that_of_the_fastest_wave(shape):
    """1/Σ (|u| + c)/Δx, in the cell where it is least."""
    grid = Grid(shape, (2.0, 1.0)[: len(shape)])
    water = np.zeros((1, 1 + len(shape), *shape))
    water[:, 0] = 1.0
    cell = (0, slice(None), *(3,) * len(shape))
    water[cell] = [2.25, *(-0.5, 0.25)[: len(shape)]]
    speeds = [1.5 + 0.5, 1.5 + 0.25][: len(shape)]
    gas = np.ones((1, 2 + len(shape), *shape))
    gas[:, 1:-1] = 0.0
    gas[cell] = [0.5, *(0.0, 1.0)[: len(shape)], 2.0]
    sound = np.sqrt(1.4 * 2.0 / 0.5)
    for equation, state, fastest in (
        (ShallowWater(len(shape)), water, speeds),
        (CompressibleFlow(len(shape), gamma=1.4), gas, [sound, sound + 1.0][: len(shape)]),
    ):
        expected = 1 / sum(speed / h for speed, h in zip(fastest, grid.spacing, strict=True))
        with pytest.raises(StepTooLong, match="the time in which the fastest wave crosses a cell") as raised:
            FiniteVolumes(equation, grid, 1.0001 * expected).prepare(state)
        assert raised.value.limit == pytest.approx(expected, rel=1e-12)
        end = rollout(FiniteVolumes(equation, grid, 0.9999 * expected), state, frames=1, steps=20)[0]
        assert np.isfinite(end).all() and end[:, 0].min() > 0
