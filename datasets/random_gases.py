"""Random initial states of gases: smooth waves, shock tubes, and the distributions of PDEBench."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from opforge.core import Grid
from opforge.datasets.random_series import FourierSeries, sum_of_waves

# Waves of the smooth fields, and bounds of the states beside a membrane and of its place.
_WAVES = 4
_DENSITIES, _SPEEDS, _PRESSURES, _MEMBRANES = (0.3, 2.0), (-0.3, 0.3), (0.3, 2.0), (0.35, 0.65)

# PDEBench. In one dimension: how many waves, and their greatest wavenumber; how often their sum is replaced by its
# absolute value, and how often it is cut off, where, and over what length; what ranges and backgrounds lie between.
_SINES, _HIGHEST, _BENT, _CUT = 2, 3, 0.1, 0.5
_STARTS, _ENDS, _EDGE = (0.1, 0.45), (0.55, 0.9), 0.01
_DENSITY, _PRESSURE, _VELOCITY, _JUMPS = (1.0, 10.0), (10.0, 100.0), (-0.5, 0.5), (0.25, 0.75)

# In two dimensions: the greatest component of a wavenumber; background density and temperature; mean fluctuations.
_COMPONENT, _BACKGROUND, _FLUCTUATION = 4, (0.1, 10.0), (0.01, 0.2)

# Of the background: densities and pressures are not lower, whatever the fluctuations.
_LEAST = 0.1

# Where mean sizes of waves are measured, whatever the grid of the samples.
_MEASURED = Grid.cube(2, 64, points="periodic")


def smooth_waves(rng: np.random.Generator, grid: Grid, mach: float, gamma: float) -> np.ndarray:
    """Density and pressure around 1, velocities of root mean square ``mach`` times the speed of sound."""
    around = Grid(grid.shape, grid.lengths, "periodic")  # the same cells, by points: as good as their centres
    rho, *velocity, p = (FourierSeries(_WAVES).sample(rng, around) for _ in range(grid.ndim + 2))
    sound = math.sqrt(gamma)
    return np.stack([np.exp(0.1 * rho), *(mach * sound * u for u in velocity), np.exp(0.1 * gamma * p)])


def shock_tube(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """A membrane at a random place between two random states; in 2-D along x."""
    membrane = rng.uniform(*_MEMBRANES)
    sides = [[rng.uniform(*bounds) for bounds in (_DENSITIES, _SPEEDS, _PRESSURES)] for _ in range(2)]
    left = grid.mesh()[0] < membrane
    rho, u, p = (np.where(left, a, b) for a, b in zip(*sides, strict=True))
    return np.stack([rho, u, *((np.zeros_like(u),) if grid.ndim == 2 else ()), p])


def pdebench_line(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Density, velocity and pressure on (−1, 1), each of two random sines."""
    (x,) = grid.coordinates()
    fine = grid.with_shape([1024]).coordinates()[0]  # on which ranges are measured, whatever the grid
    rows = []
    for bounds in (_DENSITY, None, _PRESSURE):
        wave = _bent_and_cut(rng, grid.lengths[0])
        if bounds is None:
            rows.append(wave(x))
            continue
        values = wave(fine)
        low, high = values.min(), values.max()
        extent, background = (_log_uniform(rng, bounds) for _ in range(2))
        rows.append(background + extent * np.clip((wave(x) - low) / max(high - low, 1e-12), 0, 1))
    return np.stack(rows)


def _bent_and_cut(rng: np.random.Generator, length: float) -> Callable[[np.ndarray], np.ndarray]:
    """Two sines; of some the absolute value, some cut off by a window."""
    k = 2 * math.pi / length * rng.integers(1, _HIGHEST + 1, _SINES)
    amplitudes, phases = rng.random(_SINES), 2 * math.pi * rng.random(_SINES)
    bent, sign = rng.random() < _BENT, rng.choice([-1.0, 1.0])
    cut, start, end = rng.random() < _CUT, rng.uniform(*_STARTS), rng.uniform(*_ENDS)

    def wave(x: np.ndarray) -> np.ndarray:
        u = sign * np.sum(amplitudes[:, None] * np.sin(k[:, None] * x + phases[:, None]), 0)
        return (abs(u) if bent else u) * (_window(x, start, end) if cut else 1.0)

    return wave


