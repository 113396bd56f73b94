"""Pictures of fields, of predictions beside the truth, and of a training's history.

Every function returns a `matplotlib.figure.Figure` that belongs to no window and no global state: call its
``savefig``. Fields are arrays of shape ``grid.shape`` with axes x, y, z; in three dimensions the middle plane of the
last axis is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from opforge.core import Grid
from opforge.errors import InputError

FIELD_COLOURS = "viridis"
SIGNED_COLOURS = "RdBu_r"
_DPI = 100


@dataclass(frozen=True)
class _Panel:
    """One picture: what its title says, the arrays by legend entry (one only in 2-D and 3-D), and its colours."""

    title: str
    arrays: Mapping[str, np.ndarray]
    colours: str = FIELD_COLOURS
    limits: tuple[float, float] = field(default=(-np.inf, np.inf))


def plot_sample(
    fields: Mapping[str, Any],
    grid: Grid,
    *,
    labels: Mapping[str, str] | None = None,
    title: str = "",
    length_unit: str = "",
) -> Figure:
    """Draw the fields of one sample side by side, each with its own colour bar.

    Args:
        fields: name -> array of shape ``grid.shape`` (numpy or torch).
        grid: where the points lie.
        labels: name -> text to show instead of the name, for example ``"pressure u (Pa)"``.
        title: line above the panels.
        length_unit: unit of the coordinates for the axis labels; none for a dimensionless box.

    Returns:
        A figure with one panel a field.

    Raises:
        InputError: no fields, or one whose shape is not the grid's.

    Example:
        >>> grid = Grid.cube(2, 8)
        >>> x, y = grid.mesh()
        >>> figure = plot_sample({"u": x * y}, grid, labels={"u": "pressure u"})
        >>> figure.axes[0].get_title()
        'pressure u'
    """
    if not fields:
        raise InputError("fields must hold at least one field to draw, got none")
    shown = {name: _array(name, values, grid) for name, values in fields.items()}
    row = [_Panel(_label(name, labels), {name: array}) for name, array in shown.items()]
    return _figure([row], grid, title=title, length_unit=length_unit)


def plot_prediction(
    inputs: Mapping[str, Any],
    truth: Mapping[str, Any],
    prediction: Mapping[str, Any],
    *,
    grid: Grid,
    labels: Mapping[str, str] | None = None,
    title: str = "",
    length_unit: str = "",
) -> Figure:
    """Draw input, truth, prediction and error of one sample, a row for each output.

    Truth and prediction share one colour scale. The error is prediction − truth; its title gives
    ‖prediction − truth‖₂ / ‖truth‖₂. In one dimension truth and prediction share one panel.

    Args:
        inputs: name -> array of shape ``grid.shape``.
        truth: name -> array of shape ``grid.shape``.
        prediction: arrays under the same names as ``truth``.
        grid: where the points lie.
        labels: name -> text to show instead of the name.
        title: line above the panels.
        length_unit: unit of the coordinates for the axis labels.

    Returns:
        A figure with one row an output.

    Raises:
        InputError: names of truth and prediction that differ, no output, a shape that is not the grid's.

    Example:
        >>> grid = Grid.cube(2, 8)
        >>> x, y = grid.mesh()
        >>> figure = plot_prediction({"a": x}, {"u": y}, {"u": 1.01 * y}, grid=grid)
        >>> [axes.get_title() for axes in figure.axes[:4]]
        ['input: a', 'truth: u', 'prediction: u', 'error: 1.00 % in L2']
    """
    if not truth or set(truth) != set(prediction):
        raise InputError(f"prediction must hold the outputs {sorted(truth)}, got {sorted(prediction)}")
    left: list[_Panel | None] = [
        _Panel(f"input: {_label(name, labels)}", {name: _array(name, values, grid)}) for name, values in inputs.items()
    ]
    right: list[Sequence[_Panel | None]] = [
        _output_panels(_label(name, labels), _array(name, truth[name], grid), _array(name, prediction[name], grid))
        for name in truth
    ]
    blank = [None] * len(right[0])
    rows = [[*([panel] if inputs else []), *(outputs or blank)] for panel, outputs in zip_longest(left, right)]
    return _figure(rows, grid, title=title, length_unit=length_unit)


def plot_history(history: Sequence[Mapping[str, Any]], *, title: str = "") -> Figure:
    """Draw the learning curve: every loss and error of the history against the epoch, on a log scale.

    Args:
        history: one mapping an epoch with ``epoch`` and the numbers ``train_*`` and ``validation_*``.
        title: line above the panel.

    Returns:
        A figure with one panel.

    Raises:
        InputError: an empty history, or one without any of these numbers.

    Example:
        >>> figure = plot_history([{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.2}])
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['training loss']
    """
    curves = _curves(history)
    if not curves:
        raise InputError(
            "history must hold one mapping an epoch with 'epoch' and numbers such as 'train_loss', got "
            + (f"the keys {sorted(history[0])}" if history else "an empty one")
        )
    figure = Figure(figsize=(6.4, 4.0), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    for (label, style, colour), (epochs, values) in curves.items():
        axes.plot(epochs, values, style, color=colour, label=label, markersize=4, linewidth=1.6)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("epoch")
    axes.set_ylabel("relative error")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(which="both", alpha=0.25)
    axes.legend(frameon=False)
    if title:
        axes.set_title(title)
    return figure


def _label(name: str, labels: Mapping[str, str] | None) -> str:
    return (labels or {}).get(name, name)


def _array(name: str, values: Any, grid: Grid) -> np.ndarray:
    """A float64 numpy array of the grid's shape, from numpy or torch (any device)."""
    detached = values.detach().cpu() if hasattr(values, "detach") else values
    array = np.asarray(detached, dtype=np.float64)
    if array.shape != grid.shape:
        raise InputError(
            f"field {name!r} must have the grid's shape {grid.shape}, got {array.shape}; "
            "give one sample and one channel"
        )
    return array


