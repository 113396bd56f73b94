"""Smoke rises past two cylinders, with five ways to solve for the pressure: the same flow, other times.

Every step of the staggered flow solves −Δp = −∇·(its rates) around the cylinders three times, and that is where the
time goes. The learned preconditioners that opforge ships never saw these cylinders.

    python examples/smoke_plume.py
"""

import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from opforge.core import Grid
from opforge.pdes import IncompressibleFlow
from opforge.precond import load
from opforge.solvers import PressureSolver, ProjectionStepper, amg, dcdm, incomplete_cholesky, pressure_system, repeat


class Clocked(PressureSolver):
    """A solver of the pressure that keeps the seconds and the iterations of every solution."""

    def of_divergence(self, source):
        start = time.perf_counter()
        found = super().of_divergence(source)
        if self.last is not None:  # nothing is to be solved for a fluid at rest
            self.kept = [*getattr(self, "kept", []), (time.perf_counter() - start, self.last.iterations)]
        return found


def main(resolution: int = 96, steps: int = 250, *, out: str | Path = "smoke_plume.png") -> dict[str, np.ndarray]:
    """Run the plume five times, compare and draw; return the last state of each run: velocities and smoke."""
    grid = Grid((resolution, resolution))
    x, y = grid.mesh()
    solid = ((x - 0.37) ** 2 + (y - 0.42) ** 2 < 0.08**2) | ((x - 0.6) ** 2 + (y - 0.6) ** 2 < 0.07**2)
    smoke = np.exp(-((x - 0.45) ** 2 + (y - 0.2) ** 2) / 0.1**2) * ~solid
    matrix = pressure_system(solid, grid)
    ways = {
        "CG": lambda: {"preconditioner": np.copy},
        "IC-CG": lambda: {"preconditioner": incomplete_cholesky(matrix)},
        "AMG-CG": lambda: {"preconditioner": amg(matrix)},
        "DCDM": lambda: {"preconditioner": load("dcdm_2d"), "method": dcdm},
        "learned multigrid": lambda: {"preconditioner": load("multigrid_2d")},
    }
    figure = Figure((12, 3.8), layout="constrained")
    picture, by_iterations, by_time = figure.subplots(1, 3)
    states: dict[str, np.ndarray] = {}
    print(f"{'':18s} set-up  a solve  iterations  whole run  difference of the flow")
    for name, way in ways.items():
        began = time.perf_counter()
        solver = Clocked(solid, grid, **way())
        ready = time.perf_counter()
        equation = IncompressibleFlow(viscosity=1e-3, buoyancy=1.0)
        step = ProjectionStepper(equation, grid, 0.8 / resolution, solid=solid, pressure=solver)
        states[name] = repeat(step, steps)(np.stack([0 * x, 0 * x, smoke])[None])[0]
        run, (seconds, iterations) = time.perf_counter() - ready, np.median(solver.kept, axis=0)
        off = np.linalg.norm(states[name] - states["CG"]) / np.linalg.norm(states["CG"])
        print(f"{name:18s} {ready - began:5.2f} s {1e3 * seconds:6.1f} ms {iterations:8.0f} {run:10.1f} s {off:14.1e}")
        residuals = solver.last.residuals  # those of the last step's last stage
        by_iterations.loglog(1 + np.arange(len(residuals)), residuals, label=name)
        by_time.loglog(1e3 * seconds * (1 + np.arange(len(residuals))) / len(residuals), residuals, label=name)
    picture.imshow(np.where(solid, np.nan, states["CG"][2]).T, origin="lower", extent=(0, 1, 0, 1), cmap="magma")
    picture.set(title=f"smoke after {steps} steps", xlabel="x", ylabel="y", facecolor="grey")
    by_iterations.set(xlabel="1 + iterations", ylabel="relative residual", title="pressure of the last step")
    by_time.set(xlabel="milliseconds")
    by_time.legend(loc="lower left")
    figure.savefig(out)
    print(f"picture: {out}")
    return states


if __name__ == "__main__":
    main()
