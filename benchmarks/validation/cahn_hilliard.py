"""The Cahn–Hilliard equation: growth of waves, mass to rounding, falling energy, order in time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import CahnHilliard
from opforge.solvers import ETDRK4, repeat, rollout


def checks() -> Iterator[Check]:
    width = 0.04
    equation, grid = CahnHilliard(2, width), Grid((64, 64), points="periodic")
    x, y = grid.mesh()
    k = 2 * np.pi * 3
    wave = 1e-7 * np.cos(k * x)[None, None]
    grown = repeat(ETDRK4(equation, grid, 2e-5), 500)(wave)
    rate = np.log(np.abs(grown).max() / np.abs(wave).max()) / 0.01
    expected = k**2 - width**2 * k**4
    yield Check("growth rate of a small wave, relative error", float(abs(rate / expected - 1)), 0, 1e-5, "k² − ε²k⁴")
    u = 0.1 + 0.3 * (np.cos(2 * np.pi * (x + 2 * y)) + np.sin(4 * np.pi * x))[None, None]
    frames = rollout(ETDRK4(equation, grid, 1e-4), u, frames=50, steps=20, start=True)[:, 0, 0]
    mass = np.abs(frames.mean((1, 2)) - u.mean()).max()
    yield Check("change of the mass", float(mass), 0, 1e-12, "conservation")
    energy = equation.energy({"u": frames}, grid)
    yield Check("greatest rise of the energy", float(np.diff(energy).max()), -1, 1e-12, "steepest descent")
    yield Check("energy at the end over that at the start", float(energy[-1] / energy[0]), 0.1, 0.7, "the phases part")
    start = frames[10][None, None]
    fine = repeat(ETDRK4(equation, grid, 1e-3 / 1600), 1600)(start)
    errors = [float(np.abs(repeat(ETDRK4(equation, grid, 1e-3 / n), n)(start) - fine).max()) for n in (200, 400)]
    yield Check("order of ETDRK4 in time", observed_order(errors), 3.4, 4.4, "self-convergence")
