"""The Helmholtz equation by a sparse direct solution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.errors import InputError, WorkError
from opforge.pdes._numbers import positive
from opforge.pdes.helmholtz import Helmholtz
from opforge.solvers.elliptic import check_finite

# Cells of a wavelength below which the discrete wave is another one: its phase is a tenth off in every wavelength.
_FEWEST = 4


def solve_helmholtz(equation: Helmholtz, fields: Mapping[str, Any], grid: Grid) -> tuple[np.ndarray, np.ndarray, float]:
    """The wave of one sample by sparse factors, its real and its imaginary part, and the relative residual.

    Args:
        equation: what is solved.
        fields: ``"f"``, float64 or complex128, optionally ``"c"``, float64, arrays of the grid's shape, and
            ``"wavenumber"``.
        grid: cell centres.

    Raises:
        InputError: a field that is missing, of another shape or not finite, a speed that is complex, a speed or a
            wavenumber that is not positive, fewer than 4 cells for a wavelength.
        WorkError: a matrix without factors.

    Example:
        >>> grid, f = Grid((40,)), np.zeros(40)
        >>> f[20] = 40.0
        >>> real, imag, residual = solve_helmholtz(Helmholtz(ndim=1, wavenumber=20.0), {"f": f}, grid)
        >>> real.shape, residual < 1e-12
        ((40,), True)
    """
    import scipy.sparse.linalg

    check_finite(fields)
    for name in ("f", *(("c",) if "c" in fields else ())):
        values, kinds = np.asarray(fields.get(name)), "fiuc" if name == "f" else "fiu"
        if values.shape != grid.shape or values.dtype.kind not in kinds:
            raise InputError(
                f"field {name!r} must be {'real or complex' if name == 'f' else 'real'} and have the grid's shape "
                f"{grid.shape}, one sample at a time, got {values.dtype} of shape {values.shape}"
            )
    k = positive("wavenumber", fields.get("wavenumber", equation.wavenumber))
    slowest = float(np.min(fields["c"])) if "c" in fields else 1.0
    found = equation.cells_per_wavelength(grid, k, slowest) if slowest > 0 else np.inf  # the operator refuses that
    if found < _FEWEST:
        raise InputError(
            f"grid must have at least {_FEWEST} cells for the shortest wavelength, {2 * np.pi * slowest / k:.3g}, and "
            f"10 for some percent of error, got {found:.2g} on {'x'.join(map(str, grid.shape))}; take more cells or a "
            "lower wavenumber"
        )
    A, b = equation.operator(fields, grid), equation.right_hand_side(fields, grid)
    try:
        u = scipy.sparse.linalg.splu(A, permc_spec="MMD_AT_PLUS_A").solve(b).reshape(grid.shape)
    except RuntimeError as error:
        raise WorkError(f"the Helmholtz matrix has no factors: {error}") from error
    left = equation.residual({**fields, "u_real": u.real, "u_imag": u.imag}, grid)
    scale = float(equation.residual_scale(fields, grid))
    return u.real.copy(), u.imag.copy(), float(np.linalg.norm(left)) / (scale or 1.0)
