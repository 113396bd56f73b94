"""The full transforms of numpy arrays through FFTW: plans that are kept, and how they are run.

Every plan is made on scratch arrays, because measuring overwrites them, and belongs to one process and thread,
because its scratch arrays can't be shared. A plan runs on the caller's array where that lies in memory as the scratch
array does and the transform leaves its input alone, else on a copy in the scratch array: the plan, and with it every
bit of the result, is the same for either.

With the effort "estimate" a plan is made by FFTW's rule of thumb alone, whatever was measured before in the process,
so that the bits of a result do not depend on what else has been computed.
"""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from opforge.core.full_transforms import _wisdom
from opforge.core.full_transforms._forks import under_way
from opforge.core.full_transforms._pyfftw import pyfftw
from opforge.core.full_transforms._transform import scaled_at
from opforge.core.full_transforms._trigonometric import logical_size, ortho_ends
from opforge.core.full_transforms.fft_planning import Planning

# Per thread; beyond either, the plans used least recently are dropped, as long as two are left: a transform and
# its inverse.
_KEPT_PLANS = 64
_KEPT_BYTES = 2**28

_ALIGNMENT = 16  # what pyFFTW asks of arrays; numpy's and torch's have it as a rule
_FLAGS = {"estimate": "FFTW_ESTIMATE", "measure": "FFTW_MEASURE", "patient": "FFTW_PATIENT"}
_REAL = {"f": "f", "F": "f", "d": "d", "D": "d"}
_COMPLEX = {"f": "F", "F": "F", "d": "D", "D": "D"}
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


class _Plan:
    """A plan with its scratch arrays."""

    def __init__(self, fftw: pyfftw.FFTW, source: np.ndarray, target: np.ndarray, keeps_input: bool):
        self.fftw, self.source, self.target, self.keeps_input = fftw, source, target, keeps_input

    def __call__(self, x: np.ndarray, scale: float) -> np.ndarray:
        """``scale`` times the transform of ``x``, in a new array."""
        source, target = self.source, self.target
        if self.keeps_input and x.strides == source.strides and x.dtype == source.dtype and _aligned(x):
            source = x
        else:
            np.copyto(source, x)
        out = np.empty(target.shape, target.dtype)
        if _aligned(out):
            self.fftw.update_arrays(source, out)
            self.fftw.execute()
            # else the plan would keep the caller's arrays alive
            self.fftw.update_arrays(self.source, target)
        else:
            self.fftw.update_arrays(source, target)
            self.fftw.execute()
            self.fftw.update_arrays(self.source, target)
            np.copyto(out, target)
        if scale != 1.0:
            reals = out.view(_REAL[out.dtype.char])
            reals *= scale
        return out

    @property
    def nbytes(self) -> int:
        return self.source.nbytes + self.target.nbytes


