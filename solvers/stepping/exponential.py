"""Exponential time differencing with a Runge-Kutta method of order 4."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.core.full_transforms.fft_planning import threads_for
from opforge.core.full_transforms.transforms import is_torch
from opforge.core.pairing import LOOK_EVERY, Spectrum, alone, in_order, order_by_modes, order_by_size
from opforge.core.pairs import PairedModes
from opforge.errors import InputError
from opforge.pdes._arrays import like
from opforge.pdes._frozen import FrozenRates
from opforge.pdes._numbers import time_step
from opforge.pdes._phi import contour_mean
from opforge.pdes.semilinear import SemilinearEquation, check_semilinear
from opforge.solvers.stepping._dropped import tell_dropped
from opforge.solvers.stepping._etdrk4_arrays import FACTORS, Steps
from opforge.solvers.stepping._frozen_limit import FrozenLimit, product
from opforge.solvers.stepping.stepper import Stepper


class ETDRK4(Stepper):
    """Exponential time differencing with a Runge–Kutta method of order 4, for equations that are linear but for N.

    For û_t = L û + N(û) of every Fourier mode, with E = e^{L dt} and E₂ = e^{L dt/2}:

    a = E₂ û + Q N(û),  b = E₂ û + Q N(a),  c = E₂ a + Q (2 N(b) − N(û)),
    û' = E û + f₁ N(û) + 2 f₂ (N(a) + N(b)) + f₃ N(c).

    The linear part is solved exactly, however stiff it is; the coefficients are means over a contour and stay complex
    where L is. Two samples share a transform as long as they are of like size (`opforge.core.pairing`): a batch changes
    a sample by a few roundings of its own size, no more.

    Args:
        equation: what is solved.
        grid: periodic points.
        dt: the time step, greater than 0.
        compiled: whether passes over the modes of numpy arrays, and of tensors on the CPU without gradients, are
            compiled by numba (``pip install 'opforge[compiled]'``): faster, the same up to rounding.

    Raises:
        InputError: a time step that is not positive, a grid that does not fit; when `rollout` starts: a time step
            beyond the limit for the state, with the limit.
        ImportError: ``compiled`` without numba.

    Example:
        >>> from opforge.pdes import KuramotoSivashinsky
        >>> stepper = ETDRK4(KuramotoSivashinsky(), Grid((64,), (32.0,), "periodic"), dt=0.1)
        >>> u = np.cos(np.arange(64) / 64 * 2 * np.pi)
        >>> stepper(u[None, None]).shape  # samples, components, points
        (1, 1, 64)

    Source:
        Cox and Matthews, "Exponential time differencing for stiff systems", equations 26 to 29; Kassam and Trefethen,
        "Fourth-order time-stepping for stiff PDEs", section 3, for the contour.
    """

    recordable = True

    def __init__(self, equation: SemilinearEquation, grid: Grid, dt: float, *, compiled: bool = False):
        dt = time_step(dt)
        check_semilinear(equation)
        self.equation, self.grid, self.dt = equation, grid, dt
        self._form = equation.form(grid)
        self._modes = PairedModes(grid.shape, equation.highest_modes(grid))
        self._compiled = compiled
        if compiled:
            import_module("opforge.solvers.stepping._compiled")
        with np.errstate(over="ignore", invalid="ignore"):  # of steps so long that they are refused at the start
            self._factors = coefficients(self._form.linear, self.dt)
        self._tensors: dict[Any, _Tensors] = {}
        self._arrays = _Arrays()
        # a linear equation bears any step
        rates = None if self._form.product is None else FrozenRates(self._form, self._modes)
        self._limit = None if rates is None else FrozenLimit(rates, step_of_waves, "ETDRK4")

    def check_start(self, state: Any) -> None:
        if self._limit is not None:
            self.equation.check_state(state, self.grid)
            self._limit.check(state, self.dt)

    def prepare(self, state: Any) -> Spectrum:
        self.equation.check_state(state, self.grid)
        if state.ndim != self.grid.ndim + 2:
            raise InputError(f"state must be an array (samples, components, *space), got shape {tuple(state.shape)}")
        spectrum = self._spectrum(state, self._first_order(state))
        tell_dropped(state, spectrum, self._modes)
        return spectrum

    def finish(self, inner: Spectrum) -> Any:
        fields = inner.fields(self._modes)
        if not inner.torch:
            return fields
        import torch

        return torch.from_numpy(fields)

    def separated(self, inner: Spectrum) -> Spectrum:
        return self._spectrum(self.finish(inner), alone(inner.samples))

    def joined(self, steppers: Sequence[Stepper]) -> Stepper | None:
        from opforge.solvers.stepping._own_linear import joined

        return joined(steppers)

    def advance(self, inner: Spectrum) -> Spectrum:
        return self.advance_by(inner, 1)

    def advance_by(self, inner: Spectrum, steps: int) -> Spectrum:
        while steps > 0:
            if inner.age >= LOOK_EVERY:
                order = order_by_modes(inner, self.grid.ndim)
                inner = replace(inner, age=0) if order is None else self._spectrum(self.finish(inner), order)
            some = min(steps, LOOK_EVERY - inner.age)
            inner = replace(inner, modes=self._advanced(inner, some), age=inner.age + some)
            steps -= some
        return inner

    def _first_order(self, state: Any) -> tuple[int, ...] | None:
        return order_by_size(state)

    def _spectrum(self, state: Any, order: tuple[int, ...] | None) -> Spectrum:
        """A state in the form that steps work on, its pairs in an order of `opforge.core.pairing`."""
        samples, state = len(state), in_order(state, order)
        if is_torch(state) and not _as_numpy(state):
            return Spectrum(self._modes.of_fields(state), samples, order)
        threads = threads_for(state)
        modes = self._modes.of_fields(state.numpy() if is_torch(state) else state)
        return Spectrum(modes, samples, order, threads=threads, torch=is_torch(state))

    def _advanced(self, inner: Spectrum, steps: int) -> Any:
        if not is_torch(inner.modes):
            return self._many(inner.modes, steps, inner.threads)
        modes, tensors = inner.modes, self._on(inner.modes)
        for _ in range(steps):
            modes = self._step(modes, tensors)
        return modes

    def _step(self, u: Any, c: _Tensors) -> Any:
        """A step for torch, whose gradients need every intermediate value."""
        n1 = self._rest(u)
        halfway = c.half * u
        a = halfway + c.q * n1
        n2 = self._rest(a)
        n3 = self._rest(halfway + c.q * n2)
        n4 = self._rest(c.half * a + c.twice_q * n3.sub(n1, alpha=0.5))
        return c.whole * u + c.f1 * n1 + c.f2 * (n2 + n3) + c.f3 * n4

    def _rest(self, modes: Any) -> Any:
        return self._form.nonlinear(modes, self._modes)

    def _on(self, modes: Any) -> _Tensors:
        key = (modes.dtype, modes.device)
        if key not in self._tensors:
            factors = {**self._factors, "twice_q": 2 * self._factors["q"]}
            self._tensors[key] = _Tensors(*(like(modes, factors[name]) for name in _Tensors.__annotations__))
        return self._tensors[key]

    def _many(self, modes: np.ndarray, steps: int, threads: int) -> np.ndarray:
        """Steps of numpy arrays: the pairs of samples go their ways on several threads."""
        parts = min(threads, len(modes), max(1, modes.nbytes // _WORTH_A_THREAD))
        if parts == 1:
            return self._some(modes, steps)
        ends = [len(modes) * i // parts for i in range(parts + 1)]
        with ThreadPoolExecutor(parts) as pool:
            places = [slice(*between) for between in pairwise(ends)]
            done = pool.map(lambda place: self._of_pairs(place)._some(modes[place], steps), places)
            return np.concatenate(list(done))

    def _of_pairs(self, place: slice) -> ETDRK4:
        """What takes the steps of some of the pairs."""
        return self

    def _some(self, modes: np.ndarray, steps: int) -> np.ndarray:
        worker = self._arrays.take(modes, self._steps_for)
        with np.errstate(over="ignore", invalid="ignore"):
            found = worker.run(modes, steps)
        self._arrays.give_back(modes, worker)
        return found

    def _steps_for(self, modes: np.ndarray) -> Steps:
        f, source = self._factors, self._form.source
        sources = [None, None, None]
        if source is not None:
            both = (1 + 1j) * source  # the same for both samples of a pair
            at_the_end = f["f1"] + 2 * f["f2"] + f["f3"]
            sources = [f["q"] * both, f["q"] * (1 + f["half"]) * both, at_the_end * both]
        more = {"twice_q": 2 * f["q"], "q_later": f["q"] * (f["half"] - 1)}
        factors = [{**f, **more}[name] for name in FACTORS]
        shape = modes.shape[:2]
        return Steps(self._form, self._modes, shape, modes.dtype, factors, sources, compiled=self._compiled)


# Bytes of modes that are worth a thread: it wakes in some 20 µs, and Python's lock lets others wait as long.
_WORTH_A_THREAD = 2**15


@dataclass(frozen=True)
class _Tensors:
    """The factors as tensors."""

    whole: Any
    half: Any
    q: Any
    twice_q: Any
    f1: Any
    f2: Any
    f3: Any


class _Arrays:
    """Objects that take steps, kept while they are not in use: each serves one thread at a time."""

    def __init__(self) -> None:
        self._free: dict[Any, list[Steps]] = {}

    def take(self, modes: np.ndarray, make: Callable[[np.ndarray], Steps]) -> Steps:
        kept = self._free.setdefault((os.getpid(), modes.shape, modes.dtype.char), [])
        try:
            return kept.pop()
        except IndexError:
            return make(modes)

    def give_back(self, modes: np.ndarray, worker: Steps) -> None:
        self._free[os.getpid(), modes.shape, modes.dtype.char].append(worker)


def step_of_waves(linear: np.ndarray, m: np.ndarray, dt: float) -> np.ndarray:
    """What a step multiplies waves by whose nonlinear part is M u: (points, components, components, modes).

    Args:
        linear: L, (components, modes).
        m: M, (points, components, components, modes).
        dt: the time step.
    """
    c = {name: factor[:, None] for name, factor in coefficients(linear, dt).items()}
    one = np.eye(len(linear))[..., None]
    a = c["half"] * one + c["q"] * m
    n2 = product(m, a)
    n3 = product(m, c["half"] * one + c["q"] * n2)
    n4 = product(m, c["half"] * a + c["q"] * (2 * n3 - m))
    return c["whole"] * one + c["f1"] * m + c["f2"] * (n2 + n3) + c["f3"] * n4


def coefficients(linear: np.ndarray, h: float) -> dict[str, np.ndarray]:
    """E = ``"whole"``, E₂ = ``"half"``, Q = ``"q"``, f₁, 2 f₂ = ``"f2"`` and f₃ for L and a time step; complex if L is.

    Example:
        >>> float(coefficients(np.array([0.0]), 0.6)["f1"][0].round(12))  # h/6, as of a Runge–Kutta method
        0.1
    """
    z = h * linear
    return {
        "whole": np.exp(z),
        "half": np.exp(z / 2),
        "q": h * contour_mean(lambda s: (np.exp(s / 2) - 1) / s, z),
        "f1": h * contour_mean(lambda s: (-4 - s + np.exp(s) * (4 - 3 * s + s**2)) / s**3, z),
        "f2": 2 * h * contour_mean(lambda s: (2 + s + np.exp(s) * (s - 2)) / s**3, z),
        "f3": h * contour_mean(lambda s: (-4 - 3 * s - s**2 + np.exp(s) * (4 - s)) / s**3, z),
    }


def _as_numpy(state: Any) -> bool:
    """Whether a tensor's steps can be numpy's: on the CPU, and nobody asks for gradients."""
    import torch

    return state.device.type == "cpu" and not (torch.is_grad_enabled() and state.requires_grad)
