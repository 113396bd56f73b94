"""Pictures of fields, of predictions beside the truth, and of a training's history.

Every function returns a `matplotlib.figure.Figure` that belongs to no window and no global state: call its
``savefig``. Fields are arrays of shape ``grid.shape`` with axes x, y, z; in three dimensions the middle plane of the
last axis is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from opforge.core import Grid
from opforge.datasets.quality.panels import DPI, SIGNED_COLOURS, Panel, as_array, draw, plane
from opforge.datasets.quality.picture import plot_sample
from opforge.errors import InputError

__all__ = ["plot_convergence", "plot_history", "plot_prediction", "plot_sample"]


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
    left: list[Panel | None] = [
        Panel(f"input: {_label(name, labels)}", {name: as_array(name, values, grid.shape)})
        for name, values in inputs.items()
    ]
    right: list[Sequence[Panel | None]] = [
        _output_panels(
            _label(name, labels), as_array(name, truth[name], grid.shape), as_array(name, prediction[name], grid.shape)
        )
        for name in truth
    ]
    blank = [None] * len(right[0])
    rows = [[*([panel] if inputs else []), *(outputs or blank)] for panel, outputs in zip_longest(left, right)]
    return draw(rows, grid, title=title, length_unit=length_unit)


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
    figure = Figure(figsize=(6.4, 4.0), dpi=DPI, layout="constrained")
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


def plot_convergence(
    histories: Mapping[str, tuple[Any, tuple[float, float]]], *, rtol: float | None = None, title: str = ""
) -> Figure:
    """Draw how residuals fall, over iterations and over seconds with the set-up counted.

    Args:
        histories: name -> (relative residuals, the start's first; the seconds of set-up and solution), as
            `opforge.solve` gives them.
        rtol: the tolerance, a line.
        title: above the panels.

    Returns:
        A figure of two panels.

    Raises:
        InputError: no history.

    Example:
        >>> figure = plot_convergence({"cg": ([1.0, 0.1, 0.01], (0.0, 0.2))}, rtol=0.01)
        >>> figure.axes[1].lines[0].get_xdata().tolist()
        [0.0, 0.1, 0.2]
    """
    if not histories:
        raise InputError("histories must hold the residuals of one method at least, got none")
    figure = Figure(figsize=(9.0, 3.8), dpi=DPI, layout="constrained")
    over_iterations, over_time = figure.subplots(1, 2, sharey=True)
    for name, (residuals, (set_up, solution)) in histories.items():
        values = np.asarray(residuals, dtype=np.float64)
        values = values if values.ndim == 1 else values.max(axis=1)
        count = np.arange(len(values))
        over_iterations.plot(1 + count, values, label=name, linewidth=1.6)
        over_time.plot(set_up + solution * count / max(1, len(values) - 1), values, label=name, linewidth=1.6)
    for axes, label in ((over_iterations, "1 + iterations"), (over_time, "seconds, set-up included")):
        axes.set(xscale="log", yscale="log", xlabel=label)
        axes.grid(alpha=0.25)
        if rtol is not None:
            axes.axhline(rtol, color="0.7", linewidth=0.8, zorder=0)
    over_iterations.set_ylabel("relative residual")
    over_time.legend(frameon=False)
    if title:
        figure.suptitle(title)
    return figure


def _label(name: str, labels: Mapping[str, str] | None) -> str:
    return (labels or {}).get(name, name)


def _output_panels(label: str, truth: np.ndarray, prediction: np.ndarray) -> list[Panel | None]:
    """Truth, prediction and error of one output; truth and prediction as two lines of one panel in 1-D."""
    error = prediction - truth
    size = float(np.linalg.norm(truth))
    share = f": {100 * float(np.linalg.norm(error)) / size:.2f} % in L2" if size > 0 else ""
    if truth.ndim == 1:
        both = Panel(f"truth and prediction: {label}", {"truth": truth, "prediction": prediction})
        return [both, Panel(f"error{share}", {"prediction − truth": error}, SIGNED_COLOURS)]
    # One scale for both, so that equal colours are equal values; the planes shown set it.
    limits = (
        float(min(plane(truth).min(), plane(prediction).min())),
        float(max(plane(truth).max(), plane(prediction).max())),
    )
    largest = float(np.abs(plane(error)).max())
    return [
        Panel(f"truth: {label}", {label: truth}, limits=limits),
        Panel(f"prediction: {label}", {label: prediction}, limits=limits),
        Panel(f"error{share}", {label: error}, SIGNED_COLOURS, (-largest, largest)),
    ]


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
