"""Long convolutions by their definition: every tap with every sample, in float64."""

import itertools
import math

import torch


def lags(taps, mode):
    """The lags of a kernel's taps along one axis."""
    centre = (taps - 1) // 2 if mode == "same" else 0
    return range(-centre, taps - centre)


def operator(k, points, mode, keep_modes=None):
    """(channels, *points, *points): what every sample contributes to every result."""
    d = len(points)
    period = [n if mode == "circular" else 2 * n for n in points]
    kernel = torch.zeros(len(k), *period, dtype=torch.float64)
    for place, lag in zip(
        itertools.product(*map(range, k.shape[1:])),
        itertools.product(*(lags(m, mode) for m in k.shape[1:])),
        strict=True,
    ):
        if mode == "circular" or all(abs(i) < n for i, n in zip(lag, points, strict=True)):
            kernel[(..., *(i % p for i, p in zip(lag, period, strict=True)))] += k[(..., *place)]
    if keep_modes is not None:
        for axis, (n, modes) in enumerate(zip(period, keep_modes, strict=True), 1):
            kernel = torch.tensordot(kernel, projection(n, modes), ([axis], [0])).movedim(-1, axis)
    for axis, (n, p) in enumerate(zip(points, period, strict=True)):
        # the kernel's axis becomes two, that of results and that of samples
        index = (torch.arange(n)[:, None] - torch.arange(n)) % p
        kernel = kernel.index_select(1 + 2 * axis, index.flatten()).unflatten(1 + 2 * axis, (n, n))
    return kernel.permute(0, *range(1, 2 * d, 2), *range(2, 2 * d + 1, 2))


def projection(n, modes):
    """(n, n): drops all but the modes −modes … modes of a periodic signal."""
    angle = 2 * math.pi / n * (torch.arange(n)[:, None] - torch.arange(n)).double()
    return sum((torch.cos(k * angle) * (2 if k else 1) for k in range(modes + 1)), torch.zeros(())) / n


def convolution(u, k, dim=(-1,), mode="causal", keep_modes=None):
    """What ``fft_conv(u, k, dim, mode, keep_modes=keep_modes)`` is to return."""
    u, k = u.double(), k.double()
    d = len(dim)
    v = u.movedim(dim, tuple(range(-d, 0)))
    others = v.shape[2:-d]
    matrix = operator(k, v.shape[-d:], mode, keep_modes)
    v = v.reshape(u.shape[0], u.shape[1], -1, *v.shape[-d:]) if others else v.unsqueeze(2)
    letters = "xyz"[:d], "XYZ"[:d]
    y = torch.einsum(f"c{letters[1]}{letters[0]},bco{letters[0]}->bco{letters[1]}", matrix, v)
    return y.reshape(*u.shape[:2], *others, *y.shape[-d:]).movedim(tuple(range(-d, 0)), dim)
