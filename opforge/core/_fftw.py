"""FFTW plans for numpy arrays.

A plan owns its scratch arrays: planning overwrites them and multi-dimensional c2r destroys its input, so the caller's
array is copied in and the result copied out. Plans are kept per process and thread, because FFTW's scratch arrays
cannot be shared. They are made with FFTW_ESTIMATE: a measured plan may differ from run to run and with it the last
bits of the result, and generated data must not.
"""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyfftw

from opforge.core._trigonometric import INVERSE_TYPE, logical_size, singled_out

_KEPT_PLANS = 32  # per thread; each holds two scratch arrays of the transform's size
_local = threading.local()

_R2R = {
    ("cos", 1): "FFTW_REDFT00",
    ("cos", 2): "FFTW_REDFT10",
    ("cos", 3): "FFTW_REDFT01",
    ("cos", 4): "FFTW_REDFT11",
    ("sin", 1): "FFTW_RODFT00",
    ("sin", 2): "FFTW_RODFT10",
    ("sin", 3): "FFTW_RODFT01",
    ("sin", 4): "FFTW_RODFT11",
}


def fftn(x: np.ndarray, axes: tuple[int, ...], norm: str, inverse: bool) -> np.ndarray:
    kind = _complex(x.dtype)
    plan = _plan(x.shape, kind, x.shape, kind, axes, "FFTW_BACKWARD" if inverse else "FFTW_FORWARD")
    return _run(plan, x, _scale([x.shape[a] for a in axes], norm, inverse))


def rfftn(x: np.ndarray, axes: tuple[int, ...], norm: str) -> np.ndarray:
    shape = list(x.shape)
    shape[axes[-1]] = shape[axes[-1]] // 2 + 1
    plan = _plan(x.shape, _real(x.dtype), tuple(shape), _complex(x.dtype), axes, "FFTW_FORWARD")
    return _run(plan, x, _scale([x.shape[a] for a in axes], norm, False))


def irfftn(x: np.ndarray, sizes: tuple[int, ...], axes: tuple[int, ...], norm: str) -> np.ndarray:
    shape = list(x.shape)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = size
    plan = _plan(x.shape, _complex(x.dtype), tuple(shape), _real(x.dtype), axes, "FFTW_BACKWARD")
    return _run(plan, x, _scale(sizes, norm, True))


def trigonometric(kind: str, x: np.ndarray, type: int, axes: tuple[int, ...], norm: str, inverse: bool) -> np.ndarray:
    if inverse:
        type = INVERSE_TYPE[type]
    real = _real(x.dtype)
    plan = _plan(x.shape, real, x.shape, real, axes, (_R2R[kind, type],) * len(axes))
    scale = _scale([logical_size(kind, type, x.shape[a]) for a in axes], norm, inverse)
    if norm != "ortho":
        return _run(plan, x, scale)
    x = np.array(x, dtype=real)
    _scale_ends(kind, type, x, axes, before=True)
    out = _run(plan, x, scale)
    _scale_ends(kind, type, out, axes, before=False)
    return out


def _scale_ends(kind: str, type: int, x: np.ndarray, axes: tuple[int, ...], *, before: bool) -> None:
    for axis in axes:
        for end, factor in singled_out(kind, type, before=before):
            x[(slice(None),) * axis + (end,)] *= factor


def _real(dtype: np.dtype) -> np.dtype:
    return np.dtype("f4" if dtype in (np.float32, np.float16, np.complex64) else "f8")


def _complex(dtype: np.dtype) -> np.dtype:
    return np.dtype("c8" if _real(dtype) == np.float32 else "c16")


def _scale(sizes: Sequence[int], norm: str, inverse: bool) -> float:
    size = math.prod(sizes)
    if norm == "ortho":
        return 1 / math.sqrt(size)
    return 1 / size if (norm == "backward") == inverse else 1.0


def _run(plan: pyfftw.FFTW, x: np.ndarray, scale: float) -> np.ndarray:
    """The scaled transform in a new array, the only one that is made: new memory can cost more than the transform."""
    np.copyto(plan.input_array, x)
    plan.execute()
    out = plan.output_array
    return out.copy() if scale == 1.0 else np.multiply(out, out.real.dtype.type(scale))


def _plan(*key: Any) -> pyfftw.FFTW:
    """The plan for this key in this process and thread; made, and the least recently used one dropped, if need be."""
    if getattr(_local, "process", None) != os.getpid():
        _local.process, _local.plans = os.getpid(), OrderedDict()
    plans = _local.plans
    if key not in plans:
        in_shape, in_type, out_shape, out_type, axes, direction = key
        scratch_in = pyfftw.empty_aligned(in_shape, in_type)
        scratch_out = pyfftw.empty_aligned(out_shape, out_type)
        plans[key] = pyfftw.FFTW(
            scratch_in, scratch_out, axes=axes, direction=direction, flags=("FFTW_ESTIMATE",), threads=1
        )
        if len(plans) > _KEPT_PLANS:
            plans.popitem(last=False)
    plans.move_to_end(key)
    return plans[key]
