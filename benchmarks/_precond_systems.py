"""Systems that preconditioners are measured on: those of the test split, and pressure systems of rising smoke."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from opforge.core import Grid
from opforge.datasets.incompressible_flow import IncompressibleFlowRecipe
from opforge.precond import random_system
from opforge.precond.problems import random_right_hand_side
from opforge.solvers import (
    PressureSolver,
    ProjectionStepper,
    Stencil,
    pressure_stencil,
    pressure_system,
)

# The first seed of the test split; those of the tests are below.
SEED = 40

SMOKE = "smoke"

# Around how many bodies smoke rises, how long, and cells along an axis on which it does so before the flow is taken to
# the grid of the system.
_BODIES, _TIME, _CELLS = {2: 5, 3: 8}, {2: 1.0, 3: 0.5}, {2: 64, 3: 24}


@dataclass
class System:
    """A x = b.

    Args:
        family: of `opforge.precond.problems`, or `SMOKE`.
        right: where b is from.
        seed: of both.
        A, b: the operator and the right-hand side (batch, *space), float64.
    """

    family: str
    right: str
    seed: int
    A: Stencil
    b: Tensor

    @property
    def cells(self) -> str:
        return cells_of(self.A.space)

    @property
    def names(self) -> dict[str, Any]:
        """What a row says of it."""
        return {"cells": self.cells, "family": self.family, "right_side": self.right, "seed": self.seed}

    @cached_property
    def matrix(self) -> Any:
        """A as a CSR array; that of smoke is definite."""
        return self.A.matrix()

    @cached_property
    def flat(self) -> np.ndarray:
        """b as a vector."""
        return self.b.numpy().reshape(-1)

    def residual(self, x: Any) -> float:
        """‖b − A x‖ / ‖b‖ from its definition in float64, the largest of a batch; of vectors with the matrix."""
        if isinstance(x, np.ndarray):
            return float(np.linalg.norm(self.flat - self.matrix @ x) / np.linalg.norm(self.flat))
        u = x.reshape(self.b.shape)
        r = (self.b - self.A(u)).flatten(1).norm(dim=1)
        return float((r / self.b.flatten(1).norm(dim=1)).max())


def cells_of(shape: tuple[int, ...]) -> str:
    """
    >>> cells_of((64, 64))
    '64x64'
    """
    return "x".join(map(str, shape))


def random_problem(family: str, ndim: int, n: int, seed: int) -> System:
    """An operator of a family, u = 0 on the boundary, and white noise."""
    A = random_system(family, Grid((n,) * ndim), seed)
    return System(family, "random", seed, A, random_right_hand_side(A, seed))


def smoke_problem(ndim: int, n: int, seed: int) -> System:
    """A pressure system of smoke that rises around obstacles between walls, in the middle of a simulation.

    Nothing holds the pressure of a `Stencil`, whose systems are solved up to constants; in the matrix, for what needs a
    definite one, a cell of every region is held.
    """
    recipe, grid, seen = _recipe(ndim), Grid.cube(ndim, n), []
    solid = recipe.media([_bodies(ndim, seed)], grid)["solid"][0]
    solver = partial(PressureSolver, on_system=lambda b, x: seen.append(b))
    step = ProjectionStepper(recipe.equation, grid, recipe.usual_step(grid), solid=solid, strict=False, pressure=solver)
    state = step.prepare(_finer(_risen(ndim, min(n, _CELLS[ndim]), seed), n))
    seen.clear()
    step.advance(state)
    # that of a stage; where tolerances have added up, there are smaller ones of what they left
    b = torch.from_numpy(max(seen, key=np.linalg.norm).reshape(1, *grid.shape))
    system = System(SMOKE, "simulation", seed, pressure_stencil(solid, grid), b)
    system.matrix = pressure_system(solid, grid)
    return system


@lru_cache(maxsize=4)
def _risen(ndim: int, n: int, seed: int) -> np.ndarray:
    """The flow and the smoke after a while, (1, components, *space)."""
    recipe, grid = _recipe(ndim), Grid.cube(ndim, n)
    state = recipe.initial_states([np.random.default_rng([seed, ndim, 1])], grid)
    dt = recipe.usual_step(grid)
    step = recipe.stepper_in(recipe.media([_bodies(ndim, seed)], grid), grid, dt)
    for _ in range(round(_TIME[ndim] / dt)):
        state = step(state)
    return state


def _recipe(ndim: int) -> IncompressibleFlowRecipe:
    return IncompressibleFlowRecipe(ndim=ndim, obstacles=_BODIES[ndim])


def _bodies(ndim: int, seed: int) -> np.random.Generator:
    """What obstacles are drawn from, the same ones on every grid."""
    return np.random.default_rng([seed, ndim, 0])


def _finer(state: np.ndarray, n: int) -> np.ndarray:
    """Linear interpolation; the stepper takes the divergence out of the flow."""
    from scipy.ndimage import zoom

    factor = n / state.shape[-1]
    factors = (1, 1, *(factor,) * (state.ndim - 2))
    return np.asarray(zoom(state, factors, order=1, mode="nearest", grid_mode=True))
