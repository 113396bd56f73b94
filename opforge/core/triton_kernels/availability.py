"""Whether Triton's kernels can run here, and how exactly they multiply. Imports neither triton nor a kernel."""

from __future__ import annotations

import os
from importlib.util import find_spec

import torch

INSTALL = "pip install 'opforge[gpu]'"


def install_command() -> str:
    """What to run to get Triton; empty when it is there.

    Example:
        >>> install_command() in ("", INSTALL)
        True
    """
    return "" if find_spec("triton") else INSTALL


def interpreting() -> bool:
    """Whether the environment asks for Triton's interpreter, as Triton itself reads it when kernels are defined.

    Example:
        >>> interpreting() in (True, False)
        True
    """
    return os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "on", "yes", "y")


def why_not(device: torch.device | str, dtype: torch.dtype) -> str:
    """Why no kernel can serve tensors of this device and type; empty when they can.

    Triton itself may still be missing: that is `install_command`'s to say.

    Example:
        >>> why_not("cuda", torch.float16)
        'float32 and float64 are served, got torch.float16'
    """
    if dtype not in (torch.float32, torch.float64):
        return f"float32 and float64 are served, got {dtype}"
    device = torch.device(device)
    if interpreting():
        return ""
    if device.type != "cuda":
        return (
            f"Triton's kernels need a GPU, got tensors on {device.type} (TRITON_INTERPRET=1 runs them there for tests)"
        )
    if not torch.cuda.is_available():
        return "torch sees no GPU here"
    # AMD's GPUs have other numbers and matrix units of their own.
    if torch.version.hip is None and torch.cuda.get_device_capability(device) < (8, 0):
        return "the GPU has no matrix unit for float32; compute capability 8.0 is needed"
    return ""


def dot_precision(dtype: torch.dtype) -> str:
    """How the kernels multiply matrices, from ``torch.get_float32_matmul_precision()``.

    ============ =================================== ======================
    torch's word float32 matrices are multiplied in  relative error, L2
    ============ =================================== ======================
    ``highest``  three products of TF32 parts        3e-7 (torch.fft: 2e-7)
    ``high``     one product of TF32 parts           8e-4
    ``medium``   one product of bfloat16 parts       7e-3
    ============ =================================== ======================

    ``highest`` is torch's default; ``torch.set_float32_matmul_precision("high")`` opts in to more speed for less.
    The errors are the largest for fields from 64² to 128² and signals up to 16384 samples of white noise, computed with
    operands rounded as the units round them; an H200 measured 1.3e-6, 6e-4 and 6e-3, gradients included, for fields.
    Sums are in float32 throughout; float64 is always exact. The interpreter and GPUs that are not NVIDIA's compute in
    full precision whatever was asked.

    Example:
        >>> dot_precision(torch.float64)
        'ieee'
    """
    if dtype != torch.float32 or interpreting() or torch.version.hip is not None:
        return "ieee"
    return {"highest": "tf32x3", "high": "tf32", "medium": "bf16"}[torch.get_float32_matmul_precision()]
