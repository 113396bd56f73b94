"""The back ends of `fft_conv`, and the question of which one should serve."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

from opforge.core._arguments import check_shape
from opforge.core.autocast import without_autocast
from opforge.core.choice.decision import Candidate, Question, answer
from opforge.core.choice.sizes import by, rounded_batch
from opforge.core.choice.tracing import answer_while_tracing, recorded_by_jit
from opforge.core.long_conv import _costs, _direct, _functions, _kept_modes, _monarch, _padded, _triton
from opforge.core.long_conv._arguments import check_axes, problem_of
from opforge.core.long_conv._problem import Problem
from opforge.core.triton_kernels import availability

BACKENDS = ("blocks", "direct", "fft", "gemm", "monarch", "sparse", "triton", "twisted")

_ENGINES = {"direct": _direct, "fft": _padded, "gemm": _kept_modes, "monarch": _monarch, "triton": _triton}

Optional = torch.Tensor | None


@without_autocast
def run(
    backend: str, u: torch.Tensor, k: torch.Tensor, gate_in: Optional, gate_out: Optional, problem: Problem
) -> torch.Tensor:
    """``gate_out`` · (k conv (``gate_in`` · u)), for u and gates (batch, channels, *points) and k (channels, *taps)."""
    if backend in _functions.PASSAGES:
        return _functions.convolve(u, k, gate_in, gate_out, problem, backend)
    y = _ENGINES[backend].conv(u if gate_in is None else gate_in * u, k, problem)
    return y if gate_out is None else gate_out * y


def backend_for(problem: Problem, u: torch.Tensor, asked: str | None) -> str:
    """The back end for u (batch, channels, *points)."""
    if _recorded(asked):
        able = ("fft",) if problem.modes is None else ("gemm", "fft")
        return answer_while_tracing("fft_conv", able, asked)
    batch, channels = u.shape[:2]
    size = _Size(rounded_batch(batch), channels, u.dtype, u.device.type, torch.get_num_threads())
    return answer(_question(problem, size), asked)


def _recorded(asked: str | None) -> bool:
    """Whether operations must be torch's own, because torch records them rather than just runs them."""
    if torch.compiler.is_compiling() or recorded_by_jit():
        return True
    return asked is None and _get_current_dispatch_mode() is not None


def question(
    shape: Sequence[int],
    *,
    taps: int | Sequence[int] | None = None,
    dim: int | Sequence[int] = -1,
    mode: str = "causal",
    keep_modes: int | Sequence[int] | None = None,
    batch: int = 1,
    channels: int = 32,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    threads: int | None = None,
) -> Question:
    """Which back end should serve `fft_conv` of signals (batch, channels, *shape).

    Args:
        shape: points per axis of space.
        taps: of the kernel, per convolved axis; as many as points when left out.
        dim: the convolved axes.
        mode: ``"causal"``, ``"circular"`` or ``"same"``.
        keep_modes: highest kept \\|k\\| of the kernel's spectrum per convolved axis; all when left out.
        batch: samples.
        channels: of the signal.
        dtype: of the signal.
        device: where it lies.
        threads: torch's threads; as set when left out.

    Raises:
        InputError: sizes and options that `fft_conv` refuses.

    Example:
        >>> [candidate.name for candidate in question((4096,), taps=64).candidates]
        ['blocks', 'direct', 'fft', 'gemm', 'monarch', 'sparse', 'triton', 'twisted']
    """
    shape = check_shape("shape", shape, len(shape))
    axes = [a - 2 for a in check_axes(dim, len(shape) + 2)]
    points = tuple(shape[a] for a in axes)
    counts = points if taps is None else (taps,) * len(axes) if isinstance(taps, int) else tuple(taps)
    counts = check_shape("taps", counts, len(axes))
    problem = problem_of(points, counts, mode, keep_modes).cropped
    others = math.prod(shape) // math.prod(points)
    threads = torch.get_num_threads() if threads is None else threads
    return _question(problem, _Size(rounded_batch(batch * others), channels, dtype, torch.device(device).type, threads))


@dataclass(frozen=True)
class _Size:
    batch: int
    channels: int
    dtype: torch.dtype
    device: str
    threads: int


@lru_cache(maxsize=4096)
def _question(problem: Problem, size: _Size) -> Question:
    reasons = {
        "direct": _direct.why_not(problem),
        "gemm": _kept_modes.why_not(problem),
        "monarch": _monarch.why_not(problem),
        "triton": _triton.why_not(problem, size.dtype, size.device),
    }
    for name, passage in _functions.PASSAGES.items():
        reasons[name] = passage.why_not(problem) or (
            "" if size.device == "cpu" else f"it computes on the CPU, u is on {size.device}"
        )
    missing = {"triton": availability.install_command()}
    candidates = tuple(
        Candidate(name, 0.0, reasons[name])
        if reasons.get(name)
        else Candidate(
            name,
            _costs.cost(name, problem, size.batch, size.channels, size.dtype, size.device),
            install=missing.get(name, ""),
        )
        for name in BACKENDS
    )
    key = (
        f"{by(problem.points)} taps {by(problem.taps)} from {by(problem.first)} "
        f"{'periodic ' if problem.periodic else ''}"
        f"{'' if problem.modes is None else f'modes {by(problem.modes)} '}"
        f"batch {size.batch} channels {size.channels} {str(size.dtype).removeprefix('torch.')} {size.device} "
        f"{size.threads} threads"
    )
    return Question("fft_conv", key, candidates, lambda name: _trial(name, problem, size))


def _trial(name: str, problem: Problem, size: _Size) -> Callable[[], Any]:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu").to(size.device, size.dtype)

    u = random(size.batch, size.channels, *problem.points).requires_grad_()
    k = random(size.channels, *problem.taps).requires_grad_()
    gradient = random(*u.shape)

    def call() -> Any:
        return torch.autograd.grad(run(name, u, k, None, None, problem), (u, k), gradient)

    return call
