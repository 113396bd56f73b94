"""What all Krylov methods promise: scipy's behaviour, every kind of array, many systems, honesty, clear refusals."""

import inspect
import warnings

import numpy as np
import pyamg
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch

from opforge.errors import InputError
from opforge.solvers import ConvergenceWarning, SingularWarning, cg, dcdm, fcg, minres

METHODS = [cg, fcg, dcdm, minres]
every = pytest.mark.parametrize("solve", METHODS)


def poisson(n, ndim=2):
    """The matrix of −Δ_h with Dirichlet conditions, times h²."""
    one = scipy.sparse.diags_array([-np.ones(n - 1), np.full(n, 2.0), -np.ones(n - 1)], offsets=[-1, 0, 1])
    A = one
    for _ in range(ndim - 1):
        A = scipy.sparse.kronsum(A, one)
    return scipy.sparse.csr_array(A)


def five_points(u):
    """The same as a function of fields (batch, n, n), numpy or torch."""
    padded = torch.constant_pad_nd(u, (1, 1, 1, 1)) if torch.is_tensor(u) else np.pad(u, ((0, 0), (1, 1), (1, 1)))
    inner = slice(1, -1)
    around = padded[:, :-2, inner] + padded[:, 2:, inner] + padded[:, inner, :-2] + padded[:, inner, 2:]
    return 4 * u - around


