"""The full transforms of torch tensors: by torch.fft on any device, or on the CPU by the libraries for numpy arrays."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

from opforge.core.choice.tracing import answer_while_tracing, recorded_by_jit
from opforge.core.full_transforms._linear import transformed
from opforge.core.full_transforms._torch_cosines import trigonometric
from opforge.core.full_transforms._transform import SWAPPED, Transform
from opforge.core.full_transforms._transform_choice import chosen
from opforge.core.full_transforms.fft_planning import planning_for

# From here on a backward pass of our own saves more than it costs: autograd's of rfftn transforms whole spectra.
_WORTH_OWN_BACKWARD = 2**15


def run(op: str, x: torch.Tensor, shape: tuple[int, ...], transform: Transform, backend: str | None) -> torch.Tensor:
    """``transform`` of ``x``, checked before, by ``backend`` or the best there is."""
    if not _plain(x):
        return run_traced(op, x, transform, backend)
    how = planning_for(x.numel(), torch.get_num_threads())
    single = x.dtype is torch.float32 or x.dtype is torch.complex64
    name = chosen(op, shape, transform, single, "cpu" if x.is_cpu else x.device.type, how, backend)
    if x.numel() == 0:  # MKL and FFTW refuse it
        return _empty(x, transform)
    if name == "torch":
        own = transform.type or (transform.kind == "rfft" and x.numel() >= _WORTH_OWN_BACKWARD)
        return transformed(x, transform, by_torch) if own else _differentiable(x, transform)
    from opforge.core.full_transforms import _fftw_torch  # loads pyfftw

    compute = _fftw_torch.by_fftw if name == "fftw" else _fftw_torch.by_scipy
    return transformed(_complex(x) if transform.kind in ("fft", "ifft", "irfft") else x, transform, compute)


def half_spectrum(x: torch.Tensor, axis: int, norm: str) -> torch.Tensor:
    """`torch.fft.rfft`, with a faster backward pass where nothing traces."""
    if torch.compiler.is_compiling() or x.numel() < _WORTH_OWN_BACKWARD or not _plain(x):
        return torch.fft.rfft(x, dim=axis, norm=norm)
    return transformed(x, Transform("rfft", (axis,), norm, (x.shape[axis],)), by_torch)


def run_traced(op: str, x: torch.Tensor, transform: Transform, backend: str | None) -> torch.Tensor:
    """`run` where operations are recorded, or ``x`` is no plain tensor: by torch alone."""
    answer_while_tracing(op, ("torch",), backend)
    return _differentiable(x, transform)


def _plain(x: torch.Tensor) -> bool:
    """Whether ``x`` is nothing but numbers in memory and its operations are run, or transformed by torch.func."""
    if type(x) not in (torch.Tensor, torch.nn.Parameter) or _get_current_dispatch_mode() is not None:
        return False
    return not recorded_by_jit()


def _complex(x: torch.Tensor) -> torch.Tensor:
    return x if x.is_complex() else x.to(torch.complex64 if x.dtype is torch.float32 else torch.complex128)


def _empty(x: torch.Tensor, transform: Transform) -> torch.Tensor:
    """The transform of no numbers, still a function of ``x``."""
    to_complex = transform.kind in ("fft", "ifft", "rfft")
    y = _complex(x) if to_complex else x.real if x.is_complex() else x
    return y.reshape(transform.shape_after(x.shape))


def by_torch(x: torch.Tensor, t: Transform) -> torch.Tensor:
    """``t`` or its transpose. What autograd would make of torch.fft.rfft transforms twice as many numbers."""
    if not t.transposed or t.kind in ("cos", "sin"):
        return _differentiable(x, t)
    norm = SWAPPED[t.norm]
    if t.kind in ("fft", "ifft"):
        # MKL refuses some gradients that are one number in all places
        return (torch.fft.ifftn if t.kind == "fft" else torch.fft.fftn)(x.contiguous(), dim=t.axes, norm=norm)
    pairs = slice(1, (t.sizes[-1] + 1) // 2)
    if t.kind == "rfft":
        x = x.clone(memory_format=torch.contiguous_format)
        x.movedim(t.axes[-1], 0)[pairs] *= 0.5
        return torch.fft.irfftn(x, s=t.sizes, dim=t.axes, norm=norm)
    out = torch.fft.rfftn(x.contiguous(), dim=t.axes, norm=norm)
    out.movedim(t.axes[-1], 0)[pairs] *= 2
    return out


def _differentiable(x: torch.Tensor, t: Transform) -> torch.Tensor:
    if t.kind in ("cos", "sin"):
        return trigonometric(x, t)
    if t.kind == "rfft":
        return torch.fft.rfftn(x, dim=t.axes, norm=t.norm)
    if t.kind == "irfft":
        return torch.fft.irfftn(x, s=t.sizes, dim=t.axes, norm=t.norm)
    return (torch.fft.fftn if t.kind == "fft" else torch.fft.ifftn)(x, dim=t.axes, norm=t.norm)
