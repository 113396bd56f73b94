"""Mean, deviation and extremes of data that are seen batch by batch."""

from __future__ import annotations

import torch
from torch import Tensor


class Moments:
    """Count, mean, sum of squared deviations and extremes per channel, in float64, updated batch by batch in one pass.

    With δ = mean_B − mean_A, the moments of A ∪ B are n = n_A + n_B, mean = mean_A + δ n_B/n,
    M2 = M2_A + M2_B + δ² n_A n_B/n.

    Example:
        >>> moments = Moments(1)
        >>> for batch in torch.arange(6.0).view(3, 2, 1, 1):
        ...     moments.add(batch)
        >>> float(moments.mean), round(float(moments.std) ** 2, 6), float(moments.greatest)
        (2.5, 2.916667, 5.0)

    Source: Chan, Golub & LeVeque, "Algorithms for computing the sample variance", 1983, equation 2.1.
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.mean = torch.zeros(channels, dtype=torch.float64)
        self._squares = torch.zeros(channels, dtype=torch.float64)
        self.least = torch.full((channels,), torch.inf, dtype=torch.float64)
        self.greatest = -self.least

    def add(self, x: Tensor) -> None:
        """Take in a batch (batch, channels, *space)."""
        values = x.detach().to("cpu", torch.float64).transpose(0, 1).flatten(1)
        n, mean = values.shape[1], values.mean(1)
        if n == 0:
            return
        self.least, self.greatest = values.amin(1).minimum(self.least), values.amax(1).maximum(self.greatest)
        squares = (values - mean[:, None]).square().sum(1)
        delta, total = mean - self.mean, self.count + n
        self.mean = self.mean + delta * (n / total)
        self._squares = self._squares + squares + delta.square() * (self.count * n / total)
        self.count = total

    @property
    def std(self) -> Tensor:
        """Population standard deviation per channel."""
        return (self._squares / self.count).sqrt()
