"""Which library computes a full transform: a fixed rule, never a measurement.

Solvers and generated data need the same bits from run to run, so nothing here is timed, and these questions carry no
trial. The rule was fitted to timings of FFTW 3.3.5, pocketfft (SciPy 1.17) and MKL (torch 2.13) on one core of an AMD
EPYC, of some 3000 sizes and kinds between 2 and 2^19 numbers:

- a plan that FFTW *estimates* is better than pocketfft for Fourier transforms over powers of two up to 128, by 1.1 to
  2.5 times, and anything between 0.4 and 10 times as slow for others (the worst: two long complex axes);
- a plan that FFTW *measured* takes 0.4 to 0.9 of pocketfft's time for Fourier transforms whose sizes have prime factors
  up to 13; in single precision it loses for real transforms of odd sizes and beyond prime factors of 7;
- for cosine and sine transforms pocketfft takes 0.3 to 0.9 of FFTW's time nearly everywhere;
- MKL takes 0.6 to 0.9 of pocketfft's time for Fourier transforms. FFTW's estimated plans, where they are good, beat it
  for tensors in double precision on one thread; on several it has the advantage of sharing torch's threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

from opforge.core.choice.backend_setting import backend_set_for
from opforge.core.choice.decision import Candidate, Question, able_candidates, answer
from opforge.core.choice.sizes import largest_prime
from opforge.core.full_transforms._transform import Transform, trigonometric
from opforge.core.full_transforms.fft_planning import Planning, planning_for
from opforge.errors import InputError

# Nanoseconds of pocketfft per number and doubling of the size, in double and single precision.
_POCKETFFT = {"complex": (0.45, 0.28), "real": (0.25, 0.17), "trigonometric": (0.3, 0.2)}
# The others' times as parts of pocketfft's, in double and single precision.
_FFTW_MEASURED, _FFTW_MEASURED_LARGE_PRIME = (0.65, 0.75), (0.8, 1.4)
_FFTW_ESTIMATED, _FFTW_ESTIMATED_BADLY = (0.65, 0.75), (2.0, 2.0)
_FFTW_TRIGONOMETRIC, _FFTW_TRIGONOMETRIC_BADLY = (1.3, 2.0), (2.0, 2.5)
_TORCH, _TORCH_TRIGONOMETRIC, _TORCH_TRIGONOMETRIC_LARGE_PRIME = (0.8, 0.7), 1.6, 0.8
# Nanoseconds per call, for numpy arrays and for tensors (their derivatives take some).
_PER_CALL = {"numpy": {"fftw": 6.5e3, "scipy": 8.5e3}, "tensor": {"fftw": 60e3, "scipy": 62e3, "torch": 30e3}}
_PER_AXES = 2.5e3  # pocketfft's functions for more than one axis
_PER_TURN = 40e3  # what torch does around the FFT for each axis of a cosine or sine transform


def chosen(
    op: str, shape: tuple[int, ...], transform: Transform, single: bool, place: str, how: Planning, asked: str | None
) -> str:
    """The back end for ``transform`` of an array of ``shape`` that lies in ``place``: "numpy" or a torch device type.

    Raises:
        InputError: the one ``asked`` for, or set for ``op``, is unknown or cannot serve this call.
    """
    if asked is None and backend_set_for(op) is not None:
        return answer(_asked(op, shape, transform, single, place, how))
    return _chosen(op, shape, transform, single, place, how, asked)


@lru_cache(maxsize=4096)
def _chosen(
    op: str, shape: tuple[int, ...], transform: Transform, single: bool, place: str, how: Planning, asked: str | None
) -> str:
    question = _asked(op, shape, transform, single, place, how)
    # The free choice is the rule's alone: what is remembered of measurements has no part in it.
    return answer(question, asked) if asked else able_candidates(question)[0].name


@lru_cache(maxsize=4096)
def _asked(op: str, shape: tuple[int, ...], transform: Transform, single: bool, place: str, how: Planning) -> Question:
    sizes = transform.sizes or tuple(shape[a] for a in transform.axes)
    batch = max(1, math.prod(shape) // math.prod(shape[a] for a in transform.axes))
    kind = "trigonometric" if transform.type else "complex" if transform.kind in ("fft", "ifft") else "real"
    lengths = _lengths(transform, sizes)
    pocketfft = batch * math.prod(sizes) * sum(_steps(n) for n in lengths) * _POCKETFFT[kind][single]
    costs = {
        "scipy": pocketfft + _PER_AXES * (len(sizes) > 1),
        "fftw": pocketfft * _fftw_part(kind, lengths, how.effort)[single],
    }
    if place != "numpy":
        costs["torch"] = _torch_cost(kind, lengths, pocketfft, single)
        costs["fftw"] *= how.threads  # it uses one, unless the user asks for more
    key = (
        f"{'x'.join(map(str, sizes))} batch {batch} {'float32' if single else 'float64'} {place} "
        f"{how.threads} thread{'s' if how.threads > 1 else ''} effort {how.effort}"
    )
    key = f"type {transform.type} {key}" if transform.type else key
    return Question(op, key, tuple(_candidate(name, place, cost) for name, cost in costs.items()))


def _torch_cost(kind: str, lengths: Sequence[int], pocketfft: float, single: bool) -> float:
    if kind != "trigonometric":
        return pocketfft * _TORCH[single]
    large_prime = max(map(largest_prime, lengths)) > 100
    return pocketfft * (_TORCH_TRIGONOMETRIC_LARGE_PRIME if large_prime else _TORCH_TRIGONOMETRIC) + _PER_TURN * len(
        lengths
    )


def _candidate(name: str, place: str, cost: float) -> Candidate:
    per_call = _PER_CALL["numpy" if place == "numpy" else "tensor"][name]
    elsewhere = place not in ("numpy", "cpu") and name != "torch"
    return Candidate(name, cost + per_call, f"it works in the CPU's memory, and the tensor is on {place}" * elsewhere)


def _lengths(transform: Transform, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of the Fourier transforms inside."""
    if transform.type == 1:
        return tuple(2 * n - 2 if transform.kind == "cos" else 2 * n + 2 for n in sizes)
    return sizes


