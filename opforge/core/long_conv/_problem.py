"""A long convolution with the modes of `fft_conv` resolved: which lags the kernel covers, what lies beyond the ends."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Problem:
    """y[n] = Σ_j k[j] v[n − first − j] for the points n of a grid, along one or several axes.

    Args:
        points: of signal and result, per convolved axis.
        taps: of the kernel, per convolved axis.
        first: the lag of the kernel's first tap, per convolved axis.
        periodic: whether the signal is periodic; else it is zero beyond its ends.
        modes: highest kept |k| of the kernel's spectrum per axis, over ``period`` points; None keeps all.
    """

    points: tuple[int, ...]
    taps: tuple[int, ...]
    first: tuple[int, ...]
    periodic: bool = False
    modes: tuple[int, ...] | None = None

    @property
    def ndim(self) -> int:
        return len(self.points)

    @property
    def period(self) -> tuple[int, ...]:
        """Points of the circular convolution that this is: with zeros appended up to twice the signal, if need be."""
        return self.points if self.periodic else tuple(2 * n for n in self.points)

    @property
    def last(self) -> tuple[int, ...]:
        """The lag of the kernel's last tap."""
        return tuple(f + m - 1 for f, m in zip(self.first, self.taps, strict=True))

    @property
    def reversed(self) -> Problem:
        """The convolution with the kernel's taps in reverse order at the lags' negatives: the transposed operator."""
        return replace(self, first=tuple(-lag for lag in self.last))

    @property
    def reaches_too_far(self) -> bool:
        """Whether there are taps that meet no sample."""
        sizes = zip(self.points, self.first, self.last, strict=True)
        return not self.periodic and any(first <= -n or last >= n for n, first, last in sizes)

    @property
    def cropped(self) -> Problem:
        """The same without taps at lags of ``points`` and beyond, which meet no sample."""
        if self.periodic:
            return self
        first = tuple(max(lag, 1 - n) for n, lag in zip(self.points, self.first, strict=True))
        last = tuple(min(lag, n - 1) for n, lag in zip(self.points, self.last, strict=True))
        return replace(self, first=first, taps=tuple(b - a + 1 for a, b in zip(first, last, strict=True)))

    def cut(self, k: torch.Tensor) -> torch.Tensor:
        """The taps of a kernel (channels, *taps) that `cropped` keeps."""
        cropped = self.cropped
        for axis, (start, taps) in enumerate(zip(cropped.first, cropped.taps, strict=True)):
            k = k.narrow(axis + 1, start - self.first[axis], taps)
        return k

    def wrapped(self, k: torch.Tensor, sizes: tuple[int, ...]) -> torch.Tensor:
        """The kernel with zeros appended up to ``sizes`` and turned so that lag m stands at m mod size."""
        for axis, (size, first) in enumerate(zip(sizes, self.first, strict=True), 1):
            gap = size - k.shape[axis]
            if gap:
                zeros = k.new_zeros([gap if a == axis else n for a, n in enumerate(k.shape)])
                k = torch.cat([k, zeros], axis)
            if first:
                k = k.roll(first, axis)
        return k
