"""Full Fourier, cosine and sine transforms over any axes, of numpy arrays and torch tensors.

The conventions are those of ``scipy.fft``. Numpy in gives numpy out; torch in gives torch out, on the same device and
differentiable to any order. Single and double precision are kept apart. Inputs may lie in memory in any way, and are
never changed.

**Who computes.** A fixed rule decides, by sizes, precision and number of threads; nothing is measured. Numpy arrays:
FFTW, by plans that are kept, or pocketfft (`scipy.fft`); the same call gives the same bits in every run and in any
number of processes. `planning` tells FFTW to measure its plans, which is faster and ties the bits to a file of plans.
Tensors: `torch.fft`, on the CPU for cosine and sine transforms pocketfft, in double precision on one thread FFTW where
it is faster. ``backend=`` overrules all this.

Threads may call everything here at once, and a process may fork while they do: it waits until they are through. What
torch's own threads do is another matter: OpenMP hangs in the child of a process that has used more than one of them,
unless the child calls ``torch.set_num_threads(1)`` first; start workers with "spawn" or "loky" instead.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from opforge.core.full_transforms._transform import Transform, trigonometric
from opforge.errors import InputError

if TYPE_CHECKING:
    import torch

    Array = TypeVar("Array", np.ndarray, torch.Tensor)

Norm = Literal["backward", "ortho", "forward"]
NORMS = ("backward", "ortho", "forward")
_NUMPY_KINDS = {"f": "float32", "d": "float64", "F": "complex64", "D": "complex128"}


def is_torch(x: Any) -> bool:
    """Whether ``x`` is a torch tensor; does not import torch to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def fftn(x: Array, dim: Sequence[int] | None = None, norm: Norm = "backward", *, backend: str | None = None) -> Array:
    """The complex discrete Fourier transform X_k = Σ_n x_n exp(−2πi k·n/N) over the axes ``dim``.

    Args:
        x: real or complex floating point array, any shape.
        dim: axes to transform; all of them when left out.
        norm: ``"backward"`` scales the inverse by 1/N, ``"forward"`` the forward transform, ``"ortho"`` both by 1/√N.
        backend: ``"fftw"`` or ``"scipy"``, for tensors also ``"torch"``; chosen by a fixed rule when left out.

    Returns:
        Complex array of ``x``'s shape.

    Raises:
        InputError: other types than float32, float64 and their complex ones, an axis that ``x`` lacks or that is
            empty, an unknown norm, a back end that is unknown or cannot serve this call.

    Example:
        >>> fftn(np.array([1.0, 0.0, 0.0, 0.0])).tolist()
        [(1+0j), (1+0j), (1+0j), (1+0j)]
    """
    return _run("fftn", x, dim, norm, backend)


def ifftn(x: Array, dim: Sequence[int] | None = None, norm: Norm = "backward", *, backend: str | None = None) -> Array:
    """The inverse of `fftn`; same arguments.

    Example:
        >>> ifftn(fftn(np.array([1.0, 2.0, 3.0]))).real.round(12).tolist()
        [1.0, 2.0, 3.0]
    """
    return _run("ifftn", x, dim, norm, backend)


def rfftn(x: Array, dim: Sequence[int] | None = None, norm: Norm = "backward", *, backend: str | None = None) -> Array:
    """`fftn` of a real array without the redundant half: frequencies 0 … n//2 on the last axis of ``dim``.

    Raises:
        InputError: complex input, besides what `fftn` refuses.

    Example:
        >>> rfftn(np.ones((2, 4)), dim=(-1,)).real.tolist()
        [[4.0, 0.0, 0.0], [4.0, 0.0, 0.0]]
    """
    return _run("rfftn", x, dim, norm, backend)


