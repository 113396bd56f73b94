"""What the Krylov methods are given: checked, and brought to one form for numpy, scipy and torch."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.solvers._floating import RegionMeans
from opforge.solvers.krylov._preconditioner import as_function
from opforge.solvers.krylov._vectors import Vectors, all_finite, copied, epsilon, ones_like, with_precision, zeros_like
from opforge.solvers.result import SingularWarning

# Squares of numbers beside these limits leave the range of float32 and float64 before the residual is small.
_LEAST = {"float32": 1e-12, "float64": 1e-139}


@dataclass
class System:
    """A x = b in one form: functions of arrays of one shape.

    Args:
        A, M: take and give arrays of ``b``'s shape.
        b: right-hand sides.
        x: where the iteration starts.
        vectors: the layout.
        tolerance: bound of ‖b − A x‖ for every system.
        maxiter: most iterations.
        callback: is called with x after every iteration, unless it is None.
        finish: brings x to the shape that the caller expects.
        preconditioned: whether M is something else than the identity.
    """

    A: Callable[[Any], Any]
    M: Callable[[Any], Any]
    b: Any
    x: Any
    vectors: Vectors
    tolerance: np.ndarray
    maxiter: int
    callback: Callable[[Any], Any] | None
    finish: Callable[[Any], Any]
    preconditioned: bool

    def residual(self, x: Any) -> Any:
        """b − A x from its definition."""
        return self.b - self.A(x)


def linear_system(
    A: Any, b: Any, x0: Any, M: Any, *, tolerances: tuple[Any, Any], maxiter: Any, callback: Any, most: int = 10
) -> System:
    """The system of a call; ``most`` times as many iterations as unknowns unless ``maxiter`` is given."""
    rtol, atol = (_tolerance(name, value) for name, value in zip(("rtol", "atol"), tolerances, strict=True))
    if callback is not None and not callable(callback):
        raise InputError(f"callback must be a function of the solution, got {callback!r}")
    b = _array("b", b)
    b, apply, vectors, finish = _layout(A, b)
    probe = apply(_random_like(b))
    b, probe = _one_precision(b, probe)
    size = vectors.host(vectors.norm(b))[0]
    _check_range(b, size, vectors)
    function = as_function(M, vectors, b)
    x = copied(function(b)) if isinstance(x0, str) and x0 == "Mb" else _start(x0, b, finish)
    system = System(
        A=apply,
        M=function,
        b=b,
        x=vectors.where(vectors.mask(size > 0), x, zeros_like(x)),
        vectors=vectors,
        tolerance=np.maximum(atol, rtol * size),
        maxiter=_maxiter(maxiter, most * vectors.size),
        callback=callback,
        finish=finish,
        preconditioned=M is not None,
    )
    regions = getattr(A, "floating", None)
    if regions is None:
        _take_constants_out(system, probe, size)
    else:
        _take_means_out(system, regions, size)
    return system


# --- what is given ------------------------------------------------------------------------------------------------


def _tolerance(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not number >= 0:
        raise InputError(f"{name} must be a number of at least 0, got {value!r}")
    return number


def _maxiter(value: Any, usual: int) -> int:
    if value is None:
        return usual
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if isinstance(value, bool) or number < 1:
        raise InputError(f"maxiter must be a whole number of at least 1, got {value!r}; leave it out for {usual}")
    return number


def _array(name: str, value: Any) -> Any:
    """A finite array of floating-point numbers; whole numbers become float64."""
    array: Any = value.detach() if is_torch(value) else np.asarray(value)
    if is_torch(value):
        import torch

        if value.requires_grad and torch.is_grad_enabled():
            raise InputError(f"{name} must not require gradients, which the iteration does not carry; detach() it")
        if not (array.is_floating_point() or array.is_complex()):
            array = array.to(torch.float64)
    elif array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if str(array.dtype).removeprefix("torch.") not in ("float32", "float64", "complex64", "complex128"):
        raise InputError(f"{name} must have numbers of single or double precision, got {array.dtype}; convert it")
    if not all_finite(array):
        raise InputError(f"{name} must be finite, got NaN or infinite numbers in it")
    return array


def _layout(A: Any, b: Any) -> tuple[Any, Callable[[Any], Any], Vectors, Callable[[Any], Any]]:
    """b in the layout of its vectors, A as a function of such arrays, and how x is brought to the caller's shape."""
    shape = _matrix_shape(A)
    if shape is None:
        return _layout_of_function(A, b)
    n = shape[-1]
    if shape[-2] != n or n < 1:
        raise InputError(f"A must be square, got shape {shape}")
    if is_torch(A) != is_torch(b):
        kinds = ("a torch tensor" if is_torch(a) else "one of numpy or scipy" for a in (A, b))
        raise InputError("A and b must be of one kind, got A as {}, b as {}; convert one of them".format(*kinds))
    if is_torch(A) and A.device != b.device:
        raise InputError(f"A and b must be on one device, got {A.device} and {b.device}")
    if is_torch(A):
        b = _torch_precision(A, b)
    given = tuple(b.shape)
    if len(shape) == 3:
        if given != shape[:2]:
            raise InputError(f"b must have the shape {shape[:2]} for the matrices A {shape}, got {given}")
        return b, lambda x: (A @ x[..., None])[..., 0], Vectors(b, "batch"), lambda x: x
    if given not in ((n,), (n, 1)) and (len(given) != 2 or given[0] != n or given[1] < 1):
        raise InputError(f"b must have the shape ({n},) or ({n}, systems) for the matrix A {shape}, got {given}")
    if isinstance(A, np.matrix):
        A = np.asarray(A)
    b = b.reshape(n) if given == (n, 1) else b
    return b, lambda x: A @ x, Vectors(b, "vector" if b.ndim == 1 else "columns"), lambda x: x