def right(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def relative(A, b, x):
    return np.linalg.norm(b - A @ x) / np.linalg.norm(b)


def random_definite(n, seed, complex_=False):
    rng = np.random.default_rng(seed)
    B = rng.random((n, n)) + (1j * rng.random((n, n)) if complex_ else 0)
    return B @ B.conj().T


# --- the behaviour of scipy's and pyamg's --------------------------------------------------------------------------

DEFINITE = {
    "poisson 1-D": poisson(40, 1),
    "poisson 2-D": poisson(16),
    "random": random_definite(9, 1234),
    "complex": random_definite(9, 1234, complex_=True),
    "diagonal": np.diag(np.arange(1.0, 11)),
}


@pytest.mark.parametrize("name", DEFINITE)
@every
def test_convergence(solve, name):
    A = DEFINITE[name]
    b, rtol = np.arange(A.shape[0], dtype=float), 1e-8
    for start in (None, 0 * b, b):
        result = solve(A, b, start, rtol=rtol, M=np.eye(A.shape[0]))
        x, info = result
        assert info == 0 and relative(A, b, x) <= rtol
        assert result.residual == pytest.approx(relative(A, b, x), rel=1e-6, abs=1e-15)
        assert len(result.residuals) == result.iterations + 1
    np.testing.assert_array_equal(b, np.arange(A.shape[0]))  # neither b nor a start that is b is written to


@every
def test_takes_scipys_arguments(solve):
    assert list(inspect.signature(solve).parameters) == list(inspect.signature(cg).parameters)
    assert inspect.signature(scipy.sparse.linalg.cg).parameters.keys() == inspect.signature(cg).parameters.keys()


@every
def test_maxiter_is_kept_and_info_tells(solve):
    A, b, seen = poisson(40, 1), right(40), []
    with pytest.warns(ConvergenceWarning, match="NOT converged after 3 iterations, .*: maxiter=3 was reached") as notes:
        result = solve(A, b, rtol=1e-12, maxiter=3, callback=seen.append)
    assert len(notes) == 1 and notes[0].filename == __file__
    assert result.info == 3 and result.iterations == 3 and len(seen) == 3 and not result.converged
    assert repr(result).startswith("SolveResult(NOT converged after 3 iterations")
    assert result.residual == pytest.approx(relative(A, b, result.x))
    np.testing.assert_array_equal(seen[-1], result.x)
    assert not np.array_equal(seen[0], seen[1])  # copies


@every
def test_a_solution_is_its_own_start(solve):
    A = poisson(12)
    x = right(144)
    result = solve(A, A @ x, x)
    assert (result.info, result.iterations) == (0, 0)
    np.testing.assert_array_equal(result.x, x)
    assert result.x is not x


@every
def test_starts_at_Mb(solve):
    A, b = poisson(8), right(64)
    M = np.linalg.inv(A.toarray())
    assert solve(A, b, "Mb", M=M).iterations == 0
    with pytest.raises(InputError, match="x0 must have numbers"):
        solve(A, b, "bM", M=M)


@every
def test_zero_gives_zero_at_once(solve):
    A = random_definite(10, 0)
    for start in (None, np.ones(10)):
        result = solve(A, np.zeros(10), start)
        assert result.info == 0 and result.iterations == 0
        np.testing.assert_array_equal(result.x, np.zeros(10))


@every
def test_tolerances_of_any_size(solve):
    rng = np.random.default_rng(168441431005389)
    A = rng.uniform(size=(10, 10))
    A = A @ A.T + 10 * np.eye(10)
    b = 1e3 * rng.uniform(size=10)
    B = rng.standard_normal((10, 10))
    for M in (None, 1e-6 * B @ B.T, 1e6 * B @ B.T):
        for rtol, atol in ((0, 1e-6), (1e-9, 0), (1e-3, 1.0), (1e2, 0), (0, np.inf), (np.inf, 1e-9)):
            x, info = solve(A, b, M=M, rtol=rtol, atol=atol)
            assert info == 0
            assert np.linalg.norm(b - A @ x) <= max(atol, rtol * np.linalg.norm(b))


@every
def test_an_exact_preconditioner_needs_one_iteration_and_few_products(solve):
    A, count = poisson(10), 0
    factors = scipy.sparse.linalg.splu(A.tocsc())

    def times(x):
        nonlocal count
        count += 1
        return A @ x

    result = solve(
        scipy.sparse.linalg.LinearOperator(A.shape, matvec=times, dtype=float), right(100), rtol=1e-8, M=factors.solve
    )
    # one product tells about A, one is the iteration's, one the residual's
    assert result.iterations == 1 and count <= 3


@every
def test_columns_as_scipy_takes_one(solve):
    A, b = poisson(6), right(36, 1)
    assert solve(A, b, b).x.shape == (36,)


@every
def test_in_single_precision(solve):
    A, b = poisson(40, 1).astype("f"), right(40).astype("f")
    result = solve(A, b, rtol=1e-4)
    assert result.x.dtype == np.float32 and result.info == 0 and relative(A, b, result.x) <= 1.01e-4


@every
def test_whole_numbers(solve):
    x, info = solve(np.diag([1, 2, 4]), [1, 2, 4], rtol=1e-12)
    assert info == 0
    np.testing.assert_allclose(x, np.ones(3), rtol=1e-12)


@every
def test_multigrid_of_pyamg_and_a_diagonal(solve):
    A, b = poisson(30), right(900)
    plain = solve(A, b, rtol=1e-8).iterations
    multigrid = pyamg.ruge_stuben_solver(A).aspreconditioner()
    assert 3 <= solve(A, b, rtol=1e-8, M=multigrid).iterations <= 10 < 60 < plain


# --- every kind of array -------------------------------------------------------------------------------------------


@every
def test_all_kinds_of_matrices_give_the_same_iterates(solve):
    A, b = poisson(12), right(144)
    options = {"rtol": 1e-9}
    expected = solve(A, b, **options)
    as_numpy = [A.toarray(), scipy.sparse.linalg.aslinearoperator(A), A.tocsc(), scipy.sparse.csr_matrix(A)]
    for matrix in (*as_numpy, lambda x: A @ x):
        result = solve(matrix, b, **options)
        assert result.iterations == expected.iterations
        np.testing.assert_allclose(result.x, expected.x, rtol=0, atol=1e-9)
    dense = torch.from_numpy(A.toarray())
    for matrix in (dense, dense.to_sparse(), lambda x: dense @ x):
        result = solve(matrix, torch.from_numpy(b), **options)
        assert isinstance(result.x, torch.Tensor) and result.iterations == expected.iterations
        np.testing.assert_allclose(result.x.numpy(), expected.x, rtol=0, atol=1e-9)


@every
@pytest.mark.parametrize("as_array", [torch.from_numpy, np.asarray])
def test_every_system_of_a_batch_stops_by_itself(solve, as_array):
    x = np.arange(1, 13) / 13 * np.pi
    easy = np.sin(x)[:, None] * np.sin(x)  # an eigenvector: one iteration
    b = np.stack([right(12, 12), easy, 0 * easy, 1e3 * right(12, 12, seed=1)])
    result = solve(five_points, as_array(b), rtol=1e-9)
    assert result.converged and result.residuals.shape == (result.iterations + 1, 4)
    assert result.iterations_each[1] == 1 and result.iterations_each[2] == 0
    for number in range(4):
        alone = solve(five_points, as_array(b[number : number + 1]), rtol=1e-9)
        assert abs(alone.iterations - result.iterations_each[number]) <= 1
        np.testing.assert_allclose(
            np.asarray(result.x[number]), np.asarray(alone.x[0]), rtol=0, atol=1e-7 * np.abs(b[number]).max()
        )
    # stopped systems stay as they are
    assert len(np.unique(result.residuals[1:, 1])) == 1


@every
def test_columns_and_stacks_of_matrices(solve):
    A, b = random_definite(12, 3) + np.eye(12), right(12, 3)
    columns = solve(A, b, rtol=1e-10, M=lambda r: r / np.diag(A))
    assert columns.x.shape == (12, 3) and columns.iterations_each.shape == (3,)
    np.testing.assert_allclose(columns.x, np.linalg.solve(A, b), rtol=1e-7)
    matrices = np.stack([A, A + np.eye(12), 5 * A])
    stack = solve(torch.from_numpy(matrices), torch.from_numpy(b.T.copy()), rtol=1e-10)
    np.testing.assert_allclose(stack.x.numpy(), np.linalg.solve(matrices, b.T[..., None])[..., 0], rtol=1e-7)


@every
def test_complex_hermitian(solve):
    A, b = random_definite(9, 5, complex_=True) + np.eye(9), right(9) + 1j * right(9, seed=1)
    for matrix, vector in ((A, b), (torch.from_numpy(A), torch.from_numpy(b)), (A, b.real)):
        result = solve(matrix, vector, rtol=1e-9)
        assert result.info == 0
        np.testing.assert_allclose(A @ np.asarray(result.x), np.asarray(vector), rtol=0, atol=1e-7)


@every
@pytest.mark.parametrize("scale", [1.0, 1e-60])
def test_double_precision_with_a_preconditioner_in_single(solve, scale):
    A, b = poisson(16), scale * right(256)
    A = A + scipy.sparse.diags_array(np.linspace(0, 50, 256))
    exact, seen = np.linalg.inv(A.toarray()), set()

    class Single:
        dtype = np.float32

        def __call__(self, r):
            seen.add(r.dtype)
            assert 0.9 < np.linalg.norm(r) < 1.1 or not r.any()
            return exact.astype(np.float32) @ r

    result = solve(A, b, rtol=1e-12, M=Single())
    assert seen == {np.dtype(np.float32)} and result.x.dtype == np.float64
    assert 2 <= result.iterations <= 5 and relative(A, b, result.x) <= 1e-12
    single = torch.from_numpy(exact).float()
    tensors = solve(torch.from_numpy(A.toarray()), torch.from_numpy(b), rtol=1e-12, M=single)
    assert tensors.x.dtype == torch.float64 and 2 <= tensors.iterations <= 5


@every
def test_a_function_that_says_its_space_takes_single_fields(solve):
    class Stencil:
        space = (12, 12)

        def __call__(self, u):
            return five_points(u)

    b = right(12, 12)
    single, batch = solve(Stencil(), b, rtol=1e-9), solve(five_points, b[None], rtol=1e-9)
    assert single.x.shape == (12, 12) and single.residuals.ndim == 1
    np.testing.assert_array_equal(single.x, batch.x[0])
    with pytest.raises(InputError, match=r"b must have the shape \(12, 12\) or .*, got \(12, 13\)"):
        solve(Stencil(), right(12, 13))


# --- honesty -------------------------------------------------------------------------------------------------------


@every
def test_rounding_is_noticed(solve):
    A, b = poisson(20), right(400)
    with pytest.warns(ConvergenceWarning, match="rounding keeps the residual from becoming smaller; raise rtol|not be"):
        result = solve(A, b, rtol=1e-17, maxiter=3000)
    assert 1e-17 < result.residual < 1e-13 and 0 < result.info < 3000


@every
def test_residuals_are_the_true_ones(solve):
    """With a bad scaling, recurrences claim what is not so."""
    scales = 10.0 ** np.linspace(0, 5, 60)
    A = np.diag(scales) @ (random_definite(60, 2) + np.eye(60)) @ np.diag(scales)
    b = right(60)
    with warnings.catch_warnings(record=True):
        result = solve(A, b, rtol=1e-9, maxiter=4000, M=np.diag(1 / np.diag(A)))
    assert result.residual == pytest.approx(relative(A, b, result.x), rel=1e-6)
    assert result.converged == (relative(A, b, result.x) <= 1e-9)


@every
def test_nan_on_the_way_breaks_down_and_keeps_x(solve):
    A, count = poisson(12), 0

    def sometimes(x):
        nonlocal count
        count += 1
        return A @ x * (np.nan if count == 8 else 1.0)

    with pytest.warns(ConvergenceWarning, match="not finite"):
        result = solve(sometimes, right(144), rtol=1e-9)
    assert result.info == -1 and result.breakdown and np.all(np.isfinite(result.x)) and result.residual < 1


@every
def test_a_broken_system_leaves_the_others_alone(solve):
    def broken(r):
        z = r.copy()
        z[1] *= np.nan
        return z

    b = right(3, 8, 8)
    with pytest.warns(ConvergenceWarning, match="1 of 3 systems, the first of them number 1: "):
        result = solve(five_points, b, M=broken, rtol=1e-9)
    assert result.converged_each.tolist() == [True, False, True] and result.info == -1
    assert np.all(np.isfinite(result.x)) and np.all(np.isfinite(result.residuals))


@every
def test_it_carries_no_gradients_and_needs_none_of_M(solve):
    diagonal = torch.full((1, 8, 8), 0.25, dtype=torch.float64, requires_grad=True)
    b = torch.from_numpy(right(1, 8, 8))
    assert not solve(five_points, b, M=lambda r: diagonal * r).x.requires_grad
    with pytest.raises(InputError, match=r"b must not require gradients, .*detach"):
        solve(five_points, b.requires_grad_())


# --- singular systems ----------------------------------------------------------------------------------------------


def neumann(u):
    """−Δ_h of (batch, n, n) with nothing through the boundary, a = 1 + x² or so: constants become rounding."""
    total = 0 * u
    for axis in (1, 2):
        k = (1 + np.linspace(0, 1, u.shape[axis] - 1) ** 2).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
        flux = k * np.diff(u, axis=axis)
        total -= np.diff(flux, axis=axis, prepend=0, append=0)
    return 3.1e5 * total


@every
@pytest.mark.parametrize("M", [None, lambda r: r * (1 + np.arange(12)) / 12])
def test_constants_are_taken_out(solve, M):
    b = right(2, 12, 12)
    b -= b.mean((1, 2), keepdims=True)
    with pytest.warns(SingularWarning, match="A takes constants to 0") as notes:
        result = solve(neumann, b, np.full((2, 12, 12), 3.0), rtol=1e-9, M=M)
    assert len(notes) == 1 and notes[0].filename == __file__
    assert result.converged
    np.testing.assert_allclose(result.x.mean((1, 2)), 3.0, rtol=1e-12)
    np.testing.assert_allclose(neumann(result.x), b, rtol=0, atol=1e-7)
    with pytest.raises(InputError, match=r"b must have the mean 0, for A takes constants .* is 1\.[0-2]e-01 of it"):
        solve(neumann, b + 0.1 * np.sqrt(np.mean(b**2)), M=M)


@every
def test_a_small_reaction_is_no_singular_system(solve):
    b = 1 + right(1, 12, 12)
    result = solve(lambda u: neumann(u) + 1e-3 * 3.1e5 * u, b, rtol=1e-9)  # no warning
    assert result.converged and abs(result.x.mean() - b.mean() / 310) < 1e-9


# --- refusals ------------------------------------------------------------------------------------------------------

A_GOOD, B_GOOD = np.eye(4), np.ones(4)
REFUSED = [
    (dict(A=np.ones((4, 3))), r"A must be square, got shape \(4, 3\)"),
    (dict(A="four"), "A must be a square matrix, a LinearOperator or a function, got str"),
    (dict(A=np.ones(4)), r"A must be a matrix, got an array of shape \(4,\)"),
    (dict(A=np.full((4, 4), np.nan)), "A must be finite, got NaN"),
    (dict(A=lambda x: x[:2]), r"A must give an array like the one that it takes, of shape \(4,\), got \(2,\)"),
    (dict(b=np.ones(3)), r"b must have the shape \(4,\) or \(4, systems\) for the matrix A \(4, 4\), got \(3,\)"),
    (dict(b=np.ones((1, 4))), r"b must have the shape \(4,\)"),
    (dict(b=np.array([1, np.nan, 0, 0])), "b must be finite, got NaN"),
    (dict(b=np.array(["a"] * 4)), "b must have numbers of single or double precision"),
    (dict(b=np.ones(4, np.float16)), "b must have numbers of single or double precision, got float16"),
    (dict(b=np.full(4, 1e200)), "b must not be so large that its squares overflow"),
    (dict(b=np.full(4, 1e-200)), "b must not be so small that squares of residuals vanish"),
    (dict(b=torch.ones(4)), "A and b must be of one kind, got A as one of numpy or scipy, b as a torch tensor"),
    (dict(A=torch.eye(4), b=torch.ones(4).double()), "A and b must have the same precision"),
    (dict(A=lambda u: u - np.roll(u, 1, 0), b=np.ones((4, 4))), r"give a single field as b\[None\]"),
    (dict(x0=np.ones(3)), r"x0 must have the shape of the solution, \(4,\), got \(3,\)"),
    (dict(x0=np.full(4, np.inf)), "x0 must be finite"),
    (dict(x0=1j * np.ones(4)), "x0 must be real"),
    (dict(x0=torch.ones(4)), "x0 must be of the kind of b"),
    (dict(rtol=-1e-5), "rtol must be a number of at least 0, got -1e-05"),
    (dict(rtol=np.nan), "rtol must be a number of at least 0, got nan"),
    (dict(atol="legacy"), "atol must be a number of at least 0, got 'legacy'"),
    (dict(maxiter=0), "maxiter must be a whole number of at least 1, got 0"),
    (dict(maxiter=2.5), "maxiter must be a whole number of at least 1, got 2.5"),
    (dict(M=np.eye(3)), r"M must have the shape \(4, 4\) of A, got \(3, 3\)"),
    (dict(M=3.0), "M must be a matrix, a LinearOperator or a function, got float"),
    (dict(M=torch.eye(4)), "M must be of the kind of b"),
    (dict(M=lambda r: r[:2]), r"M must give an array like the residual, of shape \(4,\), got \(2,\)"),
    (dict(callback=1), "callback must be a function"),
]


@every
@pytest.mark.parametrize(("wrong", "text"), REFUSED, ids=[text[:40] for _, text in REFUSED])
def test_refusals(solve, wrong, text):
    given = {"A": A_GOOD, "b": B_GOOD, **wrong}
    with pytest.raises(InputError, match=text):
        solve(given.pop("A"), given.pop("b"), **given)
