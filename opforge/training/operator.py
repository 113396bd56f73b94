"""A trained operator as a function of physical fields: numpy, torch or xarray in, the same out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from opforge.core.grid import AXIS_NAMES, Grid
from opforge.errors import InputError
from opforge.training.normalisation import Normaliser

if TYPE_CHECKING:
    import xarray as xr


class Operator:
    """A model with its normaliser and the names of its fields: u = decode(model(encode(a))).

    Args:
        model: (batch, in_channels, *space) -> (batch, out_channels, *space), on values of order one.
        normaliser: between physical values and the model's.
        inputs, outputs: names of the channels.
        grid: the grid that it was trained on; it may be called on others. None if unknown.
        provenance: where the training data come from, plain JSON values.
        training: how it was trained, plain JSON values.

    Calling it takes and gives back physical values:

    - torch or numpy, (batch, in_channels, *space), (in_channels, *space), or (*space) if it has one input and one
      output channel; the result has the same number of axes, dtype and device. The model computes in its own dtype.
      For torch it is differentiable with respect to an input that requires a gradient.
    - an xarray Dataset with the input variables, or a DataArray if there is one input; axes in any order, named x, y,
      z, and at most one more (``sample``). The result has the output names and the input's axes and coordinates; it is
      a DataArray where a DataArray came and there is one output, else a Dataset.

    ``batch_size`` samples go through the model at a time. Errors are `InputError`: another number of channels or axes,
    a missing variable, values that are not finite (the text names sample and variable).

    Example:
        >>> from opforge.training.normalisation import Normaliser
        >>> double = Operator(nn.Identity(), Normaliser([0.0], [1.0], [0.0], [2.0]), inputs=["a"], outputs=["u"])
        >>> double(np.ones((1, 1, 4)))
        array([[[2., 2., 2., 2.]]])
    """

    def __init__(
        self,
        model: nn.Module,
        normaliser: Normaliser,
        *,
        inputs: Sequence[str],
        outputs: Sequence[str],
        grid: Grid | None = None,
        provenance: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model.eval()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.grid = grid
        self.provenance = dict(provenance or {})
        self.training = dict(training or {})
        self.normaliser = normaliser
        for side, names in (("input", self.inputs), ("output", self.outputs)):
            count = len(getattr(normaliser, f"{side}_mean"))
            if count != len(names):
                raise InputError(f"{side}s: expected one name per channel of the normaliser ({count}), got {names}")

    @property
    def _parameter(self) -> Tensor:
        return next(self.model.parameters(), torch.empty(0))

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self._parameter.device

    @property
    def dtype(self) -> torch.dtype:
        """In what precision the model computes."""
        return self._parameter.dtype

    @property
    def in_channels(self) -> int:
        return len(self.inputs)

    @property
    def out_channels(self) -> int:
        return len(self.outputs)

    @property
    def ndim(self) -> int | None:
        """Number of axes of space; None if neither the model nor the grid tells."""
        return getattr(self.model, "ndim", None) or (self.grid.ndim if self.grid else None)

    def __repr__(self) -> str:
        return f"Operator({type(self.model).__name__}: {', '.join(self.inputs)} -> {', '.join(self.outputs)})"

    def __call__(self, x: Any, *, batch_size: int = 32) -> Any:
        if batch_size < 1:
            raise InputError(f"batch_size: expected at least 1, got {batch_size}")
        xarray = sys.modules.get("xarray")  # an xarray object cannot come where xarray was never imported
        if xarray is not None and isinstance(x, (xarray.Dataset, xarray.DataArray)):
            return self._on_xarray(x, batch_size)
        if np.iscomplexobj(x) if isinstance(x, np.ndarray) else isinstance(x, Tensor) and x.is_complex():
            raise InputError(f"x: expected real values, got {x.dtype}; pass real and imaginary parts one by one")
        if isinstance(x, np.ndarray):
            kind = x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(np.float32)
            values = torch.from_numpy(np.array(x, dtype=kind.newbyteorder("="), order="C"))
            return self._on_tensor(values, batch_size).numpy().astype(kind, copy=False)
        if isinstance(x, Tensor):
            return self._on_tensor(x if x.is_floating_point() else x.to(torch.float32), batch_size)
        raise InputError(f"x: expected a numpy array, a torch tensor or an xarray object, got {type(x).__name__}")

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``folder/checkpoint``, which `load` reads back; returns the folder."""
        from opforge.training.checkpoint import save

        return save(self, folder, overwrite=overwrite)

    def _on_tensor(self, x: Tensor, batch_size: int) -> Tensor:
        missing = self._missing_axes(tuple(x.shape))
        batch = x[(None,) * missing]
        if batch.shape[1] != self.in_channels:
            remedy = "stack one field per input on that axis"
            if missing and self.in_channels == 1:
                remedy = "a batch of fields needs an axis of channels too: x[:, None]"
            raise InputError(
                f"in_channels: expected {self.in_channels} ({', '.join(self.inputs)}), got {batch.shape[1]} on axis "
                f"{1 - missing} of shape {tuple(x.shape)}; {remedy}"
            )
        if batch.numel() == 0:
            raise InputError(f"x: expected at least one sample and one point, got shape {tuple(x.shape)}")
        parts = []
        with torch.set_grad_enabled(torch.is_grad_enabled() and x.requires_grad):
            for start, part in zip(range(0, len(batch), batch_size), batch.split(batch_size), strict=True):
                self._check_finite(part, start)
                coded = self.normaliser.encode(part.to(self.device, self.dtype))
                parts.append(self.normaliser.decode(self.model(coded)).to(x.device, x.dtype))
        return torch.cat(parts)[(0,) * missing]

    def _missing_axes(self, shape: tuple[int, ...]) -> int:
        """How many of the leading axes (batch, channels) the caller left out."""
        ndim = self.ndim if self.ndim is not None else len(shape) - 2
        missing = ndim + 2 - len(shape)
        allowed = 2 if self.in_channels == self.out_channels == 1 else 1
        if ndim < 1 or not 0 <= missing <= allowed:
            forms = ["(batch, channels, *space)", "(channels, *space)", "(*space)"][: allowed + 1]
            space = f"{ndim} axes of space" if ndim > 0 else "at least 1 axis of space"
            raise InputError(f"x: expected {' or '.join(forms)} with {space}, got shape {shape}; add or drop axes")
        return missing

    def _check_finite(self, part: Tensor, start: int) -> None:
        if torch.isfinite(part).all():
            return
        row, channel = (~torch.isfinite(part)).flatten(2).any(2).nonzero()[0].tolist()
        raise InputError(
            f"x: expected finite values, got NaN or infinity in variable {self.inputs[channel]!r} of sample "
            f"{start + row}; repair or leave out that sample"
        )

    def _on_xarray(self, x: xr.Dataset | xr.DataArray, batch_size: int) -> xr.Dataset | xr.DataArray:
        import xarray as xr

        fields = self._fields_of(x)
        first = fields[0]
        space = AXIS_NAMES[: self.ndim] if self.ndim else tuple(d for d in AXIS_NAMES if d in first.dims)
        rest = tuple(d for d in first.dims if d not in space)
        for name, field in zip(self.inputs, fields, strict=True):
            if set(field.dims) != {*rest, *space} or len(rest) > 1 or not set(space) <= set(field.dims):
                raise InputError(
                    f"x: expected variable {name!r} with axes {', '.join(space)} and at most one more (sample), got "
                    f"({', '.join(map(str, field.dims))}); select or rename axes"
                )
        stacked = np.stack([field.transpose(*rest, *space).values for field in fields], axis=len(rest))
        result = self(stacked if rest else stacked[None], batch_size=batch_size)
        arrays = {
            name: xr.DataArray(
                result[:, i] if rest else result[0, i],
                dims=(*rest, *space),
                coords={key: value for key, value in first.coords.items() if set(value.dims) <= {*rest, *space}},
                name=name,
            ).transpose(*first.dims)
            for i, name in enumerate(self.outputs)
        }
        if isinstance(x, xr.DataArray) and self.out_channels == 1:
            return arrays[self.outputs[0]]
        return xr.Dataset(arrays)

    def _fields_of(self, x: xr.Dataset | xr.DataArray) -> list[xr.DataArray]:
        import xarray as xr

        if isinstance(x, xr.DataArray):
            if self.in_channels > 1:
                raise InputError(
                    f"in_channels: expected {self.in_channels}, got one DataArray; "
                    f"pass a Dataset with {', '.join(self.inputs)}"
                )
            return [x]
        for name in self.inputs:
            if name not in x:
                close = get_close_matches(name, map(str, x.data_vars), n=1)
                hint = f"did you mean {close[0]!r}? " if close else ""
                raise InputError(
                    f"x: expected variable {name!r}, the Dataset has {', '.join(map(str, x.data_vars)) or 'none'}; "
                    f"{hint}rename it with x.rename(...)"
                )
        return [x[name] for name in self.inputs]
