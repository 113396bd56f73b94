"""Which back end runs a truncated transform, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from opforge.core._arguments import check_backend, check_modes
from opforge.errors import UnknownNameError

BACKENDS = ("gemm", "torch")

# How many floating point operations a batched matrix product does in the time in which an FFT, with the packing of
# kept modes around it, does one of its 2.5 N log2(N). The break-even of benchmarks/spectral_conv.py.
_GEMM_ADVANTAGE = 100.0


@dataclass(frozen=True)
class Choice:
    """A back end with the operations per channel and sample that the alternatives would do."""

    backend: str
    gemm_operations: float
    fft_operations: float


def choose(shape: Sequence[int], modes: Sequence[int], backend: str | None = None) -> Choice:
    """The back end for a transform of ``shape`` to ``modes`` and back; ``backend`` when one is asked for by name."""
    check_backend(backend, BACKENDS)
    size = math.prod(shape)
    # the last axis turns reals into modes 0 … K as pairs, each leading axis pairs into modes −K … K as pairs
    numbers = size // shape[-1] * 2 * (modes[-1] + 1)
    gemm = 2.0 * shape[-1] * numbers
    for n, k in zip(reversed(shape[:-1]), reversed(modes[:-1]), strict=True):
        kept = numbers // n * (2 * k + 1)
        gemm += 2.0 * 2 * n * kept
        numbers = kept
    fft = 2.5 * size * math.log2(max(size, 2))
    best = "gemm" if gemm <= _GEMM_ADVANTAGE * fft else "torch"
    return Choice(backend or best, 2 * gemm, 2 * fft)


def explain(op: str, shape: Sequence[int], *, modes: Sequence[int], backend: str | None = None) -> str:
    """Say in one line which back end ``op`` would use on a grid of ``shape``, and why.

    Args:
        op: ``"spectral_conv"``.
        shape: points per axis of space.
        modes: highest kept |k| per axis.
        backend: the one that will be asked for by name, if any.

    Raises:
        InputError: an unknown ``op`` or ``backend``, modes that the grid does not carry.

    Example:
        >>> explain("spectral_conv", (64, 64), modes=(12, 12))
        'spectral_conv on 64x64 with modes 12x12: gemm (758.8k operations as matrix products, 245.8k as FFTs)'
    """
    if op != "spectral_conv":
        raise UnknownNameError("op", op, ["spectral_conv"])
    choice = choose(shape, check_modes(modes, shape), backend)
    asked = ", as asked" if backend else ""
    return (
        f"{op} on {'x'.join(map(str, shape))} with modes {'x'.join(map(str, modes))}: {choice.backend}{asked} "
        f"({choice.gemm_operations / 1e3:.1f}k operations as matrix products, "
        f"{choice.fft_operations / 1e3:.1f}k as FFTs)"
    )