class _Plans(threading.local):
    """The plans of a thread; the thread's end frees them."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.kept: OrderedDict[tuple[Any, ...], _Plan] = OrderedDict()

    def of_this_process(self) -> OrderedDict[tuple[Any, ...], _Plan]:
        if self.process != os.getpid():
            self.process, self.kept = os.getpid(), OrderedDict()
        return self.kept


_plans = _Plans()
_planner = threading.RLock()  # FFTW's planner and its wisdom are for one thread at a time
_measured = False  # whether FFTW may hold measured plans of this module's
_forked = False  # whether this process is a fork of another


def _note_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def c2c(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, inverse: bool) -> np.ndarray:
    kind = _COMPLEX[x.dtype.char]
    direction = "FFTW_BACKWARD" if inverse else "FFTW_FORWARD"
    scale = _scale([x.shape[a] for a in axes], norm, inverse)
    return _run(x, (x.shape, kind, x.shape, kind, axes, direction), how, scale)


def r2c(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning) -> np.ndarray:
    shape = list(x.shape)
    shape[axes[-1]] = shape[axes[-1]] // 2 + 1
    key = (x.shape, _REAL[x.dtype.char], tuple(shape), _COMPLEX[x.dtype.char], axes, "FFTW_FORWARD")
    return _run(x, key, how, _scale([x.shape[a] for a in axes], norm, False))


def c2r(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, sizes: tuple[int, ...]) -> np.ndarray:
    shape = list(x.shape)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = size
    key = (x.shape, _COMPLEX[x.dtype.char], tuple(shape), _REAL[x.dtype.char], axes, "FFTW_BACKWARD")
    return _run(x, key, how, _scale(sizes, norm, True))


def r2r(x: np.ndarray, axes: tuple[int, ...], norm: str, how: Planning, *, kind: str, type: int) -> np.ndarray:
    real = _REAL[x.dtype.char]
    key = (x.shape, real, x.shape, real, axes, (_R2R[kind, type],) * len(axes))
    scale = _scale([logical_size(kind, type, x.shape[a]) for a in axes], norm, False)
    if norm != "ortho":
        return _run(x, key, how, scale)
    ends = ortho_ends(kind, type)
    if ends.before != 1.0:
        x = scaled_at(np.array(x, dtype=real), axes, ends.entries, ends.before)
    return scaled_at(_run(x, key, how, scale), axes, ends.entries, ends.after)


def _scale(sizes: Sequence[int], norm: str, inverse: bool) -> float:
    size = math.prod(sizes)
    if norm == "ortho":
        return 1 / math.sqrt(size)
    return 1 / size if (norm == "backward") == inverse else 1.0


def _aligned(x: np.ndarray) -> bool:
    return pyfftw.is_byte_aligned(x, n=_ALIGNMENT)


def _run(x: np.ndarray, key: tuple[Any, ...], how: Planning, scale: float) -> np.ndarray:
    with under_way():
        # GNU OpenMP, with which FFTW is built here, waits for ever in a fork of a process that has used its threads.
        out = _plan(key, how.effort, 1 if _forked else how.threads)(x, scale)
    if how.effort != "estimate":
        _wisdom.warn()
    return out


def _plan(key: tuple[Any, ...], effort: str, threads: int) -> _Plan:
    """The plan for this key in this process and thread, made if need be."""
    plans = _plans.of_this_process()
    full_key = (*key, effort, threads)
    plan = plans.get(full_key)
    if plan is None:
        plan = plans[full_key] = _made(key, effort, threads)
        kept = sum(p.nbytes for p in plans.values())
        while len(plans) > _KEPT_PLANS or (kept > _KEPT_BYTES and len(plans) > 2):
            kept -= plans.popitem(last=False)[1].nbytes
    plans.move_to_end(full_key)
    return plan


def _made(key: tuple[Any, ...], effort: str, threads: int) -> _Plan:
    in_shape, in_type, out_shape, out_type, axes, direction = key
    source = pyfftw.empty_aligned(in_shape, in_type)
    target = pyfftw.empty_aligned(out_shape, out_type)
    # FFTW destroys the input of such transforms over several axes; over one, keeping it costs time.
    to_real = in_type in "FD" and out_type in "fd"
    flags = ("FFTW_DESTROY_INPUT",) if to_real else ()

    def make(*more: str) -> pyfftw.FFTW:
        return pyfftw.FFTW(source, target, axes=axes, direction=direction, flags=(*flags, *more), threads=threads)

    with _planner:
        fftw = _estimated(make) if effort == "estimate" else _from_wisdom(make, _FLAGS[effort])
    return _Plan(fftw, source, target, not to_real)


def estimated_c2c(source: np.ndarray, target: np.ndarray, axes: tuple[int, ...], *, inverse: bool) -> pyfftw.FFTW:
    """A plan for complex transforms without a scale between two arrays that the caller works with; it keeps its input.

    Args:
        source: what is transformed, complex64 or complex128; views are fine.
        target: where to, an array of the same shape and type.
        axes: to transform.
        inverse: whether to transform back.
    """

    def make(*flags: str) -> pyfftw.FFTW:
        direction = "FFTW_BACKWARD" if inverse else "FFTW_FORWARD"
        return pyfftw.FFTW(source, target, axes=axes, direction=direction, flags=flags, threads=1)

    with _planner:
        return _estimated(make)


def _estimated(make: Any) -> pyfftw.FFTW:
    if not _measured:
        return make("FFTW_ESTIMATE")
    with _wisdom.set_aside():  # FFTW would take a measured plan where it has one
        return make("FFTW_ESTIMATE")


def _from_wisdom(make: Any, flag: str) -> pyfftw.FFTW:
    global _measured
    _measured = True
    _wisdom.refresh()
    known = _known(make, flag)
    if known is not None:
        return known
    with _wisdom.alone():
        _wisdom.refresh()  # another process may have measured it meanwhile
        known = _known(make, flag)
        if known is None:
            known = make(flag)
            _wisdom.save()
    return known


def _known(make: Any, flag: str) -> pyfftw.FFTW | None:
    try:
        return make(flag, "FFTW_WISDOM_ONLY")
    except RuntimeError:  # pyFFTW's word for "no wisdom about this"
        return None
