"""The kinds of weights of a spectral convolution: their shapes, and the dense weight each stands for.

Every array is real with a trailing axis of 2 for real and imaginary parts. M = (2K₁ + 1, …, K_d + 1) are the sizes of
`mode_shape`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch

from opforge.core._arguments import whole_numbers
from opforge.core.spectral import pairs
from opforge.errors import InputError, UnknownNameError

KINDS = ("dense", "separable", "block", "axis", "cp", "tucker")


def mode_shape(modes: Sequence[int]) -> tuple[int, ...]:
    """Sizes of an array over the kept modes: −K…K on leading axes, 0…K on the last.

    Example:
        >>> mode_shape((12, 12))
        (25, 13)

    Raises:
        InputError: no whole numbers from 0 on.
    """
    modes = whole_numbers("modes", modes)
    if not modes or (not torch.compiler.is_compiling() and min(modes) < 0):
        raise InputError(f"modes needs one whole number of at least 0 per axis of space, got {modes}")
    return (*(2 * k + 1 for k in modes[:-1]), modes[-1] + 1)


class CPWeight(NamedTuple):
    """A canonical polyadic (CP) weight: W[k, i, o] = Σ_r λ_r a_ir b_or Π_j c_j[k_j, r], complex throughout.

    Args:
        scales: λ, (rank, 2).
        inputs: a, (in, rank, 2).
        outputs: b, (out, rank, 2).
        modes: one factor c_j per axis of space, (M_j, rank, 2).

    Example:
        >>> weight = CPWeight(torch.ones(3, 2), torch.ones(4, 3, 2), torch.ones(5, 3, 2), (torch.ones(7, 3, 2),))
        >>> weight.to_dense().shape
        torch.Size([7, 4, 5, 2])

    Source: Tensor Decompositions and Applications (Kolda and Bader), section 3.
    """

    scales: torch.Tensor
    inputs: torch.Tensor
    outputs: torch.Tensor
    modes: tuple[torch.Tensor, ...]

    def mode_factors(self) -> torch.Tensor:
        """λ_r Π_j c_j[k_j, r] over all modes: (*M, rank, 2)."""
        letters = _letters(len(self.modes))
        equation = f"z,{','.join(f'{k}z' for k in letters)}->{letters}z"
        return pairs.einsum(equation, self.scales, *self.modes)

    def to_dense(self) -> torch.Tensor:
        """The dense weight (*M, in, out, 2)."""
        k = _letters(len(self.modes))
        return pairs.einsum(f"{k}z,iz,oz->{k}io", self.mode_factors(), self.inputs, self.outputs)


class TuckerWeight(NamedTuple):
    """A Tucker weight: W[k, i, o] = Σ G[r_1, …, r_d, p, q] Π_j c_j[k_j, r_j] a_ip b_oq, complex throughout.

    Args:
        core: G, (rank_1, …, rank_d, rank_in, rank_out, 2).
        inputs: a, (in, rank_in, 2).
        outputs: b, (out, rank_out, 2).
        modes: one factor c_j per axis of space, (M_j, rank_j, 2).

    Example:
        >>> core, inputs, outputs = torch.ones(2, 3, 3, 2), torch.ones(4, 3, 2), torch.ones(5, 3, 2)
        >>> TuckerWeight(core, inputs, outputs, (torch.ones(7, 2, 2),)).to_dense().shape
        torch.Size([7, 4, 5, 2])

    Source: Tensor Decompositions and Applications (Kolda and Bader), section 4.
    """

    core: torch.Tensor
    inputs: torch.Tensor
    outputs: torch.Tensor
    modes: tuple[torch.Tensor, ...]

    def reduced(self) -> torch.Tensor:
        """The dense weight between the reduced channels: (*M, rank_in, rank_out, 2)."""
        k, r = _letters(len(self.modes)), _letters(len(self.modes)).upper()
        factors = ",".join(a + b for a, b in zip(k, r, strict=True))
        return pairs.einsum(f"{r}pq,{factors}->{k}pq", self.core, *self.modes)

    def to_dense(self) -> torch.Tensor:
        """The dense weight (*M, in, out, 2)."""
        k = _letters(len(self.modes))
        return pairs.einsum(f"{k}pq,ip,oq->{k}io", self.reduced(), self.inputs, self.outputs)


Weight = torch.Tensor | CPWeight | TuckerWeight | Sequence[torch.Tensor]


def _letters(count: int) -> str:
    return "abcdefgh"[:count]


def check_weight(weight: Weight, kind: str, modes: Sequence[int], channels: int) -> int:
    """The number of output channels, after checking that ``weight`` is of this ``kind`` and fits.

    Raises:
        InputError: an unknown kind, a container that is not that kind's, sizes that do not agree.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    shape = mode_shape(modes)
    if kind == "cp" or kind == "tucker":
        return _check_factors(weight, kind, shape, channels)
    if kind == "axis":
        if not isinstance(weight, Sequence) or len(weight) != len(modes):
            raise InputError(f"weight must be one tensor per axis of space for kind 'axis', got {_describe(weight)}")
        weight = cast(Sequence[torch.Tensor], weight)
        for k, w in zip(modes, weight, strict=True):
            _expect(w, (k + 1, channels, "out", 2), kind, channels)
            _expect(w, (k + 1, channels, weight[0].shape[2], 2), kind, channels)
        return weight[0].shape[2]
    if not isinstance(weight, torch.Tensor):
        raise InputError(f"weight must be a tensor for kind {kind!r}, got {_describe(weight)}")
    if kind == "separable":
        _expect(weight, (*shape, channels, 2), kind, channels)
        return channels
    if kind == "dense":
        _expect(weight, (*shape, channels, "out", 2), kind, channels)
        return weight.shape[-2]
    _expect(weight, (*shape, "blocks", "in/blocks", "out/blocks", 2), kind, channels)
    if weight.shape[-4] * weight.shape[-3] != channels:
        raise InputError(
            f"weight of kind 'block' must have blocks · (in/blocks) = {channels} input channels, got "
            f"{weight.shape[-4]} blocks of {weight.shape[-3]}"
        )
    return weight.shape[-4] * weight.shape[-2]


