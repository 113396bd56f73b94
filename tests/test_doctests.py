"""Every example in a docstring runs, under the name that users import, and every public module has one."""

import ast
import doctest
import importlib

import pytest

from tests.sources import ROOT, module_name, source_files

MODULES = {module_name(path): path for path in source_files() if path.name != "__main__.py"}


def has_example(source: str) -> bool:
    """Whether any docstring of a file holds an example."""
    kinds = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    docstrings = (ast.get_docstring(node) for node in ast.walk(ast.parse(source)) if isinstance(node, kinds))
    return any(">>> " in text for text in docstrings if text)


def exporters() -> dict[str, set[str]]:
    """Module -> the names that its package exports from it."""
    found: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        if path.name != "__init__.py":
            continue
        package = importlib.import_module(name)
        for exported in getattr(package, "__all__", []):
            home = getattr(getattr(package, exported), "__module__", None)
            if home in MODULES:
                found.setdefault(home, set()).add(exported)
    return found


def test_missing_example_is_seen():
    assert has_example('def f():\n    """One.\n\n    >>> f()\n    """')
    assert not has_example('def f():\n    """One."""\n\ntext = ">>> f()"')


# Examples keep a temporary folder until they end: what cleans it up is the end of the example.
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
@pytest.mark.parametrize("name", sorted(name for name in MODULES if has_example((ROOT / MODULES[name]).read_text())))
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0, "see the captured output for what was expected and what came"


def test_every_exporting_module_has_an_example():
    missing = [
        f"{name} (exports {', '.join(sorted(names))})"
        for name, names in exporters().items()
        if not has_example((ROOT / MODULES[name]).read_text())
    ]
    assert sorted(missing) == []
