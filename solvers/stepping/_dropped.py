"""What a state has in modes that steppers do not keep: said once, before it is gone."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.core.pairing import Spectrum, in_order, traced
from opforge.core.pairs import PairedModes

# The part of the squares of a state's waves from which what is left out is worth a word: a tenth of their size.
_SHARE = 1e-2


def tell_dropped(state: Any, spectrum: Spectrum, paired: PairedModes) -> None:
    """Warn where a first state has more in the modes that dealiasing leaves out than its smooth part suggests.

    Args:
        state: real samples (samples, components, *space).
        spectrum: the modes that are kept of them.
        paired: which these are.

    Warns:
        UserWarning: a hundredth or more of the squares of a sample's waves is left out.
    """
    if is_torch(state) and traced():
        return
    axes = tuple(range(-paired.ndim, 0))
    modes = spectrum.modes.detach() if is_torch(spectrum.modes) else spectrum.modes
    u = state.detach() if is_torch(state) else state
    u = in_order(u if is_torch(modes) == is_torch(u) else u.numpy(), spectrum.order)
    with np.errstate(over="ignore", invalid="ignore"):
        waves = u - u.mean(axes)[(..., *(None,) * paired.ndim)]
        squares = (waves * waves).mean(axes).sum(1)
        total = squares[0::2] + (squares[1::2] if len(squares) % 2 == 0 else _padded(squares))
        z = abs(modes) ** 2
        kept = z.sum(axes) - z[(..., *(0,) * paired.ndim)]
        left = total - kept.sum(1).real
        worst = (left - _SHARE * total).max()
    if not float(worst) > 0:
        return
    share = float((left / total)[int((left - _SHARE * total).argmax())])
    kept_modes = " x ".join(map(str, paired.highest))
    warnings.warn(
        f"{100 * share:.2g} % of the squares of a first state's waves lie above the modes up to {kept_modes} that are "
        "kept, and are left out; take more points or a smoother state",
        stacklevel=4,
    )


def _padded(squares: Any) -> Any:
    """Those of the partners, the last one its own."""
    partners = squares[1::2]
    last = squares[-1:]
    if is_torch(squares):
        import torch

        return torch.cat([partners, last])
    return np.concatenate([partners, last])
