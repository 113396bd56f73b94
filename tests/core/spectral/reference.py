"""What the tests of spectral convolutions compare with: the definitions, mode by mode, in complex double precision."""

import itertools
import math

import torch

from opforge.core import CPWeight, TuckerWeight, mode_shape

BACKENDS = ("fftw", "gemm", "torch")  # Triton's kernels have tests of their own
POINT_OFFSET = {"periodic": 0.0, "cells": 0.5}
MODES = (2, 3)
CHANNELS = (4, 6)


def random_weight(kind, modes=MODES, channels=CHANNELS, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, 2, generator=generator, dtype=torch.float64).to(dtype)

    m, (n_in, n_out) = mode_shape(modes), channels
    if kind == "dense":
        return random(*m, n_in, n_out)
    if kind == "separable":
        return random(*m, n_in)
    if kind == "block":
        return random(*m, 2, n_in // 2, n_out // 2)
    if kind == "axis":
        return tuple(random(k + 1, n_in, n_out) for k in modes)
    if kind == "cp":
        return CPWeight(random(3), random(n_in, 3), random(n_out, 3), tuple(random(size, 3) for size in m))
    ranks = (2, 3, 2)[: len(modes)]
    factors = tuple(random(size, r) for size, r in zip(m, ranks, strict=True))
    return TuckerWeight(random(*ranks, 3, 2), random(n_in, 3), random(n_out, 2), factors)


def as_dense(weight, kind, channels=CHANNELS):
    """The dense weight (*M, in, out) as complex numbers, entry by entry from the definitions."""
    if kind == "dense":
        return torch.view_as_complex(weight)
    if kind == "separable":
        return torch.diag_embed(torch.view_as_complex(weight))
    if kind == "block":
        blocks = torch.view_as_complex(weight)
        *m, count, i, o = blocks.shape
        dense = blocks.new_zeros(*m, channels[0], channels[1])
        for b in range(count):
            dense[..., b * i : (b + 1) * i, b * o : (b + 1) * o] = blocks[..., b, :, :]
        return dense
    a, b = torch.view_as_complex(weight.inputs), torch.view_as_complex(weight.outputs)
    dense = a.new_zeros(*(f.shape[0] for f in weight.modes), a.shape[0], b.shape[0])
    factors = [torch.view_as_complex(f) for f in weight.modes]
    for index in itertools.product(*(range(f.shape[0]) for f in factors)):
        rows = [f[k] for f, k in zip(factors, index, strict=True)]
        if kind == "cp":
            middle = torch.diag(math.prod(rows) * torch.view_as_complex(weight.scales))
        else:
            middle = torch.view_as_complex(weight.core)
            for row in rows:
                middle = torch.tensordot(row, middle, dims=([0], [0]))
        dense[index] = a @ middle @ b.T
    return dense


def dense_convolution(x, dense, bias, modes, out_shape, offset):
    """The spectral convolution of x (batch, in, *space) by ``dense`` (*M, in, out), complex."""
    d = len(modes)
    result = bias.reshape(-1, *[1] * d).expand(x.shape[0], -1, *out_shape).clone().to(torch.complex128)

    def waves(shape, k):
        phase = torch.zeros(shape, dtype=torch.float64)
        for axis, n in enumerate(shape):
            points = (torch.arange(n, dtype=torch.float64) + offset) / n
            phase = phase + k[axis] * points.reshape(-1, *[1] * (d - 1 - axis))
        return torch.exp(2j * math.pi * phase)

    for k in itertools.product(*(range(-m, m + 1) for m in modes[:-1]), range(modes[-1] + 1)):
        coefficient = (x * waves(x.shape[2:], k).conj()).mean(dim=tuple(range(2, d + 2)))
        index = (*(k_i + m for k_i, m in zip(k[:-1], modes[:-1], strict=True)), k[-1])
        mixed = coefficient @ dense[index]
        twice = 1 if k[-1] == 0 else 2
        result += twice * mixed.reshape(*mixed.shape, *[1] * d) * waves(out_shape, k)
    return result.real
