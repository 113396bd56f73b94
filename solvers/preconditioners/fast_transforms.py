"""The inverse of −Δ on the whole box by fast transforms, for boxes with obstacles and coefficients in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from opforge.core import dctn, dstn, irfftn, rfftn
from opforge.errors import InputError
from opforge.pdes._arrays import like
from opforge.solvers.preconditioners.preconditioner import Preconditioner
from opforge.solvers.stencil import Stencil

if TYPE_CHECKING:
    import torch

# (transform, type, offset of the wave numbers in half waves) of what holds at the two ends of an axis. Types 2 are
# symmetric or antisymmetric about both ends, types 4 about one in one way, about the other in the other.
_TRANSFORMS = {
    ("neumann", "neumann"): (dctn, 2, 0.0),
    ("dirichlet", "dirichlet"): (dstn, 2, 1.0),
    ("neumann", "dirichlet"): (dctn, 4, 0.5),
    ("dirichlet", "neumann"): (dstn, 4, 0.5),
}


class FastTransforms(Preconditioner):
    """F (−ā Δ_h + c̄)⁻¹ F; see `fast_transforms`.

    Args:
        A: the operator.

    Example:
        >>> import torch
        >>> from opforge.core import Grid
        >>> A, r = Stencil(Grid((6, 7))), torch.ones(1, 6, 7, dtype=torch.float64)
        >>> bool(abs(A(FastTransforms(A)(r)) - r).max() < 1e-12)
        True
    """

    def __init__(self, A: Stencil):
        import torch

        super().__init__(A.grid.size, A.dtype, A.space)
        self.device, self._ends, self._fluid = A.device, A.boundary, A.fluid
        fluid = A.a**0 * A.extra**0 if A.fluid is None else A.fluid * (A.extra + 1) ** 0
        space = tuple(range(-A.grid.ndim, 0))
        cells = fluid.sum(space, keepdim=True)
        level = ((A.a.where(fluid > 0, 1.0).log() * fluid).sum(space, keepdim=True) / cells).exp()
        reaction = (A.extra * fluid).sum(space, keepdim=True) / cells
        values = level * like(level, eigenvalues(A)) + reaction
        # what constants are taken to is free where A takes them to 0
        least = values.where(values > 1e-12 * values.amax(), torch.inf).amin()
        self._inverse = 1 / values.where(values > 1e-12 * values.amax(), least)
        self._rest = None if A.fluid is None else (1 - A.fluid) / A.diagonal.where(A.fluid == 0, 1.0)

    def apply(self, r: Any) -> Any:
        if self._fluid is None:
            return self._box(r)
        return self._fluid * self._box(self._fluid * r) + self._rest * r

    def _box(self, r: torch.Tensor) -> torch.Tensor:
        """The inverse on the whole box: transforms along one axis after the other."""
        axes = list(enumerate(self._ends, start=-len(self._ends)))
        around = tuple(axis for axis, ends in axes if ends[0] == "periodic")
        for axis, ends in axes:
            if ends in _TRANSFORMS:
                transform, kind, _ = _TRANSFORMS[ends]
                r = transform(r, kind, (axis,), norm="ortho")
        r = rfftn(r, around) if around else r
        r = r * self._inverse
        r = irfftn(r, tuple(self.space[axis] for axis in around), around) if around else r
        for axis, ends in axes:
            if ends in _TRANSFORMS:
                transform, kind, _ = _TRANSFORMS[ends]
                r = transform(r, kind, (axis,), norm="ortho", inverse=True)
        return r


def fast_transforms(A: Stencil) -> FastTransforms:
    """M = F (−ā Δ_h + c̄)⁻¹ F with F = 1 in the fluid, 0 in obstacles: sine, cosine, Fourier transforms of the box.

    ā is the geometric mean of a, c̄ the mean of c. The exact inverse where they are constant and nothing stands in the
    way. Else iterations grow with the surface of the obstacles and with the root of a's contrast, 15 at 3 and 100 at
    100, not with the number of cells. No set-up; for periodic axes, walls, and streams, which enter through
    ``"neumann"`` and leave through ``"dirichlet"``.

    Args:
        A: the operator.

    Returns:
        A function of residuals (n,), (*space) or (batch, *space), numpy or torch, symmetric and positive definite.

    Raises:
        InputError: something else than a `Stencil`.

    Example:
        >>> import torch
        >>> from opforge.core import Grid
        >>> from opforge.solvers import cg
        >>> A = Stencil(Grid((40, 30)), ["periodic", ("dirichlet", "neumann")])
        >>> cg(A, torch.ones(2, 40, 30, dtype=torch.float64), rtol=1e-8, M=fast_transforms(A)).iterations
        1

    Source:
        Concus and Golub, "Use of fast direct methods for the efficient numerical solution of nonseparable elliptic
        equations", without its scaling by 1/√a, which takes 3 to 12 times as many iterations where a jumps; see also
        `opforge.solvers.fast_poisson`.
    """
    if not isinstance(A, Stencil):
        raise InputError(f"A must be a Stencil, got {type(A).__name__}")
    return FastTransforms(A)


def eigenvalues(A: Stencil) -> np.ndarray:
    """Those of −Δ_h on the box, for the modes of the transforms."""
    total: Any = 0.0
    periodic = [axis for axis, wrapped in enumerate(A.wrapped) if wrapped]
    for axis, (n, h, ends) in enumerate(zip(A.space, A.grid.spacing, A.boundary, strict=True)):
        if ends[0] == "periodic":
            angle = 2 * np.pi * np.arange(n // 2 + 1 if axis == periodic[-1] else n) / n
        else:
            angle = np.pi * (np.arange(n) + _TRANSFORMS[ends][2]) / n
        values = (2 - 2 * np.cos(angle)) / h**2
        total = total + values.reshape([-1 if other == axis else 1 for other in range(A.grid.ndim)])
    return total
