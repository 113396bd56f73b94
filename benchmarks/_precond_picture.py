"""Convergence histories: the relative residual over seconds and over iterations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opforge.benchmarks import _precond_multigrid as multigrid
from opforge.benchmarks._precond_multigrid import Curve

# contestant -> label, colour, line
STYLES: dict[str, tuple[str, str, str]] = {
    multigrid.LEARNED: ("learned multigrid", "black", "-"),
    multigrid.TORCH: ("the same in torch", "black", ":"),
    multigrid.GEOMETRIC: ("geometric multigrid", "C0", "-"),
    multigrid.RUGE_STUEBEN: ("Ruge–Stüben", "C1", "-"),
    multigrid.AGGREGATION: ("smoothed aggregation", "C3", "-"),
    multigrid.MODIFIED: ("modified incomplete Cholesky", "C2", "--"),
    multigrid.CHOLESKY: ("incomplete Cholesky", "C2", "-"),
    multigrid.JACOBI: ("Jacobi", "0.55", "--"),
    multigrid.PLAIN: ("no preconditioner", "0.55", "-"),
}
_LOWEST = 3e-10

# Seconds are drawn from a part of the shortest set-up of a cycle on.
_CYCLES, _BEFORE = (multigrid.LEARNED, multigrid.GEOMETRIC), 0.2


def draw(curves: Sequence[Curve]) -> Figure:
    """A row of two panels for each family: over seconds, the set-up included, and over iterations.

    Args:
        curves: of systems with as many cells.
    """
    families = list(dict.fromkeys(curve.family for curve in curves))
    figure = Figure(figsize=(10, 3.1 * len(families) + 0.7), dpi=85, layout="constrained")
    panels = figure.subplots(len(families), 2, squeeze=False, sharey=True)
    for family, (over_time, over_iterations) in zip(families, panels, strict=True):
        for curve in curves:
            if curve.family == family:
                _line(over_time, over_iterations, curve)
        over_time.set_ylabel("relative residual")
        for axes, unit in ((over_time, "seconds, set-up included"), (over_iterations, "iterations")):
            axes.set(xscale="log", yscale="log", ylim=(_LOWEST, 3), xlabel=unit)
            axes.set_title(f"{family}, {curves[0].cells.replace('x', ' × ')}", fontsize=10)
            axes.axhline(multigrid.RTOL, color="0.8", linewidth=0.8, zorder=0)
            axes.grid(alpha=0.2)
        over_iterations.set_xlim(left=0.9)
        over_time.set_xlim(left=_BEFORE * min(curve.setup_s for curve in curves if curve.contestant in _CYCLES))
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=8.5)
    return figure


def _line(over_time: Axes, over_iterations: Axes, curve: Curve) -> None:
    label, colour, line = STYLES[curve.contestant]
    style = {"color": colour, "linestyle": line, "linewidth": 2.0 if colour == "black" else 1.3}
    residuals = np.maximum(curve.residuals, 1e-16)
    count = multigrid.counts(curve.iterations)
    # one iteration takes as long as another
    seconds = curve.setup_s + curve.solve_s * count / max(1, curve.iterations)
    over_time.plot(seconds, residuals, label=label, **style)
    over_iterations.plot(count[1:], residuals[1:], **style)
