"""Whether a matrix or a preconditioner is symmetric, without its entries."""

from __future__ import annotations

from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.solvers.krylov._preconditioner import as_function
from opforge.solvers.krylov._system import _array
from opforge.solvers.krylov._vectors import Vectors


def symmetry_error(M: Any, like: Any = None, *, probes: int = 4, seed: int = 0) -> float:
    """An estimate of ‖M − Mᴴ‖ / ‖M‖ in Frobenius norms, from products with random vectors.

    The root mean square of |uᴴMv − (Mu)ᴴv|, in units of that of ‖Mv‖. Conjugate gradients need one of rounding: about
    1e-16 in double precision, 1e-7 in single. A function that is not linear is not symmetric either.

    Args:
        M: a matrix or preconditioner, whatever `cg` takes as M.
        like: an array of the shape, kind and precision of the right-hand sides, (n,) or (batch, *space); not needed
            where M has a shape.
        probes: pairs of vectors, at least 1.
        seed: of the random vectors.

    Returns:
        A number of at least 0.

    Raises:
        InputError: a function without ``like``, numbers out of range, what `cg` refuses of an M.

    Example:
        >>> import numpy as np
        >>> symmetry_error(np.diag([1.0, 2.0, 3.0])) < 1e-15
        True
        >>> 0.7 < symmetry_error(np.tril(np.ones((50, 50)))) < 2.8  # it is 1.4
        True
    """
    if isinstance(probes, bool) or not isinstance(probes, int) or probes < 1:
        raise InputError(f"probes must be a whole number of at least 1, got {probes!r}")
    if like is None:
        shape = getattr(M, "shape", None)
        if not shape:
            raise InputError("like must be given where M is a function: an array of the shape of right-hand sides")
        if is_torch(M):
            like = M.new_ones(shape[-1])
        else:
            dtype = getattr(M, "dtype", None)
            like = np.ones(shape[-1], dtype if str(dtype) in ("float32", "complex64", "complex128") else np.float64)
    like = _array("like", like)
    vectors = Vectors(like, "vector" if like.ndim == 1 else "batch")
    apply, rng = as_function(M, vectors, like), np.random.default_rng(seed)
    differences, sizes = [], []
    with vectors.without_gradients():
        for _ in range(probes):
            u, v = (_random(rng, like) for _ in range(2))
            Mu, Mv = apply(u), apply(v)
            difference, *both = vectors.host(
                abs(vectors.dot(u, Mv) - vectors.dot(Mu, v)), vectors.norm(Mu), vectors.norm(Mv)
            )
            differences.append(difference)
            sizes += both
    size = float(np.sqrt(np.mean(np.square(sizes))))
    return float(np.sqrt(np.mean(np.square(differences)))) / size if size > 0 else 0.0


def _random(rng: np.random.Generator, like: Any) -> Any:
    values = rng.standard_normal(tuple(like.shape))
    if "complex" in str(like.dtype):
        values = (values + 1j * rng.standard_normal(tuple(like.shape))) / np.sqrt(2)
    if is_torch(like):
        import torch

        return torch.from_numpy(values).to(like)
    return values.astype(like.dtype)
