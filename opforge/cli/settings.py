"""``--set name=value``: settings of models and recipes, as Python literals."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opforge.errors import InputError, UnknownNameError

_WORDS = {"true": True, "false": False, "null": None, "none": None}


def parsed(settings: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` pairs; a value that is no Python or JSON literal is text.

    Raises:
        InputError: a pair without ``=`` or without a name, or a name given twice.

    Example:
        >>> parsed(["width=32", "modes=(12, 8)", "coefficient=lognormal", "lift=true"])
        {'width': 32, 'modes': (12, 8), 'coefficient': 'lognormal', 'lift': True}
    """
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name.isidentifier():
            raise InputError(f"--set expects name=value, got {setting!r}; write for example --set width=32")
        if name in values:
            raise InputError(f"--set {name} is given twice ({values[name]!r} and {value!r}); give it once")
        values[name] = literal(value.strip())
    return values


def literal(value: str) -> Any:
    """The Python or JSON value that ``value`` spells, or else the text itself."""
    if value.lower() in _WORDS:
        return _WORDS[value.lower()]
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def checked(
    settings: Mapping[str, Any], *takers: Callable[..., Any], kind: str, taken: Iterable[str] = ()
) -> dict[str, Any]:
    """Return ``settings`` if one of the callables takes each of them.

    Args:
        settings: name -> value.
        takers: the callables whose parameters are the known names.
        kind: what the settings are of, for the message ("setting of fno").
        taken: parameters that the command itself gives.

    Raises:
        UnknownNameError: a setting that no callable takes; the message names the closest that is known.
    """
    known = {
        name
        for taker in takers
        for name, parameter in inspect.signature(taker).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    } - {"self", "cls", *taken}
    for name in settings:
        if name not in known:
            raise UnknownNameError(kind, name, known)
    return dict(settings)
