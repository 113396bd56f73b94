"""What all equations share: named fields, parameters as plain values, the registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.errors import InputError, UnknownNameError
from opforge.pdes._arrays import check_array
from opforge.pdes.invariant import Invariant

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse

    from opforge.pdes.symmetry import Symmetry


@dataclass(frozen=True)
class Field:
    """A physical quantity that an equation speaks of.

    Args:
        name: the equation's symbol, also the variable's name in files.
        long_name: what it is, in words.
        units: as in netCDF files; ``"1"`` for a quantity without dimension.
    """

    name: str
    long_name: str
    units: str = "1"


class Equation(ABC):
    """A partial differential equation on a grid; subclasses are frozen dataclasses whose members are its parameters.

    ``fields`` given to the methods are mappings from a field's name to an array (..., *space), numpy or torch; and from
    the name of a parameter that was drawn for each sample to an array (...), which takes the place of the member.
    """

    # every equation is a dataclass; this base is none, for its bare annotations would become parameters
    __dataclass_fields__: ClassVar[dict[str, Any]]
    name: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    # What is solved for, among ``fields``: the components of the residual, in this order.
    unknowns: ClassVar[tuple[str, ...]]
    boundary: ClassVar[str]
    # Where on a grid the fields live.
    points: ClassVar[Points]
    # How many axes of space it may have; how it is solved here, and with what order of accuracy, in words.
    dimensions: ClassVar[tuple[int, ...]]
    method: ClassVar[str]
    order: ClassVar[str]
    # Whether the fields change with time: then they have an axis of time before those of space, and ``fields`` holds
    # the times (frames,) as ``"time"``.
    evolves: ClassVar[bool] = False
    # What every solution keeps to; checked for each sample that is generated.
    invariants: ClassVar[tuple[Invariant, ...]] = ()
    ndim: int

    @property
    @abstractmethod
    def symmetries(self) -> tuple[Symmetry, ...]:
        """The maps that turn solutions into solutions."""

    @abstractmethod
    def residual(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What the discretised equation leaves over at every point; zero for a solution.

        An array (..., [components,] [frames − 1,] *space): with an axis of components where there are several
        unknowns, and of the steps from frame to frame where the fields evolve.
        """

    @abstractmethod
    def residual_scale(self, fields: Mapping[str, Any], grid: Grid) -> Any:
        """What to divide the residual's Euclidean norm, over all axes but those of the samples, by: (...)."""

    def exact(self, grid: Grid) -> dict[str, np.ndarray]:
        """Fields that satisfy the equation exactly, at the grid's points.

        Raises:
            InputError: no closed form is known.
        """
        raise InputError(f"no closed form is known for the equation {self.name!r} with {self.parameters()}")

    def parameters(self) -> dict[str, Any]:
        """The parameters as plain values for JSON; `from_parameters` reads them back."""
        return asdict(self)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """The equation with these parameters.

        Raises:
            UnknownNameError: a parameter that the equation does not have.
        """
        known = [field.name for field in fields(cls)]
        for name in parameters:
            if name not in known:
                raise UnknownNameError(f"parameter of the equation {cls.name!r}:", name, known)
        return cls(**parameters)

    def check(self, fields: Mapping[str, Any], grid: Grid, *names: str) -> None:
        """Raise an `InputError` unless ``fields`` has ``names`` with the grid's shape on the last axes."""
        if not isinstance(grid, Grid):
            raise InputError(f"grid must be an opforge.core.Grid, got {grid!r}")
        if not isinstance(fields, Mapping):
            raise InputError(f"fields must map names to arrays, got {type(fields).__name__}")
        if grid.ndim != self.ndim:
            raise InputError(f"grid must have {self.ndim} axes for {self}, got shape {grid.shape}")
        for name in names:
            if name not in fields:
                raise InputError(
                    f"fields must contain {name!r} for the equation {self.name!r}, got {', '.join(fields) or 'none'}"
                )
        parameters, known = self.__dataclass_fields__, [field.name for field in self.fields]
        for name, values in fields.items():
            if name != "time" and (name not in parameters or name in known):
                check_array(f"field {name!r}", values)
        # what else was drawn for each sample has the shape of the axes of samples alone
        numbers = {tuple(fields[name].shape[: -grid.ndim - self.evolves]) for name in known if name in fields}
        for name, values in fields.items():
            if name == "time" or name in parameters or (name not in known and tuple(values.shape) in numbers):
                continue
            if tuple(values.shape[-grid.ndim :]) != grid.shape:
                raise InputError(
                    f"field {name!r} must end in the grid's shape {grid.shape}, got shape {tuple(values.shape)}"
                )


class LinearEquation(Equation):
    """An equation that becomes A u = b on a grid."""

    @abstractmethod
    def operator(self, fields: Mapping[str, np.ndarray], grid: Grid) -> scipy.sparse.csr_matrix:
        """The matrix A for one sample."""

    @abstractmethod
    def right_hand_side(self, fields: Mapping[str, np.ndarray], grid: Grid) -> np.ndarray:
        """The vector b for one sample."""


def registry() -> dict[str, type[Equation]]:
    """The equations by name.

    Example:
        >>> {"advection", "darcy"} <= set(registry())
        True
    """
    from opforge import pdes

    return {cls.name: cls for cls in (getattr(pdes, name) for name in pdes.EQUATIONS)}
