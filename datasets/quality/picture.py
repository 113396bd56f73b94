"""Pictures of a dataset: one sample, with its course in time; and its spectra and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from opforge.core import Grid
from opforge.datasets.quality.panels import (
    DPI,
    FIELD_COLOURS,
    Panel,
    add_bar,
    add_title,
    as_array,
    draw_plane,
    draw_row,
    plane,
    size,
)
from opforge.errors import InputError

if TYPE_CHECKING:
    from opforge.datasets.quality.spectra import Spectrum
    from opforge.datasets.reading.dataset import OperatorDataset

# Frames that are drawn of a field that evolves; their lines go from light to dark.
FRAMES = 4
_LINE_COLOURS = colormaps["viridis"]

# Bars of the values' histogram.
_BINS = 60


def sample_picture(dataset: OperatorDataset, index: int, fields: Sequence[str] | None = None) -> Figure:
    """All fields of one sample, as `plot_sample` draws them.

    Args:
        dataset: of any origin.
        index: of the sample, from 0.
        fields: names of those to draw; all unless given.

    Example:
        >>> import opforge
        >>> sample_picture(opforge.generate("darcy", 2, 16), 1).get_suptitle()
        'sample 1'
    """
    name = f"{dataset.path.name}, " if dataset.path is not None else ""
    return plot_sample(
        {key: values for key, values in _sample(dataset, index).items() if fields is None or key in fields},
        dataset.grid,
        times=dataset.times if dataset.evolving else None,
        labels=labels(dataset),
        title=f"{name}sample {index}",
        length_unit=_unit(dataset, "x"),
        time_unit=_unit(dataset, "time"),
    )


def plot_sample(
    fields: Mapping[str, Any],
    grid: Grid,
    *,
    times: Sequence[float] | np.ndarray | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "",
    length_unit: str = "",
    time_unit: str = "",
) -> Figure:
    """Draw the fields of one sample side by side, each with its own colour bar.

    Of a field that evolves, four frames from the first to the last are drawn in a row, in the same colours; in one
    dimension, its course over space and time, time upwards, and these frames as lines.

    Args:
        fields: name -> array of shape ``grid.shape`` or, where it evolves, (frames, *grid.shape); numpy or torch.
        grid: where the points lie.
        times: of the frames; none where nothing evolves.
        labels: name -> text to show instead of the name, for example ``"pressure u (Pa)"``.
        title: line above the panels.
        length_unit: unit of the coordinates for the axis labels; none for a dimensionless box.
        time_unit: unit of the times.

    Returns:
        A figure with one panel a field, and a row for each that evolves.

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
    sample = _Sample(fields, grid, times, labels or {}, (length_unit, time_unit))
    figure = Figure(figsize=sample.size(title), dpi=DPI, layout="constrained")
    sample.draw(figure)
    add_title(figure, grid, title)
    figure.draw_without_rendering()  # the first layout does not know yet how wide the bars' labels are
    return figure


