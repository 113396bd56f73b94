"""The picture of a run: how many times as long the peers take as opforge, case by case."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from opforge.benchmarks.reach import BOTH, PLAIN, memory_shares

Row = Mapping[str, Any]

# what is drawn in one colour -> its contestants, of which the fastest counts, and the marker
PEERS: dict[str, tuple[tuple[str, ...], str]] = {
    "neuraloperator": (("neuraloperator",), "o"),
    "torch.fft": ((*PLAIN, "torch.fft"), "s"),
    "torch.fft, axis by axis": (("torch.fft by axis",), "D"),
    "scipy.fft": (("scipy.fft",), "^"),
}
COLOURS = {name: f"C{number}" for number, name in enumerate(PEERS)}
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
SLOWER = "#fbeeee"  # behind what is slower than a peer
_DPI = 100


def draw(rows: Sequence[Row], memory: Sequence[Row] = ()) -> Figure:
    """One panel for each family that was measured; passes with the backward part where there are two.

    Args:
        rows: as `contest.measure` gives them.
        memory: rows with ``allocated_mb`` for contestants; drawn as shares beside the times of the same family.
    """
    panels: dict[str, Callable[[Axes, list[Row]], None]] = {
        "spectral": lambda axes, mine: _dots(axes, mine, "spectral_conv, forward and backward"),
        "fno": lambda axes, mine: _dots(axes, mine, "FNO training step"),
        "fft_conv": _lines,
        "transforms": _strips,
    }
    found = {name: [r for r in rows if r["family"] == name] for name in panels}
    found = {name: mine for name, mine in found.items() if mine}
    shares = _shares(memory)
    names = [*found, *(["memory"] if shares else [])]
    heights = {name: _height(found[name]) if name in found else 0.9 + 0.32 * len(shares) for name in names}
    left, right = _columns(heights)
    tallest = max(sum(heights[name] for name in column) for column in (left, right))
    figure = Figure(figsize=(6.2 * (2 if right else 1), max(tallest, 2.6)), dpi=_DPI, layout="constrained")
    for column, subfigure in zip(
        (left, right), figure.subfigures(1, 2 if right else 1, squeeze=False)[0], strict=False
    ):
        all_axes = subfigure.subplots(len(column), 1, squeeze=False, height_ratios=[heights[n] for n in column])[:, 0]
        for name, axes in zip(column, all_axes, strict=True):
            if name == "memory":
                _memory(axes, shares)
            else:
                panels[name](axes, found[name])
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG of at most 256 colours: a third of the size, and no difference to be seen."""
    from io import BytesIO

    from PIL import Image

    from opforge.datasets.files.whole import written_whole

    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    with Image.open(buffer) as image, written_whole(path) as partial:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(partial, format="png", optimize=True)
    return path


