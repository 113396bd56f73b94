"""opforge.solve: which method is chosen, forms of A and b, preconditioners that make things worse, bad input."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse
import torch
from scipy.sparse.linalg import LinearOperator

import opforge
from opforge.core import Grid
from opforge.errors import InputError, UnknownNameError
from opforge.precond import LinearProblem, load, random_system
from opforge.solvers import ConvergenceWarning, PreconditionerWarning, Stencil, cg, geometric_multigrid

GRID = Grid((40, 36), (40.0, 36.0))
A = random_system("contrast 100", GRID, seed=20)
MATRIX = A.matrix()
B = np.random.default_rng(0).standard_normal(GRID.shape)
X = scipy.sparse.linalg.spsolve(MATRIX.tocsc(), B.ravel()).reshape(GRID.shape)
OBSTACLES = random_system("obstacles", GRID, seed=20)


def close(found, expected, rtol=1e-6):
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=rtol * np.abs(expected).max())


def upwind(n=60):
    return scipy.sparse.diags_array([np.full(n, 2.0), np.full(n - 1, -1.5)], offsets=[0, -1]).tocsr()


@pytest.mark.parametrize(
    ("problem", "method", "why"),
    [
        ((A, B), "learned_multigrid", "A is a stencil in 2 dimensions"),
        (LinearProblem(MATRIX, B.ravel(), GRID), "learned_multigrid", "A is a stencil on the grid in 2 dimensions"),
        ((MATRIX, B.ravel()), "direct", "A is a matrix of 1440 unknowns, at most 3000"),
        ((Stencil(GRID), B), "fast_transforms", "A is a stencil with a constant coefficient and no obstacles"),
        ((Stencil(GRID, ["periodic", ("neumann", "dirichlet")], a=3 * np.ones(GRID.shape)), B), "fast_transforms", ""),
        ((Stencil(GRID, c=np.ones(GRID.shape)), B), "fast_transforms", ""),
        ((Stencil(GRID, c=B**2), B), "learned_multigrid", ""),
        ((OBSTACLES, B * OBSTACLES.fluid.numpy()), "learned_multigrid", ""),
        ((Stencil(Grid((50,)), a=1 + np.arange(50.0)), np.ones(50)), "geometric_multigrid", "in one dimension"),
        ((-MATRIX, B.ravel()), "minres", "a diagonal that is not positive"),
        ((MATRIX * (1 + 0j), B.ravel()), "jacobi", "A is complex"),
        ((torch.from_numpy(np.diag(np.arange(1.0, 9))), torch.ones(8, dtype=torch.float64)), "jacobi", "a tensor"),
        ((lambda x: 2 * x, np.ones(5)), "cg", "A is known by its products alone"),
        ((LinearOperator((5, 5), lambda x: 2 * x, dtype=float), np.ones(5)), "cg", "products alone"),
    ],
)
def test_the_method_that_suits(problem, method, why):
    found = opforge.solve(problem)
    assert found.converged and found.residual <= 1e-8
    assert found.method == method and why in found.why
    assert repr(found).startswith(f"Solution({method}: converged after {found.iterations} iterations, relative")
    assert found.info == 0 and min(found.seconds) >= 0 and found.seconds[1] > 0


def test_large_matrices():
    grid = Grid((60, 60))
    matrix = Stencil(grid).matrix()
    found = opforge.solve((matrix, np.ones(3600)))
    assert found.method == "ruge_stuben" and "with grid= faster methods are at hand" in found.why
    assert opforge.solve(LinearProblem(matrix, np.ones(3600), grid)).method == "fast_transforms"
    squares = matrix @ matrix  # has positive entries beside its diagonal
    found = opforge.solve(LinearProblem(squares, np.ones(3600), grid), rtol=1e-6)
    assert found.method == "jacobi" and found.converged
    moved = np.roll(np.arange(3600), 1)
    found = opforge.solve(LinearProblem(matrix[moved][:, moved], np.ones(3600), grid))
    assert found.method == "ruge_stuben" and "it is no stencil on the grid: A must couple neighbouring" in found.why


def test_a_five_point_matrix_on_nodes_is_not_taken_for_one_on_cells():
    """u = 0 is a whole spacing away there: the sine transforms of cells would not be its inverse."""
    line = scipy.sparse.diags_array([np.full(60, 2.0), np.full(59, -1.0), np.full(59, -1.0)], offsets=[0, 1, -1])
    one = scipy.sparse.eye_array(60)
    matrix = (scipy.sparse.kron(line, one) + scipy.sparse.kron(one, line)).tocsr()
    found = opforge.solve(LinearProblem(matrix, np.ones(3600), Grid((60, 60))))
    assert (found.method, found.converged) == ("learned_multigrid", True) and found.iterations <= 9


@pytest.mark.parametrize(
    "b",
    [
        B,
        B.ravel(),
        B[None],
        np.stack([B, 2 * B]),
        torch.from_numpy(B),
        torch.from_numpy(np.stack([B, -B])),
        B.astype("f4"),
    ],
    ids=lambda b: f"{type(b).__name__}{tuple(b.shape)}{b.dtype}",
)
@pytest.mark.parametrize("method", ["auto", "direct", "ruge_stuben", "jacobi"])
def test_forms_of_the_right_hand_side(b, method):
    found = opforge.solve((A, b), method, rtol=1e-9)
    assert type(found.x) is type(b) and tuple(found.x.shape) == tuple(b.shape)
    many = tuple(b.shape) not in (GRID.shape, (GRID.size,))
    factors = [1.0] if len(b) == 1 or not many else [1.0, 2.0 if isinstance(b, np.ndarray) else -1.0]
    for x, factor in zip(np.asarray(found.x).reshape(-1, *GRID.shape), factors, strict=True):
        close(x, factor * X, 1e-4 if b.dtype == np.float32 else 1e-6)
    assert (found.iterations_each is not None) == (many and not (len(b) == 1 and method == "ruge_stuben"))


@pytest.mark.parametrize("method", ["auto", "direct", "ruge_stuben", "multigrid_2d"])
def test_columns_of_a_matrix_on_a_grid(method):
    b = np.stack([B.ravel(), 3 * B.ravel()], 1)
    found = opforge.solve(LinearProblem(MATRIX, b, GRID), method)
    assert found.x.shape == (1440, 2)
    close(found.x, np.stack([X.ravel(), 3 * X.ravel()], 1))
    assert found.iterations_each.shape == (2,)


@pytest.mark.parametrize(
    "method",
    [
        *("direct", "cg", "minres", "jacobi", "ssor", "incomplete_cholesky", "ruge_stuben", "smoothed_aggregation"),
        *("geometric_multigrid", "fast_transforms", "learned_multigrid", "multigrid_2d"),
    ],
)
def test_methods_by_name(method):
    if method == "incomplete_cholesky":
        pytest.importorskip("numba")
    found = opforge.solve((A, B), method, rtol=1e-10)
    assert found.method == method and found.converged
    close(found.x, X)


def test_methods_as_objects():
    close(opforge.solve((A, B), load("multigrid_2d")).x, X)
    close(opforge.solve((A, B), geometric_multigrid(A)).x, X)
    found = opforge.solve((OBSTACLES, B * OBSTACLES.fluid.numpy()), load("dcdm_2d"), rtol=1e-6)
    assert found.converged and 2 <= found.iterations <= 8
    assert opforge.solve((OBSTACLES, B * OBSTACLES.fluid.numpy()), "dcdm", rtol=1e-6).iterations == found.iterations


def test_first_guesses_and_callbacks():
    seen = []
    cold = opforge.solve((A, B), callback=lambda x: seen.append(x.shape))
    warm = opforge.solve((A, B), x0=X)
    assert len(seen) == cold.iterations and set(seen) == {GRID.shape}
    assert warm.iterations == 0
    guess = X + 1e-3 * np.abs(X).max() * B
    close(opforge.solve((A, B), "ruge_stuben", x0=guess).x, X)
    with pytest.raises(InputError, match=r"x0 must have the shape of b, \(40, 36\), got \(1440,\)"):
        opforge.solve((A, B), x0=X.ravel())


# --- preconditioners that make things worse ------------------------------------------------------------------------


def scrambled(r):
    """Positive definite, but not symmetric."""
    return r + 5 * (np.roll(r, 7) - np.roll(r, -7))


def lopsided(r):
    """Symmetric and positive definite, and far from the inverse."""
    return r * MATRIX.diagonal() ** 3


@pytest.mark.parametrize("M", [scrambled, lopsided])
def test_one_that_is_worse_than_the_diagonal_is_noticed(M):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = opforge.solve((MATRIX, B.ravel()), M, maxiter=60)
    assert not found.converged and found.method == "function" and found.iterations == 60
    told = [str(each.message) for each in seen if each.category is PreconditionerWarning]
    assert len(told) == 1
    words = (
        r"function makes things worse: after 40 iterations the relative residual is \S+ with it and \S+ with the diag"
    )
    assert re.match(words, told[0]) and told[0].endswith("fallback= names a method that takes over")
    assert sum(each.category is ConvergenceWarning for each in seen) == 1


@pytest.mark.parametrize("M", [scrambled, lopsided])
def test_another_method_takes_over_when_asked(M):
    steps = []
    with pytest.warns(PreconditionerWarning, match=r"function makes things worse: .*; ruge_stuben goes on from there"):
        found = opforge.solve((MATRIX, B.ravel()), M, fallback="ruge_stuben", callback=lambda x: steps.append(1))
    assert found.converged and found.method == "function, then ruge_stuben"
    assert "after 40 iterations the relative residual" in found.why
    assert 41 < found.iterations < 60 and len(found.residuals) == found.iterations + 1 == len(steps) + 1
    close(found.x.reshape(GRID.shape), X)


def test_one_that_is_not_definite():
    with pytest.warns(PreconditionerWarning, match="it broke down after 1 iterations, M is not positive definite"):
        found = opforge.solve((MATRIX, B.ravel()), lambda r: -r, fallback="direct")
    assert found.converged and found.method == "function, then direct"
    close(found.x.reshape(GRID.shape), X)
    with pytest.warns(PreconditionerWarning, match="; fallback= names a method"):
        assert opforge.solve((MATRIX, B.ravel()), lambda r: np.nan * r).info == -1


def test_nothing_is_said_of_good_ones_and_slow_ones_that_help():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calls = []
        slow = opforge.solve((MATRIX, B.ravel()), "ssor", callback=lambda x: calls.append(1), fallback="direct")
        assert slow.iterations > 40 and slow.method == "ssor" and len(calls) == slow.iterations
        assert opforge.solve((A, B), fallback="direct").method == "learned_multigrid"


def test_a_few_iterations_that_are_not_enough():
    with pytest.warns(PreconditionerWarning, match="the tolerance was not reached, maxiter=3 was reached"):
        found = opforge.solve((A, B), maxiter=3, fallback="direct")
    assert found.converged and found.method == "learned_multigrid, then direct"


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "method", "message"),
    [
        ((MATRIX[:, :-1], B.ravel()), "auto", r"A must be square, got shape \(1440, 1439\)"),
        ((MATRIX, B.ravel()[:-1]), "direct", r"b must have the shape \(1440,\) or \(1440, systems\)"),
        ((MATRIX, B.ravel()[:-1]), "ruge_stuben", r"b must have the shape \(1440,\) or \(1440, systems\)"),
        ((A, B[:-1]), "auto", r"b must have the shape \(1440,\), \(40, 36\) or \(batch, \*\(40, 36\)\)"),
        ((A, B * np.nan), "auto", "b must be finite, got NaN"),
        ((MATRIX, B.ravel() * np.inf), "direct", "b must be finite, got NaN or infinite"),
        ((MATRIX, B.ravel() * np.nan), "cg", "b must be finite"),
        ((MATRIX * np.nan, B.ravel()), "auto", "A must be finite, got NaN"),
        ((A, ["x"]), "auto", "b must be an array of numbers"),
        ((A, B + 1j), "auto", "b must be real for a stencil"),
        (
            (upwind(), np.ones(60)),
            "auto",
            r"A must be symmetric \(Hermitian\), got entries .* by 1\.5; take method='dir",
        ),
        ((scipy.sparse.csr_array((4, 4)), np.ones(4)), "direct", "A must not be singular for method='direct'"),
        ((MATRIX, B.ravel()), "learned_multigrid", r"to know where the unknowns are: give LinearProblem\(A, b, grid"),
        ((lambda x: x, np.ones(4)), "ssor", "A must be a matrix for method='ssor', got function"),
        ((lambda x: x, np.ones(4)), "multigrid_2d", "A must be a Stencil or a matrix for method='multigrid_2d'"),
        ((A, B), "multigrid_3d", "A must have 3 dimensions, for which the preconditioner was trained, got 2"),
        ((A, B), "dcdm", "A must have a constant coefficient"),
        ((A, B), 3, "method must be a name or a preconditioner, got 3"),
        (A, "auto", r"problem must be a LinearProblem or a pair \(A, b\), got Stencil"),
        ((Stencil(GRID, "neumann"), B + 1), "auto", "b must have the mean 0 in every region of cells"),
    ],
)
def test_what_is_refused(problem, method, message):
    with pytest.raises(InputError, match=message):
        opforge.solve(problem, method)


def test_names_that_are_none():
    with pytest.raises(UnknownNameError, match=r"unknown method 'rouge_stuben'; did you mean 'ruge_stuben'\?"):
        opforge.solve((A, B), "rouge_stuben")
    with pytest.raises(UnknownNameError, match="unknown method"):  # before any work
        opforge.solve((A, B), fallback="none")


def test_matrices_on_another_grid():
    with pytest.raises(InputError, match="A must couple neighbouring cells of the grid alone"):
        opforge.solve(LinearProblem(MATRIX, B.ravel(), Grid((36, 40))), "learned_multigrid")


def test_boundaries_that_were_not_trained():
    learned = load("multigrid_2d")
    learned.boundaries = ("dirichlet",)
    walls = Stencil(GRID, "neumann", a=np.exp(B))
    for attempt in (lambda: opforge.solve((walls, B - B.mean()), learned), lambda: learned.aspreconditioner(walls)):
        with pytest.raises(InputError, match=r"boundary of A must be of dirichlet, for which .* trained, got neumann"):
            attempt()


def test_regions_without_cells_are_refused_when_the_operator_is_made():
    with pytest.raises(InputError, match="solid must leave some cells of fluid"):
        Stencil(GRID, solid=np.ones(GRID.shape))


def test_files_that_are_no_weights(tmp_path):
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(InputError, match=r"m\.json must say a kind that is known, multigrid or directions, got None"):
        opforge.solve((A, B), str(tmp_path / "m"))


def test_an_indefinite_matrix_is_named_by_cg():
    indefinite = scipy.sparse.diags_array(np.linspace(-1, 2, 50)).tocsr()
    assert opforge.solve((indefinite, np.ones(50))).method == "minres"
    with pytest.warns(ConvergenceWarning, match="A is not positive definite"):
        assert opforge.solve((indefinite, np.ones(50)), "cg").info == -1
    with pytest.warns(ConvergenceWarning, match="A is not positive definite"):
        assert cg(indefinite, np.ones(50)).info == -1
