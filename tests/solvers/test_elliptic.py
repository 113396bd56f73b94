import re

import numpy as np
import pytest

from opforge.core import Grid
from opforge.errors import InputError, WorkError
from opforge.pdes import Darcy, LinearEquation, Poisson, registry
from opforge.solvers import solve_elliptic
from opforge.solvers.elliptic import check_tolerance

SIZES = {1: (16, 32, 64, 128), 2: (16, 32, 64), 3: (8, 16, 32)}


class Changed(Darcy):
    """Darcy's equation with a matrix that the solver was not made for."""

    def __init__(self, change):
        super().__init__()
        object.__setattr__(self, "change", change)

    def operator(self, fields, grid):
        return self.change(super().operator(fields, grid)).tocsr()


def rough(shape, contrast, seed=0):
    return np.where(np.random.default_rng(seed).standard_normal(shape) >= 0, contrast, 1.0)


def smooth(equation, grid):
    """A solution of the differential equation: Poisson's own is one of its differences."""
    fields = equation.exact(grid)
    if isinstance(equation, Poisson):
        waves = [(axis + 1) * np.pi / length for axis, length in enumerate(grid.lengths)]
        fields["f"] = sum(k**2 for k in waves) * fields["u"]
    return fields


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("name", sorted(name for name, cls in registry().items() if issubclass(cls, LinearEquation)))
def test_order_of_accuracy(name, ndim):
    """Order 2 in the mean and in the maximum for smooth coefficients, whose faces and boundary are both tested."""
    equation, errors = registry()[name](ndim=ndim), []
    for n in SIZES[ndim]:
        grid = Grid((n, 5 * n // 4, n)[:ndim], (1.0, 1.5, 0.8)[:ndim])
        exact = smooth(equation, grid)
        error = solve_elliptic(equation, exact, grid, rtol=1e-12).x - exact["u"]
        errors.append((np.sqrt(np.mean(error**2)), np.abs(error).max()))
    orders = -np.diff(np.log2(errors), axis=0)
    print(f"{name} in {ndim}-D, n = {SIZES[ndim]}; errors (L2, max):\n{np.array(errors)}\norders:\n{orders}")
    np.testing.assert_allclose(orders[-1], 2.0, atol=0.1)


@pytest.mark.parametrize("n", [20, 320])
def test_layers_are_exact_up_to_the_known_shift(n):
    """Fluxes are exact for layers that meet on faces: the solution is u + f h² / (8a), to rounding."""
    equation, grid = Darcy(ndim=1, forcing=2.0), Grid((n,), (2.0,), origin=(-1.0,))
    fields = equation.layered(grid, [1.0, 50.0, 0.2], [-0.5, 0.3])
    x, info = solve_elliptic(equation, fields, grid, rtol=1e-10)
    assert info == 0
    shift = equation.forcing * grid.spacing[0] ** 2 / (8 * fields["a"])
    assert shift.max() > 1e-6 * x.max()
    np.testing.assert_allclose(x, fields["u"] + shift, rtol=0, atol=1e-10 * x.max())


@pytest.mark.parametrize("shape", [(200,), (4,), (48, 48), (40, 7), (12, 11, 10)])
@pytest.mark.parametrize("contrast", [1.0, 4.0, 1e4])
@pytest.mark.parametrize("rtol", [1e-4, 1e-8])
def test_residual_is_the_true_one_and_below_the_tolerance(shape, contrast, rtol):
    equation, grid = Darcy(ndim=len(shape)), Grid(shape)
    fields = {"a": rough(shape, contrast)}
    result = solve_elliptic(equation, fields, grid, rtol=rtol)
    A, b = equation.operator(fields, grid), equation.right_hand_side(fields, grid)
    np.testing.assert_allclose(result.residual, np.linalg.norm(b - A @ result.x.ravel()) / np.linalg.norm(b), rtol=1e-6)
    assert result.residual <= rtol
    assert result.converged
    assert len(result.residuals) == result.iterations + 1
    assert result.residuals[0] == 1.0


def test_residual_of_the_equation_is_the_solvers():
    equation, grid = Darcy(), Grid.cube(2, 32)
    a = rough(grid.shape, 4.0)
    result = solve_elliptic(equation, {"a": a}, grid)
    fields = {"a": a, "u": result.x}
    relative = np.linalg.norm(equation.residual(fields, grid)) / equation.residual_scale(fields, grid)
    np.testing.assert_allclose(relative, result.residual, rtol=1e-4)


def test_matches_a_direct_solver():
    from scipy.sparse.linalg import spsolve

    equation, grid = Darcy(forcing=-3.0), Grid((24, 30), (1.0, 2.0))
    fields = {"a": rough(grid.shape, 100.0)}
    direct = spsolve(equation.operator(fields, grid).tocsc(), equation.right_hand_side(fields, grid))
    np.testing.assert_allclose(solve_elliptic(equation, fields, grid, rtol=1e-12).x.ravel(), direct, rtol=1e-8)


@pytest.mark.parametrize("shape", [(12,), (12, 12), (8, 12), (12, 12, 12), (6, 8, 8)])
@pytest.mark.parametrize("sources", [False, True])
def test_symmetries_take_solutions_to_solutions(shape, sources):
    equation, grid = Darcy(ndim=len(shape)), Grid(shape)
    fields = {"a": rough(shape, 4.0)}
    if sources:
        fields["f"] = np.random.default_rng(7).standard_normal(shape)
    u = solve_elliptic(equation, fields, grid, rtol=1e-11).x
    holding = [symmetry for symmetry in equation.symmetries if symmetry.applies_to(grid)]
    assert len(holding) == {(12,): 1, (12, 12): 3, (8, 12): 2, (12, 12, 12): 6, (6, 8, 8): 4}[shape]
    for symmetry in holding:
        moved = symmetry({**fields, "u": u}, grid.ndim)
        expected = moved.pop("u")
        assert np.abs(expected - u).max() > 0.01 * np.abs(u).max()
        again = solve_elliptic(equation, moved, grid, rtol=1e-11).x
        np.testing.assert_allclose(again, expected, rtol=0, atol=1e-9 * np.abs(u).max(), err_msg=symmetry.name)


def test_linear_in_the_forcing_and_inverse_in_the_coefficient():
    grid = Grid.cube(2, 24)
    a, f = rough(grid.shape, 4.0), np.random.default_rng(1).standard_normal(grid.shape)
    one = solve_elliptic(Darcy(), {"a": a, "f": f}, grid, rtol=1e-11).x
    np.testing.assert_allclose(
        solve_elliptic(Darcy(), {"a": 10 * a, "f": 5 * f}, grid, rtol=1e-11).x, one / 2, atol=1e-9
    )


def test_maximum_principle():
    """u > 0 for f = 1; and a larger forcing gives a larger solution everywhere."""
    grid = Grid.cube(2, 40)
    a = rough(grid.shape, 1e3)
    u = solve_elliptic(Darcy(), {"a": a}, grid).x
    assert u.min() > 0
    more = solve_elliptic(Darcy(), {"a": a, "f": 1 + rough(grid.shape, 0.0, seed=3)}, grid).x
    assert (more - u).min() > -1e-7 * u.max()


def test_same_call_gives_the_same_bytes():
    grid = Grid.cube(2, 40)
    fields = {"a": rough(grid.shape, 10.0)}
    first = solve_elliptic(Darcy(), fields, grid).x
    solve_elliptic(Darcy(), {"a": np.ones(grid.shape)}, grid)  # no state is left from another matrix
    np.testing.assert_array_equal(solve_elliptic(Darcy(), fields, grid).x, first)


def test_zero_forcing_gives_zero():
    grid = Grid.cube(2, 8)
    result = solve_elliptic(Darcy(), {"a": np.ones(grid.shape), "f": np.zeros(grid.shape)}, grid)
    np.testing.assert_array_equal(result.x, 0.0)
    assert result.converged


def test_too_few_iterations_raise():
    with pytest.raises(WorkError, match=r"reached a relative residual of .* in 2 iterations.*allow more iterations"):
        solve_elliptic(Darcy(), {"a": rough((64, 64), 100.0)}, Grid.cube(2, 64), maxiter=2)


def test_tolerance_below_rounding_raises_and_says_so():
    with pytest.raises(WorkError, match=r"rounding alone leaves about .*: raise the tolerance"):
        solve_elliptic(Darcy(ndim=1), {"a": np.ones(100_000)}, Grid((100_000,)))


def test_broken_maximum_principle_raises():
    """With positive couplings the solution for a point source changes sign: the check must see it."""
    f = np.zeros((8, 8))
    f[3, 3] = 1.0
    with pytest.raises(WorkError, match="maximum principle"):
        solve_elliptic(Changed(abs), {"a": np.ones((8, 8)), "f": f}, Grid.cube(2, 8))


@pytest.mark.parametrize("n", [8, 40])
def test_indefinite_operator_raises(n):
    with pytest.raises(WorkError, match=r"not positive definite|reached a relative residual"):
        solve_elliptic(Changed(lambda A: -A), {"a": np.ones((n, n))}, Grid.cube(2, n))


@pytest.mark.parametrize("rtol", [0.0, 1.0, -1e-8, float("nan")])
def test_tolerance_out_of_range(rtol):
    with pytest.raises(InputError, match="rtol must be a number between 0 and 1"):
        solve_elliptic(Darcy(), {"a": np.ones((8, 8))}, Grid.cube(2, 8), rtol=rtol)


def test_no_iterations_are_refused():
    with pytest.raises(InputError, match="maxiter must be a whole number of at least 1"):
        solve_elliptic(Darcy(), {"a": np.ones((8, 8))}, Grid.cube(2, 8), maxiter=0)


@pytest.mark.parametrize(("ndim", "rtol"), [(1, 1e-8), (1, 1e-11), (2, 1e-12), (3, 2e-14)])
def test_resolutions_that_rounding_forbids(ndim, rtol):
    """The lowest that is refused fails, and the one that the text recommends is solved."""
    low, high = 4, 10**6
    while high - low > 1:
        middle = (low + high) // 2
        try:
            check_tolerance(Grid.cube(ndim, middle), rtol)
            low = middle
        except InputError as error:
            high, text = middle, str(error)
    equation, recommended = Darcy(ndim=ndim), int(re.search(r"at most (\d+) points", text)[1])
    assert 3 < low / recommended < 5
    grid = Grid.cube(ndim, recommended)
    assert solve_elliptic(equation, {"a": rough(grid.shape, 4.0)}, grid, rtol=rtol).residual <= rtol
    fine = Grid.cube(ndim, high)
    with pytest.raises(WorkError, match="rounding alone leaves about"):
        solve_elliptic(equation, {"a": rough(fine.shape, 4.0)}, fine, rtol=rtol)


def test_tolerance_that_no_resolution_reaches_is_to_be_raised():
    with pytest.raises(
        InputError, match=r"16x8 is too high for tolerance=1e-18, [^;]*; raise the tolerance to 3\.1e-14$"
    ):
        check_tolerance(Grid((16, 8)), 1e-18)


def test_breakdown_says_so():
    """Without a warning of pyamg, which would be a line on stderr."""
    with pytest.raises(WorkError, match=r"not positive definite|lower its contrast"):
        solve_elliptic(Darcy(ndim=3), {"a": rough((16, 16, 16), 1e36)}, Grid.cube(3, 16))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_fields_that_are_not_finite_are_refused(value):
    a = np.ones((8, 8))
    a[2, 3:5] = value
    with pytest.raises(InputError, match="field 'a' must be finite, got NaN or infinity in 2 of 64 values"):
        solve_elliptic(Darcy(), {"a": a}, Grid.cube(2, 8))