def _columns(heights: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """The first panel on the left, the others on the right of it."""
    first, *others = heights
    return [first], others


def _height(rows: Sequence[Row]) -> float:
    family = rows[0]["family"]
    if family == "fft_conv":
        return 3.2
    lines = len({r["case"].split()[0] if family == "transforms" else (r["group"], r["case"]) for r in rows})
    return 0.9 + 0.32 * lines


def _dots(axes: Axes, rows: Sequence[Row], title: str) -> None:
    """A line for each case, a dot for each peer with the quartiles of the ratio."""
    rows = [r for r in rows if r["pass"] in (BOTH, "training step")]
    labels = list(dict.fromkeys((r["group"], r["case"]) for r in rows))
    for peer, (names, marker) in PEERS.items():
        best = _fastest(rows, names)
        if best:
            places = [labels.index(key) for key in best]
            _points(axes, list(best.values()), places, peer, marker)
    _case_axis(axes, [case for _, case in labels])
    for number, (group, _) in enumerate(labels if len({group for group, _ in labels}) > 1 else []):
        if number == 0 or group != labels[number - 1][0]:
            axes.axhline(number - 0.5, color="0.7", linewidth=0.8)
            place = {"transform": axes.get_yaxis_transform(), "ha": "left", "va": "top"}
            axes.text(0.01, number - 0.45, group, fontsize=8, color="0.4", style="italic", **place)
    _finish(axes, title)


def _fastest(rows: Iterable[Row], names: Sequence[str]) -> dict[tuple[str, str], Row]:
    """(group, case) -> the row of the fastest of ``names``."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row["group"], row["case"])
        if row["contestant"] in names and row["ratio"] < found.get(key, {"ratio": math.inf})["ratio"]:
            found[key] = row
    return found


def _points(axes: Axes, rows: Sequence[Row], places: Sequence[float], label: str, marker: str) -> None:
    ratio = [r["ratio"] for r in rows]
    # A ratio of medians may lie outside the quartiles of the rounds' ratios.
    low = [max(r["ratio"] - r["ratio_q1"], 0) for r in rows]
    high = [max(r["ratio_q3"] - r["ratio"], 0) for r in rows]
    style = {"fmt": marker, "markersize": 5, "linewidth": 1.2, "color": COLOURS[label], "label": label}
    axes.errorbar(ratio, places, xerr=[low, high], **style)


def _lines(axes: Axes, rows: Sequence[Row]) -> None:
    """The long convolution: the ratio over the length of the signal, a colour for each kind of kernel."""
    for number, group in enumerate(dict.fromkeys(r["group"] for r in rows)):
        for way, style in (("forward", "o--"), (BOTH, "o-")):
            mine = [r for r in rows if r["group"] == group and r["pass"] == way and r["contestant"] == "torch.fft"]
            lengths = [_length(r["case"]) for r in mine]
            label = {"label": group} if way == BOTH else {}
            axes.plot(lengths, [r["ratio"] for r in mine], style, color=f"C{number}", markersize=4, **label)
    axes.set_xscale("log", base=2)
    ticks = sorted({_length(r["case"]) for r in rows})
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{n}K" for n in ticks])
    axes.set_xlabel("N (dashed: forward alone)", fontsize=9)
    axes.set_yscale("log")
    axes.set_ylabel("peer's time / opforge's", fontsize=9)
    axes.axhline(1.0, color="0.25", linewidth=1.2)
    _ratio_ticks(axes.yaxis, axes.get_ylim())
    axes.axhspan(axes.get_ylim()[0], 1.0, color=SLOWER, zorder=0)
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
    axes.set_title("fft_conv, causal, and padded torch.fft", fontsize=11)


def _length(case: str) -> int:
    return int(case.split("K")[0].split()[-1])


def _strips(axes: Axes, rows: Sequence[Row]) -> None:
    """Full transforms: a line for each kind and type of array, a dot for each size and peer."""
    labels = list(dict.fromkeys((r["group"], r["case"].split()[0]) for r in rows))
    present = [p for p, (names, _) in PEERS.items() if any(r["contestant"] in names for r in rows)]
    for number, peer in enumerate(present):
        names, marker = PEERS[peer]
        mine = [r for r in rows if r["contestant"] in names]
        shift = 0.16 * (number - (len(present) - 1) / 2)
        places = [labels.index((r["group"], r["case"].split()[0])) + shift for r in mine]
        axes.plot([r["ratio"] for r in mine], places, marker, color=COLOURS[peer], markersize=4, label=peer, alpha=0.8)
    _case_axis(axes, [f"{kind}, {group}" for group, kind in labels])
    _finish(axes, "full transforms, a dot for each size")


def _shares(rows: Sequence[Row]) -> dict[str, float]:
    """Case -> neuraloperator's peak memory over opforge's."""
    return {case: 1.0 / share for case, share in memory_shares(rows, "neuraloperator").items()}


def _memory(axes: Axes, shares: Mapping[str, float]) -> None:
    axes.plot(list(shares.values()), range(len(shares)), "o", color=COLOURS["neuraloperator"], label="neuraloperator")
    _case_axis(axes, list(shares))
    _finish(axes, "peak memory", what="peer's peak memory / opforge's")


def _case_axis(axes: Axes, labels: Sequence[str]) -> None:
    shown = [label.replace(" channels", " ch").replace(" batch ", " b ") for label in labels]
    axes.set_yticks(range(len(labels)), shown, fontsize=8)
    axes.set_ylim(len(labels) - 0.5, -0.5)  # the first on top


def _finish(axes: Axes, title: str, *, what: str = "peer's time / opforge's") -> None:
    axes.set_xscale("log")
    axes.axvline(1.0, color="0.25", linewidth=1.2)
    _ratio_ticks(axes.xaxis, axes.get_xlim())
    axes.axvspan(axes.get_xlim()[0], 1.0, color=SLOWER, zorder=0)
    axes.set_xlabel(what, fontsize=9)
    axes.grid(axis="x", alpha=0.25)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, loc="best")
    axes.set_title(title, fontsize=11)


def _ratio_ticks(axis: Any, limits: tuple[float, float]) -> None:
    """Ticks at 0.5, 1, 2, 5 and so on, as such."""
    low, high = min(limits[0], 0.8), max(limits[1], 2.5)
    axis.axes.set(**{"xlim" if axis.axis_name == "x" else "ylim": (low, high)})
    axis.set_major_locator(FixedLocator([t for t in TICKS if low <= t <= high]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}x")
