"""What every solution of an equation keeps to: conserved quantities, bounds, signs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.core import Grid


@dataclass(frozen=True)
class Invariant:
    """A property of all solutions, measured by how far fields are from it.

    Args:
        name: one or two words, such as ``"mass"`` or ``"maximum principle"``.
        statement: what holds, as a formula or a short sentence.
        violation: of the equation, fields (…, [frames], *space) as numpy arrays and their grid; how far they are from
            it, relative to their size, 0 up to rounding for exact solutions and for fields that are 0, NaN for fields
            that hold one: an array (…).
        tolerance: the largest violation by double precision fields that is taken for rounding or for the solver's
            tolerance.
        remedy: what to do about samples that do not keep to it, where something can be said.

    Example:
        >>> from opforge.pdes import Darcy
        >>> [invariant.name for invariant in Darcy().invariants]
        ['maximum principle']
    """

    name: str
    statement: str
    violation: Callable[[Any, Mapping[str, np.ndarray], Grid], np.ndarray]
    tolerance: float
    remedy: str = ""

    def broken(self, equation: Any, fields: Mapping[str, np.ndarray], grid: Grid) -> list[tuple[int, str]]:
        """Which samples do not keep to it.

        Args:
            equation: what the fields solve.
            fields: double precision arrays (…, [frames], *space), ``"time"`` (frames,) where they evolve, and (…) of
                parameters that were drawn for each sample.
            grid: of the fields.

        Returns:
            Their positions, counted along all axes of samples, each with a sentence that tells by how much.

        Example:
            >>> positive = Invariant("sign", "u >= 0", lambda equation, fields, grid: -fields["u"].min(-1), 0.0)
            >>> positive.broken(None, {"u": np.array([[1.0, 2.0], [1.0, -0.5]])}, Grid.cube(1, 2))
            [(1, 'the sign (u >= 0) is violated by 0.5, the tolerance is 0')]
        """
        found = np.ravel(self.violation(equation, fields, grid))
        remedy = f"; {self.remedy}" if self.remedy else ""
        return [
            (
                int(row),
                f"the {self.name} ({self.statement}) is violated by {found[row]:.3g}, "
                f"the tolerance is {self.tolerance:.3g}{remedy}",
            )
            for row in np.flatnonzero(~(found <= self.tolerance))  # NaN too
        ]


def conserved_mean(name: str, quantity: str = "mass", tolerance: float = 1e-10) -> Invariant:
    """The mean of a field over the box does not change.

    The change is relative to the first frame's root mean square, because the mean may be 0 for fields that are not.

    Args:
        name: the field.
        quantity: what its mean is.
        tolerance: see `Invariant`.

    Example:
        >>> conserved_mean("u").broken(None, {"u": np.array([[1.0, 2.0], [1.5, 1.5]])}, Grid.cube(1, 2))
        []
    """

    def change(equation: Any, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        u = fields[name].reshape(*fields[name].shape[: -grid.ndim], grid.size)
        return drift(u.mean(-1), np.sqrt(np.mean(u[..., 0, :] ** 2, -1)))

    return Invariant(quantity, f"the mean of {name} does not change", change, tolerance)


def conserved_square(name: str, quantity: str, tolerance: float) -> Invariant:
    """The mean square of a field over the box does not change.

    Args:
        name: the field.
        quantity: what its mean square is.
        tolerance: see `Invariant`; that of the time steps.

    Example:
        >>> conserved_square("u", "energy", 1e-12).broken(None, {"u": np.array([[1.0, 2.0], [2.0, 1.0]])}, Grid((2,)))
        []
    """

    def change(equation: Any, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        u = fields[name].reshape(*fields[name].shape[: -grid.ndim], grid.size)
        return drift((u * u).mean(-1))

    return Invariant(quantity, f"the mean of {name}² does not change", change, tolerance)


def falling(
    quantity: str, statement: str, of: Callable[[Any, Mapping[str, np.ndarray], Grid], np.ndarray]
) -> Invariant:
    """A quantity never rises from one frame to the next.

    Args:
        quantity: its name.
        statement: what it is, in words or as a formula.
        of: of the equation, the fields and their grid: the quantity (..., frames).
    """

    def rise(equation: Any, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        values = of(equation, fields, grid)
        return relative(np.maximum(np.diff(values, axis=-1), 0.0).max(-1), np.abs(values).max(-1))

    return Invariant(quantity, f"{statement} does not rise", rise, 1e-8)


def within(name: str, low: float, high: float, tolerance: float = 1e-3, remedy: str = "") -> Invariant:
    """A field stays within bounds; what is beyond counts relative to their distance.

    Args:
        name: the field.
        low, high: the bounds.
        tolerance, remedy: see `Invariant`; spectral solutions overshoot by what the grid does not resolve.

    Example:
        >>> from opforge.pdes import Fisher
        >>> grid = Grid((3,), points="periodic")
        >>> within("u", 0.0, 1.0).broken(Fisher(1), {"u": np.array([[0.0, 0.5, 1.5]])}, grid)
        [(0, 'the maximum principle (0 <= u <= 1) is violated by 0.5, the tolerance is 0.001')]
    """

    def beyond(equation: Any, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        u = fields[name].reshape(*fields[name].shape[: -grid.ndim], grid.size)
        u = u.reshape(*u.shape[:-2], -1) if equation.evolves else u
        return np.maximum(np.maximum(low - u.min(-1), u.max(-1) - high), 0.0) / (high - low)

    return Invariant("maximum principle", f"{low:g} <= {name} <= {high:g}", beyond, tolerance, remedy)


def positivity(name: str, tolerance: float, remedy: str = "") -> Invariant:
    """A field does not fall below 0; what is beyond counts relative to its greatest value.

    Args:
        name: the field.
        tolerance, remedy: see `Invariant`.

    Example:
        >>> from opforge.pdes import GrayScott
        >>> fields, grid = {"v": np.array([[0.0, 0.5, -0.1]])}, Grid((3,), points="periodic")
        >>> positivity("v", 1e-2, "take more points").broken(GrayScott(1), fields, grid)
        [(0, 'the positivity (v >= 0) is violated by 0.2, the tolerance is 0.01; take more points')]
    """

    def below(equation: Any, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        u = fields[name].reshape(*fields[name].shape[: -grid.ndim], grid.size)
        u = u.reshape(*u.shape[:-2], -1) if equation.evolves else u
        return relative(np.maximum(-u.min(-1), 0.0), np.abs(u).max(-1))

    return Invariant("positivity", f"{name} >= 0", below, tolerance, remedy)


def within_first(name: str, *, zero: bool = False, tolerance: float = 1e-6, remedy: str = "") -> Invariant:
    """A field stays between the least and the greatest value of its first frame.

    Args:
        name: the field.
        zero: whether 0 counts as one of the first frame's values: what the boundary has.
        tolerance, remedy: see `Invariant`.

    Example:
        >>> from opforge.pdes import Heat
        >>> u = np.array([[0.0, 1.0], [0.2, 0.8], [-0.5, 1.0]])
        >>> within_first("u").broken(Heat(1), {"u": u}, Grid((2,)))[0][0]
        0
    """

    def beyond(equation: Any, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        u = fields[name].reshape(*fields[name].shape[: -grid.ndim], grid.size)
        low, high = u[..., 0, :].min(-1), u[..., 0, :].max(-1)
        if zero:
            low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
        off = np.maximum(np.maximum(low - u.min((-2, -1)), u.max((-2, -1)) - high), 0.0)
        return relative(off, high - low)

    statement = f"{name} stays between the first frame's extremes"
    return Invariant("maximum principle", statement, beyond, tolerance, remedy)


def drift(quantity: np.ndarray, size: np.ndarray | None = None) -> np.ndarray:
    """The violation of a conservation law: the greatest change since the first frame.

    Args:
        quantity: what is conserved, (..., frames).
        size: what the change is relative to, (...), >= 0; the greatest magnitude of the quantity unless given.

    Returns:
        An array (...), see `relative`.

    Example:
        >>> drift(np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0], [0.0, 0.0, 0.0]])).tolist()
        [0.0, 0.75, 0.0]
    """
    change = np.abs(quantity - quantity[..., :1]).max(-1)
    return relative(change, np.abs(quantity).max(-1) if size is None else size)


def leapfrog_drift(energy: np.ndarray, power: np.ndarray, longest: float | np.ndarray) -> np.ndarray:
    """The violation of a conservation of energy by leapfrog, whose step is not known.

    It keeps E − dt²/8 P for its own step dt, P the mean of ρ|v_t|²: the step between 0 and the longest is taken that
    fits the frames best.

    Args:
        energy, power: E and P, (..., frames).
        longest: the longest stable step.

    Returns:
        An array (...), relative to the energy.

    Example:
        >>> power = np.array([0.0, 1.0, 4.0])
        >>> leapfrog_drift(2.0 + 0.1**2 / 8 * power, power, 0.5).round(12).tolist()
        0.0
    """
    change, slope = (x - x[..., :1] for x in (energy, power))
    square = 8 * relative((change * slope).sum(-1), (slope * slope).sum(-1))
    square = np.clip(square, 0.0, longest**2)[..., None]
    return drift(energy - square / 8 * power, np.abs(energy).max(-1))


def relative(amount: np.ndarray, size: np.ndarray) -> np.ndarray:
    """``amount / size``, and ``amount`` itself where the size is 0: fields that are 0 violate nothing.

    Example:
        >>> relative(np.array([1.0, 0.0]), np.array([4.0, 0.0])).tolist()
        [0.25, 0.0]
    """
    return amount / np.where(size > 0, size, 1.0)
