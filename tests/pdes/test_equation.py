"""What holds for every equation; a new one is tested by being registered."""

import dataclasses
import json
import pickle
from inspect import isabstract
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch

from opforge import pdes
from opforge.core import Grid
from opforge.errors import InputError, UnknownNameError
from opforge.pdes import Advection, Darcy, Equation, LinearEquation, registry

EQUATIONS = sorted(registry().items())
DIMENSIONS = [(name, cls, ndim) for name, cls in EQUATIONS for ndim in cls.dimensions]
LINEAR = [case for case in DIMENSIONS if issubclass(case[1], LinearEquation)]
EVOLVING = [case for case in DIMENSIONS if case[1].evolves]
SIZES = {1: 24, 2: 12, 3: 6}
TIMES = np.array([0.0, 0.3, 0.35, 1.1])


def grid_of(cls, ndim):
    """A box with unequal axes, an origin and an odd number of points on one axis."""
    n = SIZES[ndim]
    origin = (0.0, -1.0, 3.0)[:ndim]
    return Grid((n, n + 1, n + 2)[:ndim], (1.0, 2.0, 0.5)[:ndim], cls.points, origin)


def random_fields(equation, grid, seed=0):
    rng = np.random.default_rng(seed)
    shape = (len(TIMES), *grid.shape) if equation.evolves else grid.shape
    fields = {field.name: rng.uniform(0.5, 2.0, shape) for field in equation.fields}
    return {**fields, "time": TIMES} if equation.evolves else fields


def components(equation):
    """The residual's axis of components."""
    return (len(equation.unknowns),) if len(equation.unknowns) > 1 else ()


def by_component(equation, residual):
    unknowns = equation.unknowns
    return dict(zip(unknowns, residual if len(unknowns) > 1 else [residual], strict=True))


@pytest.mark.parametrize(("name", "cls"), EQUATIONS)
def test_says_what_it_is(name, cls):
    assert cls.name == name
    assert cls.boundary and cls.method and cls.order
    assert cls().ndim in cls.dimensions
    for ndim in cls.dimensions:
        assert set(cls(ndim=ndim).unknowns) <= {field.name for field in cls(ndim=ndim).fields}


@pytest.mark.parametrize(("name", "cls"), EQUATIONS)
def test_parameters_survive_json(name, cls):
    equation = cls()
    assert cls.name == name
    assert cls.from_parameters(json.loads(json.dumps(equation.parameters()))) == equation


@pytest.mark.parametrize(("name", "cls"), EQUATIONS)
def test_unknown_parameter_is_named(name, cls):
    with pytest.raises(UnknownNameError, match=r"unknown parameter.*'ndmi'; did you mean 'ndim'\?"):
        cls.from_parameters({"ndmi": 2})


@pytest.mark.parametrize(("name", "cls"), EQUATIONS)
def test_fields_are_described(name, cls):
    for ndim in cls.dimensions:
        fields = cls(ndim=ndim).fields
        assert len({field.name for field in fields}) == len(fields)
        assert all(field.long_name and field.units for field in fields)


@pytest.mark.parametrize(("name", "cls", "ndim"), LINEAR)
def test_residual_is_right_hand_side_less_operator(name, cls, ndim):
    equation, grid = cls(ndim=ndim), grid_of(cls, ndim)
    fields = random_fields(equation, grid)
    u = fields[equation.fields[-1].name].ravel()
    A, b = equation.operator(fields, grid), equation.right_hand_side(fields, grid)
    scale = np.abs(A @ u).max()
    np.testing.assert_allclose(equation.residual(fields, grid).ravel(), b - A @ u, rtol=0, atol=1e-13 * scale)


@pytest.mark.parametrize(("name", "cls", "ndim"), LINEAR)
def test_operator_is_symmetric_positive_definite(name, cls, ndim):
    grid = grid_of(cls, ndim)
    equation = cls(ndim=ndim)
    A = equation.operator(random_fields(equation, grid), grid).toarray()
    np.testing.assert_array_equal(A, A.T)
    assert np.linalg.eigvalsh(A)[0] > 0


