"""The Kuramoto–Sivashinsky equation: orders of accuracy, growth of single waves, conserved mean."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from opforge.benchmarks.validation.checks import Check, errors_of, observed_order
from opforge.core import Grid
from opforge.pdes import KuramotoSivashinsky
from opforge.solvers import ARS232, ARS443, ETDRK4, IMEXRK, repeat

GRID = Grid((128,), (32.0,), "periodic")


def developed() -> np.ndarray:
    """A state (1, 1, 128) on the attractor: there, stiff waves follow the others, and no transient lowers the order."""
    x = 2 * np.pi * GRID.coordinates()[0] / 32.0
    return repeat(ETDRK4(KuramotoSivashinsky(), GRID, 1 / 16), 16 * 60)((np.cos(x) * (1 + np.sin(x)))[None, None])


def checks() -> Iterator[Check]:
    equation, start = KuramotoSivashinsky(), developed()
    fine = repeat(ETDRK4(equation, GRID, 1 / 256), 512)(start)

    def error(steps: int) -> float:
        return float(np.abs(repeat(ETDRK4(equation, GRID, 2.0 / steps), steps)(start) - fine).max())

    yield Check(
        "order of ETDRK4 in time", observed_order(errors_of(error, (32, 64))), 3.5, 4.3, "Kassam and Trefethen (2005)"
    )
    for table in (ARS232, ARS443):

        def error_of(steps: int, table=table) -> float:
            return float(np.abs(repeat(IMEXRK(equation, GRID, 2.0 / steps, table), steps)(start) - fine).max())

        order = observed_order(errors_of(error_of, (256, 512)))
        what = f"order of the IMEX method {table.name} in time"
        yield Check(what, order, table.order - 0.15, table.order + 0.15, "Ascher, Ruuth and Spiteri (1997)")
    x = 2 * np.pi * GRID.coordinates()[0] / 32.0
    k = 2 * np.pi * 3 / 32.0
    wave = 1e-8 * np.cos(3 * x)[None, None]
    grown = repeat(ETDRK4(equation, GRID, 0.1), 100)(wave)
    rate = np.log(np.abs(np.fft.rfft(grown[0, 0])[3]) / np.abs(np.fft.rfft(wave[0, 0])[3])) / 10.0
    expected = k**2 - k**4
    yield Check(
        "growth rate of a small wave, relative error", float(abs(rate / expected - 1)), 0, 1e-6, "linear stability"
    )
    mean = repeat(ETDRK4(equation, GRID, 0.1), 500)(start + 0.3).mean()
    yield Check(
        "change of the mean in 50 units of time", float(abs(mean - start.mean() - 0.3)), 0, 1e-12, "closed form"
    )
    shifted = np.roll(start, 5, -1) + 0.0
    moved = repeat(ETDRK4(equation, GRID, 0.1), 20)(shifted)
    same = np.roll(repeat(ETDRK4(equation, GRID, 0.1), 20)(start), 5, -1)
    yield Check("shift before or after 2 units of time", float(np.abs(moved - same).max()), 0, 1e-10, "symmetry")
    boosted = repeat(ETDRK4(equation, GRID, 1 / 64), 128)(start + 2.0)
    still = repeat(ETDRK4(equation, GRID, 1 / 64), 128)(start)
    # in 2 units of time at speed 2 the frame moves by 16 points of 0.25
    yield Check(
        "Galilean boost by 2, 2 units of time",
        float(np.abs(boosted - 2.0 - np.roll(still, 16, -1)).max()),
        0,
        1e-5,
        "symmetry",
    )
