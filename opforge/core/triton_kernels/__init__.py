"""Fused kernels for GPUs, written in Triton: transform, mode mixing and inverse; long convolutions in one pass.

Triton comes with ``pip install 'opforge[gpu]'`` and is imported when a kernel is first used. On a machine without a
GPU the kernels run, slowly, through Triton's interpreter, which is what the tests do.

Both come behind the names of the core, as ``spectral_conv(..., backend="triton")`` and
``fft_conv(..., backend="triton")``. How exact they are in float32 is set by torch's own switch, see `dot_precision`.
"""

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "dot_precision": "availability",
        "install_command": "availability",
        "lagged_conv": "long_convolution",
        "long_conv": "long_convolution",
    },
)
