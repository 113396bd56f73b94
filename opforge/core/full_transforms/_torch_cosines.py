"""Cosine and sine transforms of torch tensors on any device, by real FFTs that are not longer than they must be.

With N points, type 2 is the real FFT of the N points in another order (even ones upwards, then odd ones downwards),
turned by a quarter of a step: J. Makhoul, "A fast cosine transform in one and two dimensions", 1980. Type 3 is that
backwards. Type 4 is a complex FFT of N/2 points for even N and a real FFT of N points for odd N. Type 1 is the real FFT
of the periodic extension, of 2N − 2 (cosine) or 2N + 2 (sine) points. Everything is plain torch, so that derivatives of
every order, function transforms, graphics cards and tracing need nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from opforge.core.choice.tracing import tracing
from opforge.core.full_transforms._transform import Transform
from opforge.core.full_transforms._trigonometric import INVERSE_TYPE, Ends, logical_size, ortho_ends, transpose_ends

_COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}
_KEPT_CONSTANTS = 256
_constants: dict[tuple[object, ...], torch.Tensor] = {}


def trigonometric(x: torch.Tensor, transform: Transform) -> torch.Tensor:
    """The cosine or sine transform, or its transpose, of a real tensor."""
    for axis in transform.axes:
        x = _along_last(transform, x.movedim(axis, -1)).movedim(-1, axis)
    return x.contiguous()


def _along_last(transform: Transform, x: torch.Tensor) -> torch.Tensor:
    kind, type, norm, transposed = transform.kind, transform.type, transform.norm, transform.transposed
    size = logical_size(kind, type, _size(x))
    ends = Ends((), 1.0, 1.0)
    if transposed:
        if norm != "ortho":
            ends = transpose_ends(kind, type)
        type = INVERSE_TYPE[type]
    if norm == "ortho":
        ends = ortho_ends(kind, type)
    out = _scaled_at(_ALONG_LAST[kind, type](_scaled_at(x, ends.entries, ends.before)), ends.entries, ends.after)
    if norm == "backward":
        return out
    return out / (math.sqrt(size) if norm == "ortho" else size)


def _scaled_at(x: torch.Tensor, entries: tuple[int, ...], factor: float) -> torch.Tensor:
    if factor == 1.0 or not entries:
        return x

    def weights() -> np.ndarray:
        found = np.ones(_size(x))
        for entry in entries:
            found[entry] = factor
        return found

    return x * _constant(("weights", entries, factor), x, weights)


def _constant(
    name: tuple[object, ...], x: torch.Tensor, values: Callable[[], np.ndarray | tuple[np.ndarray, np.ndarray]]
) -> torch.Tensor:
    """``values``, which depend on ``name`` and the size of ``x``'s last axis, in its precision and on its device.

    A pair is the real and the imaginary part: complex arrays of numpy's can't be traced.
    """
    keep = type(x) in (torch.Tensor, torch.nn.Parameter) and not tracing()
    key = (*name, _size(x), x.dtype, x.device)
    if keep and key in _constants:
        return _constants[key]
    found = values()
    if isinstance(found, tuple):
        made = torch.complex(*map(torch.from_numpy, found)).to(device=x.device, dtype=_COMPLEX[x.dtype])
    else:
        made = torch.from_numpy(found)
        made = made.to(device=x.device, dtype=x.dtype if made.is_floating_point() else torch.int64)
    if keep:
        if len(_constants) >= _KEPT_CONSTANTS:
            _constants.clear()
        _constants[key] = made
    return made


def _turn(x: torch.Tensor, count: int, denominator: int, offset: float = 0.0) -> torch.Tensor:
    """exp(−2πi (j + offset)/denominator) for j = 0 … count − 1."""

    def values() -> tuple[np.ndarray, np.ndarray]:
        angle = 2 * np.pi * (np.arange(count) + offset) / denominator
        return np.cos(angle), -np.sin(angle)

    return _constant(("turn", count, denominator, offset), x, values)


def _cosine1(x: torch.Tensor) -> torch.Tensor:
    n = _size(x)
    doubled = x * _constant(("cosine 1",), x, lambda: np.concatenate([[1.0], np.full(n - 2, 2.0), [1.0]]))
    return torch.fft.rfft(doubled, n=2 * n - 2).real


def _sine1(x: torch.Tensor) -> torch.Tensor:
    n = _size(x)
    return -2 * torch.fft.rfft(torch.nn.functional.pad(x, (1, 0)), n=2 * n + 2).imag[..., 1 : n + 1]


def _size(x: torch.Tensor) -> int:
    return int(x.shape[-1])  # the number itself where the compiler keeps sizes open: tables depend on it


def _shuffled(x: torch.Tensor, sign: int) -> torch.Tensor:
    """The even entries upwards, then ``sign`` times the odd ones downwards."""
    odd = x[..., 1::2].flip(-1)
    return torch.cat([x[..., ::2], odd if sign > 0 else -odd], -1)


def _dealt(x: torch.Tensor, sign: int) -> torch.Tensor:
    """The inverse of `_shuffled`."""
    n = _size(x)
    half = (n + 1) // 2
    odd = x[..., half:].flip(-1)
    if n % 2:
        odd = torch.nn.functional.pad(odd, (0, 1))
    return torch.stack([x[..., :half], odd if sign > 0 else -odd], -1).flatten(-2)[..., :n]


def _forward(x: torch.Tensor, sign: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The values 0 … N//2 and N//2 + 1 … N − 1 (those backwards) of the type 2 transform."""
    n = _size(x)
    turned = torch.fft.rfft(_shuffled(x, sign)) * (2 * _turn(x, n // 2 + 1, 4 * n))
    return turned.real, -turned.imag[..., 1 : (n + 1) // 2]


def _cosine2(x: torch.Tensor) -> torch.Tensor:
    low, high = _forward(x, 1)
    return torch.cat([low, high.flip(-1)], -1)


def _sine2(x: torch.Tensor) -> torch.Tensor:
    # sin(π(k+1)(2n+1)/2N) = (−1)ⁿ cos(π(N−1−k)(2n+1)/2N)
    low, high = _forward(x, -1)
    return torch.cat([high, low.flip(-1)], -1)


def _backward(low: torch.Tensor, high: torch.Tensor, sign: int, n: int) -> torch.Tensor:
    """The type 3 transform from the values 0 … N//2 and N, N − 1, …, of which the first may be any: it stands for 0."""
    low_turn = _turn(low, n // 2 + 1, 4 * n).conj()
    spectrum = torch.addcmul(low * low_turn, high, _turn_high(high, n))
    return _dealt(torch.fft.irfft(spectrum, n=n, norm="forward"), sign)


def _turn_high(x: torch.Tensor, n: int) -> torch.Tensor:
    """−i exp(2πi j/4N) for j = 0 … N//2, but 0 for j = 0."""

    def values() -> tuple[np.ndarray, np.ndarray]:
        j = np.arange(n // 2 + 1)
        angle = 0.5 * np.pi * j / n
        return np.sin(angle), -np.cos(angle) * (j > 0)

    return _constant(("turn high", n), x, values)


def _cosine3(x: torch.Tensor) -> torch.Tensor:
    n = _size(x)
    high = torch.cat([x[..., :1], x[..., n - n // 2 :].flip(-1)], -1)
    return _backward(x[..., : n // 2 + 1], high, 1, n)


def _sine3(x: torch.Tensor) -> torch.Tensor:
    # the cosine transform of x backwards, with every second sign changed
    n = _size(x)
    high = torch.cat([x[..., -1:], x[..., : n // 2]], -1)
    return _backward(x[..., n - 1 - n // 2 :].flip(-1), high, -1, n)


def _cosine4(x: torch.Tensor) -> torch.Tensor:
    n = _size(x)
    if n % 2:
        return _odd4(x)
    half = n // 2
    turn = _turn(x, half, 2 * n, 0.25)
    packed = torch.complex(x[..., ::2], x[..., 1::2].flip(-1))
    turned = torch.fft.fft(packed * turn) * (2 * _turn(x, half, 2 * n))
    return torch.stack([turned.real, -turned.imag.flip(-1)], -1).flatten(-2)


def _odd4(x: torch.Tensor) -> torch.Tensor:
    """Type 4 for odd N.

    cos(πab/4N) with odd a = 2n + 1, b = 2k + 1 keeps its value under a → −a and changes its sign under a → a + 4N, so a
    may run over 4m + N and b over 4l + N instead, where it is (−1)^(m + l) cos(2π·2lm/N + πN/4): a DFT of N numbers.
    """
    n = _size(x)
    order = _constant(("order",), x, lambda: _odd_order(n)[0])
    signs = _constant(("signs",), x, lambda: _odd_order(n)[1])
    spectrum = torch.fft.rfft(x.index_select(-1, order) * signs)
    cosine, sine = math.cos(0.25 * math.pi * (n % 8)), math.sin(0.25 * math.pi * (n % 8))
    real, imaginary = 2 * cosine * spectrum.real, 2 * sine * spectrum.imag
    values = torch.cat([real + imaginary, (real - imaginary)[..., 1:]], -1)
    back = _constant(("order back",), x, lambda: _odd_order_back(n)[0])
    return values.index_select(-1, back) * _constant(("signs back",), x, lambda: _odd_order_back(n)[1])


def _odd_order(n: int) -> tuple[np.ndarray, np.ndarray]:
    """For each m the place among 0 … N − 1 of what stands for a = 4m + N, and its sign times (−1)^m."""
    m = np.arange(n)
    a = (4 * m + n) % (8 * n)
    a = np.minimum(a, 8 * n - a)
    beyond = a > 2 * n
    place = (np.where(beyond, 4 * n - a, a) - 1) // 2
    return place, np.where(beyond, -1.0, 1.0) * (-1.0) ** m


def _odd_order_back(n: int) -> tuple[np.ndarray, np.ndarray]:
    """For each k the place of its value among the frequencies 0 … (N − 1)/2, −1 … −(N − 1)/2, and its sign."""
    place, sign = _odd_order(n)
    frequency = 2 * np.arange(n) % n
    where = np.where(frequency <= n // 2, frequency, n // 2 + n - frequency)
    l_of_k = np.argsort(place)
    return where[l_of_k], sign[l_of_k]


def _sine4(x: torch.Tensor) -> torch.Tensor:
    n = _size(x)
    return _cosine4(x.flip(-1)) * _constant(("alternating",), x, lambda: (-1.0) ** np.arange(n))


_ALONG_LAST: dict[tuple[str, int], Callable[[torch.Tensor], torch.Tensor]] = {
    ("cos", 1): _cosine1,
    ("cos", 2): _cosine2,
    ("cos", 3): _cosine3,
    ("cos", 4): _cosine4,
    ("sin", 1): _sine1,
    ("sin", 2): _sine2,
    ("sin", 3): _sine3,
    ("sin", 4): _sine4,
}