@pytest.mark.parametrize(("name", "cls", "ndim"), EVOLVING)
def test_residual_sees_a_changed_frame_and_changed_times(name, cls, ndim):
    equation, grid = cls(ndim=ndim), grid_of(cls, ndim)
    fields = random_fields(equation, grid)
    residual = equation.residual(fields, grid)
    changed = fields[equation.unknowns[0]].copy()
    changed[2] *= 1.001
    change = equation.residual({**fields, equation.unknowns[0]: changed}, grid) - residual
    assert np.linalg.norm(change) > 1e-5 * np.linalg.norm(changed[2])
    # where the linear part is stiff, little is left of what the time between frames does
    later = equation.residual({**fields, "time": fields["time"] * 1.01}, grid)
    assert np.linalg.norm(later - residual) > 1e-9 * np.linalg.norm(changed[2])


@pytest.mark.parametrize(("name", "cls", "ndim"), EVOLVING)
def test_residual_is_of_steps_from_frame_to_frame(name, cls, ndim):
    equation, grid = cls(ndim=ndim), grid_of(cls, ndim)
    fields = random_fields(equation, grid)
    whole = equation.residual(fields, grid)
    assert whole.shape == (*components(equation), len(TIMES) - 1, *grid.shape)
    for i in range(len(TIMES) - 1):
        step = {key: values[i : i + 2] for key, values in fields.items()}
        left = equation.residual(step, grid)[(..., 0, *(slice(None),) * ndim)]
        expected = whole[(..., i, *(slice(None),) * ndim)]
        np.testing.assert_allclose(left, expected, rtol=0, atol=1e-13 * max(1.0, np.abs(whole).max()))


@pytest.mark.parametrize(("name", "cls", "ndim"), DIMENSIONS)
def test_torch_and_numpy_agree_and_batches_are_samples(name, cls, ndim):
    equation, grid = cls(ndim=ndim), grid_of(cls, ndim)
    samples = [random_fields(equation, grid, seed) for seed in range(3)]
    names = [field.name for field in equation.fields]
    stacked = {key: torch.stack([torch.from_numpy(s[key]) for s in samples])[:, None] for key in names}
    if equation.evolves:
        stacked["time"] = torch.from_numpy(TIMES)
    residual, scale = equation.residual(stacked, grid), equation.residual_scale(stacked, grid)
    frames = (len(TIMES) - 1,) if equation.evolves else ()
    assert residual.shape == (3, 1, *components(equation), *frames, *grid.shape)
    assert scale.shape == (3, 1)
    for i, sample in enumerate(samples):
        expected = equation.residual(sample, grid)
        np.testing.assert_allclose(residual[i, 0].numpy(), expected, rtol=0, atol=1e-12 * np.abs(expected).max())
        np.testing.assert_allclose(scale[i, 0].numpy(), equation.residual_scale(sample, grid), rtol=1e-12)


# Those whose gradients take longer than some seconds.
SLOW_GRADIENTS = {("compressible_flow", 2), ("shallow_water", 2), ("gray_scott", 3), ("incompressible_flow", 2)}


@pytest.mark.parametrize(
    ("name", "cls", "ndim"),
    [
        pytest.param(name, cls, ndim, marks=pytest.mark.slow if (name, ndim) in SLOW_GRADIENTS else ())
        for name, cls, ndim in DIMENSIONS
    ],
)
def test_residual_gradients(name, cls, ndim):
    equation, grid = cls(ndim=ndim), Grid((4, 3, 3)[:ndim], points=cls.points)
    names = [field.name for field in equation.fields]
    fields = random_fields(equation, grid)
    values = [torch.from_numpy(fields[name])[None].requires_grad_() for name in names]

    def residual(*arrays):
        return equation.residual({**fields, **dict(zip(names, arrays, strict=True))}, grid)

    many = sum(value.numel() for value in values) > 500  # their whole Jacobian takes long: random projections of it
    assert torch.autograd.gradcheck(residual, values, fast_mode=many)
    assert torch.autograd.gradgradcheck(residual, values, fast_mode=many)


def boundaries(cls):
    """The values of the parameter ``boundary``; None where an equation has no such parameter."""
    if "boundary" not in {parameter.name for parameter in dataclasses.fields(cls)}:
        return [None]
    return list(get_args(get_type_hints(cls)["boundary"]))