def pdebench_tube(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Density, velocity and pressure on (−1, 1), each of two values and with a jump at a place of its own."""
    (x,) = grid.coordinates()
    rows = []
    for draw in (
        lambda: _log_uniform(rng, _DENSITY),
        lambda: math.exp(rng.uniform(*_VELOCITY)),
        lambda: _log_uniform(rng, _PRESSURE),
    ):
        left, right = draw(), draw()
        jump = grid.origin[0] + grid.lengths[0] * rng.uniform(*_JUMPS)
        rows.append(np.where(x < jump, left, right))
    return np.stack(rows)


def pdebench_square(rng: np.random.Generator, grid: Grid, mach: float, gamma: float) -> np.ndarray:
    """Waves of density, both velocities and pressure on the unit square, of mean speed ``mach`` times that of sound."""
    density, temperature = (rng.uniform(*_BACKGROUND) for _ in range(2))
    sizes = [rng.uniform(*_FLUCTUATION) for _ in range(2)]
    coefficients = np.stack([_coefficients(rng) for _ in range(4)])
    cut = rng.random() < _CUT
    starts, ends = rng.uniform(*_STARTS, 2), rng.uniform(*_ENDS, 2)
    rho, u, v, p = _fields(coefficients, grid)
    measured = _fields(coefficients, _MEASURED)
    speed = mach * math.sqrt(gamma * temperature) / np.hypot(measured[1], measured[2]).mean()
    rho, p = (
        np.maximum(1 + size * wave / abs(one).mean(), _LEAST)
        for size, wave, one in zip(sizes, (rho, p), measured[[0, 3]], strict=True)
    )
    window = 1.0
    if cut:
        for x, start, end in zip(grid.mesh(), starts, ends, strict=True):
            window = window * _window(x, start, end)
    rho, p = (1 + (wave - 1) * window for wave in (rho, p))
    return np.stack([density * rho, speed * u * window, speed * v * window, density * temperature * p])


def pdebench_turbulence(rng: np.random.Generator, grid: Grid, mach: float, gamma: float) -> np.ndarray:
    """Random flow without divergence and of mean speed 1 on the unit square, in a gas of uniform density 1."""
    flow = np.stack([_coefficients(rng) for _ in range(2)])
    k = _wavenumbers()
    square = np.maximum((k**2).sum(0), 1)
    flow = flow - k * ((k * flow).sum(0) / square)
    u, v = _fields(flow, grid) / np.hypot(*_fields(flow, _MEASURED)).mean()
    return np.stack([np.ones_like(u), u, v, np.full_like(u, 1 / (gamma * mach**2))])


def _wavenumbers() -> np.ndarray:
    k = np.arange(-_COMPONENT, _COMPONENT + 1)
    return np.stack(np.meshgrid(k, k, indexing="ij")).reshape(2, -1)


def _coefficients(rng: np.random.Generator) -> np.ndarray:
    """|k|^(−1/2) with random phases, of the wavenumbers with two components."""
    k = _wavenumbers()
    phases = np.exp(2j * math.pi * rng.random(k.shape[1]))
    norm = np.maximum((k**2).sum(0), 1) ** 0.5
    return np.where(k.prod(0) != 0, norm**-0.5, 0.0) * phases


def _fields(coefficients: np.ndarray, grid: Grid) -> np.ndarray:
    return np.stack([sum_of_waves(_wavenumbers(), row, grid) for row in coefficients])


def _window(x: np.ndarray, start: float, end: float) -> np.ndarray:
    """1 between two places, 0 outside, with steep edges."""
    return (np.tanh((x - start) / _EDGE) - np.tanh((x - end) / _EDGE)) / 2


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return low * (high / low) ** rng.random()