def _layout_of_function(A: Any, b: Any) -> tuple[Any, Callable[[Any], Any], Vectors, Callable[[Any], Any]]:
    given, space = tuple(b.shape), getattr(A, "space", None)
    if not given or min(given) < 1:
        raise InputError(f"b must be an array of at least one number, got the shape {given}")

    def apply(x: Any) -> Any:
        y = A(x)
        if is_torch(y) != is_torch(x) or tuple(getattr(y, "shape", ())) != tuple(x.shape):
            what = tuple(y.shape) if hasattr(y, "shape") else type(y).__name__
            raise InputError(f"A must give an array like the one that it takes, of shape {tuple(x.shape)}, got {what}")
        return y

    if space is not None and given == tuple(space):  # one field of as many axes as A says
        return b[None], apply, Vectors(b[None], "batch"), lambda x: x[0]
    if space is not None and given[1:] != tuple(space):
        raise InputError(f"b must have the shape {tuple(space)} or (batch, *{tuple(space)}), got {given}")
    if len(given) == 1:
        return b, apply, Vectors(b, "vector"), lambda x: x
    if space is None and given[0] > 1:
        _check_apart(apply, b)
    return b, apply, Vectors(b, "batch"), lambda x: x


def _check_apart(apply: Callable[[Any], Any], b: Any) -> None:
    """Refuse a function that takes a field (*space) where a batch (batch, *space) is expected: it mixes "systems"."""
    one = zeros_like(b)
    one[::2] = 1.0
    if bool(abs(apply(one)[1::2]).max() > 0):
        raise InputError(
            f"b must have the shape (batch, *space) where A is a function, got {tuple(b.shape)}, of whose first axis "
            "A mixes the entries; give a single field as b[None] and let A take batches of one"
        )


def _matrix_shape(A: Any) -> tuple[int, ...] | None:
    """The shape of a matrix or a stack of them, None of a function."""
    from scipy.sparse import issparse
    from scipy.sparse.linalg import LinearOperator

    if is_torch(A) or isinstance(A, (np.ndarray, LinearOperator)) or issparse(A):
        shape = tuple(A.shape)
        if len(shape) == 2 or (len(shape) == 3 and is_torch(A)):
            return shape
        raise InputError(f"A must be a matrix, got an array of shape {shape}")
    if callable(A):
        return None
    raise InputError(f"A must be a square matrix, a LinearOperator or a function, got {type(A).__name__}")


def _one_precision(b: Any, probe: Any) -> tuple[Any, Any]:
    """b in the precision of the solution: the higher one of numpy's, in torch that of A; complex where A is."""
    if not all_finite(probe):
        raise InputError("A must be finite, got NaN or infinite numbers in A times a vector")
    if not is_torch(b):
        return b.astype(np.result_type(b.dtype, probe.dtype), copy=False), probe
    return _torch_precision(probe, b), probe


def _torch_precision(A: Any, b: Any) -> Any:
    import torch

    if not (A.is_floating_point() or A.is_complex()) or epsilon(A) != epsilon(b):
        raise InputError(f"A and b must have the same precision, got {A.dtype} and {b.dtype}; convert one of them")
    return b.to(torch.promote_types(A.dtype, b.dtype))


def _start(x0: Any, b: Any, finish: Callable[[Any], Any]) -> Any:
    if x0 is None:
        return zeros_like(b)
    x0 = _array("x0", x0)
    if is_torch(x0) != is_torch(b):
        raise InputError("x0 must be of the kind of b, numpy or torch; convert it")
    expected = tuple(finish(b).shape)
    if tuple(x0.shape) not in (expected, (*expected, 1)[:2] if len(expected) == 1 else expected):
        raise InputError(f"x0 must have the shape of the solution, {expected}, got {tuple(x0.shape)}")
    if "complex" in str(x0.dtype) and "complex" not in str(b.dtype):
        raise InputError(f"x0 must be real where A and b are, got {x0.dtype}")
    return copied(with_precision(x0.reshape(b.shape), b.dtype))