def _check_factors(weight: Weight, kind: str, shape: Sequence[int], channels: int) -> int:
    container = CPWeight if kind == "cp" else TuckerWeight
    if not isinstance(weight, container):
        raise InputError(f"weight must be a {container.__name__} for kind {kind!r}, got {_describe(weight)}")
    if not isinstance(weight.modes, Sequence) or len(weight.modes) != len(shape):
        raise InputError(
            f"weight.modes must hold one factor per axis of space ({len(shape)}), got {_describe(weight.modes)}"
        )
    if isinstance(weight, CPWeight):
        _expect(weight.scales, ("rank", 2), "cp scales", channels)
        ranks = [weight.scales.shape[0]] * (len(shape) + 2)
    else:
        _expect(weight.core, (*(f"rank {j}" for j in range(len(shape))), "rank_in", "rank_out", 2), kind, channels)
        ranks = list(weight.core.shape[:-1])
    *mode_ranks, rank_in, rank_out = ranks
    _expect(weight.inputs, (channels, rank_in, 2), f"{kind} inputs", channels)
    _expect(weight.outputs, ("out", rank_out, 2), f"{kind} outputs", channels)
    for m, r, factor in zip(shape, mode_ranks, weight.modes, strict=True):
        _expect(factor, (m, r, 2), f"{kind} modes", channels)
    return weight.outputs.shape[0]


def _expect(w: torch.Tensor, shape: Sequence[int | str], kind: str, channels: int) -> None:
    if not isinstance(w, torch.Tensor):
        raise InputError(f"weight must be made of torch tensors for kind {kind!r}, got {type(w).__name__} among them")
    fits = w.ndim == len(shape) and all(
        isinstance(want, str) or got == want for got, want in zip(w.shape, shape, strict=True)
    )
    if not fits or 0 in w.shape:
        sizes = ", ".join(map(str, shape))
        raise InputError(
            f"weight must have the shape ({sizes}) for x with {channels} channels and kind {kind!r}, "
            f"got {tuple(w.shape)}"
        )


def _describe(weight: object) -> str:
    if isinstance(weight, torch.Tensor):
        return f"a tensor of shape {tuple(weight.shape)}"
    return f"{type(weight).__name__} of {len(weight)}" if isinstance(weight, Sequence) else type(weight).__name__


def parts(weight: Weight) -> list[torch.Tensor]:
    """All tensors of a weight."""
    if isinstance(weight, torch.Tensor):
        return [weight]
    return [t for part in weight for t in ([part] if isinstance(part, torch.Tensor) else part)]
