"""Kernels of a convolution that are given by one-way filters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from opforge.core._arguments import check_real
from opforge.errors import InputError

_AXES = "xyz"


@dataclass(frozen=True, eq=False)
class FactorisedKernels:
    """One kernel per pair of channels, each a sum of R outer products: K[o, i, t₁, …] = Σ_r Π_d f_d[o, i, r, t_d].

    Args:
        filters: one tensor (out, in, R, taps) per axis of space, one to three of them, of one type and device. The
            number of taps may differ from axis to axis.

    Raises:
        InputError: filters that do not agree in out, in and R, in type or in device; empty ones.

    Example:
        >>> smooth = torch.tensor([1.0, 2.0, 1.0]).reshape(1, 1, 1, 3)
        >>> slope = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3)
        >>> FactorisedKernels((smooth, slope)).to_dense()[0, 0].tolist()
        [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]

    Source: the canonical polyadic decomposition of every single kernel, imposed before training (A-priori compressed
    wave CNN).
    """

    filters: tuple[torch.Tensor, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", _filters(self.filters, "(out, in, rank, taps)", 4))

    @property
    def channels(self) -> tuple[int, int]:
        """(out, in)."""
        return self.filters[0].shape[0], self.filters[0].shape[1]

    @property
    def rank(self) -> int:
        return self.filters[0].shape[2]

    @property
    def taps(self) -> tuple[int, ...]:
        return tuple(f.shape[-1] for f in self.filters)

    def to_dense(self) -> torch.Tensor:
        """The kernels (out, in, \\*taps)."""
        letters = _AXES[: len(self.filters)]
        return torch.einsum(f"{','.join('oir' + a for a in letters)}->oi{letters}", *self.filters)


@dataclass(frozen=True, eq=False)
class SeparableKernels:
    """All kernels from R shared products of filters: K[o, i, t₁, …] = Σ_r A[o, r] B[i, r] Π_d c_d[r, t_d].

    The canonical polyadic decomposition of the kernel with its channel axes. As a convolution: mix the channels into
    R by Bᵀ, filter each of them along one axis after the other, mix them into the output by A.

    Args:
        outgoing: A, (out, R).
        incoming: B, (in, R).
        filters: one tensor (R, taps) per axis of space, one to three of them.

    Raises:
        InputError: factors that do not agree in R, type or device; empty ones.

    Example:
        >>> average = SeparableKernels(torch.ones(1, 1), torch.ones(1, 1), (torch.ones(1, 3) / 3,) * 2)
        >>> average.to_dense().shape, round(average.to_dense().sum().item(), 6)
        (torch.Size([1, 1, 3, 3]), 1.0)

    Source: Speeding-up Convolutional Neural Networks Using Fine-tuned CP-Decomposition, equation 3.
    """

    outgoing: torch.Tensor
    incoming: torch.Tensor
    filters: tuple[torch.Tensor, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", _filters(self.filters, "(rank, taps)", 2))
        first = self.filters[0]
        for name in ("outgoing", "incoming"):
            factor = getattr(self, name)
            check_real(name, factor)
            if factor.ndim != 2 or factor.shape[1] != self.rank or 0 in factor.shape:
                raise InputError(
                    f"{name} must have the shape (channels, rank) with the filters' rank {self.rank}, "
                    f"got {tuple(factor.shape)}"
                )
            if factor.dtype != first.dtype or factor.device != first.device:
                raise InputError(
                    f"{name} must be of the filters' type and device, {first.dtype} on {first.device}, "
                    f"got {factor.dtype} on {factor.device}"
                )

    @property
    def channels(self) -> tuple[int, int]:
        """(out, in)."""
        return self.outgoing.shape[0], self.incoming.shape[0]

    @property
    def rank(self) -> int:
        return self.filters[0].shape[0]

    @property
    def taps(self) -> tuple[int, ...]:
        return tuple(f.shape[-1] for f in self.filters)

    def to_dense(self) -> torch.Tensor:
        """The kernels (out, in, \\*taps)."""
        letters = _AXES[: len(self.filters)]
        products = torch.einsum(f"ir,{','.join('r' + a for a in letters)}->ri{letters}", self.incoming, *self.filters)
        return (self.outgoing @ products.flatten(1)).reshape(*self.channels, *self.taps)


Kernels = torch.Tensor | FactorisedKernels | SeparableKernels
FORMS: dict[str, type] = {"dense": torch.Tensor, "kernel": FactorisedKernels, "separable": SeparableKernels}


def _filters(filters: Sequence[torch.Tensor], layout: str, ndim: int) -> tuple[torch.Tensor, ...]:
    if not isinstance(filters, Sequence) or not 1 <= len(filters) <= 3:
        raise InputError(
            f"filters must be a tuple of one tensor {layout} per axis of space, one to three, got {filters!r}"
        )
    first = filters[0]
    for axis, f in enumerate(filters):
        check_real(f"filters[{axis}]", f)
        if f.ndim != ndim or f.shape[:-1] != first.shape[:-1] or math.prod(f.shape) == 0:
            raise InputError(
                f"filters[{axis}] must have the shape {layout}, without a size 0, and agree with filters[0] in all but "
                f"the taps, got {tuple(f.shape)} beside {tuple(first.shape)}"
            )
        if f.dtype != first.dtype or f.device != first.device:
            raise InputError(
                f"filters[{axis}] must be of filters[0]'s type and device, {first.dtype} on {first.device}, "
                f"got {f.dtype} on {f.device}"
            )
    return tuple(filters)
