"""Fourier matrices and twiddle factors of the long convolution's kernels, in one buffer.

The transform takes a real signal of up to 2N samples as N complex numbers z_n = x_n + i·x_{n+N} and evaluates
X_f = Σ_n z_n exp(−2πi n(f − ¼)/N). A product of two such spectra is the product of polynomials modulo x^N = i: the
convolution of the signals, its samples from N on as imaginary parts, nothing lost up to 2N. No sample is spent on
zeros, and no two frequencies need to be told apart as a real signal packed in pairs would need.

Source: Nussbaumer, Fast Fourier Transform and Convolution Algorithms (right-angle circular convolution); the shift
goes into the first matrix and the first twiddle here, so it is free.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from opforge.core.kept import made_to_last

# N to the sizes N₁, N₂, N₃ of its matrices, n = (n₁·N₂ + n₂)·N₃ + n₃; N₂ = 1 for two stages. Matrix units take 16 rows
# at least. The first matrix meets real numbers and costs half as much, so it is the large one; of what is left,
# 16 times 16 take half the operations of one matrix of 64.
SPLITS = {
    256: (16, 1, 16),
    512: (32, 1, 16),
    1024: (32, 1, 32),
    2048: (64, 1, 32),
    4096: (16, 16, 16),
    8192: (32, 16, 16),
    16384: (64, 16, 16),
    32768: (128, 16, 16),
}


@lru_cache(maxsize=64)
def stages(size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Cosines and then sines of each of: the first matrix (f₁, n₁), its twiddles (f₁, n₂·N₃ + n₃), the last matrix
    (n₃, f₃), the middle one (n₂, f₂), its twiddles (n₃, f₂)."""
    n1, n2, n3 = SPLITS[size]
    rest = n2 * n3
    shifted = 4 * np.arange(n1)[:, None] - 1  # four times f₁ − ¼
    turns = [
        (shifted * np.arange(n1)[None, :], 4 * n1),
        (shifted * np.arange(rest)[None, :], 4 * size),
        (np.arange(n3)[:, None] * np.arange(n3)[None, :], n3),
        (np.arange(n2)[:, None] * np.arange(n2)[None, :], n2),
        (np.arange(n3)[:, None] * np.arange(n2)[None, :], rest),
    ]
    angles = [2 * np.pi * (steps % period) / period for steps, period in turns]
    flat = np.concatenate([part.ravel() for angle in angles for part in (np.cos(angle), np.sin(angle))])
    with made_to_last():
        return torch.from_numpy(flat).to(device=device, dtype=dtype)