def irfftn(
    x: Array,
    shape: Sequence[int],
    dim: Sequence[int] | None = None,
    norm: Norm = "backward",
    *,
    backend: str | None = None,
) -> Array:
    """The inverse of `rfftn`, to a real array with the sizes ``shape`` on the axes ``dim``.

    Args:
        x: complex array with shape[-1]//2 + 1 frequencies on the last axis of ``dim``, shape[i] on the others.
        shape: sizes of the result on the axes ``dim``. Not optional: an odd last size can't be told from the spectrum.
        dim: axes to transform; the last ``len(shape)`` when left out.
        norm: as in `fftn`.
        backend: as in `fftn`.

    Raises:
        InputError: sizes of ``x`` that do not fit ``shape``.

    Example:
        >>> irfftn(rfftn(np.array([1.0, 2.0, 4.0])), (3,)).round(12).tolist()
        [1.0, 2.0, 4.0]
    """
    return _run("irfftn", x, dim, norm, backend, sizes=_whole("shape", shape))


def dctn(
    x: Array,
    type: int = 2,
    dim: Sequence[int] | None = None,
    *,
    norm: Norm = "backward",
    inverse: bool = False,
    backend: str | None = None,
) -> Array:
    """The discrete cosine transform of type 1 to 4 over the axes ``dim``.

    Type 2, for example, is X_k = 2 Σ_n x_n cos(πk(2n + 1)/(2N)): the eigenvectors of the Neumann Laplacian on cell
    centres; type 1 belongs to nodes.

    Args:
        x: real floating point array.
        type: 1, 2, 3 or 4; type 1 needs two points on every axis.
        dim: axes to transform; all of them when left out.
        norm: as in `fftn`; ``"ortho"`` makes the transform an orthogonal matrix.
        inverse: whether to apply the inverse of that transform.
        backend: as in `fftn`.

    Raises:
        InputError: integer or complex input, an unknown type or norm, an axis that is missing or too short.

    Example:
        >>> dctn(np.ones(4)).round(12).tolist()
        [8.0, 0.0, 0.0, 0.0]
        >>> dctn(dctn(np.array([3.0, 1.0, 2.0])), inverse=True).round(12).tolist()
        [3.0, 1.0, 2.0]
    """
    return _run("dctn", x, dim, norm, backend, type=type, inverse=inverse)


def dstn(
    x: Array,
    type: int = 2,
    dim: Sequence[int] | None = None,
    *,
    norm: Norm = "backward",
    inverse: bool = False,
    backend: str | None = None,
) -> Array:
    """The discrete sine transform of type 1 to 4 over the axes ``dim``; arguments as in `dctn`.

    Type 2 is X_k = 2 Σ_n x_n sin(π(k + 1)(2n + 1)/(2N)): the eigenvectors of the Dirichlet Laplacian on cell centres;
    type 1 belongs to the inner nodes.

    Example:
        >>> dstn(dstn(np.array([3.0, 1.0, 2.0]), 1), 1, inverse=True).round(12).tolist()
        [3.0, 1.0, 2.0]
    """
    return _run("dstn", x, dim, norm, backend, type=type, inverse=inverse)


def _run(
    op: str,
    x: Any,
    dim: Sequence[int] | None,
    norm: str,
    backend: str | None,
    *,
    sizes: tuple[int, ...] | None = None,
    type: int = 0,
    inverse: bool = False,
) -> Any:
    axes = dim if dim is None else _whole("dim", dim)
    if not isinstance(norm, str):
        raise InputError(f"norm must be one of {', '.join(NORMS)}, got {norm!r}")
    if backend is not None and not isinstance(backend, str):
        raise InputError(f"backend must be the name of one, or None, got {backend!r}")
    if not isinstance(type, int):
        raise InputError(f"type must be 1, 2, 3 or 4, got {type!r}")
    shape = tuple(x.shape) if hasattr(x, "shape") else ()
    if is_torch(x):
        if sys.modules["torch"].compiler.is_compiling():  # shapes may be symbols, and dynamo warns of caches
            from opforge.core.full_transforms._torch_transforms import run_traced

            return run_traced(op, x, _check(op, shape, x.dtype, axes, norm, sizes, type, inverse), backend)
        place, kind = "torch", x.dtype
    else:
        place, kind = "numpy", _numpy_kind(x)
    transform = _checked(op, shape, kind, axes, norm, sizes, type, inverse)
    return _library(place).run(op, x, shape, transform, backend)


@cache
def _library(place: str) -> Any:
    return import_module(f"opforge.core.full_transforms._{place}_transforms")


