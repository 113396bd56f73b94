"""States and media that are no arrays are refused in words."""

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.datasets import Drops, GaussianField, Obstacles
from opforge.errors import InputError
from opforge.pdes import Darcy, Elastic, IncompressibleFlow, KuramotoSivashinsky, Poisson, ShallowWater, Wave
from opforge.solvers import (
    ETDRK4,
    RK4,
    ElasticLeapfrog,
    FiniteVolumes,
    Leapfrog,
    ProjectionStepper,
    rollout,
    solve_elliptic,
    solve_poisson,
)

LINE, SQUARE, NODES = Grid((32,)), Grid((16, 16)), Grid((9, 9), points="nodes")
PERIODIC = Grid((64,), (32.0,), "periodic")
WATER = np.stack([np.ones(32), np.zeros(32)])[None]


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda: FiniteVolumes(ShallowWater(1), LINE, 0.01)(WATER.tolist()),
            "state must be an array of numpy or torch",
        ),
        (lambda: FiniteVolumes(ShallowWater(1), LINE, 0.01, [[0.0] * 32]), "medium must be an array of numpy or torch"),
        (
            lambda: FiniteVolumes(ShallowWater(1), LINE, 0.01, torch.zeros(1, 32))(WATER),
            "medium must be an array of num",
        ),
        (lambda: ElasticLeapfrog(Elastic(), NODES, 0.01, {"rho": [[1.0] * 9] * 9}), "rho must be an array of numpy or"),
        (
            lambda: ETDRK4(KuramotoSivashinsky(), PERIODIC, 0.1)("a"),
            "state must be an array of numpy or torch, got str",
        ),
        (lambda: Leapfrog(Wave(1), LINE, 0.01, [[1.0] * 32]), "speed must be an array of numpy or torch, got list"),
        (lambda: ProjectionStepper(IncompressibleFlow(), SQUARE, 0.01)([[0.0]]), "state must be an array of numpy or"),
        (lambda: rollout(RK4(lambda u: -u, 0.1), [[[1.0]]], frames=2), "state must be an array of numpy"),
        (
            lambda: Poisson(1).residual({"f": [0.0] * 32, "u": np.zeros(32)}, LINE),
            "field 'f' must be an array of numpy",
        ),
        (
            lambda: Poisson(1).residual({"f": WATER[0, 0], "u": WATER[0, 0], "z": 2.0}, LINE),
            "field 'z' must be an array",
        ),
        (lambda: Poisson(1).residual([1], LINE), "fields must map names to arrays, got list"),
        (lambda: Poisson(1).residual({}, 32), r"grid must be an opforge\.core\.Grid, got 32"),
        (
            lambda: solve_elliptic(Darcy(1), {"a": WATER[0, 0]}, LINE, maxiter=2.5),
            "maxiter must be a whole number of at",
        ),
        (lambda: solve_elliptic(Darcy(1), {"a": [1.0] * 32}, LINE), "field 'a' must be an array of numpy or torch"),
        (
            lambda: solve_poisson(Poisson(1), {"f": WATER[0, 0]}, LINE, rtol="a"),
            "rtol must be a number between 0 and 1",
        ),
        (lambda: Drops(None, (0.1, 0.2)), "count must be an integer, got None"),
        (lambda: Drops(2, "ab"), "widths must be 2 numbers, got 'ab'"),
        (lambda: Drops(2, (0.1,)), r"widths must be 2 numbers, got \(0\.1,\)"),
        (lambda: Obstacles(2, (0.1, "a")), "sizes must be 2 numbers, got"),
        (lambda: GaussianField([3.0], 2.0), r"alpha must be a number, got \[3\.0\]"),
        (lambda: GaussianField("a", 2.0), "alpha must be a number, got 'a'"),
    ],
)
def test_refused(attempt, message):
    with pytest.raises(InputError, match=message):
        attempt()
