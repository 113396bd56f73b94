"""The long causal convolution against rfft and irfft padded to twice the length.

Three kinds: a kernel as long as the signal; one of N/16 taps; and one of which an eighth of the padded transform's
modes is kept, where the torch.fft contestant drops the same modes before it multiplies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from opforge.benchmarks.contest import REFERENCE, Case, Contestant, Factory
from opforge.benchmarks.torch_peers import padded_convolution
from opforge.core import fft_conv

FULL, SHORT, SPARSE = "full kernel", "N/16 taps", "1/8 of the modes"
PEER, CLOSE = "torch.fft", "torch.fft padded to N + taps"
LENGTHS = tuple(1024 * 2**i for i in range(7))  # 1K to 64K
BATCH, CHANNELS = 8, 64


@dataclass(frozen=True)
class Problem:
    """A kind of kernel and the signal's length."""

    group: str
    length: int

    @property
    def label(self) -> str:
        return f"N = {self.length // 1024}K, {CHANNELS} channels, batch {BATCH}"

    @property
    def taps(self) -> int:
        return self.length // 16 if self.group == SHORT else self.length

    @property
    def kept(self) -> int | None:
        """Highest kept frequency of the transform of 2N points, whose highest is N."""
        return self.length // 8 if self.group == SPARSE else None

    def data(self) -> tuple[Tensor, Tensor, Tensor]:
        """u, k and the gradient of the result."""
        generator = torch.Generator().manual_seed(0)
        u = torch.randn(BATCH, CHANNELS, self.length, generator=generator)
        k = torch.randn(CHANNELS, self.taps, generator=generator) / math.sqrt(self.taps)
        return u, k, torch.randn(u.shape, generator=generator)


def cases(*, quick: bool = False, backends: bool = False) -> list[Case]:
    """Every kind at every length; one length for ``quick``."""
    del backends
    lengths = (4096,) if quick else LENGTHS
    return [
        Case("fft_conv", p.group, p.label, ("forward", "forward+backward"), partial(contestants, p))
        for p in (Problem(group, n) for group in (FULL, SHORT, SPARSE) for n in lengths)
    ]


def contestants(problem: Problem, way: str) -> dict[str, Factory]:
    """Name -> what makes the contestant."""
    backward = way == "forward+backward"

    def ours(u: Tensor, k: Tensor) -> Tensor:
        return fft_conv(u, k, mode="causal", keep_modes=problem.kept)

    def padded(u: Tensor, k: Tensor) -> Tensor:
        kept = None if problem.kept is None else problem.kept + 1
        return padded_convolution(u, k, 2 * problem.length, kept)

    def padded_less(u: Tensor, k: Tensor) -> Tensor:
        return padded_convolution(u, k, problem.length + problem.taps)

    found = {REFERENCE: ours, PEER: padded} | ({CLOSE: padded_less} if problem.group == SHORT else {})
    return {name: partial(_contestant, problem, function, backward) for name, function in found.items()}


def _contestant(problem: Problem, function: Callable[[Tensor, Tensor], Tensor], backward: bool) -> Contestant:
    u, k, gradient = problem.data()
    u.requires_grad_(backward)
    k.requires_grad_(backward)

    def run() -> list[Tensor]:
        with torch.set_grad_enabled(backward):
            y = function(u, k)
        return [y.detach(), *torch.autograd.grad(y, (u, k), gradient)] if backward else [y]

    return Contestant(run, run, standing=u.nbytes + k.nbytes)
