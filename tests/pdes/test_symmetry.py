import dataclasses
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.pdes import (
    Advection,
    Composed,
    CompressibleFlow,
    FitzHughNagumo,
    Heat,
    IncompressibleFlow,
    LinearEquation,
    NavierStokes,
    PeriodicReflection,
    Reflection,
    SemilinearEquation,
    ShallowWater,
    Shift,
    Transposition,
    Wave,
    registry,
)
from opforge.solvers import ETDRK4, RK4, CrankNicolson, FiniteVolumes, Leapfrog, StrangSplitting, advect, repeat
from opforge.solvers.stepping.diffusion import ExactDiffusion
from opforge.solvers.stepping.projection import ProjectionStepper

CASES = [(Reflection(axis), ndim) for ndim in (1, 2, 3) for axis in range(ndim)]
CASES += [(Transposition(0, 1), 2), (Transposition(0, 1), 3), (Transposition(0, 2), 3), (Transposition(1, 2), 3)]
SHIFTS = [(Shift(axis, parts), ndim) for ndim in (1, 2, 3) for axis in range(ndim) for parts in (2, 4, 8)]


@pytest.mark.parametrize(("symmetry", "ndim"), CASES, ids=lambda v: getattr(v, "name", v))
def test_twice_is_the_identity(symmetry, ndim):
    u = np.random.default_rng(0).standard_normal((2, 3, *(4,) * ndim))
    np.testing.assert_array_equal(symmetry(symmetry({"u": u}, ndim), ndim)["u"], u)


@pytest.mark.parametrize(("symmetry", "ndim"), SHIFTS, ids=lambda v: getattr(v, "name", v))
def test_all_parts_of_a_shift_are_the_identity(symmetry, ndim):
    u = np.random.default_rng(0).standard_normal((2, 3, *(8,) * ndim))
    moved, seen = {"u": u}, 0
    for _ in range(symmetry.parts):
        moved = symmetry(moved, ndim)
        seen += (moved["u"] != u).any()
    np.testing.assert_array_equal(moved["u"], u)
    assert seen == symmetry.parts - 1


@pytest.mark.parametrize(("symmetry", "ndim"), SHIFTS, ids=lambda v: getattr(v, "name", v))
def test_shift_moves_the_function_to_greater_coordinates(symmetry, ndim):
    grid = Grid.cube(ndim, 16, points="periodic")
    for axis, x in enumerate(grid.mesh()):
        expected = (x - 1 / symmetry.parts) % 1 if axis == symmetry.axis else x
        np.testing.assert_allclose(symmetry({"u": x}, ndim)["u"], expected, atol=1e-15)


@pytest.mark.parametrize(("symmetry", "ndim"), CASES + SHIFTS, ids=lambda v: getattr(v, "name", v))
def test_torch_and_numpy_agree(symmetry, ndim):
    u = np.random.default_rng(0).standard_normal((2, *(8,) * ndim))
    moved = symmetry({"u": torch.from_numpy(u)}, ndim)["u"]
    torch.testing.assert_close(moved, torch.from_numpy(symmetry({"u": u}, ndim)["u"].copy()), rtol=0, atol=0)


@pytest.mark.parametrize(("symmetry", "ndim"), CASES, ids=lambda v: getattr(v, "name", v))
def test_moves_the_function_not_the_array(symmetry, ndim):
    """Values move with their points: a function of x alone becomes one of the mirrored or exchanged coordinate."""
    grid = Grid.cube(ndim, 5)
    x = dict(enumerate(grid.mesh()))
    moved = {axis: symmetry({"u": values}, ndim)["u"] for axis, values in x.items()}
    for axis in range(ndim):
        if isinstance(symmetry, Reflection):
            expected = 1 - x[axis] if axis == symmetry.axis else x[axis]
        else:
            swap = {symmetry.axis1: symmetry.axis2, symmetry.axis2: symmetry.axis1}
            expected = x[swap.get(axis, axis)]
        np.testing.assert_allclose(moved[axis], expected, atol=1e-15)


def test_where_they_apply():
    assert Reflection(1).applies_to(Grid((4, 6)))
    assert not Reflection(2).applies_to(Grid((4, 6)))
    assert not Reflection(0).applies_to(Grid((4,), points="periodic"))
    assert Transposition(0, 1).applies_to(Grid((4, 4)))
    assert not Transposition(0, 1).applies_to(Grid((4, 6)))
    assert not Transposition(0, 1).applies_to(Grid((4, 4), (1.0, 2.0)))
    assert not Transposition(1, 2).applies_to(Grid((4, 4)))
    assert Shift(1, 4).applies_to(Grid((5, 8), points="periodic"))
    assert not Shift(0, 4).applies_to(Grid((6,), points="periodic"))
    assert not Shift(0, 2).applies_to(Grid((4,)))
    assert not Shift(1, 2).applies_to(Grid((4,), points="periodic"))


def test_names():
    assert Reflection(2).name == "reflection z"
    assert Transposition(0, 2).name == "transposition xz"
    assert Shift(1, 4).name == "shift y 1/4"
    assert Composed((Shift(0, 2), Reflection(1))).name == "shift x 1/2, reflection y"


def test_composed_maps_are_one_after_the_other():
    u = np.random.default_rng(0).standard_normal((2, 4, 4))
    turn = Composed((PeriodicReflection(0, odd=("u",)), Transposition(0, 1)))
    expected = Transposition(0, 1)(PeriodicReflection(0, odd=("u",))({"u": u}, 2), 2)["u"]
    np.testing.assert_array_equal(turn({"u": u}, 2)["u"], expected)
    assert turn.applies_to(Grid((4, 4), points="periodic"))
    assert not turn.applies_to(Grid((4, 6), points="periodic"))
    assert not turn.applies_to(Grid((4, 4)))


