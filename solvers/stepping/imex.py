"""Implicit–explicit Runge–Kutta methods: the linear part implicit, the rest explicit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.core.pairing import LOOK_EVERY, Spectrum, alone, in_order, order_by_modes, order_by_size
from opforge.errors import InputError
from opforge.pdes._constants import Constant
from opforge.pdes._frozen import FrozenRates
from opforge.pdes._numbers import time_step
from opforge.pdes.semilinear import SemilinearEquation, check_semilinear
from opforge.solvers.stepping._dropped import tell_dropped
from opforge.solvers.stepping._frozen_limit import FrozenLimit, product
from opforge.solvers.stepping.stepper import Stepper

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class IMEXTable:
    """The coefficients of an implicit–explicit Runge–Kutta method whose first stage is the state itself.

    Stage i = 1, 2, … is u_i = u + dt Σ_{1≤j≤i} a_ij L u_j + dt Σ_{0≤j<i} â_ij N(u_j), and the step's end
    u' = u + dt Σ_{j≥1} b_j L u_j + dt Σ_{j≥0} b̂_j N(u_j).

    Args:
        implicit: rows i = 1, 2, … of a, each with i numbers, the diagonal last.
        explicit: rows i = 1, 2, … of â, each with i numbers, for the stages 0 to i − 1.
        implicit_weights: b, as many as there are rows.
        explicit_weights: b̂, one more.
        order: of accuracy.
        name: what it is called.

    Raises:
        InputError: rows of other lengths; a stage whose implicit and explicit times differ; weights that do not add up
            to 1; a diagonal that is not positive.

    Example:
        >>> backward_forward_euler = IMEXTable(((1.0,),), ((1.0,),), (1.0,), (1.0, 0.0), order=1)
        >>> backward_forward_euler.stages
        1
    """

    implicit: Rows
    explicit: Rows
    implicit_weights: tuple[float, ...]
    explicit_weights: tuple[float, ...]
    order: int
    name: str = ""

    def __post_init__(self) -> None:
        for name in ("implicit", "explicit"):
            lengths = [len(row) for row in getattr(self, name)]
            if lengths != list(range(1, len(self.implicit_weights) + 1)):
                raise InputError(f"{name} must have rows of 1, 2, … numbers, one for every weight, got {lengths}")
        if len(self.explicit_weights) != self.stages + 1:
            found = len(self.explicit_weights)
            raise InputError(f"explicit_weights must be {self.stages + 1}, one more than the stages, got {found}")
        for i, (row, other) in enumerate(zip(self.implicit, self.explicit, strict=True), start=1):
            if not math.isclose(sum(row), sum(other), abs_tol=1e-14):
                raise InputError(f"stage {i} must have one time, got {sum(row)} implicit and {sum(other)} explicit")
            if not row[-1] > 0:
                raise InputError(f"the diagonal of implicit must be greater than 0, got {row[-1]} in stage {i}")
        for name in ("implicit_weights", "explicit_weights"):
            if not math.isclose(sum(getattr(self, name)), 1.0, abs_tol=1e-14):
                raise InputError(f"{name} must add up to 1, got {sum(getattr(self, name))}")

    @property
    def stages(self) -> int:
        return len(self.implicit_weights)


_G = 1 - math.sqrt(0.5)
_D = -2 * math.sqrt(2) / 3

# The methods (2,3,2) and (4,4,3) of the source, sections 2.5 and 2.8; both damp the stiffest modes completely.
ARS232 = IMEXTable(((_G,), (1 - _G, _G)), ((_G,), (_D, 1 - _D)), (1 - _G, _G), (0.0, 1 - _G, _G), 2, "ARS(2,3,2)")
ARS443 = IMEXTable(
    ((1 / 2,), (1 / 6, 1 / 2), (-1 / 2, 1 / 2, 1 / 2), (3 / 2, -3 / 2, 1 / 2, 1 / 2)),
    ((1 / 2,), (11 / 18, 1 / 18), (5 / 6, -5 / 6, 1 / 2), (1 / 4, 7 / 4, 3 / 4, -7 / 4)),
    (3 / 2, -3 / 2, 1 / 2, 1 / 2),
    (1 / 4, 7 / 4, 3 / 4, -7 / 4, 0.0),
    order=3,
    name="ARS(4,4,3)",
)


class IMEXRK(Stepper):
    """An implicit–explicit Runge–Kutta method for equations u_t = L u + N(u) that are linear but for N.

    Every stage solves (1 − dt a_ii L) û_i = … mode by mode, see `IMEXTable`. How stiff L is does not limit the time
    step, N alone does: a step that is too long for a state is refused before a run starts. `ETDRK4` is of higher order
    at the same work; this one needs no exponential, and damps the modes that it does not resolve.

    Args:
        equation: what is solved.
        grid: periodic points.
        dt: the time step, greater than 0.
        table: the method; `ARS443`, of order 3, unless given.

    Raises:
        InputError: a time step that is not positive, or so long that 1 − dt a_ii L <= 0 for waves that L lets grow; a
            grid that does not fit.

    Example:
        >>> from opforge.pdes import KuramotoSivashinsky
        >>> stepper = IMEXRK(KuramotoSivashinsky(), Grid((64,), (32.0,), "periodic"), dt=0.1)
        >>> u = np.cos(np.arange(64) / 64 * 2 * np.pi)
        >>> stepper(u[None, None]).shape  # samples, components, points
        (1, 1, 64)

    Source:
        Ascher, Ruuth and Spiteri, "Implicit-explicit Runge-Kutta methods for time-dependent partial differential
        equations", sections 2.5 and 2.8.
    """

    recordable = True

    def __init__(self, equation: SemilinearEquation, grid: Grid, dt: float, table: IMEXTable = ARS443):
        dt = time_step(dt)
        check_semilinear(equation)
        self.equation, self.grid, self.dt, self.table = equation, grid, dt, table
        self._form = equation.form(grid)
        growth = float(np.real(self._form.linear).max())
        largest = max(row[-1] for row in table.implicit)
        if dt * largest * growth >= 1:
            raise InputError(
                f"dt must be less than {1 / (largest * growth):.6g}, where the implicit part has a solution for waves "
                f"that grow at the rate {growth:.6g}, got {dt:.6g}; take more steps"
            )
        diagonals = {row[-1] for row in table.implicit}
        self._inverses = {a: Constant(1 / (1 - self.dt * a * self._form.linear)) for a in diagonals}
        self._linear = Constant(self._form.linear)
        self._last_stage_is_the_end = (
            table.implicit[-1] == table.implicit_weights and (*table.explicit[-1], 0.0) == table.explicit_weights
        )
        self._limit: FrozenLimit | None = None
        if self._form.product is not None:
            rates = FrozenRates(self._form, equation.paired(grid))
            self._limit = FrozenLimit(rates, self._step_of_waves, table.name or "the method")

    def check_start(self, state: Any) -> None:
        if self._limit is not None:
            self.equation.check_state(state, self.grid)
            self._limit.check(state, self.dt)

    def prepare(self, state: Any) -> Spectrum:
        self.equation.check_state(state, self.grid)
        if state.ndim != self.grid.ndim + 2:
            raise InputError(f"state must be an array (samples, components, *space), got shape {tuple(state.shape)}")
        spectrum = self._spectrum(state, order_by_size(state))
        tell_dropped(state, spectrum, self.equation.paired(self.grid))
        return spectrum

    def finish(self, inner: Spectrum) -> Any:
        return inner.fields(self.equation.paired(self.grid))

    def separated(self, inner: Spectrum) -> Spectrum:
        return self._spectrum(self.finish(inner), alone(inner.samples))

    def _spectrum(self, state: Any, order: tuple[int, ...] | None) -> Spectrum:
        return Spectrum(self.equation.paired(self.grid).of_fields(in_order(state, order)), len(state), order)

    def advance(self, inner: Spectrum) -> Spectrum:
        if inner.age >= LOOK_EVERY:
            order = order_by_modes(inner, self.grid.ndim)
            inner = replace(inner, age=0) if order is None else self._spectrum(self.finish(inner), order)
        return replace(inner, modes=self._step(inner.modes), age=inner.age + 1)

    def _step(self, u: Any) -> Any:
        table = self.table
        linear = self._linear.like(u)
        stage, implicit, explicit = u, [], []
        for a_i, e_i in zip(table.implicit, table.explicit, strict=True):
            explicit.append(self._rest(stage))
            known = u + self.dt * (_sum(e_i, explicit) + _sum(a_i[:-1], implicit))
            stage = self._inverses[a_i[-1]].like(u) * known
            implicit.append(linear * stage)
        if not self._last_stage_is_the_end:
            explicit.append(self._rest(stage))
            ends = _sum(table.implicit_weights, implicit) + _sum(table.explicit_weights, explicit)
            stage = u + self.dt * ends
        return stage

    def _step_of_waves(self, linear: np.ndarray, m: np.ndarray, dt: float) -> np.ndarray:
        """What a step multiplies waves by whose nonlinear part is M u, see `opforge.solvers.stepping._frozen_limit`."""
        table, one, rows = self.table, np.eye(len(linear))[..., None], linear[:, None]
        stage, implicit, explicit = one + 0 * m, [], []
        for a_i, e_i in zip(table.implicit, table.explicit, strict=True):
            explicit.append(product(m, stage))
            known = one + dt * (_sum(e_i, explicit) + _sum(a_i[:-1], implicit))
            stage = known / (1 - dt * a_i[-1] * rows)
            implicit.append(rows * stage)
        explicit.append(product(m, stage))
        return one + dt * (_sum(table.implicit_weights, implicit) + _sum(table.explicit_weights, explicit))

    def _rest(self, modes: Any) -> Any:
        return self._form.nonlinear(modes, self.equation.paired(self.grid))


def _sum(weights: tuple[float, ...], terms: list[Any]) -> Any:
    """Σ w_j x_j; 0 of none."""
    total: Any = 0.0
    for weight, term in zip(weights, terms, strict=True):
        if weight:
            total = total + weight * term
    return total
