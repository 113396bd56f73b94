"""Waves: a standing wave's frequency, orders of leapfrog, energy, dispersion, a pulse that comes back, reciprocity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import Wave
from opforge.pdes._finite_volumes import divergence
from opforge.solvers import ExactWave, Leapfrog, repeat


def state_of(fields: dict[str, np.ndarray], frame: int) -> np.ndarray:
    return np.stack([fields["u"][frame], fields["v"][frame]])[None]


def standing_error(points: int, boundary: str) -> float:
    """Leapfrog at half of its limit until t = 1, a standing wave in the unit square."""
    equation, grid = Wave(2, boundary=boundary), Grid((points, points))
    fields, steps = equation.exact(grid, [0.0, 1.0]), 4 * points
    found = repeat(Leapfrog(equation, grid, 1.0 / steps), steps)(state_of(fields, 0))
    return float(np.sqrt(np.mean((found[0, 0] - fields["u"][1]) ** 2)))


def kept_energy() -> float:
    """The relative change of leapfrog's own energy, ½|v|² − ½u·Lu − dt²/8 |Lu|², in a random medium."""
    rng, grid = np.random.default_rng(0), Grid((24, 20))
    c = np.exp(0.3 * rng.standard_normal((1, 24, 20)))
    equation, dt = Wave(2), 0.005
    start = rng.standard_normal((1, 2, 24, 20))

    def energy(state: np.ndarray) -> float:
        u, v = state[0]
        pull = divergence(c[0] ** 2, u, grid.spacing)
        return float((v**2 - u * pull - dt**2 / 4 * pull**2).sum() / 2)

    end = repeat(Leapfrog(equation, grid, dt, c), 1000)(start)
    return abs(energy(end) / energy(start) - 1)


def reciprocity() -> float:
    """What a source at P does at Q is what the same source at Q does at P, in any medium."""
    rng, grid = np.random.default_rng(1), Grid((30, 30))
    c = np.exp(0.3 * rng.standard_normal((1, 30, 30)))
    run, places = repeat(Leapfrog(Wave(2), grid, 0.004, c), 200), [(4, 7), (22, 18)]
    heard = []
    for (i, j), (k, m) in (places, places[::-1]):
        start = np.zeros((1, 2, 30, 30))
        start[0, 1, i, j] = 1.0
        heard.append(run(start)[0, 0, k, m])
    return abs(heard[0] - heard[1]) / abs(heard[0])


def checks() -> Iterator[Check]:
    for boundary in ("dirichlet", "neumann", "periodic"):
        equation, grid = Wave(2, 1.5, boundary=boundary), Grid((24, 20), (1.0, 2.0))
        fields = equation.exact(grid, [0.0, 3.3])
        found = ExactWave(equation, grid, 3.3)(state_of(fields, 0))
        error = np.abs(found - state_of(fields, 1)).max()
        yield Check(
            f"{boundary}: standing wave, exact solver, error at t = 3.3", float(error), 0, 1e-11, "ω = cπ√(m² + n²)"
        )
        errors = [standing_error(n, boundary) for n in (32, 64)]
        yield Check(f"{boundary}: order of leapfrog", observed_order(errors), 1.9, 2.1, "standing wave")
    yield Check("leapfrog's energy, change in 1000 steps", kept_energy(), 0, 1e-11, "symplectic method")
    yield Check("source and receiver exchanged, relative difference", reciprocity(), 0, 1e-10, "reciprocity")
    # one dimension at the limit c dt = h: waves move by a cell a step, exactly
    grid = Grid((64,))
    x = grid.coordinates()[0]
    pulse = np.exp(-(((x - 0.5) / 0.08) ** 2))
    start = np.stack([pulse, np.zeros(64)])[None]
    end = repeat(Leapfrog(Wave(1, boundary="periodic"), grid, 1 / 64), 64)(start)
    yield Check(
        "1-D, c dt = h: a pulse comes back, error", float(np.abs(end[0, 0] - pulse).max()), 0, 1e-11, "no dispersion"
    )
    # half of that: a wave of wavenumber k is late by (kh)²(1 − ¼)/24
    k = 2 * np.pi * 4
    wave = np.cos(k * x)
    start = np.stack([wave, np.zeros(64)])[None]
    end = repeat(Leapfrog(Wave(1, boundary="periodic"), grid, 1 / 128), 128)(start)[0, 0]
    omega = np.arccos((end * wave).sum() / (wave**2).sum()) / (k * 1.0)  # ω/ω_exact is near 1: the phase is near 0
    late = (k / 64) ** 2 * (1 - 0.25) / 24
    yield Check(
        "1-D, c dt = h/2: phase lag over (kh)²(1 − ¼)/24", float(omega / late), 0.95, 1.05, "dispersion relation"
    )
