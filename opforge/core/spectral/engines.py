"""The back ends of truncated transforms, and the question of which one should serve."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch

from opforge.core._arguments import check_modes, check_shape
from opforge.core.choice.decision import Candidate, Question, answer
from opforge.core.choice.sizes import by, largest_prime, rounded_batch
from opforge.core.choice.tracing import answer_while_tracing
from opforge.core.spectral import fftw, gemm, torch_fft
from opforge.core.triton_kernels import availability
from opforge.core.triton_kernels import spectral as triton_spectral

ENGINES: dict[str, ModuleType] = {"fftw": fftw, "gemm": gemm, "torch": torch_fft, "triton": triton_spectral}
BACKENDS = tuple(ENGINES)
# Those that hold coefficients as pairs of reals (*modes, 2, batch, channels); the others have complex ones.
PAIRS = (gemm, triton_spectral)

# The model's constants in nanoseconds, fitted to benchmarks/results/core.csv (one core of an AMD EPYC, MKL): one
# multiplication with addition of a matrix product, one of N log2(N) points of an FFT that is a whole one, with the
# packing of kept modes around it, and moving a number.
_PER_PRODUCT = {"cpu": 0.034, "cuda": 0.0001}
_PER_POINT = {"cpu": 0.55, "cuda": 0.002}
_PER_NUMBER = {"cpu": 0.25, "cuda": 0.004}
_PER_CALL = {"gemm": 250e3, "torch": 220e3, "fftw": 300e3}
# FFT libraries are slower where the size has large prime factors; by factor: times dearer.
_LARGE_PRIME = 3.0


def engine_for(
    op: str,
    x: torch.Tensor,
    modes: Sequence[int],
    shape: Sequence[int],
    out_shape: Sequence[int],
    channels: tuple[int, int],
    backend: str | None,
) -> ModuleType:
    """The back end for transforms of ``x`` from a grid of ``shape`` to ``modes`` and on to ``out_shape``.

    ``channels`` are those that come in and go out; whatever else ``x`` holds is batch.
    """
    if torch.compiler.is_compiling():
        return ENGINES[answer_while_tracing(op, ("gemm", "torch"), backend)]
    asked = _question(
        op,
        tuple(shape),
        tuple(modes),
        tuple(out_shape),
        rounded_batch(x.numel() // (channels[0] * math.prod(shape))),
        *channels,
        x.dtype,
        x.device.type,
        torch.get_num_threads(),
    )
    return ENGINES[answer(asked, backend)]


def question(
    shape: Sequence[int],
    *,
    modes: Sequence[int],
    out_shape: Sequence[int] | None = None,
    batch: int = 1,
    channels: int = 32,
    out_channels: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    threads: int | None = None,
) -> Question:
    """Which back end should serve `spectral_conv` on a grid of ``shape``.

    Args:
        shape: points per axis of space.
        modes: highest kept \\|k\\| per axis.
        out_shape: points per axis of the result; ``shape`` when left out.
        batch: samples.
        channels: of the input.
        out_channels: of the result; ``channels`` when left out.
        dtype: of the field.
        device: where it lies.
        threads: torch's threads; as set when left out.

    Raises:
        InputError: modes that the grid does not carry.

    Example:
        >>> [candidate.name for candidate in question((64, 64), modes=(12, 12)).candidates]
        ['gemm', 'torch', 'fftw', 'triton']
    """
    shape = check_shape("shape", shape, len(shape))
    modes = check_modes(modes, shape)
    return _question(
        "spectral_conv",
        shape,
        modes,
        shape if out_shape is None else check_shape("out_shape", out_shape, len(shape)),
        rounded_batch(batch),
        channels,
        channels if out_channels is None else out_channels,
        dtype,
        torch.device(device).type,
        torch.get_num_threads() if threads is None else threads,
    )


@lru_cache(maxsize=4096)
def _question(
    op: str,
    shape: tuple[int, ...],
    modes: tuple[int, ...],
    out_shape: tuple[int, ...],
    batch: int,
    channels: int,
    out_channels: int,
    dtype: torch.dtype,
    device: str,
    threads: int,
) -> Question:
    fields = batch * channels, batch * out_channels
    products = fields[0] * _products(shape, modes) + fields[1] * _products(out_shape, modes)
    points = fields[0] * _points(shape) + fields[1] * _points(out_shape)
    numbers = fields[0] * math.prod(shape) + fields[1] * math.prod(out_shape)
    wide = 2.0 if dtype == torch.float64 else 1.0
    kind = device if device in _PER_PRODUCT else "cuda"
    # forward and backward each go there and back
    gemm_cost = _PER_CALL["gemm"] + 2 * wide * (_PER_PRODUCT[kind] * products + _PER_NUMBER[kind] * numbers)
    fft_cost = 2 * wide * (_PER_POINT[kind] * points + 3 * _PER_NUMBER[kind] * numbers)
    whole = "" if dtype in (torch.float32, torch.float64) else f"it does not compute in {dtype}"
    host = whole or ("" if device == "cpu" else f"it computes on the CPU, x is on {device}")
    candidates = (
        Candidate("gemm", gemm_cost),
        Candidate("torch", _PER_CALL["torch"] + fft_cost, whole),
        Candidate("fftw", threads * (_PER_CALL["fftw"] + fft_cost), host),  # on one thread
        _triton(shape, out_shape, modes, dtype, device, gemm_cost),
    )
    key = (
        f"{by(shape)} modes {by(modes)}{'' if out_shape == shape else f' to {by(out_shape)}'} batch {batch} "
        f"channels {channels}{'' if out_channels == channels else f' to {out_channels}'} "
        f"{str(dtype).removeprefix('torch.')} {device} {threads} threads"
    )

    def trial(name: str) -> Callable[[], object]:
        return _trial(ENGINES[name], shape, modes, out_shape, batch, channels, dtype, device)

    return Question(op, key, candidates, trial)


def _triton(
    shape: Sequence[int], out_shape: Sequence[int], modes: Sequence[int], dtype: torch.dtype, device: str, gemm: float
) -> Candidate:
    """Triton's kernels do the products of ``gemm`` with a third of its passes over the field."""
    reason = triton_spectral.why_not(shape, modes, dtype, device) or triton_spectral.why_not(
        out_shape, modes, dtype, device
    )
    return Candidate("triton", gemm / 3, reason, "" if reason else availability.install_command())


