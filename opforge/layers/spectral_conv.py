"""The spectral convolution as a layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from opforge.core import fourier_layer, mode_shape, spectral_conv
from opforge.core.activation import Activation
from opforge.errors import InputError


class SpectralConv(nn.Module):
    """Multiply the low Fourier modes of a field by learned matrices over channels, one matrix per mode.

    y = Σ_{|k_j| <= modes[j]} W_k X_k exp(2πi k·x) + b, real by construction, on any grid that carries the modes.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        modes: highest kept \\|k\\| per axis of space; the number of axes is its length.
        bias: whether a constant per output channel is learned.
        points: where grid points lie, ``"periodic"`` or ``"cells"``; matters for ``out_shape`` only.
        backend: back end of `opforge.core.spectral_conv`; chosen by cost when left out.
        reduced_precision: under autocast to bfloat16, and for bfloat16 input, compute in bfloat16 too: relative
            errors of about 0.5 %, where float32 has 1e-7. Otherwise the layer computes in its weight's precision.

    Attributes:
        weight: (2K₁ + 1, …, K_d + 1, in_channels, out_channels, 2), real; the last axis holds real and imaginary
            parts. Initialised with variance 1/in_channels, which keeps the variance of smooth fields.

    Raises:
        InputError: fewer than one channel, negative modes; on a call, a grid that is too coarse for the modes.

    Example:
        >>> layer = SpectralConv(2, 3, (4, 4))
        >>> layer(torch.randn(1, 2, 16, 16), out_shape=(33, 20)).shape
        torch.Size([1, 3, 33, 20])

    Source: Fourier Neural Operator for Parametric Partial Differential Equations.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: Sequence[int],
        *,
        bias: bool = True,
        points: str = "periodic",
        backend: str | None = None,
        reduced_precision: bool = False,
    ):
        super().__init__()
        self.modes = tuple(int(k) for k in modes)
        for name, value in (("in_channels", in_channels), ("out_channels", out_channels)):
            if value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")
        if not 1 <= len(self.modes) <= 3 or min(self.modes) < 0:
            raise InputError(f"modes must be 1 to 3 numbers that are not negative, got {self.modes}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.points, self.backend, self.reduced_precision = points, backend, reduced_precision
        shape = (*mode_shape(self.modes), in_channels, out_channels, 2)
        self.weight = nn.Parameter(torch.randn(shape) / math.sqrt(2 * in_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: torch.Tensor, out_shape: Sequence[int] | None = None) -> torch.Tensor:
        """Map (batch, in_channels, *space) to (batch, out_channels, *(out_shape or space)).

        The result is of ``x``'s type. Under autocast and for half-precision input the layer computes in its weight's
        precision unless ``reduced_precision`` is set: sums over a whole field lose much in bfloat16.
        """
        return self._run(spectral_conv, x, {}, out_shape=out_shape)

    def with_pointwise(
        self,
        x: torch.Tensor,
        pointwise: torch.Tensor,
        before: Activation | None = None,
        lift: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The layer's result for a = before(x) with the product of a and ``pointwise`` (in, out) added at each point.

        With ``lift``, a matrix (channels of x, in), a = before(x) ``lift``. See `opforge.core.fourier_layer`.
        """
        return self._run(fourier_layer, x, {"pointwise": pointwise, "lift": lift}, before=before)

    def _run(
        self,
        function: Callable[..., torch.Tensor],
        x: torch.Tensor,
        others: dict[str, torch.Tensor | None],
        **options: Any,
    ) -> torch.Tensor:
        kind, device, weight, bias = x.dtype, x.device.type, self.weight, self.bias
        autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else kind
        if self.reduced_precision and autocast == torch.bfloat16:
            weight, bias = weight.bfloat16(), None if bias is None else bias.bfloat16()
            others = {name: None if t is None else t.bfloat16() for name, t in others.items()}
        if kind in (torch.bfloat16, torch.float16) or weight.dtype == torch.bfloat16:
            x = x.to(weight.dtype)
        with torch.autocast(device, enabled=False):
            options |= {"bias": bias, "points": self.points, "backend": self.backend}
            y = function(x, weight, modes=self.modes, **others, **options)
        return y.to(kind)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, modes={self.modes}"
