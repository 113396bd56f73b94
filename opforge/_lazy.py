"""Names that load their module on first use, so that ``import opforge`` costs milliseconds and not a torch import."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def attach(
    package: str, where: Mapping[str, str], *, modules: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` for a package whose public names are loaded on first use.

    ``where`` maps each public name to the submodule that defines it, relative to ``package``; ``modules`` are
    submodules that are public themselves.
    """

    def __getattr__(name: str) -> Any:
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{where[name]}"), name)

    names = sorted(where)
    return __getattr__, lambda: sorted([*names, *modules]), names
