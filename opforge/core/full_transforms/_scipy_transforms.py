"""The full transforms of numpy arrays through pocketfft, that is scipy.fft."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from opforge.core.full_transforms._forks import under_way
from opforge.core.full_transforms.fft_planning import Planning

_fft: Any = scipy.fft  # to a type checker its functions return what their dispatch works with

# scipy.fft has functions for one axis and for several. Those for one, and those for several without ``axes``, do less
# before the work begins, which is a tenth of the time of a small transform.


def c2c(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, inverse: bool) -> np.ndarray:
    with under_way():
        if len(axes) == 1:
            one = _fft.ifft if inverse else _fft.fft
            return one(x, axis=axes[0], norm=norm, workers=how.threads)
        several = _fft.ifftn if inverse else _fft.fftn
        return several(x, axes=_some(axes, x), norm=norm, workers=how.threads)


def r2c(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning) -> np.ndarray:
    with under_way():
        if len(axes) == 1:
            return _fft.rfft(x, axis=axes[0], norm=norm, workers=how.threads)
        return _fft.rfftn(x, axes=axes, norm=norm, workers=how.threads)


def c2r(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, sizes: tuple[int, ...]) -> np.ndarray:
    with under_way():
        if len(axes) == 1:
            return _fft.irfft(x, sizes[0], axis=axes[0], norm=norm, workers=how.threads)
        return _fft.irfftn(x, sizes, axes=axes, norm=norm, workers=how.threads)


def r2r(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, kind: str, type: int) -> np.ndarray:
    with under_way():
        if len(axes) == 1:
            one = _fft.dct if kind == "cos" else _fft.dst
            return one(x, type, axis=axes[0], norm=norm, workers=how.threads)
        several = _fft.dctn if kind == "cos" else _fft.dstn
        return several(x, type, axes=_some(axes, x), norm=norm, workers=how.threads)


def _some(axes: tuple[int, ...], x: np.ndarray) -> tuple[int, ...] | None:
    return None if len(axes) == x.ndim else axes