def _numpy_kind(x: Any) -> str:
    if not isinstance(x, np.ndarray):
        raise InputError(f"x must be a numpy array or a torch tensor, got {x.__class__.__name__}")
    if x.__class__ is not np.ndarray and isinstance(x, np.ma.MaskedArray):
        raise InputError("x must not be a masked array, whose mask a transform can't heed; fill it: x.filled(0)")
    # In words only where it will be refused: numpy takes a microsecond for them.
    return _NUMPY_KINDS.get(x.dtype.char) or str(x.dtype)


def _whole(name: str, given: Any) -> tuple[int, ...]:
    if isinstance(given, int):
        raise InputError(f"{name} must be a sequence of whole numbers, got {given}; write ({given},)")
    torch = sys.modules.get("torch")
    if torch is not None and torch.compiler.is_compiling():  # they may be symbols
        return tuple(given)
    try:
        return tuple(map(operator.index, given))
    except TypeError as error:
        raise InputError(f"{name} must be a sequence of whole numbers, got {given!r}") from error


def _check(
    op: str,
    shape: tuple[int, ...],
    dtype: Any,
    dim: tuple[int, ...] | None,
    norm: str,
    sizes: tuple[int, ...] | None,
    type: int,
    inverse: bool,
) -> Transform:
    """The transform that was asked for, if such an array can have it."""
    kind = str(dtype).removeprefix("torch.")
    if kind not in _NUMPY_KINDS.values():
        served = ", ".join(_NUMPY_KINDS.values())
        raise InputError(f"x must be of a floating point type that is served ({served}), got {kind}; convert it first")
    if norm not in NORMS:
        raise InputError(f"norm must be one of {', '.join(NORMS)}, got {norm!r}")
    if sizes is not None and dim is None:
        dim = tuple(range(-len(sizes), 0))
    axes = _axes(shape, dim)
    if op in ("fftn", "ifftn"):
        return Transform(op[:-1], axes, norm)
    if op == "irfftn" and "complex" not in kind:
        raise InputError(f"irfftn takes the complex half spectrum of a real array, got x of {kind}; see rfftn")
    if op == "irfftn":
        return Transform("irfft", axes, norm, _check_sizes(shape, axes, sizes or ()))
    if "complex" in kind:
        remedy = "use fftn, or transform" if op == "rfftn" else "transform"
        raise InputError(f"{op} takes real input, got x of {kind}; {remedy} x.real and x.imag")
    if op == "rfftn":
        return Transform("rfft", axes, norm, tuple(shape[a] for a in axes))
    if type not in (1, 2, 3, 4):
        raise InputError(f"type must be 1, 2, 3 or 4, got {type!r}")
    if op == "dctn" and type == 1 and min(shape[a] for a in axes) < 2:
        raise InputError(f"type 1 cosine transforms need at least 2 points on every axis, got x of shape {shape}")
    return trigonometric("cos" if op == "dctn" else "sin", type, axes, norm, inverse)


# Checks take as long as a small transform: a call like an earlier one is not checked again.
_checked = lru_cache(maxsize=4096)(_check)


def _axes(shape: tuple[int, ...], dim: tuple[int, ...] | None) -> tuple[int, ...]:
    """``dim`` as distinct axes counted from the front."""
    ndim = len(shape)
    axes = tuple(range(ndim)) if dim is None else dim
    if not axes or not all(-ndim <= a < ndim for a in axes) or len({a % ndim for a in axes}) != len(axes):
        raise InputError(f"dim must name distinct axes of x, which has {ndim}, got {axes}")
    axes = tuple(a % ndim for a in axes)
    if 0 in (shape[a] for a in axes):
        raise InputError(f"the axes in dim must not be empty, got x of shape {shape} and dim {axes}")
    return axes


def _check_sizes(shape: tuple[int, ...], axes: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    if len(axes) != len(sizes):
        raise InputError(f"shape needs one size per axis of dim, got shape {sizes} for {len(axes)} axes")
    expected = (*sizes[:-1], sizes[-1] // 2 + 1)
    given = tuple(shape[a] for a in axes)
    if min(sizes) < 1 or given != expected:
        raise InputError(f"x must have the sizes {expected} on dim to give shape {sizes}, got {given}")
    return sizes
