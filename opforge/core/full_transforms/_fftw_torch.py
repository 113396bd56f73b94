"""The full transforms of torch tensors on the CPU by the libraries for numpy arrays; memory is shared, not copied."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from opforge.core.full_transforms import _fftw, _scipy_transforms
from opforge.core.full_transforms._linear import transformed
from opforge.core.full_transforms._transform import Engine, Transform
from opforge.core.full_transforms.fft_planning import planning_for


def rfftn_torch(x: torch.Tensor, axes: Sequence[int], norm: str = "backward") -> torch.Tensor:
    """The half spectrum of real ``x``, a plain CPU tensor of float32 or float64, over ``axes`` through FFTW.

    Conventions of `torch.fft.rfftn`; differentiable to any order, under torch.func's transforms too.

    Example:
        >>> rfftn_torch(torch.ones(2, 4), (-1,)).real.tolist()
        [[4.0, 0.0, 0.0], [4.0, 0.0, 0.0]]
    """
    axes = tuple(a % x.ndim for a in axes)
    return transformed(x, Transform("rfft", axes, norm, tuple(x.shape[a] for a in axes)), by_fftw)


def irfftn_torch(x: torch.Tensor, shape: Sequence[int], axes: Sequence[int], norm: str = "backward") -> torch.Tensor:
    """The real tensor of ``shape`` on ``axes`` with the half spectrum ``x``, a plain complex CPU tensor, through FFTW.

    Conventions of `torch.fft.irfftn` with s = ``shape``, which ``x`` must fit; differentiable as `rfftn_torch`.

    Example:
        >>> irfftn_torch(rfftn_torch(torch.tensor([1.0, 2.0, 4.0]), (0,)), (3,), (0,)).round(decimals=4).tolist()
        [1.0, 2.0, 4.0]
    """
    axes = tuple(a % x.ndim for a in axes)
    return transformed(x, Transform("irfft", axes, norm, tuple(shape)), by_fftw)


def by_fftw(x: torch.Tensor, transform: Transform) -> torch.Tensor:
    # On one thread unless asked: FFTW's threads would go on spinning where torch wants its own to run next, and either
    # then waits for milliseconds.
    return _through_numpy(x, transform, _fftw, 1)


def by_scipy(x: torch.Tensor, transform: Transform) -> torch.Tensor:
    return _through_numpy(x, transform, _scipy_transforms, torch.get_num_threads())


def _through_numpy(x: torch.Tensor, transform: Transform, engine: Engine, threads: int) -> torch.Tensor:
    # torch conjugates and negates lazily; an array must hold the values themselves
    array = x.detach().resolve_conj().resolve_neg().numpy()
    return torch.from_numpy(transform(array, engine, planning_for(array.size, threads)))
