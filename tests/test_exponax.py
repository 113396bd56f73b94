"""Trajectories against exponax, an independent package of the same methods: they agree to the discretisation error.

Both take the same steps of ETDRK4 in double precision, from the same smooth random waves. The difference is compared
with the error of the steps, what halving them changes in either, and with that of the grid, what halving its spacing
changes: the packages drop different modes against aliasing, and split the Cahn–Hilliard equation differently.

exponax takes the real part of ETDRK's coefficients. That is right where the linear part is real, as in all equations
here but Korteweg–de Vries': there exponax is of first order, and converges to what this package's steps, of fourth
order, give at once.

Not part of the usual installation: ``pip install exponax``; the tests are left out without it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from opforge import pdes
from opforge.core import Grid
from opforge.pdes import SemilinearEquation
from opforge.solvers import ETDRK4, repeat

exponax = pytest.importorskip("exponax", reason="exponax is not installed")
jax = pytest.importorskip("jax")


@pytest.fixture(autouse=True, scope="module")
def double_precision() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@dataclass(frozen=True)
class Problem:
    """An equation, exponax's stepper for it, and a run.

    Args:
        equation: ours.
        theirs: the stepper's class.
        options: of the stepper.
        shape, length: points per axis, side of the box.
        time, dt: of the run, of a step.
        size, mean: root mean square and mean of the initial waves.
        sign: of exponax's state to ours: its vorticity turns the other way round.
    """

    equation: SemilinearEquation
    theirs: str
    options: dict[str, Any]
    shape: tuple[int, ...]
    length: float
    time: float
    dt: float
    size: float = 1.0
    mean: float = 0.0
    sign: float = 1.0

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, (self.length,) * len(self.shape), "periodic")

    def start(self) -> np.ndarray:
        """Random waves with wavenumbers up to 3, (1, components, *space)."""
        rng = np.random.default_rng(0)
        angles = [2 * np.pi * x / self.length for x in self.grid.mesh()]
        states = []
        for _ in self.equation.unknowns:
            waves = np.zeros(self.shape)
            for _ in range(6):
                k = rng.integers(-3, 4, self.grid.ndim)
                k[0] = k[0] or 1
                waves += np.cos(sum(n * angle for n, angle in zip(k, angles, strict=True)) + rng.uniform(0, 2 * np.pi))
            states.append(self.mean + self.size * waves / np.sqrt((waves**2).mean()))
        return np.stack(states)[None]

    def ours(self, halvings: int = 0) -> np.ndarray:
        """The last state (components, *space), with steps halved so many times."""
        steps = round(self.time / self.dt) * 2**halvings
        return repeat(ETDRK4(self.equation, self.grid, self.time / steps), steps)(self.start())[0]

    def exponax(self, halvings: int = 0) -> np.ndarray:
        """The same by exponax."""
        steps = round(self.time / self.dt) * 2**halvings
        module = exponax.stepper if hasattr(exponax.stepper, self.theirs) else exponax.stepper.reaction
        make: Callable[..., Any] = getattr(module, self.theirs)
        stepper = make(self.grid.ndim, self.length, self.shape[0], self.time / steps, order=4, **self.options)
        run = jax.jit(exponax.repeat(stepper, steps))
        return self.sign * np.asarray(run(jax.numpy.asarray(self.sign * self.start()[0])))


SIDE = 2 * np.pi
PROBLEMS = {
    "Kuramoto–Sivashinsky": Problem(
        pdes.KuramotoSivashinsky(), "KuramotoSivashinskyConservative", {}, (128,), 32.0, 10.0, 0.1
    ),
    "Burgers": Problem(
        pdes.Burgers(1, 0.1), "Burgers", {"diffusivity": 0.1, "conservative": True}, (256,), SIDE, 0.5, 0.01
    ),
    "Burgers in two dimensions": Problem(
        pdes.Burgers(2, 0.2), "Burgers", {"diffusivity": 0.2}, (64, 64), SIDE, 0.5, 0.025, size=0.5
    ),
    "Fisher": Problem(
        pdes.Fisher(2, 0.01, 2.0),
        "FisherKPP",
        {"diffusivity": 0.01, "reactivity": 2.0},
        (64, 64),
        SIDE,
        1.0,
        0.05,
        size=0.1,
        mean=0.5,
    ),
    "Allen–Cahn": Problem(
        pdes.AllenCahn(2, 0.3), "AllenCahn", {"diffusivity": 0.09}, (64, 64), SIDE, 1.0, 0.05, size=0.3
    ),
    "Cahn–Hilliard": Problem(
        pdes.CahnHilliard(2, 0.3),
        "CahnHilliard",
        {"diffusivity": 1.0, "gamma": 0.09},
        (64, 64),
        SIDE,
        0.2,
        0.0025,
        size=0.3,
    ),
    "Gray–Scott": Problem(
        pdes.GrayScott(2, 0.02, 0.01, 0.04, 0.06),
        "GrayScott",
        {"diffusivity_1": 0.02, "diffusivity_2": 0.01, "feed_rate": 0.04, "kill_rate": 0.06},
        (64, 64),
        SIDE,
        5.0,
        0.25,
        size=0.1,
        mean=0.4,
    ),
    "Navier–Stokes": Problem(
        pdes.NavierStokes(viscosity=0.1),
        "NavierStokesVorticity",
        {"diffusivity": 0.1},
        (64, 64),
        SIDE,
        1.0,
        0.05,
        size=2.0,
        sign=-1.0,
    ),
    "Kolmogorov flow": Problem(
        pdes.NavierStokes(viscosity=0.1, drag=0.1, forcing="kolmogorov", amplitude=-1.0, wavenumber=4),
        "KolmogorovFlowVorticity",
        {"diffusivity": 0.1, "drag": -0.1, "injection_mode": 4},
        (64, 64),
        SIDE,
        1.0,
        0.05,
        size=2.0,
        sign=-1.0,
    ),
}
KDV = Problem(
    pdes.KortewegDeVries(),
    "KortewegDeVries",
    {"convection_scale": 6.0, "hyper_diffusivity": 0.0},
    (96,),
    20.0,
    0.5,
    0.01,
    size=0.3,
)


def distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm(first - second) / np.linalg.norm(second))


@pytest.mark.parametrize("name", PROBLEMS)
def test_trajectories_agree_to_the_discretisation_error(name):
    problem = PROBLEMS[name]
    ours, theirs = problem.ours(), problem.exponax()
    finer = replace(problem, shape=tuple(2 * n for n in problem.shape)).ours()
    grid_error = distance(finer[(..., *(slice(None, None, 2),) * problem.grid.ndim)], ours)
    step_error = distance(problem.ours(1), ours) + distance(problem.exponax(1), theirs)
    difference = distance(ours, theirs)
    print(f"{name}: difference {difference:.1e}, of the steps {step_error:.1e}, of the grid {grid_error:.1e}")
    assert distance(ours, problem.start()[0]) > 0.2, "there is something to agree on"
    assert step_error + grid_error < 1e-4
    assert difference < 2 * (step_error + grid_error) + 1e-13


def test_exponax_comes_to_the_same_solitons_at_first_order():
    ours = KDV.ours(2)
    assert distance(KDV.ours(1), ours) < 1e-7, "of fourth order"
    theirs = [KDV.exponax(halvings) for halvings in (2, 3, 4)]
    errors = [distance(state, ours) for state in theirs]
    orders = [float(np.log2(coarse / fine)) for coarse, fine in pairwise(errors)]
    print(f"errors of exponax {errors}, orders {orders}")
    assert all(0.9 < order < 1.1 for order in orders)
    # what its steps go to, extrapolated
    assert distance(2 * theirs[2] - theirs[1], ours) < errors[-1] / 50
