"""The products of `pairs` for rows of complex numbers; the matrices are pairs of reals, as parameters are.

Operands are made contiguous but for small products: with strides, which transposed spectra have, MKL's batched complex
products are several times slower than with a copy. Matrices are never conjugated, the much smaller rows are.
"""

from __future__ import annotations

import sys

import torch

from opforge.core.spectral import bilinear

_MKL_FROM = 400  # products of numbers for a product of matrices


def product(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """y = x w: x (m, b, i) complex, w (m, i, o, 2), y (m, b, o) complex."""
    return bilinear.product(sys.modules[__name__], x, w)


def forward(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return torch.bmm(x if _by_torch(x, w.shape[2]) else x.contiguous(), _complex(w))


def _by_torch(x: torch.Tensor, columns: int) -> bool:
    """Whether torch multiplies on CPUs itself and does not call MKL: its loops take strides as they are."""
    return x.shape[1] * x.shape[2] * columns < _MKL_FROM


def adjoint(y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """x = y wᴴ."""
    return torch.bmm(y.conj().resolve_conj().contiguous(), _complex(w).transpose(1, 2)).conj().resolve_conj()


def outer(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """w = xᴴ y."""
    rows = x.conj().resolve_conj().contiguous()
    return torch.view_as_real(torch.bmm(rows.transpose(1, 2), y.contiguous()))


def both(x: torch.Tensor, w: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`adjoint` and `outer`, of one contiguous y."""
    y = y.contiguous()
    return adjoint(y, w), outer(x, y)


def shared_product(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """y = x w with one matrix for all modes: x (m, b, i) complex, w (i, o, 2), y (m, b, o) complex."""
    return x @ _complex(w)


def scale(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """y = w x, channel by channel: x (m, b, c) complex, w (m, c, 2), y (m, b, c) complex."""
    return x * _complex(w).unsqueeze(1)


def _complex(w: torch.Tensor) -> torch.Tensor:
    return torch.view_as_complex(w.contiguous())
