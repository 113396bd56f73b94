"""The back end that the user wants for an operation, everywhere or in a block."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import NamedTuple, Self

from opforge.core.choice.operations import known_op
from opforge.errors import InputError


class _Block(NamedTuple):
    """What is wanted in a block and those around it; the blocks around it alone."""

    wanted: Mapping[str, str | None]
    outer: _Block | None


_everywhere: dict[str, str] = {}
_block: ContextVar[_Block | None] = ContextVar("opforge_backends", default=None)


class BackendSetting:
    """What `set_backend` returns: it holds everywhere, or in the block of a ``with`` statement."""

    def __init__(self, op: str, name: str | None) -> None:
        self._op, self._name = op, name
        self._before = _everywhere.get(op)
        self._entered = False
        _write(op, name)

    def __enter__(self) -> Self:
        if not self._entered and _everywhere.get(self._op) == self._name:  # the call above meant this block alone
            _write(self._op, self._before)
        self._entered = True
        outer = _block.get()
        wanted = {} if outer is None else outer.wanted
        _block.set(_Block({**wanted, self._op: self._name}, outer))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        block = _block.get()
        _block.set(block and block.outer)

    def __repr__(self) -> str:
        return f"set_backend({self._op!r}, {self._name!r})"


def set_backend(op: str, name: str | None) -> BackendSetting:
    """Have ``op`` run on the back end ``name`` from now on, or in a block; with None, choose freely again.

    As a plain call it holds for the whole process. In a ``with`` statement it holds for the block: for this thread or
    asyncio task alone, not for threads that the block starts, and above any plain call. (Between the call and the
    block's beginning, some microseconds, other threads see it too.) An explicit ``backend=`` of a call stands above
    both. A call that the back end cannot serve is an error, never a silent change of the back end.

    Args:
        op: an operation, such as ``"spectral_conv"``.
        name: one of its back ends; `explain` names them.

    Raises:
        InputError: an unknown operation. A wrong ``name`` is refused when the operation is next called.

    Example:
        >>> with set_backend("spectral_conv", "torch"):
        ...     backend_set_for("spectral_conv")
        'torch'
        >>> backend_set_for("spectral_conv") is None
        True
    """
    if name is not None and not isinstance(name, str):
        raise InputError(f"name must be the name of a back end or None, got {name!r}")
    return BackendSetting(known_op(op), name)


def backend_set_for(op: str) -> str | None:
    """The back end that `set_backend` gave ``op``; None where the choice is free."""
    block = _block.get()
    if block is not None and op in block.wanted:
        return block.wanted[op]
    return _everywhere.get(op)


def _write(op: str, name: str | None) -> None:
    if name is None:
        _everywhere.pop(op, None)
    else:
        _everywhere[op] = name
