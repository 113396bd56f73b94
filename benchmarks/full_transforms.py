"""Full transforms: opforge.core's against scipy.fft and torch.fft, numpy in and out and torch in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.fft
import torch

from opforge import core
from opforge.benchmarks.contest import REFERENCE, Case, Contestant, Factory

NUMPY, TORCH = "numpy arrays", "torch tensors"
SHAPES = ((16, 64, 64), (8, 256, 256), (4, 241, 121), (1, 1024, 1024), (2, 64, 64, 64))
KINDS = ("rfftn", "irfftn", "dctn", "dstn")


@dataclass(frozen=True)
class Problem:
    """A transform of all axes but the first."""

    group: str
    kind: str
    shape: tuple[int, ...]

    @property
    def label(self) -> str:
        return f"{self.kind} {'x'.join(map(str, self.shape[1:]))}, batch {self.shape[0]}"

    @property
    def axes(self) -> tuple[int, ...]:
        return tuple(range(1, len(self.shape)))

    def data(self) -> np.ndarray:
        x = np.random.default_rng(0).standard_normal(self.shape).astype(np.float32)
        return np.asarray(scipy.fft.rfftn(x, axes=self.axes)) if self.kind == "irfftn" else x


PROBLEMS = tuple(
    Problem(group, kind, shape)
    for group, kinds in ((NUMPY, KINDS), (TORCH, KINDS[:2]))
    for shape in SHAPES
    for kind in kinds
)
QUICK = tuple(p for p in PROBLEMS if p.shape == SHAPES[1] and p.group == NUMPY)


def cases(*, quick: bool = False, backends: bool = False) -> list[Case]:
    """All sizes; one for ``quick``."""
    del backends  # there is one for numpy and one for torch
    return [
        Case("transforms", p.group, p.label, ("transform",), partial(contestants, p))
        for p in (QUICK if quick else PROBLEMS)
    ]


def contestants(problem: Problem, way: str) -> dict[str, Factory]:
    """Name -> what makes the contestant; scipy runs on one thread, as numpy arrays do here."""
    del way  # there is one
    ours, scipys, torchs = _functions(problem)
    tensors = problem.group == TORCH
    found = {REFERENCE: partial(_contestant, problem, ours, tensors)}
    if not tensors:
        found["scipy.fft"] = partial(_contestant, problem, scipys, False)
    if torchs is not None:
        found["torch.fft"] = partial(_contestant, problem, torchs, True)
    return dict(found)


def _functions(problem: Problem) -> tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any] | None]:
    """opforge's, scipy's and torch's function for a transform; torch has no cosine and sine transforms."""
    kind, axes, sizes = problem.kind, problem.axes, problem.shape[1:]
    ours, scipys = getattr(core, kind), getattr(scipy.fft, kind)
    if kind == "irfftn":
        return (
            lambda x: ours(x, sizes, dim=axes),
            lambda x: scipys(x, s=sizes, axes=axes),
            lambda x: torch.fft.irfftn(x, s=sizes, dim=axes),
        )
    return (
        lambda x: ours(x, dim=axes),
        lambda x: scipys(x, axes=axes),
        (lambda x: torch.fft.rfftn(x, dim=axes)) if kind == "rfftn" else None,
    )


def _contestant(problem: Problem, function: Callable[[Any], Any], tensors: bool) -> Contestant:
    x = torch.from_numpy(problem.data()) if tensors else problem.data()

    def result() -> list[torch.Tensor]:
        return [torch.as_tensor(function(x))]

    return Contestant(lambda: function(x), result)
