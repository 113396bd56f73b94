"""Poisson's equation: at once by fast transforms where the coefficient is constant, else by multigrid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.pdes._arrays import like
from opforge.pdes._eigenmodes import from_modes, to_modes
from opforge.pdes._finite_volumes import Boundary, check_cells, checked_boundary
from opforge.pdes.poisson import Poisson
from opforge.solvers.elliptic import check_finite, check_fraction, solve_elliptic


def fast_poisson(f: Any, grid: Grid, boundary: Boundary = "dirichlet") -> Any:
    """u with −Δ_h u = f of finite volumes on cell centres, exactly: by sine, cosine or Fourier transforms.

    Where u floats (Neumann, periodic) it has the mean 0, and the mean of f must be 0.

    Args:
        f: (..., *space), float32 or float64, numpy or torch; gradients flow.
        grid: cell centres.
        boundary: ``"dirichlet"``, ``"neumann"`` or ``"periodic"``.

    Returns:
        An array like f.

    Raises:
        InputError: another boundary, points or shape; a source that is not finite, a mean that is not 0 where it must
            be.

    Example:
        >>> fields = Poisson(2).exact(Grid((8, 9)))
        >>> np.allclose(fast_poisson(fields["f"], Grid((8, 9))), fields["u"])
        True

    Source:
        Swarztrauber, "The methods of cyclic reduction, Fourier analysis and the FACR algorithm for the discrete
        solution of Poisson's equation on a rectangle".
    """
    checked_boundary(boundary)
    check_cells(grid)
    if tuple(f.shape[-grid.ndim :]) != grid.shape or 0 in f.shape:
        shape = ", ".join(map(str, grid.shape))
        raise InputError(f"f must be an array (..., {shape}), got shape {tuple(f.shape)}")
    size = _largest(f)
    if not size < np.inf:
        raise InputError("f must be finite, got NaN or infinity in it; correct the source")
    axes = []
    for number, (n, h) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
        k = np.arange(n) + (boundary == "dirichlet")
        angle = np.pi * k / n
        if boundary == "periodic":
            angle = 2 * np.pi * np.arange(n // 2 + 1 if number == grid.ndim - 1 else n) / n
        axes.append((2 - 2 * np.cos(angle)) / h**2)
    values = np.sum(np.meshgrid(*axes, indexing="ij"), axis=0)
    if boundary != "dirichlet":
        mean = _largest(f.mean(tuple(range(-grid.ndim, 0))))
        rounding = 1e-4 if str(f.dtype).endswith("32") else 1e-9
        if mean > rounding * max(size, 1e-300):
            raise InputError(f"f must have the mean 0 where boundary={boundary!r}, got {mean:.3g}; subtract it")
        values[(0,) * grid.ndim] = np.inf
    modes = to_modes(f, grid, boundary)
    return from_modes(modes * like(modes, 1 / values), grid, boundary)


def solve_poisson(
    equation: Poisson, fields: Mapping[str, np.ndarray], grid: Grid, *, rtol: float = 1e-10
) -> tuple[np.ndarray, float]:
    """The potential of one sample and its relative residual, recomputed.

    Fast transforms where the coefficient is 1 and nothing stands in the way; conjugate gradients with algebraic
    multigrid elsewhere.

    Args:
        equation: what is solved.
        fields: ``"f"``, optionally ``"a"`` and ``"solid"``, float64 arrays of the grid's shape.
        grid: cell centres.
        rtol: bound of the relative residual of iterations.

    Raises:
        InputError: a tolerance out of range, a field that is not finite or of another shape; what the equation refuses.
        WorkError: no convergence.

    Example:
        >>> grid = Grid((16, 16))
        >>> x, y = grid.mesh()
        >>> solid = ((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.05).astype(float)
        >>> u, residual = solve_poisson(Poisson(2), {"f": np.ones((16, 16)), "solid": solid}, grid)
        >>> bool(u.min() >= 0), residual < 1e-9
        (True, True)
    """
    check_fraction("rtol", rtol)
    for name, values in fields.items():
        if np.shape(values) != grid.shape:
            raise InputError(
                f"field {name!r} must have the grid's shape {grid.shape}, one sample at a time, got {np.shape(values)}"
            )
    check_finite(fields)
    if "a" not in fields and "solid" not in fields:
        b = equation.right_hand_side(fields, grid).reshape(grid.shape)
        u = fast_poisson(b, grid, equation.boundary)
    else:
        u = solve_elliptic(equation, fields, grid, rtol=rtol).x
        if equation.floats:
            fluid = np.asarray(fields.get("solid", np.zeros(grid.shape))) < 0.5
            u = np.where(fluid, u - u[fluid].mean(), 0.0)
    left = equation.residual({**fields, "u": u}, grid)
    scale = float(equation.residual_scale(fields, grid))
    return u, float(np.linalg.norm(left)) / (scale or 1.0)


def _largest(x: Any) -> float:
    return float((x.detach() if is_torch(x) else np.asarray(x)).__abs__().max())
