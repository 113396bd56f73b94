"""The spectral convolution against neuraloperator's layer and against plain torch.fft with the same truncation.

Every contestant computes the same function: neuraloperator's n_modes = 2K keeps −K … K−1 on leading axes and 0 … K on
the last, opforge and the torch.fft contestants −K … K, so the weights of row K are zero for all. All have a bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from opforge.benchmarks import torch_peers
from opforge.benchmarks.contest import REFERENCE, Case, Contestant, Factory, chosen
from opforge.core import mode_shape, spectral_conv
from opforge.errors import InputError

ASKED, FULL, ONE_AXIS = "usual modes", "all modes", "one axis"
LAST, PEER = f"{REFERENCE}, channels last", "neuraloperator"
PLAIN = {  # name -> function, layout of the weights
    "torch.fft einsum": (torch_peers.spectral_einsum, torch_peers.einsum_weight),
    "torch.fft bmm": (torch_peers.spectral_bmm, torch_peers.bmm_weight),
    "torch.fft by axis": (torch_peers.spectral_by_axis, torch_peers.bmm_weight),
}
BACKENDS = ("gemm", "torch", "fftw")


@dataclass(frozen=True)
class Problem:
    """Batch, channels in and out, points per axis, highest kept mode of every axis, which is one number."""

    group: str
    batch: int
    channels: int
    grid: tuple[int, ...]
    modes: tuple[int, ...]

    @property
    def label(self) -> str:
        grid = "x".join(map(str, self.grid))
        return f"{grid}, {self.channels} channels, {2 * self.modes[0]} modes, batch {self.batch}"

    def data(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x, weight (opforge's layout, row K zero on leading axes), bias, and the gradient of the result."""
        generator = torch.Generator().manual_seed(0)
        field = (self.batch, self.channels, *self.grid)
        weight = torch.randn(*mode_shape(self.modes), self.channels, self.channels, 2, generator=generator)
        weight /= math.sqrt(2 * self.channels)
        for axis in range(len(self.modes) - 1):
            weight.select(axis, -1).zero_()
        x, gradient = torch.randn(field, generator=generator), torch.randn(field, generator=generator)
        return x, weight, torch.randn(self.channels, generator=generator), gradient


PROBLEMS = (
    Problem(ASKED, 16, 32, (64, 64), (8, 8)),
    Problem(ASKED, 16, 64, (64, 64), (8, 8)),
    Problem(ASKED, 8, 32, (128, 128), (12, 12)),
    Problem(ASKED, 8, 64, (128, 128), (16, 16)),
    Problem(ASKED, 4, 32, (256, 256), (16, 16)),
    Problem(ASKED, 8, 32, (97, 97), (12, 12)),
    Problem(ASKED, 4, 32, (241, 121), (12, 12)),
    Problem(ASKED, 2, 16, (64, 64, 64), (8, 8, 8)),
    Problem(FULL, 8, 32, (64, 64), (31, 31)),
    Problem(FULL, 4, 16, (97, 97), (48, 48)),
    Problem(FULL, 2, 8, (32, 32, 32), (15, 15, 15)),
    Problem(FULL, 16, 64, (1024,), (511,)),
    *(Problem(ONE_AXIS, 16, 64, (1024,), (k,)) for k in (8, 32, 128)),
    *(Problem(ONE_AXIS, 16, 64, (8192,), (k,)) for k in (8, 64, 512)),
)
QUICK = (PROBLEMS[0], PROBLEMS[5])


def cases(*, quick: bool = False, backends: bool = False) -> list[Case]:
    """All sizes; two for ``quick``. ``backends`` adds each back end of opforge by name."""
    return [
        Case(
            "spectral",
            problem.group,
            problem.label,
            ("forward", "forward+backward"),
            partial(contestants, problem, backends=backends),
            (REFERENCE, LAST, PEER, "torch.fft einsum", "torch.fft by axis") if problem.group == ASKED else (),
        )
        for problem in (QUICK if quick else PROBLEMS)
    ]


