"""The long convolution as one operation."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from opforge.core.autocast import without_autocast
from opforge.core.long_conv._arguments import check_gate, check_tensors, problem_of, sizes_of
from opforge.core.long_conv.engines import backend_for, run


@without_autocast
def fft_conv(
    u: torch.Tensor,
    k: torch.Tensor,
    dim: int | Sequence[int] = -1,
    mode: str = "causal",
    gate_in: torch.Tensor | None = None,
    gate_out: torch.Tensor | None = None,
    keep_modes: int | Sequence[int] | None = None,
    *,
    backend: str | None = None,
) -> torch.Tensor:
    """Convolve every channel with its own kernel, of any length up to the signal's, along one or several axes.

    y = gate_out · (k ∗ (gate_in · u)), where for one axis of N points and M taps, by ``mode``,

    - ``"causal"``: (k ∗ v)[n] = Σ_{m ≤ n} k[m] v[n − m], M <= N;
    - ``"circular"``: (k ∗ v)[n] = Σ_m k[m] v[(n − m) mod N], M <= N;
    - ``"same"``: (k ∗ v)[n] = Σ_m k[m] v[n + c − m] with c = (M − 1) // 2 and v zero outside, for any M: the middle N
      of the N + M − 1 numbers that are not zero, as ``scipy.signal.convolve(v, k, mode="same")`` has it. The centre of
      a kernel with an even number of taps is the left one of the two in its middle.

    Several axes are convolved likewise, tap by tap in all of them; other axes of space are treated as batch.

    With ``keep_modes`` the kernel's spectrum is cut: modes \\|κ\\| > keep_modes are dropped, which makes the kernel
    smooth, as long as the period, and no longer causal. The modes are those of the circular convolution that the call
    amounts to: of L = N points in mode ``"circular"``, else of L = 2N points, the signal followed by N zeros. Taps that
    meet no sample, of a kernel longer than N in mode ``"same"``, are left out before.

    Args:
        u: (batch, channels, *space), float32 or float64.
        k: (channels, *taps), one size of taps for each convolved axis, of ``u``'s type.
        dim: the convolved axes of ``u``, in the order of the kernel's: axes of space, 2 or more, or negative.
        mode: what lies beyond the ends, and which results are asked for.
        gate_in: factor of the signal, broadcast to ``u``'s shape.
        gate_out: factor of the result, broadcast to ``u``'s shape.
        keep_modes: highest kept \\|κ\\|, one number or one per convolved axis, from 0 to (L − 1) // 2.
        backend: chosen by cost when left out (`explain` tells which, and why):

            - ``"fft"``: torch.fft, padded with zeros;
            - ``"twisted"``: complex transforms of the signal's own length through FFTW, a cache full of rows at a
              time (one axis, CPU);
            - ``"blocks"``: overlapping blocks through FFTW, for kernels shorter than half the signal (likewise);
            - ``"direct"``: torch's depthwise convolution, for a few taps;
            - ``"sparse"``: transforms through FFTW of which only kept modes are looked at (likewise);
            - ``"gemm"``: the kept modes alone, as products with real matrices;
            - ``"monarch"``: transforms as products with small matrices, for GPUs (one axis);
            - ``"triton"``: a whole signal in one kernel, for GPUs (one axis, all modes).

    Returns:
        (batch, channels, *space).

    Raises:
        InputError: a kernel longer than the signal in modes ``"causal"`` and ``"circular"``, another number of kernels
            than channels, other types than float32 and float64, axes without points, an unknown mode or back end, modes
            that there are none of, gates that do not broadcast.

    Example:
        >>> u, k = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]), torch.tensor([[1.0, 10.0]])
        >>> fft_conv(u, k).round(decimals=3).tolist()
        [[[1.0, 12.0, 23.0, 34.0]]]
        >>> fft_conv(u, k, mode="circular").round(decimals=3).tolist()
        [[[41.0, 12.0, 23.0, 34.0]]]

    Source: FlashFFTConv: Efficient Convolutions for Long Sequences with Tensor Cores, for the gated, partial (short
    kernel) and frequency-sparse (``keep_modes``) forms.
    """
    layout = check_tensors(u, k, dim)
    gates = [check_gate("gate_in", gate_in, u), check_gate("gate_out", gate_out, u)]
    problem = problem_of(layout.points, sizes_of(k)[1:], mode, keep_modes)
    if problem.reaches_too_far:
        problem, k = problem.cropped, problem.cut(k)
    rows = layout.bring(u)
    gate_in, gate_out = (None if gate is None else layout.bring(gate) for gate in gates)
    return layout.back(run(backend_for(problem, rows, backend), rows, k, gate_in, gate_out, problem))
