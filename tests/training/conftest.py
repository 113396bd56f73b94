"""A small model, equation and dataset that keep to the contracts, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from opforge import models
from opforge.core import Grid


class TinyNet(nn.Module):
    """Two pointwise layers: any grid, one to three axes of space."""

    def __init__(self, in_channels: int, out_channels: int, ndim: int = 2, *, width: int = 4, dropout: float = 0.0):
        super().__init__()
        self.in_channels, self.out_channels, self.ndim = in_channels, out_channels, ndim
        self.config = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "ndim": ndim,
            "width": width,
            "dropout": dropout,
        }
        self.net = nn.Sequential(
            nn.Linear(in_channels, width), nn.Tanh(), nn.Dropout(dropout), nn.Linear(width, out_channels)
        )
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        return self.net(x.movedim(1, -1)).movedim(-1, 1)


@dataclass(frozen=True)
class Mirror:
    """The mirror image along the last axis."""

    name = "mirror"

    def applies_to(self, grid: Grid) -> bool:
        return True

    def __call__(self, fields: Mapping[str, Tensor], ndim: int) -> dict[str, Tensor]:
        return {name: values.flip(-1) for name, values in fields.items()}


@dataclass(frozen=True)
class Diagonal:
    """The mirror image along the diagonal of a square."""

    name = "diagonal"

    def applies_to(self, grid: Grid) -> bool:
        return grid.ndim == 2 and grid.shape[0] == grid.shape[1]

    def __call__(self, fields: Mapping[str, Tensor], ndim: int) -> dict[str, Tensor]:
        return {name: values.transpose(-1, -2) for name, values in fields.items()}


@dataclass(frozen=True)
class Doubling:
    """The equation u = 2 a."""

    name = "doubling"
    symmetries = (Mirror(), Diagonal())

    def residual(self, fields: Mapping[str, Tensor], grid: Grid) -> Tensor:
        return fields["u"] - 2 * fields["a"]

    def residual_scale(self, fields: Mapping[str, Tensor], grid: Grid) -> Tensor:
        return torch.linalg.vector_norm((2 * fields["a"]).flatten(-grid.ndim), dim=-1)


class Doubled:
    """Samples (a, 2 a) with a in [1, 2)."""

    inputs, outputs, equation = ("a",), ("u",), Doubling()

    def __init__(self, samples: int = 12, shape: tuple[int, ...] = (6, 6), *, seed: int = 0):
        self.a = 1 + torch.rand(samples, 1, *shape, generator=torch.Generator().manual_seed(seed))
        self.u = 2 * self.a
        self.grid = Grid(shape)
        self.provenance = {"recipe": "doubled", "seed": seed}
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.a[i], self.u[i]

    def batch(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        self.read += list(indices)
        return self.a[indices], self.u[indices]


def tiny(**options) -> TinyNet:
    """A TinyNet whose weights do not depend on what ran before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return TinyNet(1, 1, **options)


def same_weights(first: nn.Module, second: nn.Module) -> None:
    """Assert that two models agree in every bit."""
    torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=0, atol=0)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The fakes by name; the registry of models knows TinyNet as "tiny"."""
    known: Callable[[], dict[str, type]] = models.registry
    monkeypatch.setattr(models, "registry", lambda: known() | {"tiny": TinyNet})
    return SimpleNamespace(
        Diagonal=Diagonal,
        Doubled=Doubled,
        Doubling=Doubling,
        Mirror=Mirror,
        TinyNet=TinyNet,
        same_weights=same_weights,
        tiny=tiny,
    )
