import pytest

import opforge as package
from opforge.cli.listing import entries, summary


def test_everything_is_listed_with_a_line(opforge):
    lines = [line.split("\t") for line in opforge("--quiet", "list").out.splitlines()]
    assert lines[0] == ["kind", "name", "what it is"]
    assert {tuple(line[:2]) for line in lines[1:]} >= {("recipe", "darcy"), ("model", "fno"), ("equation", "darcy")}
    assert all(len(line) == 3 and line[2] for line in lines)


@pytest.mark.parametrize(
    ("kind", "registry"),
    [("recipes", "datasets"), ("models", "models"), ("equations", "pdes")],
)
def test_a_kind_is_its_registry(opforge, kind, registry):
    import importlib

    names = set(importlib.import_module(f"{package.__name__}.{registry}").registry())
    assert {name for _, name, _ in entries(kind)} == names
    out = opforge("list", kind).out
    assert all(name in out for name in names)


def test_unknown_kind(refused):
    assert "unknown kind 'model'; did you mean 'models'?" in refused("list", "model")


def test_summary_is_the_first_sentence():
    class Thing:
        """What it is, in
        one sentence. And more.

        Details.
        """

    assert summary(Thing) == "What it is, in one sentence"


def test_equations_are_listed_with_how_they_are_solved(opforge):
    lines = [line.split("\t") for line in opforge("--quiet", "list", "equations").out.splitlines()]
    assert lines[0] == ["equation", "dimensions", "boundary", "method", "order"]
    rows = {name: rest for name, *rest in lines[1:]}
    assert rows["burgers"][:2] == ["1-D, 2-D", "periodic"]
    assert rows["wave"][1] == "dirichlet, neumann, periodic"
    assert rows["heat"][1] == "neumann, dirichlet, periodic"
    assert rows["diffusion_sorption"][1] == "dirichlet left, outflow right"
    assert all(all(cells) for cells in rows.values())


def test_every_dimension_that_is_listed_has_a_recipe():
    """Sums of one recipe's parameters that fit a dimension, where not all of them do."""
    from opforge.datasets import registry as recipes
    from opforge.pdes import registry

    fitting = {("burgers", 2): {"initial": "series"}, ("shallow_water", 1): {"initial": "waves"}}
    for name, equation in registry().items():
        for ndim in equation.dimensions:
            recipe = recipes()[name]
            more = {"ndim": ndim} if "ndim" in recipe.__dataclass_fields__ else {}
            assert recipe(**more, **fitting.get((name, ndim), {})).equation.ndim == ndim
