"""Scaling fields to zero mean and unit variance, per channel, with statistics of the training samples alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from opforge.core import Moments
from opforge.errors import InputError
from opforge.training.samples import Samples


class Normaliser(nn.Module):
    """Affine map per channel between physical values and values of order one.

    encode: x ↦ (x − mean_in) / std_in;   decode: y ↦ mean_out + std_out · y

    One mean and one deviation per channel, over samples and space: any grid can be encoded. A channel that does not
    vary beyond float32's rounding (std <= 1e-7 |mean|) is only shifted: it has no scale of its own.

    Args:
        input_mean, input_std: one value per input channel, in the input's units.
        output_mean, output_std: one value per output channel, in the output's units.

    Raises:
        InputError: lengths that differ, a deviation that is not positive, a value that is not finite.

    Example:
        >>> normaliser = Normaliser([7.5], [4.5], [0.0], [0.02])
        >>> normaliser.encode(torch.tensor([12.0, 3.0]).view(1, 1, 2)).flatten().tolist()
        [1.0, -1.0]
        >>> normaliser.decode(torch.ones(1, 1, 2)).flatten().tolist()
        [0.019999999552965164, 0.019999999552965164]
    """

    input_mean: Tensor
    input_std: Tensor
    output_mean: Tensor
    output_std: Tensor

    def __init__(
        self,
        input_mean: Sequence[float] | Tensor,
        input_std: Sequence[float] | Tensor,
        output_mean: Sequence[float] | Tensor,
        output_std: Sequence[float] | Tensor,
    ) -> None:
        super().__init__()
        for side, mean, std in (("input", input_mean, input_std), ("output", output_mean, output_std)):
            mean, std = (torch.as_tensor(v, dtype=torch.float64).flatten() for v in (mean, std))
            if len(mean) != len(std) or len(mean) == 0:
                raise InputError(f"{side}_std: expected one value per {side}_mean ({len(mean)}), got {len(std)}")
            if not (torch.isfinite(mean).all() and torch.isfinite(std).all() and (std > 0).all()):
                raise InputError(
                    f"{side}_std: expected positive finite values, got {std.tolist()} around {mean.tolist()}"
                )
            self.register_buffer(f"{side}_mean", mean)
            self.register_buffer(f"{side}_std", std)

    @classmethod
    def fit(cls, data: Any) -> Normaliser:
        """The normaliser of a dataset's samples, in one pass over them.

        Args:
            data: torch dataset of (x, y), each (channels, *space); pass the training part only.

        Raises:
            InputError: a value that is not finite; the text names the sample and the variable.
        """
        samples = Samples.of(data)
        x_moments, y_moments = Moments(samples.in_channels), Moments(samples.out_channels)
        for positions, (x, y) in samples.passes():
            x_moments.add(x)
            y_moments.add(y)
            if not (torch.isfinite(x_moments.mean).all() and torch.isfinite(y_moments.mean).all()):
                samples.refuse_non_finite(positions, x, y)
        return cls(x_moments.mean, _scale(x_moments), y_moments.mean, _scale(y_moments))

    def encode(self, x: Tensor) -> Tensor:
        """Physical inputs (batch, in_channels, *space) to values of order one, same shape and dtype."""
        return (x - _per_channel(self.input_mean, x)) / _per_channel(self.input_std, x)

    def decode(self, y: Tensor) -> Tensor:
        """The model's outputs (batch, out_channels, *space) to physical values, same shape and dtype."""
        return torch.addcmul(_per_channel(self.output_mean, y), _per_channel(self.output_std, y), y)

    def to_dict(self) -> dict[str, list[float]]:
        """Plain values for JSON; `from_dict` reads them back, to the last bit."""
        return {name: buffer.tolist() for name, buffer in self.named_buffers()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[float]]) -> Normaliser:
        return cls(**{name: values[name] for name in ("input_mean", "input_std", "output_mean", "output_std")})


def _scale(moments: Moments) -> Tensor:
    constant = moments.std <= 1e-7 * moments.mean.abs()
    return torch.where(constant, torch.ones_like(moments.std), moments.std)


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    if x.shape[1] != len(values):
        raise InputError(f"channels: expected {len(values)} on axis 1, got shape {tuple(x.shape)}")
    return values.to(x.device, x.dtype).view(-1, *(1,) * (x.ndim - 2))
