"""Convolution with kernels that are much shorter than the grid, mixing channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from opforge.core._arguments import check_bias, check_real
from opforge.core.autocast import without_autocast
from opforge.core.local_conv._geometry import make_geometry
from opforge.core.local_conv.engines import engine_for
from opforge.core.local_conv.kernels import FORMS, Kernels
from opforge.errors import InputError, UnknownNameError


@without_autocast
def conv_nd(
    x: torch.Tensor,
    kernels: Kernels,
    form: str | None = None,
    *,
    bias: torch.Tensor | None = None,
    padding: str | Sequence[str] = "zeros",
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    backend: str | None = None,
) -> torch.Tensor:
    """Correlate a field in one, two or three dimensions with one short kernel per pair of channels.

    y[b, o, j] = bias[o] + Σ_i Σ_t K[o, i, t] x[b, i, stride·j + dilation·t − left], with x continued beyond the grid
    as ``padding`` says. As in ``torch.nn.functional.conv2d`` the kernel is not mirrored: this is a cross-correlation.
    ``left`` is dilation·(taps − 1) // 2 on every axis, so that output j lies on point stride·j, under the middle one
    of an odd number of taps and, without dilation, under the left one of the middle two of an even number. With the
    padding ``"valid"``, ``left`` is 0.

    Args:
        x: (batch, in, \\*space), float32 or float64, one to three axes of space.
        kernels: of ``x``'s type and device; a tensor (out, in, \\*taps), `FactorisedKernels` or `SeparableKernels`.
        form: ``"dense"``, ``"kernel"`` or ``"separable"``, to be checked against the type of ``kernels``, from which
            it follows when left out.
        bias: (out,).
        padding: the boundary treatment of all axes of space, or one per axis. ``"zeros"``; ``"periodic"``, where a
            kernel longer than the grid goes round it more than once; ``"reflect"``, mirrored about the outermost
            points, which are not repeated (x[−j] = x[j], the even continuation for points on the boundary); these
            give ⌈points / stride⌉ outputs. ``"valid"`` gives those outputs alone that need nothing beyond the grid.
        stride: points from output to output, one number or one per axis.
        dilation: points from tap to tap, one number or one per axis.
        backend: for dense kernels ``"direct"`` (torch's convolutions) or ``"fft"`` (Fourier transforms of the grid or
            of overlapping tiles); for factorised ones ``"staged"`` (filter by filter), ``"rebuild"`` (made dense,
            then direct) or ``"fft"`` (made dense, then transformed). Chosen by cost, and by measurement where that is
            close, when left out: see `explain`.

    Returns:
        (batch, out, \\*outputs), in channels-last memory if ``x`` is.

    Raises:
        InputError: sizes, channels, types or devices that do not agree; empty axes; a kernel longer than the grid
            with ``"valid"``, or reaching beyond the mirrored grid with ``"reflect"``; a stride or dilation below 1;
            an unknown form, padding or back end, or a back end that does not serve this form.

    Example:
        >>> x = torch.tensor([[[1.0, 2.0, 4.0, 8.0]]])
        >>> slope = torch.tensor([[[-1.0, 0.0, 1.0]]])
        >>> conv_nd(x, slope, padding="valid").tolist()
        [[[3.0, 6.0]]]
        >>> conv_nd(x, slope, padding="periodic").tolist()
        [[[-6.0, 3.0, 6.0, -3.0]]]

    Which back end: per pair of channels and output, k taps on each of d axes are k^d products taken directly, which
    is what processors do best, and hardly any by FFT, whose work is the transforms of every channel. Filter by filter,
    `SeparableKernels` need d·k products for each of their R channels and two mixings of channels, as a rule the least
    of all. `FactorisedKernels` need d·R·k per pair of channels, less than k^d where R is small, but also R
    intermediate fields per pair, and writing and reading these takes longer than the products that they save; making
    the kernels dense costs next to nothing. So they are made dense, but for few channels in 3-D. In a graph that torch
    compiles or exports, `SeparableKernels` are staged and all others taken directly.

    Precision: results are within 1e-5 of the largest in float32, and 1e-12 in float64. The gradient for the kernels is
    a sum over all points of all samples, which ``"direct"`` leaves to torch; in float32 its error grows to 2e-5 for
    fields of 10⁵ points with both signs and to 5e-5 where all have one sign, and depends on the number of threads as
    much.

    Source of the two factorised forms: see `FactorisedKernels` and `SeparableKernels`.
    """
    form = _check_form(kernels, form)
    dense = isinstance(kernels, torch.Tensor)
    taps = tuple(kernels.shape[2:]) if dense else kernels.taps
    _check_tensors(x, kernels, bias, len(taps))
    geometry = make_geometry(x.shape[2:], taps, padding, stride, dilation)
    n_out, rank = (kernels.shape[0], 0) if dense else (kernels.channels[0], kernels.rank)
    engine = engine_for(x, geometry, n_out, form, rank, backend)
    y = engine(x, kernels, bias, geometry)
    if x.is_contiguous():
        return y.contiguous()
    if x.movedim(1, -1).is_contiguous():
        return y.movedim(1, -1).contiguous().movedim(-1, 1)
    return y


def _check_form(kernels: Kernels, form: str | None) -> str:
    """The form that ``kernels`` are in, after checking that it is the one that is asked for."""
    found = next((name for name, kind in FORMS.items() if isinstance(kernels, kind)), None)
    if found is None:
        raise InputError(
            f"kernels must be a torch tensor, FactorisedKernels or SeparableKernels, got {type(kernels).__name__}"
        )
    if form is not None and (not isinstance(form, str) or form not in FORMS):
        raise UnknownNameError("form", form, FORMS)
    if form is not None and form != found:
        raise InputError(
            f"kernels must be of the type {FORMS[form].__name__} for the form {form!r}, got {type(kernels).__name__}; "
            f"leave form out to take them as they are"
        )
    return found


def _check_tensors(x: torch.Tensor, kernels: Kernels, bias: torch.Tensor | None, d: int) -> None:
    """Refuse input, kernels and bias that do not fit each other."""
    check_real("x", x)
    if isinstance(kernels, torch.Tensor):
        check_real("kernels", kernels)
        if not 1 <= d <= 3 or 0 in kernels.shape:
            raise InputError(
                f"kernels must have the shape (out, in, *taps) with one to three axes of taps and no size 0, "
                f"got {tuple(kernels.shape)}"
            )
        n_out, n_in, like = *kernels.shape[:2], kernels
    else:
        (n_out, n_in), like = kernels.channels, kernels.filters[0]
    if x.ndim != d + 2 or 0 in x.shape:
        raise InputError(
            f"x must have the shape (batch, channels, *space) with as many axes of space as kernels have axes of taps "
            f"({d}) and no size 0, got {tuple(x.shape)}"
        )
    if x.shape[1] != n_in:
        raise InputError(f"kernels must take the {x.shape[1]} channels that x has, got kernels for {n_in}")
    if like.dtype != x.dtype or like.device != x.device:
        raise InputError(
            f"kernels must be of x's type and device, {x.dtype} on {x.device}, got {like.dtype} on {like.device}"
        )
    check_bias(bias, n_out, x)
