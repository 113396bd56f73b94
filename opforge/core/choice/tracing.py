"""While something records torch's operations instead of just running them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch._C._functorch import peek_interpreter_stack  # the stack of torch.func's transforms
from torch.utils._python_dispatch import _get_current_dispatch_mode

from opforge.core.choice.backend_setting import backend_set_for
from opforge.errors import InputError


def tracing() -> bool:
    """Whether operations are being traced, transformed, counted or captured: nothing can be measured then.

    True under ``torch.compile``, ``torch.export``, ``torch.jit.trace``, ONNX export, fake tensors, any other
    ``TorchDispatchMode``, the transforms of ``torch.func``, and while a CUDA graph is captured.

    Example:
        >>> tracing()
        False
    """
    if torch.compiler.is_compiling():
        return True
    if _get_current_dispatch_mode() is not None or peek_interpreter_stack() is not None:
        return True
    if recorded_by_jit():
        return True
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def recorded_by_jit() -> bool:
    """Whether ``torch.jit.trace`` records, which the exporter of ONNX may use."""
    return torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]  # torch documents it


def pi_on(device: torch.device) -> torch.Tensor:
    """π as a tensor: in products with plain numbers the exporter of ONNX rounds these to single precision.

    Example:
        >>> pi_on(torch.device("cpu"))
        tensor(3.1416, dtype=torch.float64)
    """
    return torch.tensor(torch.pi, dtype=torch.float64, device=device)


def answer_while_tracing(op: str, able: Sequence[str], asked: str | None = None) -> str:
    """The back end of ``op`` for a graph that is to serve sizes not known yet, in terms that dynamo can trace.

    For use under ``if torch.compiler.is_compiling():``, where sizes may be symbols and no question can be put.

    Args:
        op: the operation's public name.
        able: the back ends that can be traced, the preferred one first.
        asked: the back end that the call asks for by name, if any. `set_backend` comes next, ``able[0]`` last.

    Raises:
        InputError: the back end that was asked for or set cannot be traced.

    Example:
        >>> answer_while_tracing("spectral_conv", ("gemm", "torch"))
        'gemm'
    """
    name = asked if asked is not None else _set_for(op)
    if name is None:
        return able[0]
    if name not in able:
        raise InputError(
            f"backend {name!r} cannot serve {op} while torch traces it; ask for {' or '.join(able)}, or for none"
        )
    return name


@torch.compiler.assume_constant_result
def _set_for(op: str) -> str | None:
    return backend_set_for(op)  # dynamo knows no context variables
