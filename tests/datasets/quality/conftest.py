"""Datasets that are made by hand."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets import OperatorDataset
from opforge.datasets.files.header import Header
from opforge.datasets.reading.source import ArraySource

LABELS = {
    "u": {"long_name": "velocity", "units": "m s-1"},
    "k": {"long_name": "conductivity", "units": "1"},
    "x": {"long_name": "place", "units": "m"},
    "time": {"long_name": "time", "units": "s"},
}


@pytest.fixture
def hand_made():
    """A dataset of arrays (samples, [frames], *space) by name; with ``times``, the field u evolves."""

    def make(grid, arrays, times=(), **header):
        samples = len(next(iter(arrays.values())))
        names, evolving = tuple(arrays), ("u",) if len(times) else ()
        known = {"provenance": {"samples": samples}, "labels": LABELS, **header}
        about = Header(names, ("u",), grid, samples, times=tuple(times), evolving=evolving, **known)
        return OperatorDataset(about, ArraySource(about, arrays))

    return make


@pytest.fixture
def waves(hand_made):
    """Waves that travel and fade: 3 samples on periodic points; if asked, beside a field that stays."""

    def make(ndim, n=16, frames=5, *, still=False, lengths=()):
        grid = Grid((n,) * ndim, lengths, points="periodic")
        times = np.linspace(0.0, 2.0, frames)
        phase = sum(x / length for x, length in zip(grid.mesh(), grid.lengths, strict=True))
        u = np.array([[(s + 1) * np.exp(-t) * np.sin(2 * np.pi * (phase - 0.3 * t)) for t in times] for s in range(3)])
        arrays = {"u": u.astype(np.float32)}
        if still:
            arrays["k"] = np.broadcast_to(1 + grid.mesh()[0], (3, *grid.shape)).astype(np.float32)
        return hand_made(grid, arrays, times)

    return make
