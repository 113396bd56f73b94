"""The full transforms of numpy arrays, by FFTW or by pocketfft (scipy.fft)."""

from __future__ import annotations

from functools import cache

import numpy as np

from opforge.core.full_transforms._transform import Engine, Transform
from opforge.core.full_transforms._transform_choice import chosen
from opforge.core.full_transforms.fft_planning import planning_for


def run(op: str, x: np.ndarray, shape: tuple[int, ...], transform: Transform, backend: str | None) -> np.ndarray:
    """``transform`` of ``x``, checked before, by ``backend`` or the better."""
    how = planning_for(x.size)
    name = chosen(op, shape, transform, x.dtype.char in "fF", "numpy", how, backend)
    if x.size == 0:  # FFTW refuses it
        real = np.finfo(x.dtype).dtype
        to_complex = transform.kind in ("fft", "ifft", "rfft")
        return np.empty(transform.shape_after(shape), np.result_type(real, np.complex64) if to_complex else real)
    return transform(np.asarray(x), _engine(name), how)


@cache
def _engine(name: str) -> Engine:
    if name == "fftw":
        from opforge.core.full_transforms import _fftw as engine
    else:
        from opforge.core.full_transforms import _scipy_transforms as engine
    return engine
