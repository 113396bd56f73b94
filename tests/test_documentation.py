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
    found = {}
    for code in snippets(PAGES.parent / "linear_solvers.md"):
        found[code] = namespace = {}
        exec(code, namespace)
        namespace["printed"] = capsys.readouterr().out
    many, one_call, learned, directions = (
        next(namespace for code, namespace in found.items() if word in code)
        for word in ("five systems", "opforge.solve((A, b)", 'load("multigrid_2d")', "dcdm_2d")
    )
    assert many["result"].converged and many["info"] == 0
    assert "SolveResult(5 systems, converged after" in many["printed"]
    assert one_call["printed"].startswith("Solution(learned_multigrid: converged after 11 iterations")
    assert one_call["printed"].splitlines()[1].startswith("learned_multigrid (")
    assert 6 <= int(learned["printed"].split()[0]) <= 13 and learned["printed"].split()[1] == "0"
    assert 2 <= int(directions["printed"]) <= 5


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
