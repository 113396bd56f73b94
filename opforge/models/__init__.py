"""Whole operators; a new one is one file and one line here."""

from importlib import import_module

from opforge._lazy import attach

_MODELS = {"FNO": "fno"}

__getattr__, __dir__, __all__ = attach(__name__, _MODELS)


def registry() -> dict[str, type]:
    """The operators by the names that ``opforge train`` takes.

    Example:
        >>> sorted(registry())
        ['fno']
    """
    return {name.lower(): getattr(import_module(f"{__name__}.{module}"), name) for name, module in _MODELS.items()}
