"""What `fft_conv` is given: checked, and brought into the form that the back ends take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from opforge.core._arguments import check_real, whole_numbers
from opforge.core.long_conv._problem import Problem
from opforge.errors import InputError, UnknownNameError

MODES = ("causal", "circular", "same")


@dataclass(frozen=True)
class Layout:
    """The passage between (batch, channels, *space) and (rows, channels, *convolved axes).

    Args:
        shape: of the signal.
        axes: the convolved ones, in the order of the kernel's.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]

    @property
    def points(self) -> tuple[int, ...]:
        return tuple(self.shape[a] for a in self.axes)

    @property
    def rows(self) -> int:
        return math.prod(self.shape) // (self.shape[1] * math.prod(self.points))

    @property
    def _order(self) -> tuple[int, ...]:
        others = (a for a in range(2, len(self.shape)) if a not in self.axes)
        return (0, *others, 1, *self.axes)

    @property
    def _is_plain(self) -> bool:
        return self.axes == tuple(range(2, len(self.shape)))

    def bring(self, x: torch.Tensor) -> torch.Tensor:
        if self._is_plain:
            return x
        x = x.permute(self._order)
        return x if x.ndim == 2 + len(self.axes) else x.flatten(0, x.ndim - 2 - len(self.axes))

    def back(self, y: torch.Tensor) -> torch.Tensor:
        if self._is_plain:
            return y
        order = self._order
        y = y.reshape([self.shape[a] for a in order])
        return y.permute([order.index(a) for a in range(len(order))])


def check_tensors(u: torch.Tensor, k: torch.Tensor, dim: int | Sequence[int]) -> Layout:
    """The signal's layout, after checking that signal and kernel belong together."""
    check_real("u", u)
    check_real("k", k)
    if u.ndim < 3 or 0 in u.shape:
        raise InputError(
            f"u must have the shape (batch, channels, *space) with sizes of at least 1, got {tuple(u.shape)}"
        )
    axes = check_axes(dim, u.ndim)
    if k.ndim != 1 + len(axes) or 0 in k.shape:
        raise InputError(
            f"k must have the shape (channels, *taps) with one size of at least 1 for each of the {len(axes)} "
            f"convolved axes, got {tuple(k.shape)}; dim names the axes of u that are convolved"
        )
    if k.shape[0] != u.shape[1]:
        raise InputError(
            f"k must have a kernel for each of u's {u.shape[1]} channels, got {k.shape[0]} in shape {tuple(k.shape)}"
        )
    _check_like("k", k, u)
    return Layout(sizes_of(u), axes)


def sizes_of(x: torch.Tensor) -> tuple[int, ...]:
    """The shape as numbers, which it is not under ``torch.jit.trace``, but as symbols where those are wanted."""
    return tuple(x.shape) if torch.compiler.is_compiling() else tuple(int(n) for n in x.shape)


def check_axes(dim: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """The convolved axes, counted from the front."""
    axes = tuple(a % ndim if -ndim <= a < ndim else -1 for a in whole_numbers("dim", dim))
    if not axes or min(axes) < 2 or len(set(axes)) != len(axes):
        raise InputError(
            f"dim must name different axes of space, 2 to {ndim - 1} or negative, of a signal (batch, channels, "
            f"*space) with {ndim} axes, got {dim}"
        )
    return axes


def check_gate(name: str, gate: torch.Tensor | None, u: torch.Tensor) -> torch.Tensor | None:
    """``gate`` spread over the signal's shape."""
    if gate is None:
        return None
    check_real(name, gate)
    _check_like(name, gate, u)
    try:
        return gate.expand(u.shape)
    except RuntimeError as error:
        raise InputError(f"{name} must broadcast to u's shape {tuple(u.shape)}, got {tuple(gate.shape)}") from error


def problem_of(
    points: Sequence[int], taps: Sequence[int], mode: str, keep_modes: int | Sequence[int] | None
) -> Problem:
    """The convolution that ``mode`` means for sizes that are at least 1."""
    if mode not in MODES:
        raise UnknownNameError("mode", str(mode), MODES)
    if keep_modes is not None:
        modes = whole_numbers("keep_modes", keep_modes)
        keep_modes = modes * len(points) if len(modes) == 1 else modes
    make = _problem if not torch.compiler.is_compiling() else _problem.__wrapped__
    return make(tuple(points), tuple(taps), mode, keep_modes)


@lru_cache(maxsize=4096)
def _problem(points: tuple[int, ...], taps: tuple[int, ...], mode: str, modes: tuple[int, ...] | None) -> Problem:
    if mode != "same" and any(m > n for m, n in zip(taps, points, strict=True)):
        raise InputError(
            f"k must not be longer than the signal in mode {mode!r}, got {taps} taps for {points} points; "
            "cut the kernel, or append zeros to the signal"
        )
    first = tuple(-((m - 1) // 2) if mode == "same" else 0 for m in taps)
    problem = Problem(points, taps, first, mode == "circular", modes)
    if modes is not None:
        _check_modes(problem, modes)
    return problem


def _check_modes(problem: Problem, modes: tuple[int, ...]) -> None:
    if len(modes) != problem.ndim:
        raise InputError(
            f"keep_modes must be one number, or one for each of the {problem.ndim} convolved axes, got {modes}"
        )
    most = tuple((n - 1) // 2 for n in problem.period)
    if any(not 0 <= k <= limit for k, limit in zip(modes, most, strict=True)):
        raise InputError(
            f"keep_modes must be between 0 and (L - 1) // 2, here at most {most} for a circular convolution of "
            f"L = {problem.period} points, got {modes}; lower it, or leave it out to keep all"
        )


def _check_like(name: str, x: torch.Tensor, u: torch.Tensor) -> None:
    if x.dtype != u.dtype or x.device != u.device:
        raise InputError(f"{name} must be of u's type and device, {u.dtype} on {u.device}, got {x.dtype} on {x.device}")