def _output_panels(label: str, truth: np.ndarray, prediction: np.ndarray) -> list[_Panel | None]:
    """Truth, prediction and error of one output; truth and prediction as two lines of one panel in 1-D."""
    error = prediction - truth
    size = float(np.linalg.norm(truth))
    share = f": {100 * float(np.linalg.norm(error)) / size:.2f} % in L2" if size > 0 else ""
    if truth.ndim == 1:
        both = _Panel(f"truth and prediction: {label}", {"truth": truth, "prediction": prediction})
        return [both, _Panel(f"error{share}", {"prediction − truth": error}, SIGNED_COLOURS)]
    # One scale for both, so that equal colours are equal values; the planes shown set it.
    limits = (
        float(min(_plane(truth).min(), _plane(prediction).min())),
        float(max(_plane(truth).max(), _plane(prediction).max())),
    )
    largest = float(np.abs(_plane(error)).max())
    return [
        _Panel(f"truth: {label}", {label: truth}, limits=limits),
        _Panel(f"prediction: {label}", {label: prediction}, limits=limits),
        _Panel(f"error{share}", {label: error}, SIGNED_COLOURS, (-largest, largest)),
    ]


def _plane(array: np.ndarray) -> np.ndarray:
    """The array itself, or the middle plane of the last axis in 3-D."""
    return array[..., array.shape[2] // 2] if array.ndim == 3 else array


def _figure(rows: Sequence[Sequence[_Panel | None]], grid: Grid, *, title: str, length_unit: str) -> Figure:
    unit = f" ({length_unit})" if length_unit else ""
    columns = max(len(row) for row in rows)
    width, height = (4.2, 3.0) if grid.ndim == 1 else (3.6, 3.0)
    space = 0.35 if title or grid.ndim == 3 else 0.0
    figure = Figure(figsize=(width * columns, height * len(rows) + space), dpi=_DPI, layout="constrained")
    all_axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, row_axes in zip(rows, all_axes, strict=True):
        for panel, axes in zip_longest(row, row_axes):
            if panel is None:
                axes.set_axis_off()
            elif grid.ndim == 1:
                _draw_lines(axes, panel, grid, unit=unit)
            else:
                _draw_plane(figure, axes, panel, grid=grid, unit=unit)
    if grid.ndim == 3:
        title = " — ".join(part for part in (title, f"plane {_plane_text(grid)}") if part)
    if title:
        figure.suptitle(title, fontsize=12)
    return figure


def _plane_text(grid: Grid) -> str:
    return f"z = {grid.coordinates()[2][grid.shape[2] // 2]:.3g}"


def _draw_lines(axes: Axes, panel: _Panel, grid: Grid, *, unit: str) -> None:
    (x,) = grid.coordinates()
    for number, (name, values) in enumerate(panel.arrays.items()):
        # A dashed line on top, so that the line under it shows where the two agree.
        axes.plot(x, values, "--" if number else "-", color=f"C{number}", label=name, linewidth=1.6)
    if len(panel.arrays) > 1:
        axes.legend(frameon=False, fontsize=9)
    axes.set_xlabel(f"x{unit}")
    axes.set_title(panel.title, fontsize=11)
    axes.grid(alpha=0.25)


def _draw_plane(figure: Figure, axes: Axes, panel: _Panel, *, grid: Grid, unit: str) -> None:
    (values,) = panel.arrays.values()
    low, high = panel.limits
    image = axes.imshow(
        _plane(values).T,  # axis x runs to the right, y upwards
        origin="lower",
        extent=_extent(grid),
        cmap=panel.colours,
        vmin=low if np.isfinite(low) else None,
        vmax=high if np.isfinite(high) else None,
        interpolation="nearest",
        aspect="equal",
    )
    bar = figure.colorbar(image, ax=axes, shrink=0.85, pad=0.02)
    bar.formatter.set_powerlimits((-2, 3))  # type: ignore[attr-defined]  # a ScalarFormatter unless one is given
    bar.ax.tick_params(labelsize=9)
    axes.set_xlabel(f"x{unit}")
    axes.set_ylabel(f"y{unit}")
    axes.xaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10]))
    axes.tick_params(labelsize=9)
    axes.set_title(panel.title, fontsize=11)


def _extent(grid: Grid) -> tuple[float, float, float, float]:
    """Edges of the picture: half a spacing beyond the outermost points in x and y."""
    (x, y), (hx, hy) = grid.coordinates()[:2], grid.spacing[:2]
    return x[0] - hx / 2, x[-1] + hx / 2, y[0] - hy / 2, y[-1] + hy / 2


def _curves(history: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, str], tuple[list, list]]:
    """(legend, line style, colour) -> epochs and values, for the numbers that exist and can go on a log scale."""
    curves: dict[tuple[str, str, str], tuple[list, list]] = {}
    names = sorted({name for entry in history for name in entry})
    for number, name in enumerate(n for n in names if n.startswith(("train_", "validation_"))):
        points = [
            (entry["epoch"], entry[name])
            for entry in history
            if isinstance(entry.get(name), (int, float)) and entry[name] > 0
        ]
        if points:
            part, _, quantity = name.partition("_")
            part = "training" if part == "train" else part
            quantity = quantity.replace("relative_l2", "relative L2").replace("h1", "H1")
            epochs, values = zip(*points, strict=True)
            style = ".-" if len(points) <= 60 else "-"
            curves[f"{part} {quantity}", style, f"C{number}"] = (list(epochs), list(values))
    return curves
