"""Navier–Stokes on the torus: Taylor and Green's vortices, Kolmogorov's laminar state, Galilean invariance, orders."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, observed_order
from opforge.core import Grid
from opforge.pdes import NavierStokes
from opforge.solvers import ETDRK4, repeat

BOX = (2 * np.pi, 2 * np.pi)
GRID = Grid((48, 48), BOX, "periodic")


def waves(seed: int = 0) -> np.ndarray:
    """A smooth random vorticity (1, 1, 48, 48) of size 2."""
    rng, (x, y) = np.random.default_rng(seed), GRID.mesh()
    w = sum(
        rng.standard_normal() * np.cos(i * x + j * y + rng.uniform(0, 6.3)) for i in range(-3, 4) for j in range(1, 4)
    )
    return (2 * w / np.abs(w).max())[None, None]


def checks() -> Iterator[Check]:
    equation = NavierStokes(viscosity=0.05)
    exact = equation.exact(GRID, [0.0, 2.0])["w"]
    found = repeat(ETDRK4(equation, GRID, 0.02), 100)(exact[:1, None])[0, 0]
    yield Check("Taylor–Green, greatest error at t = 2", float(np.abs(found - exact[1]).max()), 0, 1e-10, "exp(−2νk²t)")
    moving = NavierStokes(viscosity=0.05, mean_flow=(1.0, 0.5))
    exact = moving.exact(GRID, [0.0, 2.0])["w"]
    found = repeat(ETDRK4(moving, GRID, 0.02), 100)(exact[:1, None])[0, 0]
    yield Check(
        "Taylor–Green in a mean flow, error at t = 2", float(np.abs(found - exact[1]).max()), 0, 1e-9, "closed form"
    )
    # Kolmogorov's flow: w = −A κ/(ν κ² + α) cos κy is at rest
    forced = NavierStokes(viscosity=0.1, drag=0.1, forcing="kolmogorov", amplitude=1.0, wavenumber=4)
    laminar = (-4.0 / (0.1 * 16 + 0.1) * np.cos(4 * GRID.mesh()[1]))[None, None]
    after = repeat(ETDRK4(forced, GRID, 0.02), 100)(laminar)
    yield Check(
        "Kolmogorov's laminar state, change until t = 2", float(np.abs(after - laminar).max()), 0, 1e-11, "closed form"
    )
    start, plain = waves(), NavierStokes(viscosity=0.01)
    fine = repeat(ETDRK4(plain, GRID, 1 / 400), 400)(start)
    errors = [float(np.abs(repeat(ETDRK4(plain, GRID, 1 / n), n)(start) - fine).max()) for n in (20, 40)]
    yield Check("order of ETDRK4 in time", observed_order(errors), 3.6, 4.4, "self-convergence")
    # a flow of 2π per unit of time along x brings everything back
    carried = repeat(ETDRK4(NavierStokes(viscosity=0.01, mean_flow=(2 * np.pi, 0.0)), GRID, 1 / 400), 400)(start)
    yield Check(
        "Galilean invariance: once around the torus, t = 1", float(np.abs(carried - fine).max()), 0, 1e-6, "symmetry"
    )
    yield from inviscid(start)
    yield tracer(start)


def inviscid(start: np.ndarray) -> Iterator[Check]:
    """Without viscosity and aliasing, energy and enstrophy of the kept modes change by the time step's error only."""
    equation = NavierStokes(viscosity=0.0)
    run = repeat(ETDRK4(equation, GRID, 1 / 400), 400)
    kept = repeat(ETDRK4(equation, GRID, 1e-12), 1)(start)
    end = run(start)
    energy = [float((equation.velocity(w[0, 0], GRID) ** 2).mean()) for w in (kept, end)]
    yield Check("inviscid: change of the energy until t = 1", abs(energy[1] / energy[0] - 1), 0, 1e-8, "conservation")
    enstrophy = [float((w**2).mean()) for w in (kept, end)]
    yield Check("inviscid: change of the enstrophy", abs(enstrophy[1] / enstrophy[0] - 1), 0, 1e-8, "dealiasing")
    # the tendency from velocity and gradient of w, on a grid where their products alias to nothing
    fine = Grid((144, 144), BOX, "periodic")
    from opforge.core import resample

    w = resample(kept[0, 0], fine.shape)
    u, v = equation.velocity(w, fine)
    k = np.fft.fftfreq(144, 1 / 144)
    spectrum = np.fft.fft2(w)
    convection = -(u * np.fft.ifft2(1j * k[:, None] * spectrum).real + v * np.fft.ifft2(1j * k * spectrum).real)
    direct = np.fft.fft2(convection)[:16, :16] / 144**2
    found = np.fft.fft2(equation.tendency(kept, GRID)[0, 0])[:16, :16] / 48**2
    yield Check("convection against −u·∇w on a finer grid", float(np.abs(found - direct).max()), 0, 1e-12, "definition")


def tracer(start: np.ndarray) -> Check:
    """A tracer that starts as the vorticity and diffuses alike is the vorticity."""
    equation = NavierStokes(viscosity=0.01, tracer_diffusivity=0.01)
    found = repeat(ETDRK4(equation, GRID, 1 / 100), 100)(np.concatenate([start, start], 1))[0]
    off = float(np.abs(found[0] - found[1]).max())
    return Check("tracer that starts as w, greatest difference from w at t = 1", off, 0, 1e-8, "same equation")
