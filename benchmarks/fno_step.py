"""A whole training step of a Fourier neural operator against neuraloperator's `FNO` with the same layers.

The layers are those of `opforge.models.FNO`: a linear lift of field and coordinates, four blocks GELU(spectral
convolution + linear skip), a linear projection. neuraloperator's constructor comes close to it (no channel MLP, lifting
ratio 0) but applies GELU twice in every block but the last, where it applies none, and projects by two layers. So there
are two contestants: one with the constructor's settings alone, and one whose activation and projection are set right
afterwards, which then computes opforge's function to the last digits, from the same weights. Goals are judged by that.

Optimiser: AdamW, one fused pass where parameters are real; torch has none for the complex ones of neuraloperator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opforge.benchmarks.contest import REFERENCE, Case, Contestant, Factory
from opforge.benchmarks.spectral import fill
from opforge.models import FNO
from opforge.training.norms import RelativeLp

PEER, BY_SETTINGS = "neuraloperator", "neuraloperator, settings alone"
DEPTH = 4


@dataclass(frozen=True)
class Problem:
    """Batch, points per axis of the square, width, highest kept mode."""

    batch: int
    points: int
    width: int
    modes: int

    @property
    def label(self) -> str:
        return f"{self.points}x{self.points}, width {self.width}, {2 * self.modes} modes, batch {self.batch}"

    def data(self) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(0)
        shape = (self.batch, 1, self.points, self.points)
        return torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)

    def model(self) -> FNO:
        """opforge's, without the row of modes that neuraloperator lacks: its weights are zero."""
        torch.manual_seed(0)
        model = FNO(1, 1, (self.modes, self.modes), self.width, DEPTH, points="periodic")
        with torch.no_grad():
            for block in model.blocks:
                block.spectral.weight[-1] = 0
        return model


PROBLEMS = (Problem(16, 64, 32, 8), Problem(8, 128, 64, 16))


def cases(*, quick: bool = False, backends: bool = False) -> list[Case]:
    """Both sizes, the smaller one for ``quick``. Which back end runs is the model's own affair."""
    del backends
    return [
        Case("fno", "same layers", p.label, ("training step",), partial(contestants, p), (REFERENCE, PEER, BY_SETTINGS))
        for p in (PROBLEMS[:1] if quick else PROBLEMS)
    ]


def contestants(problem: Problem, way: str) -> dict[str, Factory]:
    """Name -> what makes the contestant."""
    del way  # there is one
    return {
        REFERENCE: lambda: _contestant(problem, problem.model()),
        PEER: lambda: _contestant(problem, same_function(problem)),
        BY_SETTINGS: lambda: _other_function(problem),
    }


def _contestant(problem: Problem, model: nn.Module) -> Contestant:
    x, truth = problem.data()
    parameters = list(model.parameters())
    real = not any(p.is_complex() for p in parameters)
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, fused=real)
    loss = RelativeLp(2)

    def run() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss(model(x), truth).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    def result() -> list[Tensor]:
        with torch.no_grad():
            return [model(x)]

    weights = sum(p.nbytes for p in parameters)
    count = sum(p.numel() * (2 if p.is_complex() else 1) for p in parameters)
    standing = 3 * weights + x.nbytes + truth.nbytes  # AdamW keeps two means of every parameter
    return Contestant(run, result, note=f"{count:,} real parameters", standing=standing)


def by_settings(problem: Problem) -> Any:
    """neuraloperator's FNO as close to opforge's as its constructor goes."""
    from neuralop.models import FNO as Peer

    modes = (2 * problem.modes, 2 * problem.modes)
    options = {"lifting_channel_ratio": 0, "projection_channel_ratio": 1, "use_channel_mlp": False}
    return Peer(modes, 1, 1, problem.width, n_layers=DEPTH, fno_skip="linear", **options)


def same_function(problem: Problem) -> Any:
    """neuraloperator's FNO made into opforge's function, with opforge's weights."""
    from neuralop.layers.channel_mlp import ChannelMLP

    ours, model = problem.model(), by_settings(problem)
    model.fno_blocks.non_linearity = EveryOther(F.gelu)
    linear = ChannelMLP(problem.width, 1, n_layers=1)
    model.projection = nn.Sequential(nn.GELU(), linear)
    with torch.no_grad():
        pairs = [(model.lifting.fcs[0], ours.lift), (linear.fcs[0], ours.project)]
        for theirs, mine in pairs:
            theirs.weight.copy_(mine.weight.unsqueeze(-1))
            theirs.bias.copy_(mine.bias)
        for layer, skip, block in zip(model.fno_blocks.convs, model.fno_blocks.fno_skips, ours.blocks, strict=True):
            fill(layer, block.spectral.weight, block.spectral.bias)
            skip.conv.weight.copy_(block.pointwise.mT.unsqueeze(-1))
    return model


class EveryOther:
    """Applies a function at every other call, the first included: once where neuraloperator's blocks ask twice."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        self.function, self.calls = function, 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.function(x) if self.calls % 2 else x


def _other_function(problem: Problem) -> Contestant:
    """The contestant whose function differs from opforge's: it is compared with itself, which finds a NaN."""
    one = _contestant(problem, by_settings(problem))
    note = f"{one.note}; two GELUs a block, a projection of two layers: another function"
    return Contestant(one.run, one.result, one.result, note=note, standing=one.standing)
