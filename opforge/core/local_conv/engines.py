"""Which back end runs a short convolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from opforge.core.choice.decision import Candidate, Question, answer
from opforge.core.choice.sizes import by
from opforge.core.choice.tracing import answer_while_tracing
from opforge.core.local_conv import _direct, _fourier, _staged
from opforge.core.local_conv._costs import direct_cost, rebuild_cost, staged_cost
from opforge.core.local_conv._geometry import Geometry, make_geometry
from opforge.core.local_conv._tiling import best_tiling
from opforge.core.local_conv.kernels import FORMS, FactorisedKernels, Kernels, SeparableKernels
from opforge.errors import InputError, UnknownNameError

Engine = Callable[[torch.Tensor, Kernels, torch.Tensor | None, Geometry], torch.Tensor]


@dataclass(frozen=True)
class _Calls:
    """Calls of one kind: everything that the choice depends on."""

    geometry: Geometry
    form: str
    rank: int  # 0 for dense kernels
    batch: int
    n_in: int
    n_out: int
    dtype: torch.dtype
    device_type: str
    threads: int

    def __str__(self) -> str:
        g = self.geometry
        form = f"{self.form} rank {self.rank}" if self.rank else self.form
        steps = f"stride {_once(g.stride)} dilation {_once(g.dilation)}"
        return (
            f"{by(g.shape)} taps {by(g.taps)} {form} {_once(g.padding)} {steps} batch {self.batch} channels "
            f"{self.n_in} to {self.n_out} {str(self.dtype).removeprefix('torch.')} {self.device_type} "
            f"{self.threads} threads"
        )


def engine_for(x: torch.Tensor, geometry: Geometry, n_out: int, form: str, rank: int, backend: str | None) -> Engine:
    """What computes this call; ``backend`` where that was asked for by name.

    Raises:
        InputError: ``backend`` is unknown or does not serve this form.
    """
    if torch.compiler.is_compiling():
        return _ENGINES[answer_while_tracing("conv_nd", _TRACEABLE[form], backend)]
    batch, n_in = x.shape[:2]
    calls = _Calls(geometry, form, rank, batch, n_in, n_out, x.dtype, x.device.type, torch.get_num_threads())
    return _ENGINES[answer(_question(calls), backend)]


def question(
    shape: Sequence[int],
    *,
    kernel_size: int | Sequence[int] = 3,
    form: str = "dense",
    rank: int | None = None,
    out_channels: int | None = None,
    padding: str | Sequence[str] = "zeros",
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    batch: int = 1,
    channels: int = 1,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    threads: int | None = None,
) -> Question:
    """Which back end should serve calls of `conv_nd` of this size?

    Args:
        shape: points per axis of space.
        kernel_size: taps on all axes, or one number per axis.
        form: ``"dense"``, ``"kernel"`` or ``"separable"``.
        rank: R of the two factorised forms.
        out_channels: as many as ``channels`` when left out.
        padding: as in `conv_nd`, like ``stride`` and ``dilation``.
        batch: samples.
        channels: of the input.
        dtype: ``torch.float32`` or ``torch.float64``.
        device: where the tensors are.
        threads: of this process; as many as torch uses when left out.

    Raises:
        InputError: sizes below 1, what `conv_nd` refuses, a rank that is missing or has no meaning.

    Example:
        >>> [c.name for c in question((64, 64), kernel_size=7, channels=16).candidates if not c.why_not]
        ['direct', 'fft']
    """
    if form not in FORMS:
        raise UnknownNameError("form", form, FORMS)
    if (rank is None) != (form == "dense"):
        raise InputError(f"rank belongs to the forms 'kernel' and 'separable', got rank {rank} for the form {form!r}")
    if dtype not in (torch.float32, torch.float64):
        raise InputError(f"dtype must be torch.float32 or torch.float64, got {dtype}")
    taps = tuple(kernel_size) if isinstance(kernel_size, Sequence) else (kernel_size,) * len(shape)
    if not 1 <= len(shape) <= 3 or len(taps) != len(shape):
        raise InputError(f"kernel_size needs one number per axis of shape, one to three, got {taps} for {tuple(shape)}")
    n_out = channels if out_channels is None else out_channels
    sizes = {"shape": min(shape), "kernel_size": min(taps), "rank": 1 if rank is None else rank}
    sizes |= {"batch": batch, "channels": channels, "out_channels": n_out}
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"{name} must be at least 1, got {size}")
    geometry = make_geometry(shape, taps, padding, stride, dilation)
    threads = torch.get_num_threads() if threads is None else threads
    return _question(
        _Calls(geometry, form, rank or 0, batch, channels, n_out, dtype, torch.device(device).type, threads)
    )


@lru_cache(maxsize=4096)
def _question(calls: _Calls) -> Question:
    size = (calls.geometry, calls.batch, calls.n_in, calls.n_out)
    width = calls.dtype.itemsize
    direct, (_, fourier) = direct_cost(*size, width), best_tiling(*size, width)
    if calls.form == "dense":
        candidates = (
            Candidate("direct", direct),
            Candidate("fft", fourier),
            Candidate("rebuild", direct, "dense kernels need no rebuilding; use 'direct'"),
            Candidate("staged", direct, "dense kernels have no filters; pass FactorisedKernels or SeparableKernels"),
        )
    else:
        rebuilding = rebuild_cost(*size, calls.form, calls.rank)
        candidates = (
            Candidate("direct", rebuilding + direct, "factorised kernels must be made dense first; use 'rebuild'"),
            Candidate("fft", rebuilding + fourier),
            Candidate("rebuild", rebuilding + direct),
            Candidate("staged", staged_cost(*size, calls.form, calls.rank, width)),
        )
    return Question("conv_nd", str(calls), candidates, lambda name: _trial(name, calls))


def _trial(name: str, calls: _Calls) -> Callable[[], object]:
    """A forward and backward pass through one back end, on random numbers that are made once."""
    geometry, n_in, n_out, rank = calls.geometry, calls.n_in, calls.n_out, calls.rank
    generator = torch.Generator(calls.device_type).manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=calls.dtype, device=calls.device_type)

    def build(leaves: tuple[torch.Tensor, ...]) -> Kernels:
        if calls.form == "kernel":
            return FactorisedKernels(leaves)
        return SeparableKernels(leaves[0], leaves[1], leaves[2:]) if calls.form == "separable" else leaves[0]

    if calls.form == "dense":
        leaves = (random(n_out, n_in, *geometry.taps),)
    elif calls.form == "kernel":
        leaves = tuple(random(n_out, n_in, rank, k) for k in geometry.taps)
    else:
        leaves = (random(n_out, rank), random(n_in, rank), *(random(rank, k) for k in geometry.taps))
    x, gradient = random(calls.batch, n_in, *geometry.shape), random(calls.batch, n_out, *geometry.out_shape)
    for tensor in (x, *leaves):
        tensor.requires_grad_()

    def run() -> object:
        y = _ENGINES[name](x, build(leaves), None, geometry)
        return torch.autograd.grad(y, (x, *leaves), gradient)

    return run


def _by_direct(x: torch.Tensor, kernels: Kernels, bias: torch.Tensor | None, geometry: Geometry) -> torch.Tensor:
    return _direct.convolve(x, _dense(kernels), bias, geometry)


def _by_fft(x: torch.Tensor, kernels: Kernels, bias: torch.Tensor | None, geometry: Geometry) -> torch.Tensor:
    dense = _dense(kernels)
    tiling, _ = best_tiling(geometry, len(x), x.shape[1], len(dense), x.element_size())
    return _fourier.convolve(x, dense, bias, geometry, tiling)


def _by_stages(x: torch.Tensor, kernels: Kernels, bias: torch.Tensor | None, geometry: Geometry) -> torch.Tensor:
    if isinstance(kernels, torch.Tensor):
        raise AssertionError("no candidate for dense kernels")
    return _staged.convolve(x, kernels, bias, geometry)


_TRACEABLE = {"dense": ("direct",), "kernel": ("rebuild", "staged"), "separable": ("staged", "rebuild")}
_ENGINES: dict[str, Engine] = {"direct": _by_direct, "rebuild": _by_direct, "fft": _by_fft, "staged": _by_stages}


def _dense(kernels: Kernels) -> torch.Tensor:
    return kernels if isinstance(kernels, torch.Tensor) else kernels.to_dense()


def _once(values: Sequence[object]) -> str:
    """One value for all axes by itself, else all of them."""
    return str(values[0]) if len(set(values)) == 1 else by(values)