def contestants(problem: Problem, way: str, *, backends: bool = False) -> dict[str, Factory]:
    """Name -> what makes the contestant: neuraloperator's where it is installed, back ends where they can serve."""
    backward = way == "forward+backward"
    found: dict[str, Factory] = {
        REFERENCE: partial(_opforge, problem, backward),
        LAST: partial(_opforge, problem, backward, last=True),
    }
    if find_spec("neuralop") is not None:
        found[PEER] = partial(_neuraloperator, problem, backward)
    for name, (function, layout) in PLAIN.items():
        found[name] = partial(_plain, problem, backward, function, layout)
    if backends:
        for name in filter(partial(_serves, problem), BACKENDS):
            found[f"{REFERENCE}, {name}"] = partial(_opforge, problem, backward, backend=name)
    return found


def _opforge(problem: Problem, backward: bool, *, last: bool = False, backend: str | None = None) -> Contestant:
    x, weight, bias, gradient = problem.data()
    if last:
        x, gradient = channels_last(x), channels_last(gradient)

    def forward(x: Tensor) -> Tensor:
        return spectral_conv(x, weight, problem.modes, bias=bias, backend=backend)

    return _contestant(forward, x, (weight, bias), gradient, backward, backend=partial(_chosen, problem, backend))


def _chosen(problem: Problem, backend: str | None) -> str:
    """The back end that serves the problem.

    Raises:
        InputError, ImportError: the one that is asked for cannot.
    """
    sizes = {"modes": problem.modes, "batch": problem.batch, "channels": problem.channels}
    return chosen("spectral_conv", problem.grid, backend=backend, **sizes)


def _serves(problem: Problem, backend: str) -> bool:
    try:
        return _chosen(problem, backend) == backend
    except (InputError, ImportError):
        return False


def channels_last(x: Tensor) -> Tensor:
    """The same (batch, channels, *space), with a point's channels side by side in memory."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


def _plain(problem: Problem, backward: bool, function: Callable, layout: Callable[[Tensor], Tensor]) -> Contestant:
    x, weight, bias, gradient = problem.data()
    weight = layout(weight)
    return _contestant(lambda x: function(x, weight, bias, problem.modes), x, (weight, bias), gradient, backward)


def _neuraloperator(problem: Problem, backward: bool) -> Contestant:
    from neuralop.layers.spectral_convolution import SpectralConv

    x, weight, bias, gradient = problem.data()
    layer = SpectralConv(problem.channels, problem.channels, tuple(2 * k for k in problem.modes))
    fill(layer, weight, bias)
    if not any(n % 2 for n in problem.grid[:-1]):
        return _contestant(layer, x, tuple(layer.parameters()), gradient, backward)
    what_it_does = partial(torch_peers.spectral_einsum, late=True)
    expected = _plain(problem, backward, what_it_does, torch_peers.einsum_weight).result
    note = "on odd leading axes its result has mode k where k - 1 belongs"
    return _contestant(layer, x, tuple(layer.parameters()), gradient, backward, expected=expected, note=note)


def fill(layer: Any, weight: Tensor, bias: Tensor) -> None:
    """Give neuraloperator's layer opforge's weights, without the row K that it lacks on leading axes."""
    rows = torch_peers.einsum_weight(weight.detach())
    for axis in range(2, rows.ndim - 1):
        rows = rows.narrow(axis, 0, rows.shape[axis] - 1)
    with torch.no_grad():
        layer.weight.tensor.copy_(rows)  # of tensorly-torch
        layer.bias.copy_(bias.view_as(layer.bias))


def _contestant(
    forward: Callable[[Tensor], Tensor],
    x: Tensor,
    parameters: Sequence[Tensor],
    gradient: Tensor,
    backward: bool,
    **options,
) -> Contestant:
    """Result: the field, and with ``backward`` the gradient of x; those of the parameters are computed as well."""
    leaves = (x, *parameters)
    for leaf in leaves:
        leaf.requires_grad_(backward)

    def run() -> list[Tensor]:
        with torch.set_grad_enabled(backward):
            y = forward(x)
        if not backward:
            return [y]
        gradients = torch.autograd.grad(y, leaves, gradient)
        return [y.detach(), gradients[0]]

    standing = sum(t.nbytes for t in (*leaves, *([gradient] if backward else [])))
    return Contestant(run, run, standing=standing, **options)
