"""The documentation's index of equations, against what there is; its Python runs."""

import re
from pathlib import Path

from opforge.cli.listing import boundaries
from opforge.datasets import registry as recipes
from opforge.pdes import registry

PAGES = Path(__file__).parent.parent / "docs" / "equations"


def test_every_equation_has_a_page_a_line_and_a_recipe():
    names = set(registry())
    assert {page.stem for page in PAGES.glob("*.md")} == {*names, "index"}
    index = (PAGES / "index.md").read_text()
    for name, cls in registry().items():
        assert f"]({name}.md) |" in index
        assert f" | {', '.join(boundaries(cls))} | {cls.method} | {cls.order} |" in index
    assert set(recipes()) == names


def snippets(page):
    """The Python on a page, each piece for itself."""
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_index_runs():
    first, second = snippets(PAGES / "index.md")
    found = {}
    exec(first, found)
    assert found["frames"].shape == (10, 1, 1, 64, 64)
    found = {}
    exec(second, found)
    assert found["state"].shape == (8, 1, 64, 64) and found["state"].isfinite().all()


def test_the_page_of_linear_solvers_runs(capsys):
    code = snippets(PAGES.parent / "linear_solvers.md")[0]
    found = {}
    exec(code, found)
    assert found["result"].converged and found["info"] == 0
    assert "SolveResult(5 systems, converged after" in capsys.readouterr().out


def test_every_page_has_its_validation_table():
    for name in registry():
        table = (PAGES / f"{name}.md").read_text().partition("<!-- validation -->")[2]
        assert table.count("\n| ") >= 4, name


def test_the_pages_run():
    pages = [page for page in PAGES.glob("*.md") if page.stem != "index" and "```python" in page.read_text()]
    assert pages
    for page in pages:
        for snippet in snippets(page):
            exec(snippet, {})


def test_learned_multigrid_of_the_page_runs(capsys):
    exec(snippets(PAGES.parent / "linear_solvers.md")[1], {})
    iterations, info = capsys.readouterr().out.split()
    assert 6 <= int(iterations) <= 13 and info == "0"
