"""A sample that evolves, as a moving picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opforge.datasets.files.whole import written_whole
from opforge.datasets.quality.panels import Panel, draw_plane, plane, size
from opforge.datasets.quality.picture import labels
from opforge.errors import InputError

if TYPE_CHECKING:
    from opforge.datasets.reading.dataset import OperatorDataset

#: Suffixes of files that hold moving pictures.
MOVING = (".gif", ".mp4")

_DPI = 80


def animate(
    dataset: OperatorDataset,
    path: Path,
    index: int = 0,
    *,
    frames_per_second: float = 10.0,
    fields: Sequence[str] | None = None,
) -> None:
    """Write one sample as a moving picture, a panel for each of its fields, with the same colours in all frames.

    Args:
        dataset: with fields that evolve.
        path: the file; ``.gif`` is written by Pillow, ``.mp4`` by the program ffmpeg.
        index: of the sample.
        frames_per_second: of the picture, greater than 0.
        fields: names of those to draw; all unless given.

    Raises:
        InputError: a dataset whose fields do not evolve, another suffix, no ffmpeg.

    Example:
        >>> import opforge
        >>> data = opforge.generate("advection", 1, 32, frames=3)
        >>> animate(data, Path("wave.gif"))
        >>> Path("wave.gif").stat().st_size > 1000
        True
    """
    from matplotlib.animation import FuncAnimation

    if dataset.times is None:
        raise InputError(f"a moving picture needs fields that change with time, {', '.join(dataset.fields)} do not")
    if not 0 < frames_per_second < np.inf:
        raise InputError(f"frames_per_second must be greater than 0, got {frames_per_second!r}")
    writer = _writer(path, frames_per_second)
    found = dataset.arrays([index])
    values = {name: array[0] for name, array in found.items() if fields is None or name in fields}
    grid, names = dataset.grid, labels(dataset)
    width, height = size(grid, 1, len(values), title="time")
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    axes = np.ravel(figure.subplots(1, len(values), squeeze=False))
    updates = [
        _drawn(figure, one, names[name], array, dataset, evolves=name in dataset.evolving)
        for one, (name, array) in zip(axes, values.items(), strict=True)
    ]
    times = dataset.times

    def show(frame: int) -> list[Any]:
        figure.suptitle(f"t = {times[frame]:.4g}", fontsize=11)
        return [update(frame) for update in updates]

    with written_whole(path) as partial:
        FuncAnimation(figure, show, frames=len(times)).save(partial, writer=writer)


def _writer(path: Path, frames_per_second: float) -> Any:
    from matplotlib.animation import FFMpegWriter, PillowWriter

    fps: Any = frames_per_second  # fractions are taken as well, whatever the annotation says

    if path.suffix.lower() == ".gif":
        return PillowWriter(fps=fps)
    if path.suffix.lower() != ".mp4":
        raise InputError(f"a moving picture is a file {' or '.join(MOVING)}, got {str(path)!r}")
    if not FFMpegWriter.isAvailable():
        raise InputError("an .mp4 file needs the program ffmpeg, which is not there; install it or write a .gif")
    return FFMpegWriter(fps=fps)


def _drawn(
    figure: Figure, axes: Axes, title: str, array: np.ndarray, dataset: OperatorDataset, *, evolves: bool
) -> Callable[[int], Any]:
    """Draw the first frame; what draws the others."""
    frames = array if evolves else array[None]
    low, high = float(frames.min()), float(frames.max())
    margin = 0.05 * (high - low) or 1.0

    def of(frame: int) -> np.ndarray:
        return frames[frame if evolves else 0]

    if dataset.ndim == 1:
        (line,) = axes.plot(dataset.grid.coordinates()[0], of(0), linewidth=1.6)
        axes.set(xlabel="x", ylim=(low - margin, high + margin))
        axes.set_title(title, fontsize=11)
        axes.grid(alpha=0.25)
        return lambda frame: line.set_ydata(of(frame))
    image = draw_plane(figure, axes, Panel(title, {title: of(0)}, limits=(low, high)), dataset.grid, unit="")
    return lambda frame: image.set_data(plane(of(frame)).T)
