"""What a dataset says about itself: names, grid, times, equation, provenance; and root attributes that hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from opforge.core import Grid
from opforge.core.grid import AXIS_NAMES
from opforge.errors import InputError
from opforge.pdes import Equation
from opforge.pdes import registry as equations

CONVENTIONS = "CF-1.11"

# Attributes that a file of opforge has at least.
_REQUIRED = ("inputs", "outputs", "grid")

# Attributes that only shards have: where in the whole dataset their samples are.
OF_SHARDS = ("first_sample", "total_samples")

# Names that a file has for other things than fields and drawn parameters.
_TAKEN = ("sample", "time", *AXIS_NAMES, "solver_residual", "seed", "checksum")


@dataclass(frozen=True)
class Header:
    """What is known about a dataset apart from its numbers.

    Args:
        inputs: names of the fields that an operator is given.
        outputs: names of the fields that it shall find.
        grid: where the fields' values are.
        samples: how many samples there are.
        equation: what the fields solve, when known.
        provenance: where the numbers come from, plain values: recipe, its parameters, seed, solver, tolerance, version.
        times: of the frames, in the equation's unit of time; none where nothing evolves.
        evolving: the fields that have a value at each of the times.
        labels: ``long_name`` and ``units`` of fields that the equation does not describe.
        first: number of the first sample in the whole dataset, for a shard.
        total: number of samples of the whole dataset, for a shard; 0 where this is the whole.
        drawn: the parameters of the equation of which every sample has a number of its own; ``labels`` describes them.

    Raises:
        InputError: a drawn parameter that has the name of a field or of anything else.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    grid: Grid
    samples: int
    equation: Equation | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    times: tuple[float, ...] = ()
    evolving: tuple[str, ...] = ()
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    first: int = 0
    total: int = 0
    drawn: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for index, name in enumerate(self.drawn):
            if name in (*self.names, *_TAKEN, *self.drawn[:index]):
                raise InputError(
                    f"drawn must name parameters by names of their own, got {name!r}, which stands for something else "
                    "in the file; rename the parameter"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """All fields, inputs first."""
        return (*self.inputs, *(name for name in self.outputs if name not in self.inputs))

    def dimensions(self, name: str) -> dict[str, int]:
        """Dimensions of a field or a drawn parameter and their sizes, ``sample`` first."""
        if name in self.drawn:
            return {"sample": self.samples}
        frames = {"time": len(self.times)} if name in self.evolving else {}
        return {"sample": self.samples, **frames, **dict(zip(self.grid.axis_names, self.grid.shape, strict=True))}

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of one sample of a field, ([frames], *space), or of a drawn parameter, ()."""
        return tuple(self.dimensions(name).values())[1:]

    def coordinates(self) -> dict[str, np.ndarray]:
        """The coordinates of all dimensions but ``sample``, float64."""
        time = {"time": np.array(self.times)} if self.evolving else {}
        return {**time, **dict(zip(self.grid.axis_names, self.grid.coordinates(), strict=True))}

    def describe(self, name: str) -> dict[str, str]:
        """The attributes ``long_name`` and ``units`` of a field, a drawn parameter or a coordinate."""
        if name in self.labels:
            return dict(self.labels[name])
        for known in self.equation.fields if self.equation else ():
            if known.name == name:
                return {"long_name": known.long_name, "units": known.units}
        long_name = "time" if name == "time" else f"{name} coordinate" if name in self.grid.axis_names else name
        return {"long_name": long_name, "units": "1"}

    def whole(self) -> Header:
        """The header of the whole dataset that a shard belongs to."""
        return replace(self, samples=self.total or self.samples, first=0, total=0)

    def shard(self, first: int, samples: int) -> Header:
        """The header of a part of this dataset."""
        return replace(self, samples=samples, first=first, total=self.samples)

    def to_attributes(self) -> dict[str, Any]:
        """Root attributes for a file: text and numbers; what has structure is JSON text."""
        attributes: dict[str, Any] = {
            "Conventions": CONVENTIONS,
            "inputs": " ".join(self.inputs),
            "outputs": " ".join(self.outputs),
            "grid": json.dumps(self.grid.to_dict()),
        }
        if self.drawn:
            attributes["drawn"] = " ".join(self.drawn)
        if self.equation is not None:
            attributes["equation"] = self.equation.name
            attributes["equation_parameters"] = json.dumps(constants(self.equation.parameters(), self.drawn))
        for name, value in self.provenance.items():
            if name not in ("samples", "drawn", *attributes):  # another program's "drawn" is something else
                attributes[name] = json.dumps(value) if isinstance(value, dict | list) else value
        if self.total:
            attributes |= {"first_sample": self.first, "total_samples": self.total}
        return attributes

    @classmethod
    def from_attributes(
        cls,
        attributes: Mapping[str, Any],
        samples: int,
        *,
        times: tuple[float, ...] = (),
        evolving: tuple[str, ...] = (),
    ) -> Header:
        """The header that `to_attributes` wrote.

        Raises:
            InputError: attributes that are missing or that are not what they should be.
        """
        if not all(name in attributes for name in _REQUIRED):
            raise missing_attribute(attributes)
        provenance = {name: _plain(name, value) for name, value in attributes.items() if name not in _NOT_PROVENANCE}
        try:
            grid = Grid.from_dict(json.loads(attributes["grid"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the attribute 'grid' does not describe a grid: {error}") from error
        equation, drawn = _equation(provenance), tuple(str(attributes.get("drawn", "")).split())
        if isinstance(provenance.get("equation_parameters"), dict):  # older files give a number for those drawn, too
            provenance["equation_parameters"] = constants(provenance["equation_parameters"], drawn)
        first, total = (_count(attributes, name) for name in OF_SHARDS)
        if total and not first + samples <= total:
            raise InputError(
                f"the attributes 'first_sample' and 'total_samples' must leave room for the {samples} samples, "
                f"got {first} and {total}"
            )
        return cls(
            inputs=tuple(str(attributes["inputs"]).split()),
            outputs=tuple(str(attributes["outputs"]).split()),
            grid=grid,
            samples=samples,
            equation=equation,
            provenance={**provenance, "samples": total or samples},
            times=times,
            evolving=evolving,
            first=first,
            total=total,
            drawn=drawn,
        )


_NOT_PROVENANCE = (*_REQUIRED, "Conventions", "drawn", *OF_SHARDS)


def constants(parameters: Mapping[str, Any], drawn: Sequence[str]) -> dict[str, Any]:
    """The parameters of an equation that are the same for all samples: those that are not drawn for each.

    Example:
        >>> constants({"ndim": 2, "viscosity": 0.01}, ["viscosity"])
        {'ndim': 2}
    """
    return {name: value for name, value in parameters.items() if name not in drawn}


def missing_attribute(attributes: Mapping[str, Any]) -> InputError:
    """The error for the first attribute that a file of opforge has and this one lacks."""
    missing = next(name for name in _REQUIRED if name not in attributes)
    return InputError(
        f"the attribute {missing!r} is missing: not a dataset of opforge; "
        "name the variables: open_dataset(path, inputs=..., outputs=...) in Python, --inputs and --outputs in a shell"
    )


def _count(attributes: Mapping[str, Any], name: str) -> int:
    value = plain(attributes.get(name, 0))
    if not isinstance(value, int) or value < 0:
        raise InputError(f"the attribute {name!r} must be a number of samples, got {value!r:.80}")
    return value


def _plain(name: str, value: Any) -> Any:
    """Attributes as Python's own types; JSON text as what it stands for."""
    if name.endswith("_parameters"):
        try:
            return json.loads(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"the attribute {name!r} is not JSON text: {error}") from error
    return plain(value)


def plain(value: Any) -> Any:
    """An attribute as Python's own type, where it is one number."""
    return value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value


def _equation(provenance: Mapping[str, Any]) -> Equation | None:
    if "equation" not in provenance:
        return None
    name, known = provenance["equation"], equations()
    if name not in known:
        raise InputError(
            f"the attribute 'equation' names {name!r}, which this version lacks; known: {', '.join(known)}"
        )
    if "equation_parameters" not in provenance:  # its defaults would be another equation
        raise InputError(
            f"the attribute 'equation_parameters' is missing beside 'equation' ({name}); copy or generate the file "
            "again, or delete 'equation' too"
        )
    return known[name].from_parameters(provenance["equation_parameters"])
