"""``opforge list``: what there is to choose from."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, get_args, get_type_hints

import typer

from opforge.cli.console import Report
from opforge.errors import UnknownNameError

KINDS = ("recipes", "models", "equations")


def list_(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument(metavar="[recipes|models|equations]", help="All unless given.")] = None,
) -> None:
    """List the recipes, models and equations, a line on each; of equations alone, how they are solved."""
    report: Report = context.obj
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    if kind == "equations":
        report.table(EQUATION_COLUMNS, equations())
        return
    rows = [row for each in KINDS if kind in (None, each) for row in entries(each)]
    report.table(("kind", "name", "what it is"), rows)


def entries(kind: str) -> list[tuple[str, str, str]]:
    """(kind, name, description) of everything of a kind."""
    if kind == "recipes":
        from opforge.datasets import registry
    elif kind == "models":
        from opforge.models import registry
    else:
        from opforge.pdes import registry
    return [(kind.removesuffix("s"), name, summary(thing)) for name, thing in sorted(registry().items())]


def summary(thing: Any) -> str:
    """The one line that something says about itself, or else its docstring's first sentence."""
    first_paragraph = (thing.__doc__ or "").strip().split("\n\n")[0]
    return getattr(thing, "summary", None) or " ".join(first_paragraph.split()).split(". ")[0].rstrip(".")


EQUATION_COLUMNS = ("equation", "dimensions", "boundary", "method", "order")


def equations() -> list[tuple[str, ...]]:
    """A row of `EQUATION_COLUMNS` for every equation."""
    from opforge.pdes import registry

    return [
        (name, ", ".join(f"{ndim}-D" for ndim in cls.dimensions), ", ".join(boundaries(cls)), cls.method, cls.order)
        for name, cls in sorted(registry().items())
    ]


def boundaries(equation: Any) -> list[str]:
    """The boundary conditions that an equation takes, the usual one first."""
    if "boundary" not in {parameter.name for parameter in dataclasses.fields(equation)}:
        return [equation.boundary]
    usual = equation.boundary  # the default of the dataclass
    return sorted(get_args(get_type_hints(equation)["boundary"]), key=lambda name: name != usual)


COMMANDS = (("list", list_, "opforge list equations"),)