def _steps(n: int) -> float:
    """Doublings of the size, each dearer where it has a large prime factor."""
    return math.log2(max(n, 2)) * (1.0 if largest_prime(n) <= 13 else min(largest_prime(n) / 6, 8.0))


def _fftw_part(kind: str, lengths: Sequence[int], effort: str) -> tuple[float, float]:
    largest, longest = max(map(largest_prime, lengths)), max(lengths)
    if kind == "trigonometric":
        return _FFTW_TRIGONOMETRIC if largest <= 2 and longest <= 64 else _FFTW_TRIGONOMETRIC_BADLY
    if effort != "estimate":
        double = _FFTW_MEASURED[0] if largest <= 13 else 1.2 if largest <= 31 else _FFTW_MEASURED_LARGE_PRIME[0]
        vectorised = largest <= 7 and (kind == "complex" or all(n % 2 == 0 for n in lengths))
        return double, (_FFTW_MEASURED if vectorised else _FFTW_MEASURED_LARGE_PRIME)[1]
    if largest <= 2 and (longest <= 64 or (longest <= 128 and (kind == "complex" or len(lengths) > 1))):
        return _FFTW_ESTIMATED
    return _FFTW_ESTIMATED_BADLY


def fourier_question(
    op: str,
    shape: Sequence[int],
    *,
    batch: int = 1,
    channels: int = 1,
    dtype: Any = "float32",
    device: str = "cpu",
    threads: int | None = None,
) -> Question:
    """Which back end should serve `fftn`, `ifftn`, `rfftn` or `irfftn` over axes of the sizes ``shape``.

    Args:
        op: the function's name.
        shape: points per transformed axis.
        batch: how many transforms, together with ``channels``.
        channels: see ``batch``.
        dtype: real or complex type of the array, of numpy or torch.
        device: of the tensor; ``"numpy"`` for numpy arrays.
        threads: as `planning` or torch set them when left out.

    Example:
        >>> [c.name for c in fourier_question("rfftn", (64, 64), device="numpy").candidates]
        ['scipy', 'fftw']
    """
    return _question(
        op, Transform(op.removesuffix("n"), (), "backward"), shape, batch * channels, dtype, device, threads
    )


def trigonometric_question(
    op: str,
    shape: Sequence[int],
    *,
    type: int = 2,
    batch: int = 1,
    channels: int = 1,
    dtype: Any = "float32",
    device: str = "cpu",
    threads: int | None = None,
) -> Question:
    """Which back end should serve `dctn` or `dstn` of ``type``; the other arguments are `fourier_question`'s.

    Example:
        >>> answer(trigonometric_question("dctn", (255, 255), type=2, device="numpy"))
        'scipy'
    """
    transform = trigonometric("cos" if op == "dctn" else "sin", type, (), "backward", False)
    return _question(op, transform, shape, batch * channels, dtype, device, threads)


fftn_question = partial(fourier_question, "fftn")
ifftn_question = partial(fourier_question, "ifftn")
rfftn_question = partial(fourier_question, "rfftn")
irfftn_question = partial(fourier_question, "irfftn")
dctn_question = partial(trigonometric_question, "dctn")
dstn_question = partial(trigonometric_question, "dstn")


def _question(
    op: str, transform: Transform, shape: Sequence[int], batch: int, dtype: Any, device: str, threads: int | None
) -> Question:
    sizes = tuple(int(n) for n in shape)
    if min(sizes, default=0) < 1:
        raise InputError(f"shape needs one size of at least 1 per transformed axis, got {sizes}")
    place = str(device).partition(":")[0]
    full = (batch, *sizes)
    how = planning_for(math.prod(full), 1 if place == "numpy" else _torch_threads())
    if threads is not None:
        how = how._replace(threads=threads)
    transform = transform._replace(axes=tuple(range(1, len(full))), sizes=sizes if transform.kind[0] in "ri" else ())
    single = any(name in str(dtype) for name in ("float32", "complex64"))
    return _asked(op, full, transform, single, place, how)


def _torch_threads() -> int:
    import torch

    return torch.get_num_threads()
