"""The full transforms of numpy arrays through pocketfft, that is scipy.fft, or numpy.fft where that does as well.

scipy.fft has functions for one axis and for several. Those for one, and those for several without ``axes``, do less
before the work begins, which is a tenth of the time of a small transform.

numpy.fft holds pocketfft too. Its real transforms of one axis in double precision give the same bits in the same time,
and it is there already: to import scipy.fft takes 0.1 s, which a process that makes samples can do without.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from opforge.core.full_transforms._forks import under_way
from opforge.core.full_transforms.fft_planning import Planning


@cache
def _scipy() -> Any:  # to a type checker its functions return what their dispatch works with
    """scipy.fft, not to be asked for within `under_way`: imports take locks."""
    import scipy.fft

    return scipy.fft


def _as_well_by_numpy(x: np.ndarray, axes: tuple[int, ...], how: Planning) -> bool:
    return len(axes) == 1 and how.threads == 1 and x.dtype.char in "dD"


def c2c(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, inverse: bool) -> np.ndarray:
    scipy = _scipy()
    with under_way():
        if len(axes) == 1:
            one = scipy.ifft if inverse else scipy.fft
            return one(x, axis=axes[0], norm=norm, workers=how.threads)
        several = scipy.ifftn if inverse else scipy.fftn
        return several(x, axes=_some(axes, x), norm=norm, workers=how.threads)


def r2c(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning) -> np.ndarray:
    scipy = None if _as_well_by_numpy(x, axes, how) else _scipy()
    with under_way():
        if scipy is None:
            return np.fft.rfft(x, None, axes[0], norm)  # type: ignore[arg-type]  # norm is any str here
        if len(axes) == 1:
            return scipy.rfft(x, axis=axes[0], norm=norm, workers=how.threads)
        return scipy.rfftn(x, axes=axes, norm=norm, workers=how.threads)


def c2r(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, sizes: tuple[int, ...]) -> np.ndarray:
    scipy = None if _as_well_by_numpy(x, axes, how) else _scipy()
    with under_way():
        if scipy is None:
            return np.fft.irfft(x, sizes[0], axes[0], norm)  # type: ignore[arg-type]  # as above
        if len(axes) == 1:
            return scipy.irfft(x, sizes[0], axis=axes[0], norm=norm, workers=how.threads)
        return scipy.irfftn(x, sizes, axes=axes, norm=norm, workers=how.threads)


def r2r(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, kind: str, type: int) -> np.ndarray:
    scipy = _scipy()
    with under_way():
        if len(axes) == 1:
            one = scipy.dct if kind == "cos" else scipy.dst
            return one(x, type, axis=axes[0], norm=norm, workers=how.threads)
        several = scipy.dctn if kind == "cos" else scipy.dstn
        return several(x, type, axes=_some(axes, x), norm=norm, workers=how.threads)


def _some(axes: tuple[int, ...], x: np.ndarray) -> tuple[int, ...] | None:
    return None if len(axes) == x.ndim else axes