def quality_picture(dataset: OperatorDataset, spectra: Mapping[str, Spectrum], index: int = 0) -> Figure:
    """The spectra of all fields, the values that they have, and one sample.

    Args:
        dataset: of any origin.
        spectra: as `opforge.datasets.quality.spectra.spectra` gives them.
        index: of the sample; its title is its number, see `opforge.datasets.quality.summary.numbers`.

    Example:
        >>> import opforge
        >>> from opforge.datasets.quality.spectra import spectra
        >>> data = opforge.generate("darcy", 2, 16)
        >>> [axes.get_title() for axes in quality_picture(data, spectra(data)).axes[:3]]
        ['energy spectra', 'permeability a', 'pressure u']
    """
    from opforge.datasets.quality.spectra import SAMPLES, spread
    from opforge.datasets.quality.summary import numbers

    names = labels(dataset)
    units = (_unit(dataset, "x"), _unit(dataset, "time"))
    sample = _Sample(_sample(dataset, index), dataset.grid, dataset.times, names, units)
    width, height = sample.size("sample")
    columns = min(1 + len(dataset.fields), 4)
    rows = -(-(1 + len(dataset.fields)) // columns)
    figure = Figure(figsize=(max(width, 3.4 * columns), 3.0 * rows + height), dpi=DPI, layout="constrained")
    above, below = np.ravel(figure.subfigures(2, 1, squeeze=False, height_ratios=[3.0 * rows, height]))
    first, *others = above.subplots(rows, columns, squeeze=False).ravel()
    _draw_spectra(first, spectra, names, units[0])
    values = dataset.arrays(spread(dataset.samples, SAMPLES))
    for axes in others[len(values) :]:
        axes.set_axis_off()
    for axes, (name, field) in zip(others, values.items(), strict=False):
        _draw_values(axes, field, names[name])
    sample.draw(below)
    add_title(below, dataset.grid, f"sample {numbers(dataset)[index]}")
    return figure


def labels(dataset: OperatorDataset) -> dict[str, str]:
    """Name in words, symbol and unit of every field.

    Example:
        >>> import opforge
        >>> labels(opforge.generate("darcy", 1, 8))
        {'a': 'permeability a', 'u': 'pressure u'}
    """
    found = {}
    for name in dataset.fields:
        words = dataset.header.describe(name).get("long_name", name)
        unit = _unit(dataset, name)
        found[name] = (name if words == name else f"{words} {name}") + (f" ({unit})" if unit else "")
    return found


def _unit(dataset: OperatorDataset, name: str) -> str:
    """The unit as a label has it: nothing for what has no dimension."""
    unit = dataset.header.describe(name).get("units", "")
    return "" if unit == "1" else unit


def _sample(dataset: OperatorDataset, index: int) -> dict[str, np.ndarray]:
    return {name: values[0] for name, values in dataset.arrays([index]).items()}


class _Sample:
    """The panels of one sample, to be drawn into a figure or a part of one."""

    def __init__(
        self,
        fields: Mapping[str, Any],
        grid: Grid,
        times: Sequence[float] | np.ndarray | None,
        labels: Mapping[str, str],
        units: tuple[str, str],
    ):
        self._grid = grid
        self._labels = labels
        self._length_unit, self._time_unit = units
        self._times = np.asarray(() if times is None else times, dtype=np.float64)
        self._still: dict[str, np.ndarray] = {}
        self._moving: dict[str, np.ndarray] = {}
        for name, values in fields.items():
            evolves = times is not None and len(values.shape) > grid.ndim
            shape = (len(self._times), *grid.shape) if evolves else grid.shape
            (self._moving if evolves else self._still)[name] = as_array(name, values, shape)

    @property
    def layout(self) -> tuple[int, int]:
        """Rows and columns of panels."""
        moving = len(self._moving)
        columns = (2 if self._grid.ndim == 1 else min(FRAMES, len(self._times))) if moving else len(self._still)
        return -(-len(self._still) // columns) + moving, columns

    def size(self, title: str) -> tuple[float, float]:
        """Width and height in inches."""
        width, height = size(self._grid, *self.layout, title=title)
        if self._moving and self._grid.ndim > 1:  # one colour bar for a row
            width = 2.45 * self.layout[1] + 1.2
        return width, height

    def draw(self, figure: FigureBase) -> None:
        rows, columns = self.layout
        all_axes = figure.subplots(rows, columns, squeeze=False)
        panels = [Panel(self._label(name), {name: array}) for name, array in self._still.items()]
        below = rows - len(self._moving)
        for row, axes in enumerate(all_axes[:below]):
            part = panels[row * columns : (row + 1) * columns]
            draw_row(figure, part, axes, self._grid, length_unit=self._length_unit)
        for axes, (name, frames) in zip(all_axes[below:], self._moving.items(), strict=True):
            (self._draw_course if self._grid.ndim == 1 else self._draw_frames)(figure, axes, name, frames)

    def _label(self, name: str) -> str:
        return self._labels.get(name, name)

    def _chosen(self) -> list[int]:
        """The frames that are drawn: the first, the last, and those between."""
        last = len(self._times) - 1
        return sorted({round(i * last / (FRAMES - 1)) for i in range(FRAMES)})

    def _time(self, frame: int) -> str:
        return f"t = {self._times[frame]:.3g}" + (f" {self._time_unit}" if self._time_unit else "")

    def _draw_frames(self, figure: FigureBase, axes: Sequence[Axes], name: str, frames: np.ndarray) -> None:
        """Frames side by side in one scale."""
        chosen = self._chosen()
        shown = [plane(frames[frame]) for frame in chosen]
        limits = float(np.min(shown)), float(np.max(shown))
        unit = f" ({self._length_unit})" if self._length_unit else ""
        for one, frame in zip(axes, chosen, strict=False):
            panel = Panel(self._time(frame), {name: frames[frame]}, limits=limits, bar=False)
            image = draw_plane(figure, one, panel, self._grid, unit=unit)
            one.label_outer()
        for one in axes[len(chosen) :]:
            one.set_axis_off()
        add_bar(figure, image, list(axes), self._label(name))

    def _draw_course(self, figure: FigureBase, axes: Sequence[Axes], name: str, frames: np.ndarray) -> None:
        """A field of one dimension over space and time, and some of its frames."""
        (x,), (h,) = self._grid.coordinates(), self._grid.spacing
        unit, time_unit = (f" ({each})" if each else "" for each in (self._length_unit, self._time_unit))
        # frames may lie unevenly in time: each is drawn from halfway to the one before to halfway to the next
        edges = np.concatenate([self._times[:1], (self._times[1:] + self._times[:-1]) / 2, self._times[-1:]])
        image = axes[0].pcolormesh(np.append(x - h / 2, x[-1] + h / 2), edges, frames, cmap=FIELD_COLOURS)
        image.set_rasterized(True)
        add_bar(figure, image, [axes[0]])
        axes[0].set(xlabel=f"x{unit}", ylabel=f"t{time_unit}")
        axes[0].set_title(self._label(name), fontsize=11)
        chosen = self._chosen()
        for number, frame in enumerate(chosen):
            shade = _LINE_COLOURS(0.9 - 0.9 * number / max(1, len(chosen) - 1))
            # the last one dashed, so that it does not hide what comes back to where it was
            style = "--" if frame == chosen[-1] else "-"
            axes[1].plot(x, frames[frame], style, color=shade, linewidth=1.6, label=self._time(frame))
        axes[1].set(xlabel=f"x{unit}", ylabel=self._label(name))
        axes[1].grid(alpha=0.25)
        axes[1].legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=1.2)


def _draw_spectra(axes: Axes, spectra: Mapping[str, Spectrum], names: Mapping[str, str], length_unit: str) -> None:
    """Every spectrum up to the last complete shell, as shares of the energy without the mean."""
    for name, spectrum in spectra.items():
        shells = slice(1, spectrum.nyquist + 1)
        if not spectrum.constant:
            shares = spectrum.energy[shells] / spectrum.energy[1:].sum()
            axes.plot(spectrum.wavenumbers[shells], shares, label=names[name], linewidth=1.6)
    axes.set(xscale="log", yscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"wavenumber (rad/{length_unit})" if length_unit else "wavenumber (rad per unit of length)")
    axes.set_ylabel("share of the energy")
    axes.set_title("energy spectra", fontsize=11)
    axes.grid(alpha=0.25)
    if axes.lines:
        axes.legend(frameon=False, fontsize=9)


def _draw_values(axes: Axes, values: np.ndarray, label: str) -> None:
    """A histogram."""
    counts, edges = np.histogram(values, _BINS)
    axes.stairs(counts / values.size, edges, fill=True, alpha=0.7)
    axes.set_ylabel("share of the points")
    axes.set_title(label, fontsize=11)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.ticklabel_format(axis="x", scilimits=(-2, 3))
