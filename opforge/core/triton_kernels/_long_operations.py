"""The kernels of long convolutions as operators of torch, each with its derivative in terms of the others.

A convolution and the correlation that is its kernel's gradient are two views of one trilinear form, and a transform and
its transpose of one bilinear form, so derivatives of every order exist. IN, OUT: see `_long_stages`.
"""

from __future__ import annotations

import torch

from opforge.core.triton_kernels import _long_kernels as kernels
from opforge.core.triton_kernels._launching import launch, parts
from opforge.core.triton_kernels._long_tables import SPLITS, stages
from opforge.core.triton_kernels.availability import dot_precision


def _sizes(size: int, dtype: torch.dtype) -> dict[str, object]:
    n1, n2, n3 = SPLITS[size]
    return {"N1": n1, "N2": n2, "N3": n3, "PRECISION": dot_precision(dtype)}


@torch.library.custom_op("opforge::long_convolve", mutates_args=())
def convolve(
    signal: torch.Tensor,
    kernel: torch.Tensor,
    gate_in: torch.Tensor | None,
    gate_out: torch.Tensor | None,
    out_length: int,
    how_in: str,
    how_out: str,
    conjugate: bool,
) -> torch.Tensor:
    """gate_out · (kernel ∗ (gate_in · signal)): (batch, channels, n) to (batch, channels, out_length).

    ``kernel`` is its spectrum (channels, 2, N); the conjugate of it belongs to the reversed kernel.
    """
    batch, channels, length = signal.shape
    size = kernel.shape[-1]
    result = signal.new_empty(batch, channels, out_length)
    signal = signal.contiguous()
    launch(
        kernels.convolve,
        lambda block: (channels * parts(batch, block["GROUP"]),),
        signal,
        kernel.contiguous(),
        signal if gate_in is None else gate_in.contiguous(),
        result if gate_out is None else gate_out.contiguous(),
        result,
        stages(size, signal.dtype, signal.device),
        *(batch, channels, length, out_length),
        IN=how_in,
        OUT=how_out,
        GATED_IN=gate_in is not None,
        GATED_OUT=gate_out is not None,
        SIGN=-1 if conjugate else 1,
        **_sizes(size, signal.dtype),
    )
    return result


@convolve.register_fake
def _(signal, kernel, gate_in, gate_out, out_length, how_in, how_out, conjugate):
    return signal.new_empty(signal.shape[0], signal.shape[1], out_length)


def _remember_convolution(ctx, inputs, output):
    signal, kernel, gate_in, gate_out, *ctx.options = inputs
    ctx.save_for_backward(signal, kernel, gate_in, gate_out)


def _convolution_backward(ctx, gradient):
    signal, kernel, gate_in, gate_out = ctx.saved_tensors
    out_length, how_in, how_out, conjugate = ctx.options
    there = (out_length, how_in, how_out, conjugate)
    back = (signal.shape[-1], how_out, how_in, not conjugate)
    by_signal = by_kernel = by_gate_in = by_gate_out = None
    if ctx.needs_input_grad[2]:
        plain = convolve(gradient, kernel, gate_out, None, *back)
        by_signal, by_gate_in = plain * gate_in, plain * signal
    elif ctx.needs_input_grad[0]:
        by_signal = convolve(gradient, kernel, gate_out, gate_in, *back)
    if ctx.needs_input_grad[1]:
        gone_in = signal if gate_in is None else signal * gate_in
        came_out = gradient if gate_out is None else gradient * gate_out
        pair = (came_out, gone_in, how_out, how_in) if conjugate else (gone_in, came_out, how_in, how_out)
        by_kernel = correlate(*pair, kernel.shape[-1])
    if ctx.needs_input_grad[3]:
        by_gate_out = convolve(signal, kernel, gate_in, gradient, *there)
    return by_signal, by_kernel, by_gate_in, by_gate_out, None, None, None, None


convolve.register_autograd(_convolution_backward, setup_context=_remember_convolution)


@torch.library.custom_op("opforge::long_correlate", mutates_args=())
def correlate(signal: torch.Tensor, other: torch.Tensor, how: str, how_other: str, size: int) -> torch.Tensor:
    """(1/N) Σ_batch conj(S) T of the spectra of two signals (batch, channels, ·): (channels, 2, N)."""
    batch, channels, length = signal.shape
    result = signal.new_empty(channels, 2, size)
    launch(
        kernels.correlate,
        lambda block: (channels, SPLITS[size][0] // block["BLOCK"]),
        *(signal.contiguous(), other.contiguous(), result, stages(size, signal.dtype, signal.device)),
        *(batch, channels, length, other.shape[-1]),
        IN=how,
        OTHER=how_other,
        **_sizes(size, signal.dtype),
    )
    return result


@correlate.register_fake
def _(signal, other, how, how_other, size):
    return signal.new_empty(signal.shape[1], 2, size)


def _remember_correlation(ctx, inputs, output):
    signal, other, *ctx.options = inputs
    ctx.save_for_backward(signal, other)


def _correlation_backward(ctx, gradient):
    signal, other = ctx.saved_tensors
    how, how_other, _ = ctx.options
    by_signal = convolve(other, gradient, None, None, signal.shape[-1], how_other, how, True)
    by_other = convolve(signal, gradient, None, None, other.shape[-1], how, how_other, False)
    return by_signal, by_other, None, None, None


correlate.register_autograd(_correlation_backward, setup_context=_remember_correlation)


@torch.library.custom_op("opforge::long_spectra", mutates_args=())
def spectra(signals: torch.Tensor, size: int, how: str) -> torch.Tensor:
    """(signals, n) to (signals, 2, N)."""
    count, length = signals.shape
    result = signals.new_empty(count, 2, size)
    launch(
        kernels.spectrum,
        lambda block: (parts(count, block["GROUP"]), SPLITS[size][0] // block["BLOCK"]),
        *(signals.contiguous(), result, stages(size, signals.dtype, signals.device), count, length),
        IN=how,
        **_sizes(size, signals.dtype),
    )
    return result


@spectra.register_fake
def _(signals, size, how):
    return signals.new_empty(signals.shape[0], 2, size)


@torch.library.custom_op("opforge::long_signals", mutates_args=())
def signals_of(spectrum: torch.Tensor, length: int, how: str) -> torch.Tensor:
    """(signals, 2, N) to (signals, length), the transpose of `spectra`."""
    count, _, size = spectrum.shape
    result = spectrum.new_empty(count, length)
    launch(
        kernels.signal,
        lambda block: (parts(count, block["GROUP"]),),
        *(spectrum.contiguous(), result, stages(size, spectrum.dtype, spectrum.device), count, length),
        OUT=how,
        **_sizes(size, spectrum.dtype),
    )
    return result


@signals_of.register_fake
def _(spectrum, length, how):
    return spectrum.new_empty(spectrum.shape[0], length)


def _remember_spectra(ctx, inputs, output):
    signals, ctx.size, ctx.how = inputs
    ctx.length = signals.shape[-1]


def _remember_signals(ctx, inputs, output):
    spectrum, ctx.length, ctx.how = inputs
    ctx.size = spectrum.shape[-1]


spectra.register_autograd(
    lambda ctx, gradient: (signals_of(gradient, ctx.length, ctx.how), None, None), setup_context=_remember_spectra
)
signals_of.register_autograd(
    lambda ctx, gradient: (spectra(gradient, ctx.size, ctx.how), None, None), setup_context=_remember_signals
)
