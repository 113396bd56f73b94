"""Panels of a picture: fields as lines in 1-D, as coloured planes in 2-D and 3-D, in rows, in matplotlib's figures.

A figure belongs to no window and no global state: call its ``savefig``. Axis x runs to the right, y upwards; in three
dimensions the middle plane of the last axis is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from opforge.core import Grid
from opforge.errors import InputError

FIELD_COLOURS = "viridis"
SIGNED_COLOURS = "RdBu_r"
DPI = 100

# Inches that a letter of a bar's label takes, with room to the next row; letters below which lines are not broken.
_LETTER, _SHORTEST_LINE = 0.08, 12


@dataclass(frozen=True)
class Panel:
    """One picture.

    Args:
        title: above it.
        arrays: what is drawn, by legend entry; one only in 2-D and 3-D.
        colours: matplotlib's colour map.
        limits: of the colours; the array's own unless given.
        bar: whether it has a colour bar.
    """

    title: str
    arrays: Mapping[str, np.ndarray]
    colours: str = FIELD_COLOURS
    limits: tuple[float, float] = field(default=(-np.inf, np.inf))
    bar: bool = True


def draw(rows: Sequence[Sequence[Panel | None]], grid: Grid, *, title: str, length_unit: str) -> Figure:
    """A new figure with these rows of panels.

    Args:
        rows: a None leaves its place free.
        grid: where the points of all arrays lie.
        title: line above the panels.
        length_unit: of the coordinates, for the axis labels; none for a dimensionless box.

    Example:
        >>> grid = Grid.cube(2, 8)
        >>> figure = draw([[Panel("x", {"x": grid.mesh()[0]})]], grid, title="", length_unit="m")
        >>> figure.axes[0].get_xlabel()
        'x (m)'
    """
    columns = max(len(row) for row in rows)
    figure = Figure(figsize=size(grid, len(rows), columns, title=title), dpi=DPI, layout="constrained")
    for row, axes in zip(rows, figure.subplots(len(rows), columns, squeeze=False), strict=True):
        draw_row(figure, row, axes, grid, length_unit=length_unit)
    add_title(figure, grid, title)
    return figure


def size(grid: Grid, rows: int, columns: int, *, title: str) -> tuple[float, float]:
    """Width and height in inches of a figure with so many panels, which have the shape of the box."""
    width, height = 4.2, 3.0
    if grid.ndim > 1:
        width = 3.6
        height = 0.75 + 2.25 * float(np.clip(grid.lengths[1] / grid.lengths[0], 0.4, 2.0))
    return width * columns, height * rows + (0.35 if title or grid.ndim == 3 else 0.0)


def as_array(name: str, values: Any, shape: Sequence[int]) -> np.ndarray:
    """A float64 numpy array of this shape, from numpy or torch (any device).

    Raises:
        InputError: another shape.
    """
    detached = values.detach().cpu() if hasattr(values, "detach") else values
    array = np.asarray(detached, dtype=np.float64)
    if array.shape != tuple(shape):
        raise InputError(
            f"field {name!r} must have the grid's shape {tuple(shape)}, got {array.shape}; "
            "give one sample and one channel"
        )
    return array


def draw_row(
    figure: FigureBase, row: Sequence[Panel | None], axes: Sequence[Axes], grid: Grid, *, length_unit: str
) -> None:
    """Draw panels into axes, and switch those axes off that get none."""
    unit = f" ({length_unit})" if length_unit else ""
    for panel, one in zip_longest(row, axes):
        if panel is None:
            one.set_axis_off()
        elif grid.ndim == 1:
            draw_lines(one, panel, grid, unit=unit)
        else:
            draw_plane(figure, one, panel, grid, unit=unit)


def add_title(figure: FigureBase, grid: Grid, title: str) -> None:
    """The line above all panels; in 3-D it says which plane they show."""
    if grid.ndim == 3:
        title = " — ".join(part for part in (title, f"plane {_plane_text(grid)}") if part)
    if title:
        figure.suptitle(title, fontsize=12)


def plane(array: np.ndarray) -> np.ndarray:
    """The array itself, or the middle plane of the last axis in 3-D."""
    return array[..., array.shape[2] // 2] if array.ndim == 3 else array


def _plane_text(grid: Grid) -> str:
    return f"z = {grid.coordinates()[2][grid.shape[2] // 2]:.3g}"


def draw_lines(axes: Axes, panel: Panel, grid: Grid, *, unit: str) -> None:
    """Lines over x, the second and later ones dashed."""
    (x,) = grid.coordinates()
    for number, (name, values) in enumerate(panel.arrays.items()):
        # A dashed line on top, so that the line under it shows where the two agree.
        axes.plot(x, values, "--" if number else "-", color=f"C{number}", label=name, linewidth=1.6)
    if len(panel.arrays) > 1:
        axes.legend(frameon=False, fontsize=9)
    axes.set_xlabel(f"x{unit}")
    axes.set_title(panel.title, fontsize=11)
    axes.grid(alpha=0.25)


def draw_plane(figure: FigureBase, axes: Axes, panel: Panel, grid: Grid, *, unit: str) -> AxesImage:
    """Colours over x and y."""
    (values,) = panel.arrays.values()
    low, high = panel.limits
    image = axes.imshow(
        plane(values).T,  # axis x runs to the right, y upwards
        origin="lower",
        extent=_extent(grid),
        cmap=panel.colours,
        vmin=low if np.isfinite(low) else None,
        vmax=high if np.isfinite(high) else None,
        interpolation="nearest",
        aspect="equal",
    )
    if panel.bar:
        add_bar(figure, image, [axes])
    axes.set_xlabel(f"x{unit}")
    axes.set_ylabel(f"y{unit}")
    axes.xaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10]))
    axes.tick_params(labelsize=9)
    axes.set_title(panel.title, fontsize=11)
    return image


def add_bar(figure: FigureBase, image: AxesImage, axes: Sequence[Axes], label: str = "") -> None:
    """A colour bar for an image, beside the axes whose colours it explains; its label in lines no longer than a row."""
    bar = figure.colorbar(image, ax=axes, shrink=0.85, pad=0.02)
    bar.formatter.set_powerlimits((-2, 3))  # type: ignore[attr-defined]  # a ScalarFormatter unless one is given
    bar.ax.tick_params(labelsize=9)
    if label:
        place = axes[0].get_subplotspec()
        rows = 1 if place is None else place.get_gridspec().nrows
        inches = figure.bbox.height / figure.get_figure(root=True).dpi  # type: ignore[attr-defined]  # of both kinds
        bar.set_label(
            fill(label, max(_SHORTEST_LINE, int(inches / rows / _LETTER)), break_long_words=False), fontsize=10
        )


def _extent(grid: Grid) -> tuple[float, float, float, float]:
    """Edges of the picture: half a spacing beyond the outermost points in x and y."""
    (x, y), (hx, hy) = grid.coordinates()[:2], grid.spacing[:2]
    return x[0] - hx / 2, x[-1] + hx / 2, y[0] - hy / 2, y[-1] + hy / 2
