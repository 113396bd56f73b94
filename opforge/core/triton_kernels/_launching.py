"""What all kernels share: matrix products of a chosen exactness, and the choice among block sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
import triton
import triton.language as tl

from opforge.core.triton_kernels.availability import interpreting


@triton.jit
def _nearest(x):
    """Half a unit of TF32's last place more: the matrix units cut off what TF32 has no bits for (measured on an H200).

    Cut off alone, every operand shrinks, and the errors of several products in a row add up to 6e-3.
    """
    return (x.to(tl.int32, bitcast=True) + (1 << 12)).to(tl.float32, bitcast=True)


@triton.jit
def dot(a, b, acc, PRECISION: tl.constexpr):
    """acc + a @ b; see `availability.dot_precision` for the words."""
    if PRECISION == "bf16":
        total = tl.dot(a.to(tl.bfloat16), b.to(tl.bfloat16), acc)
    elif PRECISION == "tf32":
        total = tl.dot(_nearest(a), _nearest(b), acc, input_precision=PRECISION, out_dtype=acc.dtype)
    else:
        total = tl.dot(a, b, acc, input_precision=PRECISION, out_dtype=acc.dtype)
    return total


class _FirstConfig:
    """A kernel with the first block sizes: the interpreter has no time to measure."""

    def __init__(self, kernel: Any, config: Any):
        self.kernel, self.options = kernel, config.kwargs

    def __getitem__(self, grid: Callable[[dict[str, int]], tuple[int, ...]]) -> Callable[..., None]:
        def launch(*arguments: Any, **options: Any) -> None:
            self.kernel[grid(options | self.options)](*arguments, **options, **self.options)

        return launch


def tuned(
    configs: Sequence[Any], key: Sequence[str], fitting: Callable[..., list[Any]] | None = None
) -> Callable[[Callable[..., None]], Any]:
    """Decorate a kernel so that the block sizes in ``configs`` are measured once for each value of ``key``.

    ``fitting`` leaves out those that a call has no use for.
    """

    def decorate(function: Callable[..., None]) -> Any:
        kernel = triton.jit(function)
        if interpreting():
            return _FirstConfig(kernel, configs[0])
        prune = {"early_config_prune": fitting} if fitting else None
        return triton.autotune(configs=list(configs), key=list(key), prune_configs_by=prune, cache_results=True)(kernel)

    return decorate


def launch(kernel: Any, grid: Callable[[dict[str, int]], tuple[int, ...]], *arguments: Any, **options: Any) -> None:
    """Run a kernel on the device of its first argument, a tensor, which need not be the current one."""
    device = arguments[0].device
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        kernel[grid](*arguments, **options)


def power_of_two(n: int, least: int = 16) -> int:
    """The smallest power of two from ``n`` and ``least`` on: the size of a block; matrix units take 16 at least."""
    return max(least, 1 << (n - 1).bit_length())


def parts(n: int, size: int) -> int:
    """How many blocks of ``size`` cover ``n``."""
    return -(-n // size)
