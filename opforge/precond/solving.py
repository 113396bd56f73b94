"""Solving a linear system by the method that suits it, or by one that is named."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.precond._direct import direct
from opforge.precond._forms import columns_of, fields_of
from opforge.precond._methods import Method, method_of
from opforge.precond.problem import LinearProblem
from opforge.solvers import ConvergenceWarning, PreconditionerWarning, SolveResult, Stencil, jacobi

# Iterations after which a preconditioner that has not led to the tolerance is compared with the diagonal.
LOOK = 40

# With these nothing is to be compared.
_PLAIN = ("cg", "minres", "jacobi", "direct")


@dataclass(frozen=True, repr=False)
class Solution(SolveResult):
    """A `SolveResult` that says how it was found.

    Args:
        method: the name; of two methods, if the second had to take over.
        why: it was chosen.
        seconds: that the set-up and the solution took.
    """

    method: str = ""
    why: str = ""
    seconds: tuple[float, float] = (0.0, 0.0)

    def __repr__(self) -> str:
        return f"Solution({self.method}: {super().__repr__()[len('SolveResult(') :]}"


def solve(
    problem: LinearProblem | tuple[Any, Any],
    method: Any = "auto",
    *,
    x0: Any = None,
    rtol: float = 1e-8,
    atol: float = 0.0,
    maxiter: int | None = None,
    fallback: Any = None,
    callback: Callable[[Any], None] | None = None,
) -> Solution:
    """Solve A x = b to ‖b − A x‖ <= max(rtol ‖b‖, atol), and say by which method.

    ``"auto"`` takes the first line that holds:

    ===========================================================  =====================
    A                                                            method
    ===========================================================  =====================
    a stencil (`Stencil`, or a matrix that is one on the grid),
    - constant coefficient, no obstacles                         fast_transforms
    - in one dimension                                           geometric_multigrid
    - in two and three                                           learned_multigrid
    a matrix whose diagonal is not positive                      minres
    a complex matrix, a tensor                                   jacobi
    a matrix of at most 3000 unknowns                            direct
    a matrix with positive entries beside its diagonal           jacobi
    another matrix                                               ruge_stuben
    a function, a ``LinearOperator``                             cg
    ===========================================================  =====================

    Others by name: ``ssor``, ``incomplete_cholesky``, ``smoothed_aggregation``, ``dcdm``; see `opforge.solvers`.

    **Preconditioners that make things worse** are noticed: by a breakdown, by no convergence, and where 40 iterations
    have left a larger residual than as many with the diagonal alone. A `PreconditionerWarning` says so; with
    ``fallback`` that method goes on from there.

    Args:
        problem: A and b, as a `LinearProblem` or a pair.
        method: a name; one of a learned preconditioner (`pretrained`) or a path to one; what `load` gives; or a
            preconditioner for `opforge.solvers.cg`.
        x0: where to start, of b's shape; 0 unless given.
        rtol, atol: tolerances.
        maxiter: most iterations.
        fallback: a method that takes over from a preconditioner that makes things worse.
        callback: is called with x after every iteration.

    Returns:
        The solution, of b's kind and shape, with ``method``, ``why`` and ``seconds``; unpacks as ``x, info``.

    Warns:
        ConvergenceWarning, SingularWarning: see `opforge.solvers.cg`.
        PreconditionerWarning: see above.

    Raises:
        InputError: A that is not square, not symmetric or not finite; b of another shape or not finite; methods that do
            not go with A; what the methods refuse.

    Example:
        >>> from opforge.core import Grid
        >>> from opforge.precond import random_system
        >>> A = random_system("contrast 100", Grid((64, 64)), seed=20)
        >>> solution = solve((A, np.ones((64, 64))))
        >>> solution.method, solution.converged, solution.iterations < 16
        ('learned_multigrid', True, True)
        >>> solve((A.matrix(), np.ones(4096))).method  # which does not say where the unknowns are
        'ruge_stuben'
    """
    problem = _checked(problem)
    first = method_of(method, problem)
    second = None if fallback is None else method_of(fallback, problem)
    work = _Work(problem, float(rtol), float(atol), maxiter, callback)
    if first.name in _PLAIN or first.iterate is None:
        return work.solution(first, x0)
    found, trouble = work.watched(first, x0, second is not None)
    if not trouble:
        return found
    goes_on = f"; {second.name} goes on from there" if second else "; fallback= names a method that takes over"
    warnings.warn(f"{first.name} makes things worse: {trouble}{goes_on}", PreconditionerWarning, stacklevel=2)
    if second is None:
        return found
    start = found.x if np.isfinite(found.residual) and found.residual < 1 else x0
    return _joined(found, work.solution(second, start), trouble)


def _checked(problem: Any) -> LinearProblem:
    if not isinstance(problem, LinearProblem):
        if not (isinstance(problem, tuple | list) and len(problem) == 2):
            raise InputError(f"problem must be a LinearProblem or a pair (A, b), got {type(problem).__name__}")
        problem = LinearProblem(*problem)
    b: Any = problem.b if is_torch(problem.b) else np.asarray(problem.b)
    if not b.ndim or b.dtype == object or (not is_torch(b) and b.dtype.kind not in "biufc"):
        raise InputError(f"b must be an array of numbers, got {problem.b!r:.60}")
    if isinstance(problem.A, Stencil) and not bool(np.isfinite(b.detach().cpu().numpy() if is_torch(b) else b).all()):
        raise InputError("b must be finite, got NaN or infinite numbers in it")
    return replace(problem, b=b)


class _Work:
    """A system with tolerances, for one method after the other."""

    def __init__(
        self, problem: LinearProblem, rtol: float, atol: float, maxiter: int | None, callback: Callable | None
    ):
        self._problem, self._maxiter, self._callback = problem, maxiter, callback
        self._tolerances = {"rtol": rtol, "atol": atol}

    def solution(self, method: Method, x0: Any) -> Solution:
        """By a method as it is."""
        return self._run(method, x0, self._maxiter, self._callback)

    def watched(self, method: Method, x0: Any, leave: bool) -> tuple[Solution, str]:
        """By a preconditioner that is looked at; and what is wrong with it, "" if nothing is.

        Args:
            method: with the preconditioner.
            x0: the start.
            leave: whether to leave off where it makes things worse.
        """
        most = LOOK if self._maxiter is None else min(LOOK, self._maxiter)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = self._run(method, x0, most, self._callback)
        if found.converged:
            return found, ""
        if found.breakdown:
            return found, f"it broke down after {found.iterations} iterations, {found.reason}"
        if self._maxiter is not None and self._maxiter <= LOOK:
            return found if leave else self._warned(found), f"the tolerance was not reached, {found.reason}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            plain = self._run(self._diagonal(), x0, LOOK, None)
        trouble = ""
        if not found.residual < plain.residual:
            trouble = (
                f"after {LOOK} iterations the relative residual is {found.residual:.1e} with it and "
                f"{plain.residual:.1e} with the diagonal alone"
            )
            if leave:
                return found, trouble
        with warnings.catch_warnings():
            if leave:
                warnings.simplefilter("ignore", ConvergenceWarning)
            whole = self._run(method, x0, self._maxiter, _skipping(self._callback, most))
        whole = replace(whole, seconds=(whole.seconds[0], whole.seconds[1] + found.seconds[1] + sum(plain.seconds)))
        if not trouble and not whole.converged:
            trouble = f"the tolerance was not reached, {whole.reason}"
        return whole, trouble

    def _warned(self, found: Solution) -> Solution:
        warnings.warn(f"{SolveResult.__repr__(found)}"[len("SolveResult(") : -1], ConvergenceWarning, stacklevel=4)
        return found

    def _diagonal(self) -> Method:
        A = self._problem.A
        known = isinstance(A, Stencil | np.ndarray) or hasattr(A, "tocsr") or (is_torch(A) and A.ndim == 2)
        return Method("jacobi", "", A, jacobi) if known else Method("cg", "", A)

    def _run(self, method: Method, x0: Any, maxiter: int | None, callback: Callable | None) -> Solution:
        A, b = method.A, self._problem.b
        there, back = columns_of(A, b) if method.assembled or not isinstance(A, Stencil) else fields_of(A, b)
        began = time.perf_counter()
        if method.assembled and isinstance(A, Stencil):
            A = A.matrix()
        right, start = there(b), None if x0 is None else there(_like(x0, b))
        told = None if callback is None else lambda x: callback(back(x))
        if method.iterate is None:
            result, ready = direct(A, right, **self._tolerances)
        else:
            M = None if method.make is None else method.make(A)
            ready = time.perf_counter()
            operator = getattr(M, "operator", A)
            result = method.iterate(operator, right, start, M=M, maxiter=maxiter, callback=told, **self._tolerances)
        known = {each.name: getattr(result, each.name) for each in fields(SolveResult)}
        known["x"] = back(result.x)
        seconds = (ready - began, time.perf_counter() - ready)
        return Solution(**known, method=method.name, why=method.why, seconds=seconds)


def _like(x0: Any, b: Any) -> Any:
    x0 = x0 if is_torch(x0) else np.asarray(x0)
    if tuple(x0.shape) != tuple(b.shape):
        raise InputError(f"x0 must have the shape of b, {tuple(b.shape)}, got {tuple(x0.shape)}")
    return x0


def _skipping(callback: Callable | None, count: int) -> Callable | None:
    """The callback without its first calls, which were made already."""
    if callback is None:
        return None
    calls = 0

    def later(x: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > count:
            callback(x)

    return later


def _joined(first: Solution, second: Solution, trouble: str) -> Solution:
    both = np.concatenate([first.residuals, second.residuals[1:]])
    return replace(
        second,
        iterations=first.iterations + second.iterations,
        residuals=both,
        iterations_each=None if second.iterations_each is None else first.iterations_each + second.iterations_each,
        method=f"{first.method}, then {second.method}",
        why=f"{first.why}; {trouble}",
        seconds=(first.seconds[0] + second.seconds[0], first.seconds[1] + second.seconds[1]),
    )