def _check_range(b: Any, norms: np.ndarray, vectors: Vectors) -> None:
    """Refuse right-hand sides whose squares overflow, or those of whose residuals would vanish."""
    if not np.all(np.isfinite(norms)):
        raise InputError(
            f"b must not be so large that its squares overflow, got {float(abs(b).max()):.1e}; scale the system"
        )
    least = _LEAST["float32" if epsilon(b) > 1e-10 else "float64"]
    if not np.any(norms < least):
        return
    some = vectors.host(vectors.dot(ones_like(b), (b != 0) * ones_like(b)).real)[0] > 0
    if np.any(some & (norms < least)):
        raise InputError(
            f"b must not be so small that squares of residuals vanish, got the norm {norms[some].min():.1e} in "
            f"{b.dtype}; scale the system"
        )


# --- systems that constants solve ---------------------------------------------------------------------------------


def _take_constants_out(system: System, probe: Any, norms: np.ndarray) -> None:
    """Where A 1 = 0, solve on the quotient: by a preconditioner between projections to the mean 0.

    ``probe`` is A v with random v. Then 1ᵀA v = (A 1)ᵀv tells at the cost of a sum whether A 1 may be 0, and only if it
    may a product tells whether it is. ‖A v‖ says what rounding leaves.
    """
    v, one = system.vectors, ones_like(probe)
    rounding = 8 * epsilon(probe) * v.norm(probe)
    total, rounding = v.host(abs(v.dot(one, probe)), rounding)
    suspects = (norms > 0) & (total <= v.size**0.5 * rounding)
    if not suspects.any():
        return
    singular = suspects & (v.host(v.norm(system.A(ones_like(system.b))))[0] <= rounding)
    if not singular.any():
        return
    b = system.b
    chosen = v.mask(singular)

    def constants(x: Any) -> Any:
        return v.where(chosen, v.dot(ones_like(x), x) / v.size, 0.0) * ones_like(x)

    left = v.host(v.norm(constants(b)))[0]
    if np.any(left[singular] > 0.9 * system.tolerance[singular]):
        raise InputError(
            f"b must have the mean 0, for A takes constants to 0 and gives nothing else; its part that no A x can give "
            f"is {np.max(left[singular] / norms[singular]):.1e} of it; subtract the mean of b"
        )
    apply = system.M
    system.M = lambda r: _without(apply(_without(r, constants)), constants)
    warnings.warn(
        "A takes constants to 0: the solution is determined up to a constant, and that with the mean of x0 is given",
        SingularWarning,
        stacklevel=4,
    )


def _take_means_out(system: System, regions: np.ndarray, norms: np.ndarray) -> None:
    """The same where A says in which regions of cells it takes constants to 0: numbers from 1, 0 where it does not."""
    v, means = system.vectors, RegionMeans(regions, system.b)
    left = v.host(v.norm(means(system.b)))[0]
    if np.any(left > 0.9 * system.tolerance):
        number = int(np.argmax(left / np.where(norms > 0, norms, 1.0)))
        sizes = means.sizes[number if len(means.sizes) > 1 else 0]
        values = means.of_regions(system.b)[number].cpu().double().numpy()
        worst = int(np.argmax(np.abs(values) * np.sqrt(sizes)))
        raise InputError(
            "b must have the mean 0 in every region of cells that no boundary and no reaction holds, for A takes "
            f"constants to 0 there, got {values[worst]:.3g} in a region of {sizes[worst]} cells; subtract the mean "
            "there, or fill the region (solid=1) if obstacles enclose it by accident"
        )
    apply = system.M
    system.M = lambda r: means.taken_out(apply(r))  # residuals have none
    count = int(regions.max())
    where = "" if count == 1 and bool((regions > 0).all()) else f" in {count} region{'s' * (count > 1)} of cells"
    warnings.warn(
        f"A takes constants to 0{where}: the solution is determined up to a constant, and that with the mean of x0 is "
        "given",
        SingularWarning,
        stacklevel=4,
    )


def _without(x: Any, part: Callable[[Any], Any]) -> Any:
    return x - part(x)


def _random_like(x: Any) -> Any:
    """Normal numbers, the same in every call."""
    if is_torch(x):
        import torch

        generator = torch.Generator(x.device).manual_seed(0)
        return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    values = np.random.default_rng(0).standard_normal(x.shape)
    return values.astype(x.dtype)