# Without any, and those that are solved twice where their steppers are tested: staggered grids, absorbing layers.
ELSEWHERE = {"diffusion_sorption", "elastic", "helmholtz"}
# What boundaries ask for.
NEEDS = {"no-slip": {"shear_viscosity": 0.01}, "stream": {"inflow": 1.0}}
FLOWS = [
    {"forcing": forcing, "wavenumber": n, "mean_flow": flow, "tracer_diffusivity": 0.01}
    for forcing, n in (("none", 1), ("diagonal", 1), ("diagonal", 2), ("kolmogorov", 1), ("kolmogorov", 4))
    for flow in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, -1.0))
]
VELOCITIES = [(1.0, 0.0), (1.0, -1.0), (0.7, 0.7), (0.0, 0.0)]


def variants():
    """Every equation with every boundary in one, two and three dimensions, and those whose parameters matter."""
    for name, cls in sorted(registry().items()):
        if name in ELSEWHERE:
            continue
        chosen = "boundary" in {parameter.name for parameter in dataclasses.fields(cls)}
        boundaries = [{"boundary": b} for b in get_args(get_type_hints(cls)["boundary"])] if chosen else [{}]
        for ndim in cls.dimensions:
            for options in boundaries:
                yield cls(ndim=ndim, **options, **NEEDS.get(options.get("boundary", ""), {}))
    yield from (NavierStokes(**flow) for flow in FLOWS)
    yield from (Advection(2, velocity) for velocity in VELOCITIES)


def stepper(equation, grid, fields):
    """How the equation is solved, with the media of the fields."""
    if isinstance(equation, SemilinearEquation):
        return ETDRK4(equation, grid, 1e-4)
    if isinstance(equation, FitzHughNagumo):
        rates = np.array([equation.diffusivity_u, equation.diffusivity_v])
        reaction = RK4(lambda state: equation.reaction(state, equation.ndim), 0.01)
        return StrangSplitting(ExactDiffusion(grid, rates, 0.005), reaction)
    if isinstance(equation, CompressibleFlow | ShallowWater):
        return FiniteVolumes(equation, grid, 0.005, fields["b"][None] if "b" in fields else None)
    if isinstance(equation, IncompressibleFlow):
        return ProjectionStepper(equation, grid, 0.005)
    if isinstance(equation, Heat):
        return CrankNicolson(grid, fields["a"], 0.01, equation.boundary)
    assert isinstance(equation, Wave)
    return Leapfrog(equation, grid, 0.01, fields["c"][None])


def solved(equation, grid, fields):
    """The unknowns at the end, or of steady equations, of fields (*space)."""
    if isinstance(equation, LinearEquation):
        A, b = equation.operator(fields, grid).toarray(), equation.right_hand_side(fields, grid)
        u = np.linalg.solve(A, b).reshape(grid.shape)
        return {"u": u - u.mean() if getattr(equation, "floats", False) else u}
    if isinstance(equation, Advection):
        return {"u": advect(fields["u"], equation.velocity, [0.123], grid)[0]}
    state = np.stack([fields[name] for name in equation.unknowns])[None]
    return dict(zip(equation.unknowns, repeat(stepper(equation, grid, fields), 5)(state)[0], strict=True))


def given(equation, grid):
    """Random fields, with a medium where the equation may have one."""
    rng, media = np.random.default_rng(0), {"heat": ("a",), "wave": ("c",), "shallow_water": ("b",), "poisson": ("a",)}
    names = [*(field.name for field in equation.fields), *media.get(equation.name, ())]
    fields = {name: rng.uniform(0.8, 1.2, grid.shape) for name in names}
    if equation.name == "poisson":
        fields["f"] -= fields["f"].mean()
    return fields


@pytest.mark.parametrize(
    "equation",
    list(variants()),
    ids=lambda e: f"{e.name}-{e.ndim}-{getattr(e, 'boundary', '')}-{getattr(e, 'forcing', '')}",
)
def test_solving_twice(equation):
    """Mapped before or after it is solved, the solution is the same: every symmetry that an equation declares."""
    ndim = equation.ndim
    grid = Grid((16, 16, 16)[:ndim] if ndim < 3 else (8, 8, 8), points=equation.points)
    fields = given(equation, grid)
    end = solved(equation, grid, fields)
    holding = [symmetry for symmetry in equation.symmetries if symmetry.applies_to(grid)]
    assert len(holding) == len(equation.symmetries)
    for symmetry in holding:
        found, expected = solved(equation, grid, symmetry(fields, ndim)), symmetry(end, ndim)
        for name, values in expected.items():
            size = np.abs(values).max()
            np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-11 * size, err_msg=symmetry.name)


@pytest.mark.parametrize("n", [1, 2])
def test_a_force_is_kept_by_pairs_of_maps_that_each_turn_it_round(n):
    """The declared maps of a forced flow are symmetries although their parts are none."""
    grid, w = Grid.cube(2, 16, points="periodic"), np.random.default_rng(0).standard_normal((1, 16, 16))
    for forcing, count in (("diagonal", 2), ("kolmogorov", 2)):
        equation = NavierStokes(forcing=forcing, wavenumber=n)
        rate = equation.tendency(w, grid)[0]
        pairs = [symmetry for symmetry in equation.symmetries if isinstance(symmetry, Composed)]
        assert len(pairs) == count
        for pair in pairs:
            for part in (Composed(pair.parts[:-1]), pair.parts[-1]):
                moved = equation.tendency(part({"w": w}, 2)["w"], grid)[0]
                assert np.abs(moved - part({"w": rate}, 2)["w"]).max() > 0.05
