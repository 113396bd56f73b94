"""Invariants: what holds for those of every equation, and how violations are measured."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.pdes import Darcy, Invariant, registry
from opforge.pdes.invariant import drift, relative

EQUATIONS = registry()
# Linear equations with closed forms on any grid; the others' samples keep to theirs in tests/datasets/test_recipe.py.
CASES = [
    (name, ndim, invariant.name)
    for name in ("advection", "darcy")
    for ndim in EQUATIONS[name].dimensions
    for invariant in EQUATIONS[name].invariants
]


def solution(name, ndim):
    """An equation, its invariants by name, fields that solve it and their grid: unequal axes, odd and even."""
    equation = EQUATIONS[name](ndim=ndim)
    grid = Grid((8, 7, 6)[:ndim], (1.0, 2.0, 0.5)[:ndim], "periodic" if equation.boundary == "periodic" else "cells")
    if isinstance(equation, Darcy):  # its closed form has a forcing of both signs, with which nothing is to be checked
        a = np.ones(grid.shape)
        u = np.linalg.solve(equation.operator({"a": a}, grid).toarray(), np.ones(grid.size)).reshape(grid.shape)
        fields = {"a": a, "u": u}
    else:
        fields = equation.exact(grid)
    return equation, {invariant.name: invariant for invariant in equation.invariants}, fields, grid


def test_invariants_have_names_and_statements():
    for equation in (cls(ndim=ndim) for cls in EQUATIONS.values() for ndim in cls.dimensions):
        invariants = equation.invariants
        assert len({invariant.name for invariant in invariants}) == len(invariants)
        assert all(invariant.statement and 0 < invariant.tolerance <= 1e-2 for invariant in invariants)


@pytest.mark.parametrize(("name", "ndim", "which"), CASES)
def test_solutions_keep_to_it(name, ndim, which):
    equation, invariants, fields, grid = solution(name, ndim)
    assert 0 <= float(invariants[which].violation(equation, fields, grid)) <= invariants[which].tolerance
    assert not invariants[which].broken(equation, fields, grid)


@pytest.mark.parametrize(("name", "ndim", "which"), CASES)
def test_closed_forms_keep_to_it(name, ndim, which):
    equation, invariants, _, grid = solution(name, ndim)
    assert not invariants[which].broken(equation, equation.exact(grid), grid)


@pytest.mark.parametrize(("name", "ndim", "which"), CASES)
@pytest.mark.parametrize("where", [0, -1])
def test_a_changed_value_is_seen(name, ndim, which, where):
    """One point, in the first or the last frame, is off by the field's own size."""
    equation, invariants, fields, grid = solution(name, ndim)
    u = fields["u"].copy()
    u.reshape(-1)[where] -= 2 * u.max()
    found = float(invariants[which].violation(equation, {**fields, "u": u}, grid))
    assert 1e3 * invariants[which].tolerance < found < 10
    ((position, text),) = invariants[which].broken(equation, {**fields, "u": u}, grid)
    assert position == 0
    assert text.startswith(f"the {which} (") and f") is violated by {found:.3g}, the tolerance is " in text


@pytest.mark.parametrize(("name", "ndim", "which"), [case for case in CASES if EQUATIONS[case[0]].evolves])
@pytest.mark.parametrize("frame", [0, 2, -1])
def test_a_small_change_in_one_frame_is_seen(name, ndim, which, frame):
    equation, invariants, fields, grid = solution(name, ndim)
    u = fields["u"].copy()
    u[frame] += 1e-6 * u.max()
    found = float(invariants[which].violation(equation, {**fields, "u": u}, grid))
    assert 1e-7 < found < 1e-5


@pytest.mark.parametrize(("name", "ndim", "which"), CASES)
@pytest.mark.parametrize("factor", [1e-100, 1e6, -1.0])
def test_the_size_of_the_fields_does_not_matter(name, ndim, which, factor):
    equation, invariants, fields, grid = solution(name, ndim)
    broken = {**fields, "u": fields["u"].copy()}
    broken["u"].reshape(-1)[0] -= 3 * broken["u"].max()
    if factor < 0 and not equation.evolves:
        equation = type(equation)(ndim=ndim, forcing=-1.0)
    scaled = {**broken, "u": factor * broken["u"]}
    found = invariants[which].violation(equation, scaled, grid)
    before = invariants[which].violation(EQUATIONS[name](ndim=ndim), broken, grid)
    np.testing.assert_allclose(found, before, rtol=1e-9)


@pytest.mark.parametrize(("name", "ndim", "which"), CASES)
def test_zero_violates_nothing_and_nan_does(name, ndim, which):
    equation, invariants, fields, grid = solution(name, ndim)
    u = np.zeros_like(fields["u"])
    assert invariants[which].violation(equation, {**fields, "u": u}, grid) == 0
    u.reshape(-1)[1] = np.nan
    assert "is violated by nan" in invariants[which].broken(equation, {**fields, "u": u}, grid)[0][1]


@pytest.mark.parametrize(("name", "ndim", "which"), CASES)
def test_batches_are_samples(name, ndim, which):
    equation, invariants, fields, grid = solution(name, ndim)
    broken = fields["u"].copy()
    broken.reshape(-1)[0] -= 2 * broken.max()
    batch = {key: np.stack([[values, values]] * 3) for key, values in fields.items() if key != "time"}
    batch["u"][2, 1] = broken
    found = invariants[which].violation(equation, {**fields, **batch}, grid)
    assert found.shape == (3, 2)
    assert np.argwhere(found > invariants[which].tolerance).tolist() == [[2, 1]]
    assert [position for position, _ in invariants[which].broken(equation, {**fields, **batch}, grid)] == [5]


def test_samples_beyond_the_tolerance_are_told():
    found = np.array([0.09, 0.1, 0.11, np.nan, np.inf, 0.0])
    invariant = Invariant("sign", "u >= 0", lambda equation, fields, grid: found, 0.1)
    told = invariant.broken(None, {}, Grid((2,)))
    assert [position for position, _ in told] == [2, 3, 4]
    assert told[0][1] == "the sign (u >= 0) is violated by 0.11, the tolerance is 0.1"


def test_drift_is_from_the_first_frame_in_either_direction():
    np.testing.assert_allclose(drift(np.array([4.0, 4.0, 1.0, 4.0])), 0.75)
    np.testing.assert_allclose(drift(np.array([-4.0, -3.0, -5.0])), 0.2)
    np.testing.assert_allclose(drift(np.array([0.0, 2.0])), 1.0)
    np.testing.assert_allclose(drift(np.array([0.0, 2.0]), np.array(8.0)), 0.25)


def test_relative_to_nothing():
    np.testing.assert_array_equal(relative(np.array([3.0, 0.0, np.nan]), np.array([0.0, 0.0, 2.0])), [3.0, 0.0, np.nan])
