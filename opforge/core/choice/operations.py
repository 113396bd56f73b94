"""The operations that have several back ends: where each puts its question, and sizes that are usual for it."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from opforge.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from opforge.core.choice.decision import Question

# Public name -> "module:function"; the function takes the points per axis and the operation's options, and returns
# the `Question`. Loaded when it is asked for.
_TRANSFORMS = ("dctn", "dstn", "fftn", "ifftn", "irfftn", "rfftn")
OPERATIONS = {
    "conv_nd": "opforge.core.local_conv:question",
    "fft_conv": "opforge.core.long_conv:question",
    "irfftn_modes": "opforge.core.modes:inverse_question",
    "rfftn_modes": "opforge.core.modes:question",
    "spectral_conv": "opforge.core.spectral:question",
    # a fixed rule decides on these; there is nothing to measure
    **{name: f"opforge.core.full_transforms._transform_choice:{name}_question" for name in _TRANSFORMS},
}


@dataclass(frozen=True)
class Case:
    """Calls of one size: what `question` takes.

    Args:
        shape: points per axis of space.
        options: the operation's options, ``batch`` and ``channels`` among them.
    """

    shape: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


def _cases(*rows: tuple[tuple[int, ...], int, int, int]) -> tuple[Case, ...]:
    return tuple(Case(s, {"modes": (k,) * len(s), "batch": b, "channels": c}) for s, k, b, c in rows)


# points, highest kept |k|, batch, channels: the grids of the standard benchmarks with the widths of published models
_SPECTRAL = _cases(
    ((256,), 16, 16, 64),
    ((1024,), 16, 16, 64),
    ((8192,), 16, 16, 64),
    ((32, 32), 12, 16, 32),
    ((64, 64), 8, 16, 32),
    ((64, 64), 12, 10, 32),
    ((64, 64), 12, 16, 32),
    ((64, 64), 16, 16, 64),
    ((85, 85), 12, 16, 32),
    ((128, 128), 12, 8, 32),
    ((128, 128), 16, 8, 64),
    ((256, 256), 16, 4, 32),
    ((32, 32, 32), 8, 4, 16),
    ((64, 64, 64), 8, 2, 16),
)
_LONG = tuple(Case((n,), {"batch": 8, "channels": 64}) for n in (1024, 4096, 16384, 65536))
_LOCAL = tuple(
    Case(shape, {"batch": 8, "channels": 16}) for shape in ((1024,), (64, 64), (128, 128), (256, 256), (32, 32, 32))
)

USUAL: dict[str, tuple[Case, ...]] = {
    "conv_nd": _LOCAL,
    "fft_conv": _LONG,
    "irfftn_modes": _SPECTRAL,
    "rfftn_modes": _SPECTRAL,
    "spectral_conv": _SPECTRAL,
    **{name: () for name in _TRANSFORMS},
}


def known_op(op: str) -> str:
    """``op``, where it is an operation with several back ends.

    Raises:
        UnknownNameError: it is not; the text names those that are.
    """
    if not isinstance(op, str) or op not in OPERATIONS:
        raise UnknownNameError("op", op, OPERATIONS)
    return op


def question_of(op: str, shape: Sequence[int], **options: Any) -> Question:
    """The question that a call of ``op`` of this size asks.

    Raises:
        InputError: an unknown operation or option, one that is missing, or one that no call could have.
    """
    ask = _function(op)
    parameters = {name: p for name, p in inspect.signature(ask).parameters.items() if name != "shape"}
    named = {name: p for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    for name in options:
        if name not in named and named == parameters:
            raise UnknownNameError(f"option of {op}", name, named)
    for name, parameter in named.items():
        if name not in options and parameter.default is parameter.empty:
            raise InputError(f"{op} needs the option {name!r}; give {name}=... too")
    return ask(_counts("shape", shape), **_checked(op, options))


def usual_cases(op: str) -> tuple[Case, ...]:
    """Sizes that are usual for ``op``, which `opforge tune` measures.

    Raises:
        UnknownNameError: an unknown operation.
    """
    return USUAL[known_op(op)]


def _checked(op: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that all operations share, after checking that a call could have them."""
    checked = dict(options)
    for name in ("batch", "channels", "out_channels", "threads"):
        if name in options and (options[name] is not None or name in ("batch", "channels")):
            checked[name] = _counts(name, (options[name],))[0]
    if "dtype" in options:
        checked["dtype"] = _type(op, options["dtype"])
    if "device" in options:
        checked["device"] = _device(op, options["device"])
    return checked


def _counts(name: str, given: Any) -> tuple[int, ...]:
    try:
        counts = tuple(map(operator.index, given))
    except TypeError:
        counts = ()
    if not counts or min(counts) < 1:
        what = "a sequence of whole numbers from 1 on" if name == "shape" else "a whole number from 1 on"
        raise InputError(f"{name} must be {what}, got {given if name == 'shape' else given[0]!r}")
    return counts


def _type(op: str, given: Any) -> Any:
    import torch

    real, complex_ = ("float32", "float64"), ("complex64", "complex128")
    served = (*real, "bfloat16") if op == "spectral_conv" else (*real, *complex_) if op in _TRANSFORMS else real
    name = getattr(given, "__name__", None) or str(given).removeprefix("torch.")
    if name not in served:
        raise InputError(f"dtype must be one of {', '.join(served)} for {op}, got {given!r}")
    return getattr(torch, name)


def _device(op: str, given: Any) -> str:
    import torch

    if op in _TRANSFORMS and given == "numpy":
        return given
    try:
        return str(torch.device(given))
    except (RuntimeError, TypeError) as error:
        kinds = "cpu, cuda or another of torch's" + (", or numpy" if op in _TRANSFORMS else "")
        raise InputError(f"device must be {kinds}, got {given!r}") from error


def _function(op: str) -> Callable[..., Question]:
    module, _, name = OPERATIONS[known_op(op)].partition(":")
    return getattr(import_module(module), name)