# What boundaries ask for.
NEEDS = {"stream": {"inflow": 1.0}, "no-slip": {"shear_viscosity": 0.1}}


def bounded(cls, ndim, boundary):
    """The equation with a boundary."""
    if boundary is None:
        return cls(ndim=ndim)
    return cls(ndim=ndim, boundary=boundary, **NEEDS.get(boundary, {}))


@pytest.mark.parametrize(
    ("cls", "ndim", "boundary"), [(cls, ndim, b) for _, cls, ndim in DIMENSIONS for b in boundaries(cls)]
)
def test_symmetries_move_the_residual_along(cls, ndim, boundary):
    equation = bounded(cls, ndim, boundary)
    around = boundary == "periodic" and cls.points == "nodes"  # no node stands for two ends then
    grid = Grid.cube(ndim, 8 if around else SIZES[ndim] // 2 * 2, points="periodic" if around else cls.points)
    fields = random_fields(equation, grid)
    others = {"time": fields.pop("time")} if equation.evolves else {}
    residual = by_component(equation, equation.residual({**fields, **others}, grid))
    assert len({symmetry.name for symmetry in equation.symmetries}) == len(equation.symmetries)
    holding = [symmetry for symmetry in equation.symmetries if symmetry.applies_to(grid)]
    assert holding or not equation.symmetries
    for symmetry in holding:
        moved = by_component(equation, equation.residual({**symmetry(fields, ndim), **others}, grid))
        for key, expected in symmetry(residual, ndim).items():
            np.testing.assert_allclose(moved[key], expected, rtol=0, atol=1e-12 * np.abs(expected).max())


# What comes in at one end breaks all symmetries.
WITHOUT_SYMMETRIES = {"DiffusionSorption"}


@pytest.mark.parametrize("name", sorted(pdes.__all__))
def test_every_exported_equation_is_registered_and_has_symmetries(name):
    exported = getattr(pdes, name)
    if not isinstance(exported, type) or not issubclass(exported, Equation) or isabstract(exported):
        return
    assert registry()[exported.name] is exported
    for ndim, boundary in ((ndim, b) for ndim in exported.dimensions for b in boundaries(exported)):
        symmetries = bounded(exported, ndim, boundary).symmetries
        assert isinstance(symmetries, tuple) and bool(symmetries) == (name not in WITHOUT_SYMMETRIES)
        for symmetry in symmetries:
            assert symmetry.name and hash(symmetry) is not None and pickle.loads(pickle.dumps(symmetry)) == symmetry
        kinds = {symmetry.name.split()[0] for symmetry in symmetries}
        assert "shift" in kinds or boundary != "periodic"


@pytest.mark.parametrize(("name", "cls", "ndim"), DIMENSIONS)
def test_exact_fields_have_the_grids_shape(name, cls, ndim):
    grid = grid_of(cls, ndim)
    equation = cls(ndim=ndim)
    try:
        fields = equation.exact(grid)
    except InputError as error:
        assert "no closed form is known" in str(error)
        return
    assert {field.name for field in equation.fields} <= set(fields)
    frames = fields.pop("time").shape if cls.evolves else ()
    assert all(values.shape == (*frames, *grid.shape) for values in fields.values())
    assert all(np.isfinite(values).all() for values in fields.values())


def test_missing_field_is_named():
    with pytest.raises(InputError, match="fields must contain 'u' for the equation 'darcy', got a"):
        Darcy().residual({"a": np.ones((4, 4))}, Grid.cube(2, 4))
    with pytest.raises(InputError, match="fields must contain 'time' for the equation 'advection', got u"):
        Advection().residual({"u": np.ones((2, 4))}, Grid.cube(1, 4, points="periodic"))


def test_shape_that_does_not_fit_is_named():
    with pytest.raises(InputError, match=r"field 'u' must end in the grid's shape \(4, 4\), got shape \(4, 5\)"):
        Darcy().residual({"a": np.ones((4, 4)), "u": np.ones((4, 5))}, Grid.cube(2, 4))


def test_grid_of_another_dimension_is_refused():
    with pytest.raises(InputError, match="grid must have 2 axes"):
        Darcy().right_hand_side({}, Grid.cube(3, 4))
