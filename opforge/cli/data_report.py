"""What ``opforge inspect`` finds out about a dataset: as plain values, as tables, as a data card."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opforge.cli.console import Report, shown, text
from opforge.cli.data import Names, existing_data

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from opforge.datasets import OperatorDataset
    from opforge.datasets.quality.spectra import Spectrum
    from opforge.datasets.quality.summary import Summary
    from opforge.datasets.quality.verification import Verification


# Bytes that are read in a few seconds: above, a bar tells how far reading is.
_LARGE = 2**30


@dataclass(frozen=True)
class Found:
    """What is known about a dataset.

    Args:
        place: what the user named.
        paths: the files.
        data: the dataset.
        summary: of all samples.
        spectra: of a few.
        verification: of a few, where it was asked for.
    """

    place: Path
    paths: Sequence[Path]
    data: OperatorDataset
    summary: Summary
    spectra: dict[str, Spectrum]
    verification: Verification | None

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.paths)

    @property
    def card(self) -> str:
        """The data card."""
        from opforge.datasets.quality.card import data_card

        return data_card(self.data, self.paths, self.summary, self.spectra, self.verification, place=str(self.place))

    def picture(self) -> Figure:
        """Spectra, values and the first sample."""
        from opforge.datasets.quality.picture import quality_picture

        return quality_picture(self.data, self.spectra)


def look_at(place: Path, names: Names | None = None, *, verified: int | None = None, progress: bool = False) -> Found:
    """Read a dataset once and find out how good it is; of one whose samples all failed, what it is and why they did.

    Args:
        place: a file, a folder of shards, or a pattern.
        names: what the file's names stand for.
        verified: samples to make again; none unless given.
        progress: whether to show a bar where reading takes long.

    Raises:
        InputError: a file that is damaged or no dataset, values that are not finite, no recipe to verify by.
    """
    from opforge.datasets.formats.opening import open_with_failures
    from opforge.datasets.formats.sets import members
    from opforge.datasets.quality.spectra import spectra
    from opforge.datasets.quality.summary import summarise
    from opforge.datasets.quality.verification import recipe_of, verify

    arguments = {} if names is None else names.arguments()
    data, paths = open_with_failures(existing_data(place), **arguments), members(place)
    if verified is not None and data.samples:
        recipe_of(data)  # before all samples are read
    large = sum(path.stat().st_size for path in paths) > _LARGE
    summary = summarise(data, paths, progress=progress and large)
    if not data.samples:
        return Found(place, paths, data, summary, {}, None)
    found = None if verified is None else verify(data, verified)
    return Found(place, paths, data, summary, spectra(data), found)


def as_values(found: Found) -> dict[str, Any]:
    """Everything as plain values for JSON."""
    data, summary = found.data, found.summary
    header = data.header
    sizes = {"sample": data.samples, **({"time": len(data.times)} if data.times is not None else {})}
    return {
        "file": str(found.place),
        "files": [str(path) for path in found.paths],
        "bytes": found.bytes,
        "dimensions": sizes | dict(zip(data.grid.axis_names, data.grid.shape, strict=True)),
        "grid": data.grid.to_dict(),
        "times": None if data.times is None else data.times.tolist(),
        "inputs": list(header.inputs),
        "outputs": list(header.outputs),
        "variables": {
            name: header.describe(name) | dataclasses.asdict(values) for name, values in summary.ranges.items()
        },
        "drawn": {name: header.describe(name) | dataclasses.asdict(values) for name, values in summary.drawn.items()},
        "checksums_agree": True if summary.checked else None,
        "as_written": summary.as_written,
        "solver_residual": None if summary.residual is None else dataclasses.asdict(summary.residual),
        "failed": {"samples": summary.failed, "reasons": list(summary.reasons)},
        "invariants": [dataclasses.asdict(each) | {"holds": each.holds} for each in summary.promises],
        "spectra": {
            name: {
                "wavenumbers": each.wavenumbers.tolist(),
                "energy": each.energy.tolist(),
                "nyquist": each.unit * each.nyquist,
                "top_third": each.top_third,
                "decay": each.decay if math.isfinite(each.decay) else None,
                "verdict": each.verdict,
            }
            for name, each in found.spectra.items()
        },
        "verification": None if found.verification is None else dataclasses.asdict(found.verification),
        "provenance": data.provenance,
    }


def show(found: Found, report: Report) -> None:
    """Print the tables."""
    from opforge.datasets.quality.tables import drawn_table, field_table, quality_tables

    title = f"{found.place}, {found.bytes / 1e6:.1f} MB" + (f", {len(found.paths)} files" * (len(found.paths) > 1))
    fields = field_table(found.data, found.summary, title)
    report.table(fields.columns, fields.rows, title=title)
    drawn = drawn_table(found.data, found.summary)
    if drawn.rows:
        report.table(drawn.columns, drawn.rows, title=drawn.title)
    report.table(("property", "value"), _facts(found))
    for table in quality_tables(found.data, found.summary, found.spectra, found.verification):
        report.table(table.columns, table.rows, title=table.title)
        if table.below and not report.quiet:
            print(*(f"  {sentence}" for sentence in table.below), sep="\n")


def _facts(found: Found) -> list[tuple[str, str]]:
    """Properties of the whole, as texts."""
    from opforge.datasets.quality.card import CHANGED, samples_text
    from opforge.datasets.quality.tables import failures, left_out, numbering, provenance_of

    values, data, summary = as_values(found), found.data, found.summary
    grid = data.grid
    facts = [
        ("dimensions", ", ".join(f"{name} {size}" for name, size in values["dimensions"].items())),
        ("grid", f"{text(list(grid.shape))} {grid.points}, box {' x '.join(map(text, grid.lengths))}"),
    ]
    if data.times is not None:
        facts.append(("times", f"{text(float(data.times[0]))} to {text(float(data.times[-1]))}"))
    if data.header.total:
        facts.append(("samples", samples_text(data)))
    if summary.checked:
        facts.append(("checksums", "every sample agrees with its own"))
    if summary.as_written is not None:
        facts.append(("attributes", "as opforge wrote them, by the seal" if summary.as_written else CHANGED))
    if summary.residual is not None:
        residual = summary.residual
        facts.append(("solver residual", f"mean {residual.mean:.2g}, max {residual.max:.2g} (relative)"))
    if summary.failed:
        facts.append(("failed", left_out(data, summary)))
        facts += [("", line) for line in failures(summary)]
    if known := numbering(data):
        facts.append(("numbers of samples", known))
    if found.verification is not None:
        facts.append(("made again", found.verification.reproduced))
    made = provenance_of(data, summary)
    return facts + [(name.replace("_", " "), shown(value)) for name, value in made.items() if value != {}]
