"""Full Fourier, cosine and sine transforms over any axes: numpy through planned FFTW, torch through torch.fft.

The conventions are those of ``scipy.fft``. Numpy in gives numpy out, computed by FFTW plans that are kept; torch in
gives torch out, on the same device and differentiable to any order. Both keep single and double precision apart.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np

from opforge.errors import InputError

if TYPE_CHECKING:
    import torch

    Array = TypeVar("Array", np.ndarray, torch.Tensor)

Norm = Literal["backward", "ortho", "forward"]
NORMS = ("backward", "ortho", "forward")


def is_torch(x: Any) -> bool:
    """Whether ``x`` is a torch tensor; does not import torch to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def fftn(x: Array, dim: Sequence[int] | None = None, norm: Norm = "backward") -> Array:
    """The complex discrete Fourier transform X_k = Σ_n x_n exp(−2πi k·n/N) over the axes ``dim``.

    Args:
        x: real or complex floating point array, any shape.
        dim: axes to transform; all of them when left out.
        norm: ``"backward"`` scales the inverse by 1/N, ``"forward"`` the forward transform, ``"ortho"`` both by 1/√N.

    Returns:
        Complex array of ``x``'s shape.

    Raises:
        InputError: integer input, an axis that ``x`` lacks or that is empty, an unknown norm.

    Example:
        >>> fftn(np.array([1.0, 0.0, 0.0, 0.0])).tolist()
        [(1+0j), (1+0j), (1+0j), (1+0j)]
    """
    return _engine(x).fftn(x, _axes(x, dim), _norm(norm), False)


def ifftn(x: Array, dim: Sequence[int] | None = None, norm: Norm = "backward") -> Array:
    """The inverse of `fftn`; same arguments.

    Example:
        >>> ifftn(fftn(np.array([1.0, 2.0, 3.0]))).real.round(12).tolist()
        [1.0, 2.0, 3.0]
    """
    return _engine(x).fftn(x, _axes(x, dim), _norm(norm), True)


def rfftn(x: Array, dim: Sequence[int] | None = None, norm: Norm = "backward") -> Array:
    """`fftn` of a real array without the redundant half: frequencies 0 … n//2 on the last axis of ``dim``.

    Raises:
        InputError: complex input, besides what `fftn` refuses.

    Example:
        >>> rfftn(np.ones((2, 4)), dim=(-1,)).real.tolist()
        [[4.0, 0.0, 0.0], [4.0, 0.0, 0.0]]
    """
    if _is_complex(x):
        raise InputError(f"rfftn takes real input, got x of {x.dtype}; use fftn, or transform x.real and x.imag")
    return _engine(x).rfftn(x, _axes(x, dim), _norm(norm))


