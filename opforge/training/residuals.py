"""What predicted fields leave over in their equation, beside what the data themselves leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from opforge.core.grid import Grid
from opforge.training.samples import Samples, described

# Of the data's own residual. Frames that leave more over are too far apart in time for it to tell anything.
_MOST = 0.5


@dataclass(frozen=True)
class EquationResidual:
    """The residual of an equation in predicted fields, relative to `residual_scale` of the data: one number a sample.

    Of fields that evolve it is that of the steps from the last frame that is given through those that are predicted.

    Args:
        equation: what the fields solve.
        grid: their points.
        inputs, outputs: names of the channels; ``"u[1]"`` is a frame of the field ``"u"``.
        evolving: names of the fields that change with time.
        interval: from one frame to the next; None where nothing evolves.

    Example:
        >>> from opforge.pdes import Advection
        >>> grid = Grid((8,), points="periodic")
        >>> residual = EquationResidual(Advection(), grid, ("u",), ("u",), evolving=("u",), interval=0.25)
        >>> u = torch.sin(2 * torch.pi * torch.arange(8.0, dtype=torch.float64) / 8).view(1, 1, 8)
        >>> [float(values.round(decimals=6)) for values in residual(u, 1.1 * u.roll(2, -1), u.roll(2, -1), {})]
        [0.1, 0.0]
    """

    equation: Any
    grid: Grid
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    evolving: tuple[str, ...] = ()
    interval: float | None = None

    @classmethod
    def of(cls, samples: Samples) -> EquationResidual | str:
        """That of the samples' equation, or why there is none."""
        equation, grid = samples.equation, samples.grid
        if equation is None or grid is None:
            return "the data name no equation"
        if not getattr(equation, "evolves", False):
            return cls(equation, grid, samples.inputs, samples.outputs)
        pairing, times = samples.provenance.get("pairing"), described(samples.source, "times")
        if pairing is None or times is None:
            return "the data do not say how far apart in time their frames are"
        alone = pairing["given"] == pairing["wanted"] == described(samples.source, "pairs_per_sample") == 1
        between = np.diff(np.asarray(times, dtype=np.float64))
        if not alone and not np.allclose(between, between[0], rtol=1e-6, atol=0):
            return "the frames are not evenly spaced in time"
        bases = [{_base(name) for name in names} for names in (samples.inputs, samples.outputs)]
        lacking = [name for name in equation.unknowns if not all(name in names for names in bases)]
        if lacking:
            return f"it takes all unknowns of the equation, given and predicted; {', '.join(lacking)} is not"
        evolving = tuple(described(samples.source, "evolving") or equation.unknowns)
        return cls(equation, grid, samples.inputs, samples.outputs, evolving, float(pairing["interval"]))

    def __call__(
        self, x: Tensor, prediction: Tensor, truth: Tensor, drawn: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Of predictions and of the truth, each (batch,).

        Args:
            x: inputs (batch, in_channels, *space), float64.
            prediction, truth: outputs (batch, out_channels, *space), float64.
            drawn: parameters of the equation that samples have of their own, (batch,).
        """
        predicted, true = (self._fields(x, y) | dict(drawn) for y in (prediction, truth))
        scale = torch.as_tensor(self.equation.residual_scale(true, self.grid), dtype=torch.float64)
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        first, second = (
            torch.linalg.vector_norm(self.equation.residual(fields, self.grid).flatten(1), dim=1) / scale
            for fields in (predicted, true)
        )
        return first, second

    def says_nothing(self, predicted: np.ndarray, own: np.ndarray) -> str | None:
        """Why residuals (samples,) of predictions tell nothing beside the data's own ones; None where they do.

        Example:
            >>> residual = EquationResidual(None, Grid((8,)), ("u",), ("u",), evolving=("u",), interval=2.0)
            >>> residual.says_nothing(np.array([0.8]), np.array([0.75]))
            'frames that are 2 apart in time are too far apart for it: the data themselves leave 0.75 over'
        """
        if self.interval is not None and not own.mean() <= _MOST:
            return (
                f"frames that are {self.interval:g} apart in time are too far apart for it: the data themselves leave "
                f"{own.mean():.2g} over"
            )
        bad = np.flatnonzero(~np.isfinite(predicted))
        if bad.size:
            return (
                f"{bad.size} of {len(predicted)} predictions, such as that for sample {bad[0]}, are no states of the "
                "equation: a density or a depth below 0"
            )
        return None

    def _fields(self, x: Tensor, y: Tensor) -> dict[str, Any]:
        """The equation's fields: (batch, [frames], *space), and ``"time"`` where they evolve."""
        given = {_base(name): values for name, values in zip(self.inputs, x.unbind(1), strict=True)}  # the last frame
        later: dict[str, list[Tensor]] = {}
        for name, values in zip(self.outputs, y.unbind(1), strict=True):
            later.setdefault(_base(name), []).append(values)
        if self.interval is None:
            return given | {name: values for name, (values,) in later.items()}
        fields: dict[str, Any] = {name: values for name, values in given.items() if name not in self.evolving}
        # a field that is predicted alone, such as a pressure, lacks the first frame: equations find it themselves
        for name in given.keys() & later.keys():
            fields[name] = torch.stack([given[name], *later[name]], dim=1)
        frames = 1 + max(map(len, later.values()))
        return fields | {"time": torch.arange(frames, dtype=torch.float64) * self.interval}


def _base(name: str) -> str:
    """The field of a channel."""
    return name.partition("[")[0]
