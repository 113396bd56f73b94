"""Energy spectra of fields: whether the grid resolves what is on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opforge.core import Grid, dctn, fftn
from opforge.datasets.reading.dataset import OperatorDataset

# Samples that a spectrum is the mean of, unless asked otherwise; and a dataset's samples are spread evenly over it.
SAMPLES = 8

# Shares of the energy in the top third of the wavenumbers. Fields that jump have 0.09 on 16² points and 0.014 on 128²,
# the smooth solutions of Darcy's equation with such coefficients 0.0009 and 0.000002, noise 0.3 or more.
_RESOLVED, _ROUGH = 1e-3, 0.1

# How much less energy than elsewhere the last shell has where a field is made of waves that the grid carries: rounding
# to single precision leaves 1e-14, on most grids a little more.
_ENDS = 1e10

# Share of the energy that the rounding of a transform leaves beside the mean, generously.
_NOTHING = 1e-28


@dataclass(frozen=True)
class Spectrum:
    """The isotropic energy spectrum of a field.

    E_j is what the waves with |k| in the shell j·unit ± unit/2 contribute to the mean of u² over the box; the sum over
    all shells is that mean.

    Args:
        energy: E_j, (shells,), the mean over samples and frames. The last shells, above ``nyquist``, are the corners of
            the box of wavenumbers and not complete.
        unit: the distance of shells, in radians per unit of length.
        nyquist: the number of the last complete shell.
        top_third: share of the energy without j = 0 in the shells above ⅔ ``nyquist``; of the frame where it is most.
        frame: that frame.
    """

    energy: np.ndarray
    unit: float
    nyquist: int
    top_third: float
    frame: int = 0

    @property
    def wavenumbers(self) -> np.ndarray:
        """|k| of the shells, (shells,)."""
        return self.unit * np.arange(len(self.energy))

    @property
    def constant(self) -> bool:
        """Whether there is nothing but the mean."""
        return not bool(_moves(self.energy))

    @property
    def decay(self) -> float:
        """How many times less energy the last complete shell has than the one that has most; shell 0 left out."""
        shells = self.energy[1 : self.nyquist + 1]
        return float(shells.max() / shells[-1]) if shells.size and shells[-1] > 0 else math.inf

    @property
    def verdict(self) -> str:
        """What it says about the resolution, in words."""
        if self.constant:
            return "constant"
        if self.top_third < _RESOLVED:
            return "resolved"
        if self.decay > _ENDS:
            return "resolved: ends just below the grid's limit"
        if self.top_third < _ROUGH:
            return "rough: falls slowly, as jumps do"
        return "goes on to the grid's limit: perhaps not resolved"


def spectra(dataset: OperatorDataset, samples: int = SAMPLES) -> dict[str, Spectrum]:
    """The spectrum of every field, averaged over a few samples.

    Args:
        dataset: of any origin, with or without time.
        samples: how many, spread evenly over the dataset; all if it has fewer.

    Example:
        >>> import opforge
        >>> found = spectra(opforge.generate("darcy", 4, 32))
        >>> found["a"].verdict, found["u"].verdict
        ('rough: falls slowly, as jumps do', 'resolved')
    """
    shells, unit = _shells(dataset.grid)
    times = 1 if dataset.times is None else len(dataset.times)
    frames = {name: times if name in dataset.evolving else 1 for name in dataset.fields}
    energy = {name: np.zeros((count, int(shells.max()) + 1)) for name, count in frames.items()}
    chosen = spread(dataset.samples, samples)
    for sample in chosen:  # one at a time, and its frames too: transforms of large samples need room
        for name, values in dataset.arrays([sample]).items():
            for frame, field in enumerate(values.reshape(frames[name], *dataset.grid.shape)):
                waves = _energy(field.astype(np.float64), dataset.grid).ravel()
                energy[name][frame] += np.bincount(shells.ravel(), waves) / len(chosen)
    nyquist = min(int(shells[_last(dataset.grid, axis)]) for axis in range(dataset.ndim))
    return {name: _spectrum(found, unit, nyquist) for name, found in energy.items()}


def spread(count: int, most: int) -> Sequence[int]:
    """At most ``most`` of ``count`` samples, evenly spread, the first one among them.

    Example:
        >>> spread(10, 3), spread(2, 3)
        ([0, 3, 6], [0, 1])
    """
    return [i * count // most for i in range(most)] if count > most else list(range(count))


def _spectrum(energy: np.ndarray, unit: float, nyquist: int) -> Spectrum:
    """Of the energy (frames, shells)."""
    moving = np.where(_moves(energy), energy[:, 1:].sum(axis=1), np.inf)
    shares = energy[:, 2 * nyquist // 3 + 1 :].sum(axis=1) / moving
    worst = int(shares.argmax())
    return Spectrum(energy.mean(axis=0), unit, nyquist, float(shares[worst]), worst)


def _moves(energy: np.ndarray) -> np.ndarray:
    """Whether spectra (…, shells) hold more than a mean and the rounding of its transform."""
    return energy[..., 1:].sum(axis=-1) > _NOTHING * energy.sum(axis=-1)


def _energy(u: np.ndarray, grid: Grid) -> np.ndarray:
    """The part of the mean of u² that each wave has: the transform has the grid's own ends, so that nothing leaks.

    Fourier waves on periodic points. On cells and nodes cosines, cos πkξ: the even continuation of any field has no
    jump. The mean is that of the midpoint rule on cells and of the trapezoidal rule on nodes.
    """
    if grid.points == "periodic":
        return np.abs(fftn(u, norm="forward")) ** 2
    if grid.points == "cells":
        return dctn(u, 2, norm="ortho") ** 2 / u.size
    for axis in range(grid.ndim):
        u = u * np.sqrt(_trapezoidal(grid.shape[axis])).reshape([-1 if i == axis else 1 for i in range(grid.ndim)])
    return dctn(u, 1, norm="ortho") ** 2 / math.prod(n - 1 for n in grid.shape)


def _trapezoidal(n: int) -> np.ndarray:
    weights = np.ones(n)
    weights[[0, -1]] = 0.5
    return weights


def _shells(grid: Grid) -> tuple[np.ndarray, float]:
    """The shell of every wave of `_energy`, and their distance: that of the shortest axis, so that none is empty."""
    whole = 2 * math.pi if grid.points == "periodic" else math.pi
    unit = whole / min(grid.lengths)
    squares = [
        (_integers(n, periodic=grid.points == "periodic") * whole / length / unit) ** 2
        for n, length in zip(grid.shape, grid.lengths, strict=True)
    ]
    return np.rint(np.sqrt(np.asarray(sum(np.ix_(*squares))))).astype(np.intp), unit


def _integers(n: int, *, periodic: bool) -> np.ndarray:
    k = np.arange(n)
    return np.minimum(k, n - k) if periodic else k


def _last(grid: Grid, axis: int) -> tuple[int, ...]:
    """Where the highest wavenumber along an axis stands."""
    n = grid.shape[axis]
    return tuple(0 if i != axis else n // 2 if grid.points == "periodic" else n - 1 for i in range(grid.ndim))
