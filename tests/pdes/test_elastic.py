"""The elastic wave equation: parameters, media, closed forms, energy and momentum, symmetries, residuals."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Elastic
from opforge.pdes._solid import BOUNDARIES
from opforge.pdes._solid_symmetries import StaggeredReflection
from opforge.pdes._solid_waves import rayleigh_speed


def grid_of(boundary, shape=(9, 8), lengths=None):
    return Grid(shape, lengths or (1.0,) * len(shape), "periodic" if boundary == "periodic" else "nodes")


def random_fields(equation, grid, frames=3, seed=0):
    rng = np.random.default_rng(seed)
    state = equation.admissible(rng.standard_normal((frames, len(equation.unknowns), *grid.shape)), grid)
    fields = {name: state[:, i] for i, name in enumerate(equation.unknowns)}
    return fields | {"time": np.linspace(0.0, 0.2, frames)} | random_media(grid, rng)


def random_media(grid, rng):
    rho, cp = rng.uniform(0.5, 2.0, (2, *grid.shape))
    return {"rho": rho, "cp": cp, "cs": cp * rng.uniform(0.1, 0.7, grid.shape)}


def test_speeds_and_moduli():
    solid = Elastic(3, density=2.0, p_speed=3.0, s_speed=1.5)
    assert solid.mu == 4.5 and solid.lam == 9.0
    again = Elastic.from_lame(solid.lam, solid.mu, 2.0, ndim=3, boundary="rigid")
    assert again == Elastic(3, 2.0, 3.0, 1.5, "rigid")
    assert Elastic.from_lame(-0.9, 1.0).lam == pytest.approx(-0.9)  # λ + μ > 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"density": 0.0}, "density must be a number greater than 0"),
        ({"p_speed": -1.0}, "p_speed must be a number greater than 0"),
        ({"s_speed": -0.1}, "s_speed must be a number of at least 0"),
        ({"s_speed": 1.0}, r"s_speed must be less than 1 \(λ \+ 2μ/2 > 0\) for p_speed=1, got 1"),
        ({"ndim": 3, "s_speed": 0.87}, r"s_speed must be less than 0\.866025 \(λ \+ 2μ/3 > 0\) .*, got 0\.87"),
        ({"boundary": "open"}, "boundary must be one of free, surface, rigid, slip, periodic, got 'open'"),
        ({"ndim": 1}, "ndim must be 2 or 3"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(InputError, match=message):
        Elastic(**parameters)


def test_moduli_out_of_range():
    with pytest.raises(InputError, match="mu must be a number of at least 0"):
        Elastic.from_lame(1.0, -1.0)
    with pytest.raises(InputError, match=r"lam must be greater than -1 \(λ \+ 2μ/2 > 0\) for mu=1, got -1"):
        Elastic.from_lame(-1.0, 1.0)
    with pytest.raises(InputError, match="density must be"):
        Elastic.from_lame(1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("media", "message"),
    [
        ({"c": 1.0}, "media must be among rho, cp, cs, fx, fy, got 'c'"),
        ({"rho": 0.0}, "rho must be greater than 0 everywhere, got 0"),
        ({"cp": -1.0}, "cp must be greater than 0 everywhere, got -1"),
        ({"cs": -0.5}, "cs must be at least 0 everywhere, got -0.5"),
        ({"cs": 1.5}, r"cs must be less than 1 cp everywhere \(λ \+ 2μ/2 > 0\), got 1\.5 cp"),
        ({"fx": np.nan}, "fx must be finite"),
    ],
)
def test_media_out_of_range(media, message):
    grid = grid_of("free")
    values = {name: np.where(grid.mesh()[0] > 0.5, value, 0.6) for name, value in media.items()}
    with pytest.raises(InputError, match=message):
        Elastic().check_media(values, grid)
    with pytest.raises(InputError, match=r"rho must end in the grid's shape \(9, 8\), got \(8, 8\)"):
        Elastic().check_media({"rho": np.ones((8, 8))}, grid)


@pytest.mark.parametrize(("boundary", "points"), [("free", "cells"), ("rigid", "periodic"), ("periodic", "nodes")])
def test_grids_of_other_points_are_refused(boundary, points):
    with pytest.raises(InputError, match=f"grid must have points='.*' for .*boundary='{boundary}', got '{points}'"):
        Elastic(boundary=boundary).tendency(np.zeros((5, 8, 8)), Grid((8, 8), points=points))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_tendency_keeps_energy_and_momentum(boundary, ndim):
    equation, grid = Elastic(ndim, boundary=boundary), grid_of(boundary, (6, 5, 4)[:ndim], (1.0, 0.7, 0.9)[:ndim])
    fields = random_fields(equation, grid, 2)
    media = {name: fields[name] for name in ("rho", "cp", "cs")}
    state = np.stack([fields[name][0] for name in equation.unknowns])
    rate, h = equation.tendency(state, grid, media), 1e-5

    def at(t):
        return dict(zip(equation.unknowns, state + t * rate, strict=True)) | media

    later, sooner = equation.energy(at(h), grid), equation.energy(at(-h), grid)
    assert abs(later - sooner) / (2 * h) < 1e-7 * later * np.abs(rate).max()
    moved = np.abs(equation.momentum(at(1.0), grid) - equation.momentum(at(0.0), grid)).max()
    if boundary in ("free", "periodic"):
        assert moved < 1e-13 * np.abs(rate).max()
    else:  # walls push
        assert moved > 1e-3


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_symmetries_in_media_and_forces(boundary, ndim):
    """What is mapped before and after is the same, forces and media mapped along."""
    equation, grid = Elastic(ndim, boundary=boundary), grid_of(boundary, (8,) * ndim)
    fields = random_fields(equation, grid)
    time = fields.pop("time")
    rng = np.random.default_rng(1)
    for i in range(ndim):
        name = "f" + "xyz"[i]
        fields[name] = rng.standard_normal(grid.shape) * equation.places(grid).held(name)

    def residual(values):
        return dict(zip(equation.unknowns, equation.residual({**values, "time": time}, grid), strict=True))

    names = {symmetry.name for symmetry in equation.symmetries if symmetry.applies_to(grid)}
    alike = ndim - (boundary == "surface")
    assert {f"reflection {axis}" for axis in "xyz"[:alike]} <= names
    assert ("transposition xy" in names) == (alike > 1) and ("shift x 1/8" in names) == (boundary == "periodic")
    plain = residual(fields)
    for symmetry in equation.symmetries:
        found, expected = residual(symmetry(fields, ndim)), symmetry(plain, ndim)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-12, err_msg=f"{symmetry.name} of {name}")


@pytest.mark.parametrize("periodic", [False, True])
def test_reflections_move_places(periodic):
    """A function of the coordinate becomes one of the mirrored coordinate, and the velocity along it turns round."""
    boundary = "periodic" if periodic else "free"
    equation, grid = Elastic(boundary=boundary), grid_of(boundary)
    places = equation.places(grid)
    for axis, side in enumerate(grid.lengths):
        fields = {name: places.coordinates(name)[axis] for name in ("u", "v", "sxx", "sxy")}
        moved = StaggeredReflection(axis, periodic)(fields, 2)
        for name, x in fields.items():
            odd = name == "sxy" or name == "uv"[axis]
            inside = places.present((0, 1) if name == "sxy" else ("uv".index(name),) if name in "uv" else ()) > 0
            expected = (side - x) % side if periodic else side - x
            found = -moved[name] if odd else moved[name]
            np.testing.assert_allclose((found % side if periodic else found)[inside], expected[inside], atol=1e-14)


def test_rayleigh_speeds():
    assert rayleigh_speed(3**-0.5) == pytest.approx(np.sqrt(2 - 2 / 3**0.5), abs=1e-14)
    assert rayleigh_speed(1e-9) == pytest.approx(0.955313, abs=1e-6)  # an incompressible solid
    assert rayleigh_speed(3**-0.5, 40.0) == pytest.approx(rayleigh_speed(3**-0.5), abs=1e-9)
    assert rayleigh_speed(3**-0.5, 1.0) is None


@pytest.mark.parametrize("boundary", ["free", "surface", "slip", "periodic"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_closed_forms_solve_the_equation(boundary, ndim):
    """The tendency is the change in time, to order 2 off the walls; there it is of order 1, and solutions are of 2."""
    equation, errors = Elastic(ndim, 2.0, 1.0, 0.5, boundary), []
    for n in (32, 64) if ndim == 2 else (12, 24):
        shape = tuple(n + (boundary != "periodic") for _ in range(ndim))
        grid = Grid(shape, (1.0,) * ndim, "periodic" if boundary == "periodic" else "nodes", (0.0, -1.0, 3.0)[:ndim])
        h = 1e-4
        fields = equation.exact(grid, [0.2, 0.2 + h, 0.2 + 2 * h])
        states = np.stack([fields[name] for name in equation.unknowns], 1)
        rate = equation.tendency(states[1], grid)
        off = (rate - (states[2] - states[0]) / (2 * h))[(slice(None), *(slice(n // 6, -n // 6),) * ndim)]
        errors.append(np.sqrt((off**2).mean() / (rate**2).mean()))
    order = np.log2(errors[0] / errors[1])
    assert errors[1] < 0.2 and 1.7 < order < 2.2


def test_no_closed_form():
    for equation, grid in [
        (Elastic(boundary="rigid"), grid_of("rigid")),
        (Elastic(), grid_of("free", lengths=(1.0, 1.01))),
        (Elastic(s_speed=0.0), grid_of("free")),
        (Elastic(boundary="surface"), grid_of("surface", lengths=(1.0, 0.05))),
    ]:
        with pytest.raises(InputError, match="no closed form is known"):
            equation.exact(grid)
    with pytest.raises(InputError, match="boundary must be periodic or slip for such a wave, got 'free'"):
        Elastic().wave(grid_of("free"), [0.0], "P")
    with pytest.raises(InputError, match="kind must be 'P' or 'S'"):
        Elastic(boundary="slip").wave(grid_of("slip"), [0.0], "L")
    with pytest.raises(InputError, match="kind='S' needs s_speed > 0"):
        Elastic(boundary="slip", s_speed=0.0).wave(grid_of("slip"), [0.0], "S")


def test_p_waves_have_no_curl_and_s_waves_no_divergence():
    equation, grid = Elastic(boundary="periodic"), Grid((32, 32), points="periodic")
    for kind, zero, other in (("P", "curl", "divergence"), ("S", "divergence", "curl")):
        fields = equation.wave(grid, [0.0, 0.3], kind, waves=(1, 1))
        velocity = [fields["u"], fields["v"]]
        assert np.abs(getattr(equation, zero)(velocity, grid)).max() < 1e-12
        np.testing.assert_allclose(np.abs(getattr(equation, other)(velocity, grid)).max(), 2**1.5 * np.pi, rtol=0.01)


@pytest.mark.parametrize("boundary", ["free", "surface"])
def test_divergence_at_surfaces_is_that_of_the_solution(boundary):
    equation, grid = Elastic(2, 1.0, 1.0, 0.5, boundary), grid_of(boundary, (65, 65))
    fields = equation.exact(grid, [0.0])
    found = equation.divergence([fields["u"][0], fields["v"][0]], grid)
    stress = equation.exact(grid, [1e-6])
    expected = (stress["sxx"] + stress["syy"])[0] / (2 * (equation.lam + equation.mu)) / 1e-6
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.05 * max(1.0, np.abs(expected).max()))


def test_promises_see_what_is_wrong():
    equation, grid = Elastic(), grid_of("free", (17, 17))
    fields = equation.exact(grid, np.linspace(0, 0.5, 6))
    energy, momentum = equation.invariants
    assert energy.violation(equation, fields, grid) < 1e-2 and not momentum.broken(equation, fields, grid)
    wrong = {**fields, "u": fields["u"].copy()}
    wrong["u"][3] *= 1.01
    assert energy.broken(equation, wrong, grid)
    wrong["u"][3] += 0.01
    assert momentum.broken(equation, wrong, grid)


def test_momentum_grows_by_the_force():
    equation, grid = Elastic(), grid_of("free")
    fields = {name: np.zeros((3, *grid.shape)) for name in equation.unknowns} | {"time": np.array([0.0, 0.1, 0.3])}
    fields["v"] = 2.0 * fields["time"][:, None, None] * equation.places(grid).present((1,))
    force = {"fy": np.full(grid.shape, 2.0)}
    _, momentum = equation.invariants
    assert not momentum.broken(equation, fields | force, grid)
    assert momentum.broken(equation, fields, grid)
    assert momentum.broken(equation, fields | {"fy": 1.01 * force["fy"]}, grid)


def test_residual_in_media_of_samples():
    equation, grid = Elastic(), grid_of("free")
    samples = [random_fields(equation, grid, seed=seed) for seed in range(2)]
    stacked = {name: np.stack([sample[name] for sample in samples]) for name in samples[0] if name != "time"}
    together = equation.residual({**stacked, "time": samples[0]["time"]}, grid)
    for i, sample in enumerate(samples):
        np.testing.assert_allclose(together[i], equation.residual(sample, grid), rtol=0, atol=1e-13)
    tensors = {name: torch.from_numpy(values) for name, values in stacked.items()} | {"time": samples[0]["time"]}
    np.testing.assert_allclose(equation.residual(tensors, grid).numpy(), together, rtol=0, atol=1e-13)
    whole = {
        **samples[0],
        **{name: np.full(grid.shape, value) for name, value in (("rho", 2), ("cp", 3.0), ("cs", 1.0))},
    }
    without = {name: values for name, values in samples[0].items() if name not in ("rho", "cp", "cs")}
    np.testing.assert_allclose(
        equation.residual(whole, grid), Elastic(2, 2.0, 3.0, 1.0).residual(without, grid), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("boundary", ["free", "rigid"])
def test_residual_has_gradients_in_media(boundary):
    equation, grid = Elastic(boundary=boundary), grid_of(boundary, (4, 3))
    fields = random_fields(equation, grid, 2)
    fields["fx"] = np.ones(grid.shape)
    names = ("rho", "cp", "cs", "fx")
    others = {name: torch.from_numpy(fields[name]) for name in equation.unknowns} | {"time": fields["time"]}

    def residual(*values):
        return equation.residual({**others, **dict(zip(names, values, strict=True))}, grid)

    assert torch.autograd.gradcheck(residual, [torch.from_numpy(fields[name]).requires_grad_() for name in names])
