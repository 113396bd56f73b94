"""The FitzHugh–Nagumo equations: an activator and an inhibitor that diffuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.pdes._arrays import along, concatenate, detached, full_like
from opforge.pdes._finite_volumes import divergence
from opforge.pdes._numbers import axes_of_space, finite, not_negative
from opforge.pdes.equation import Field
from opforge.pdes.evolution import EvolutionEquation
from opforge.pdes.symmetry import Reflection, SignChange, Symmetry, Transposition

# On the negative real axis the method of order 4 is stable so far.
_RUNGE_KUTTA_4 = 2.785


@dataclass(frozen=True)
class FitzHughNagumo(EvolutionEquation):
    """u_t = D_u Δu + u − u³ − k − v,  v_t = D_v Δv + u − v, and nothing flows through the boundary.

    All quantities are without dimension. The discretisation of the tendency is that of finite volumes, of order 2.

    Args:
        ndim: axes of space: 1 or 2.
        diffusivity_u, diffusivity_v: D_u and D_v >= 0.
        threshold: k.

    Raises:
        InputError: another number of axes, a negative diffusivity.

    Example:
        >>> import numpy as np
        >>> grid = Grid((8, 8), (2.0, 2.0))
        >>> rate = FitzHughNagumo().tendency(np.zeros((2, 8, 8)), grid)
        >>> float(rate[0, 0, 0]), float(rate[1, 0, 0])
        (-0.005, 0.0)

    Source:
        Takamoto et al., "PDEBench: An Extensive Benchmark for Scientific Machine Learning", appendix D.4, "2D
        diffusion–reaction"; Klaasen and Troy, "Stationary wave solutions of a system of reaction-diffusion equations".
    """

    ndim: int = 2
    diffusivity_u: float = 1e-3
    diffusivity_v: float = 5e-3
    threshold: float = 5e-3

    name: ClassVar[str] = "fitzhugh_nagumo"
    fields: ClassVar[tuple[Field, ...]] = (Field("u", "activator"), Field("v", "inhibitor"))
    unknowns: ClassVar[tuple[str, ...]] = ("u", "v")
    boundary: ClassVar[str] = "neumann"
    points: ClassVar[Points] = "cells"
    dimensions: ClassVar[tuple[int, ...]] = (1, 2)
    method: ClassVar[str] = "diffusion exact by cosine transforms, reaction by Runge–Kutta 4, Strang splitting"
    order: ClassVar[str] = "spectral in space, 2 in time"

    def __post_init__(self) -> None:
        axes_of_space(self.ndim, self.dimensions)
        for name in ("diffusivity_u", "diffusivity_v"):
            object.__setattr__(self, name, not_negative(name, getattr(self, name)))
        object.__setattr__(self, "threshold", finite("threshold", self.threshold))

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Reflections and transpositions; without a threshold also the change of sign of both."""
        axes = range(self.ndim)
        return (
            *(Reflection(axis) for axis in axes),
            *(Transposition(i, j) for i in axes for j in axes if i < j),
            *(() if self.threshold else (SignChange(self.unknowns),)),
        )

    def longest_step(self, state: Any) -> float:
        """The longest step of the Runge–Kutta method of order 4 for the reaction at every point of a state.

        2.785 over the size of the Jacobian's eigenvalues, (1 − 3u² ± …)/2, the largest where |u| is.

        Args:
            state: (..., 2, *space), numpy or torch.

        Example:
            >>> round(FitzHughNagumo(1).longest_step(np.full((2, 4), 3.0)), 4)  # 1 − 27 is the largest
            0.1073
        """
        u = detached(along(state, -self.ndim - 1, 0, 1))
        slopes = np.array([1 - 3 * u.max() ** 2, 1 - 3 * u.min() ** 2, 1.0])
        jacobians = np.stack([np.array([[a, -1.0], [1.0, -1.0]]) for a in slopes])
        return _RUNGE_KUTTA_4 / float(np.abs(np.linalg.eigvals(jacobians)).max())

    def tendency(self, state: Any, grid: Grid) -> Any:
        self.check_state(state, grid)
        axis = -grid.ndim - 1
        u, v = along(state, axis, 0, 1), along(state, axis, 1, 2)
        spread = [
            divergence(full_like(x, d), x, grid.spacing, "neumann")
            for x, d in ((u, self.diffusivity_u), (v, self.diffusivity_v))
        ]
        return concatenate(spread, axis) + self.reaction(state, grid.ndim)

    def reaction(self, state: Any, ndim: int) -> Any:
        """What happens at every point: u − u³ − k − v and u − v, of (..., 2, *space)."""
        axis = -ndim - 1
        u, v = along(state, axis, 0, 1), along(state, axis, 1, 2)
        return concatenate([u - u * u * u - self.threshold - v, u - v], axis)