def irfftn(x: Array, shape: Sequence[int], dim: Sequence[int] | None = None, norm: Norm = "backward") -> Array:
    """The inverse of `rfftn`, to a real array with the sizes ``shape`` on the axes ``dim``.

    Args:
        x: complex array with shape[-1]//2 + 1 frequencies on the last axis of ``dim``, shape[i] on the others.
        shape: sizes of the result on the axes ``dim``. Not optional: an odd last size can't be told from the spectrum.
        dim: axes to transform; the last ``len(shape)`` when left out.
        norm: as in `fftn`.

    Raises:
        InputError: sizes of ``x`` that do not fit ``shape``.

    Example:
        >>> irfftn(rfftn(np.array([1.0, 2.0, 4.0])), (3,)).round(12).tolist()
        [1.0, 2.0, 4.0]
    """
    axes = _axes(x, tuple(range(-len(shape), 0)) if dim is None else dim)
    if len(axes) != len(shape):
        raise InputError(f"shape needs one size per axis of dim, got shape {tuple(shape)} for {len(axes)} axes")
    expected = (*shape[:-1], shape[-1] // 2 + 1)
    if tuple(x.shape[a] for a in axes) != tuple(expected):
        raise InputError(
            f"x must have the sizes {tuple(expected)} on dim to give shape {tuple(shape)}, "
            f"got {tuple(x.shape[a] for a in axes)}"
        )
    return _engine(x).irfftn(x, tuple(shape), axes, _norm(norm))


def dctn(
    x: Array, type: int = 2, dim: Sequence[int] | None = None, *, norm: Norm = "backward", inverse: bool = False
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

    Raises:
        InputError: integer or complex input, an unknown type or norm, an axis that is missing or too short.

    Example:
        >>> dctn(np.ones(4)).round(12).tolist()
        [8.0, 0.0, 0.0, 0.0]
        >>> dctn(dctn(np.array([3.0, 1.0, 2.0])), inverse=True).round(12).tolist()
        [3.0, 1.0, 2.0]
    """
    return _trigonometric("cos", x, type, dim, norm, inverse)


def dstn(
    x: Array, type: int = 2, dim: Sequence[int] | None = None, *, norm: Norm = "backward", inverse: bool = False
) -> Array:
    """The discrete sine transform of type 1 to 4 over the axes ``dim``; arguments as in `dctn`.

    Type 2 is X_k = 2 Σ_n x_n sin(π(k + 1)(2n + 1)/(2N)): the eigenvectors of the Dirichlet Laplacian on cell centres;
    type 1 belongs to the inner nodes.

    Example:
        >>> dstn(dstn(np.array([3.0, 1.0, 2.0]), 1), 1, inverse=True).round(12).tolist()
        [3.0, 1.0, 2.0]
    """
    return _trigonometric("sin", x, type, dim, norm, inverse)


def _trigonometric(kind: str, x: Array, type: int, dim: Sequence[int] | None, norm: Norm, inverse: bool) -> Array:
    if type not in (1, 2, 3, 4):
        raise InputError(f"type must be 1, 2, 3 or 4, got {type!r}")
    if _is_complex(x):
        raise InputError(f"cosine and sine transforms take real input, got x of {x.dtype}")
    axes = _axes(x, dim)
    if kind == "cos" and type == 1 and min(x.shape[a] for a in axes) < 2:
        raise InputError(
            f"type 1 cosine transforms need at least 2 points on every axis, got x of shape {tuple(x.shape)}"
        )
    return _engine(x).trigonometric(kind, x, type, axes, _norm(norm), inverse)


def _engine(x: Any) -> ModuleType:
    if is_torch(x):
        from opforge.core import _torch_transforms as engine
    elif isinstance(x, np.ndarray):
        from opforge.core import _fftw as engine
    else:
        raise InputError(f"x must be a numpy array or a torch tensor, got {x.__class__.__name__}")
    return engine


def _is_complex(x: Any) -> bool:
    return x.is_complex() if is_torch(x) else np.iscomplexobj(x)


def _norm(norm: str) -> Norm:
    if norm not in NORMS:
        raise InputError(f"norm must be one of {', '.join(NORMS)}, got {norm!r}")
    return cast(Norm, norm)


def _axes(x: Any, dim: Sequence[int] | None) -> tuple[int, ...]:
    """``dim`` as distinct axes counted from the front, after checking that ``x`` can be transformed over them."""
    floating = (x.is_floating_point() or x.is_complex()) if is_torch(x) else np.issubdtype(x.dtype, np.inexact)
    if not floating:
        raise InputError(f"x must be of a floating point or complex type, got {x.dtype}; convert it first")
    ndim = len(x.shape)
    axes = tuple(range(ndim)) if dim is None else tuple(dim)
    if not axes or not all(-ndim <= a < ndim for a in axes) or len({a % ndim for a in axes}) != len(axes):
        raise InputError(f"dim must name distinct axes of x, which has {ndim}, got {axes}")
    axes = tuple(a % ndim for a in axes)
    if 0 in (x.shape[a] for a in axes):
        raise InputError(f"the axes in dim must not be empty, got x of shape {tuple(x.shape)} and dim {axes}")
    return axes