def _products(shape: Sequence[int], modes: Sequence[int]) -> float:
    """Multiplications of the stages of one transform, the axes in order."""
    total, size = 0.0, float(math.prod(shape))
    for n, k in zip(shape, modes, strict=True):
        total += 2 * (k + 1) * size
        size *= 2 * (k + 1) / n
    return total


def _points(shape: Sequence[int]) -> float:
    """N log2 N, more where FFT libraries are slower."""
    dear = _LARGE_PRIME if max(largest_prime(n) for n in shape) > 13 else 1.0
    size = math.prod(shape)
    return dear * size * math.log2(max(size, 2))


def _trial(
    engine: ModuleType,
    shape: tuple[int, ...],
    modes: tuple[int, ...],
    out_shape: tuple[int, ...],
    batch: int,
    channels: int,
    dtype: torch.dtype,
    device: str,
) -> Callable[[], Any]:
    """There and back, forward and backward; mixing is the same for all and left out."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, channels, *shape, generator=generator, dtype=torch.float32).to(device, dtype)
    grad = torch.randn(batch, channels, *out_shape, generator=generator, dtype=torch.float32).to(device, dtype)
    x.requires_grad_()

    def run() -> Any:
        rows = engine.analyse(x, modes, 0.0, False)
        return torch.autograd.grad(engine.synthesise(rows, modes, out_shape, 0.0, False), x, grad)

    return run
