"""The data card: what a dataset is, how it was made, how good it is; in Markdown."""

from __future__ import annotations

import hashlib
import inspect
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opforge.datasets.generating.arguments import checked_shard
from opforge.datasets.generating.sampling import sample_seed
from opforge.datasets.quality.spectra import Spectrum, spread
from opforge.datasets.quality.summary import Summary
from opforge.datasets.quality.tables import (
    Table,
    drawn_table,
    failures,
    field_table,
    left_out,
    numbering,
    provenance_of,
    quality_tables,
)
from opforge.datasets.quality.verification import Verification
from opforge.datasets.reading.dataset import OperatorDataset
from opforge.datasets.recipe import make_recipe, registry

# What is said of attributes and coordinates that the seal does not vouch for.
CHANGED = "changed, or saved anew by another program, since opforge wrote the file"

# Seeds that are compared with those of a generation, spread over the samples.
_SEEDS = 64


def data_card(
    dataset: OperatorDataset,
    paths: Sequence[Path],
    summary: Summary,
    spectra: Mapping[str, Spectrum],
    verification: Verification | None = None,
    *,
    place: str | None = None,
) -> str:
    """The data card of the files of a dataset.

    Args:
        dataset: as `opforge.open_dataset` gives it.
        paths: its files.
        summary, spectra: of it.
        verification: of it, where it was done.
        place: what `open_dataset` is given for it; the first path unless given.

    Returns:
        Markdown, with a line feed at its end.
    """
    place = str(paths[0]) if place is None else place
    parts = [
        f"# Data card: {Path(place).name}",
        f"{dataset.samples} samples of {_subject(dataset)}.",
        "## What it is",
        *_what(dataset, summary),
        "## How it was made",
        *_how(dataset, summary, place),
        "## How good it is",
        *_quality(dataset, summary, spectra, verification),
        "## Files",
        markdown(Table("", ("file", "bytes", "SHA-256"), tuple(_file(path) for path in paths))),
    ]
    return "\n\n".join(parts) + "\n"


def markdown(table: Table) -> str:
    """A table and the sentences below it.

    Example:
        >>> print(markdown(Table("", ("name", "value"), (("|u|", 0.123456), ("t", None)))))
        | name | value |
        |---|---|
        | \\|u\\| | 0.1235 |
        | t | - |
    """
    lines = [_row(table.columns), "|" + "---|" * len(table.columns), *map(_row, table.rows)]
    return "\n".join(lines) + "".join(f"\n\n{sentence}" for sentence in table.below)


def command(dataset: OperatorDataset, summary: Summary, out: str) -> str | None:
    """The ``opforge generate`` that makes a dataset; None for one that it did not make, a part of one, or no sample.

    Example:
        >>> import opforge
        >>> from opforge.datasets.quality.summary import summarise
        >>> data = opforge.generate("darcy", 2, (16, 8), seed=5, coefficient="lognormal")
        >>> command(data, summarise(data), "darcy.nc")
        'opforge generate darcy -n 2 --resolution 16x8 --seed 5 --set coefficient=lognormal --set sigma=5.0 -o darcy.nc'
    """
    provenance, header = dataset.provenance, dataset.header
    if "recipe" not in provenance or "seed" not in provenance or not dataset.samples or not _as_generated(dataset):
        return None
    shape = header.grid.shape
    size = str(shape[0]) if len(set(shape)) == 1 else "x".join(map(str, shape))
    words = ["opforge", "generate", provenance["recipe"], "-n", str(header.whole().samples), "--resolution", size]
    words += ["--seed", str(provenance["seed"])]
    usual = make_recipe(provenance["recipe"], {}).parameters() if provenance["recipe"] in registry() else {}
    for name, value in provenance.get("recipe_parameters", {}).items():
        if name not in usual or usual[name] != value:
            words += ["--set", f"{name}={value}"]
    if any(found.dtype == "float64" for found in summary.ranges.values()):
        words += ["--dtype", "float64"]
    if header.total:
        words += ["--shard", _shard(header.first, header.samples, header.total)]
    if summary.failed:
        words += ["--on-error", "skip"]
    return shlex.join([*words, "-o", out])


def _as_generated(dataset: OperatorDataset) -> bool:
    """Whether samples, points and frames are those that a generation makes, and none were left out or moved."""
    content, provenance = dataset.to_xarray(), dataset.provenance
    if "checksum" not in content or "seed" not in content:  # points or frames were left out
        return False
    if provenance["recipe"] in registry():
        times = make_recipe(provenance["recipe"], provenance.get("recipe_parameters", {})).times
        if (0 if times is None else len(times)) != len(dataset.header.times):
            return False
    seeds, places = content["seed"].values, dataset.indices + dataset.header.first
    return all(
        int(seeds[i]) == sample_seed(int(provenance["seed"]), int(places[i])) for i in spread(len(seeds), _SEEDS)
    )


def _shard(first: int, samples: int, total: int) -> str:
    """A shard that has these samples."""
    return next(
        f"{i}/{n}"
        for n in range(1, total + 1)
        for i in (first * n // total + 1, first * n // total + 2)
        if i <= n and checked_shard((i, n), total) == (first, first + samples)
    )


def _subject(dataset: OperatorDataset) -> str:
    recipe = registry().get(str(dataset.provenance.get("recipe")))
    if recipe is not None:
        return f"the recipe `{recipe.name}`: {recipe.summary}"
    return f"{', '.join(dataset.header.inputs)} → {', '.join(dataset.header.outputs)}"


def _what(dataset: OperatorDataset, summary: Summary) -> list[str]:
    header, grid = dataset.header, dataset.grid
    parts = []
    if header.equation is not None:
        parts += _about(header.equation)
    ends = zip(grid.axis_names, grid.origin, grid.lengths, strict=True)
    box = ", ".join(f"{_text(o)} ≤ {name} ≤ {_text(o + length)}" for name, o, length in ends)
    unit = header.describe("x").get("units", "1")
    facts: list[tuple[str, Any]] = [
        ("operator", f"{', '.join(header.inputs)} → {', '.join(header.outputs)}"),
        ("grid", f"{' x '.join(map(str, grid.shape))}, points: {grid.points}"),
        ("box", box + ("" if unit == "1" else f" ({unit})")),
    ]
    if dataset.times is not None:
        first, last = (_text(float(t)) for t in dataset.times[[0, -1]])
        unit = header.describe("time").get("units", "1")
        facts.append(("times", f"{len(dataset.times)} frames, {first} to {last}" + ("" if unit == "1" else f" {unit}")))
    if header.equation is not None:
        facts.append(("boundary", header.equation.boundary))
    facts.append(("samples", samples_text(dataset)))
    drawn = drawn_table(dataset, summary)
    about = [f"Parameters {drawn.title}, `dataset.drawn`:", markdown(drawn)] if drawn.rows else []
    return [*parts, _properties(facts), markdown(field_table(dataset, summary)), *about]


def samples_text(dataset: OperatorDataset) -> str:
    """How many samples there are, and of which larger dataset a shard has them."""
    header = dataset.header
    if not header.total:
        return str(dataset.samples)
    last = header.first + header.samples - 1
    return f"{dataset.samples}: a shard, samples {header.first} to {last} of {header.total}"


def _about(equation: Any) -> list[str]:
    """The first sentence of an equation's docstring, and its first formula."""
    paragraphs = inspect.cleandoc(type(equation).__doc__ or "").split("\n\n")
    formula = next((text for text in paragraphs[1:] if "=" in text and ">>>" not in text), "")
    return [text for text in (" ".join(paragraphs[0].split()), "> " + " ".join(formula.split())) if text.strip("> ")]


def _how(dataset: OperatorDataset, summary: Summary, place: str) -> list[str]:
    made = provenance_of(dataset, summary)
    facts = [
        (name.replace("_", " "), _plain(value)) for name, value in made.items() if name != "samples" and value != {}
    ]
    snippet = f"import opforge\n\ndataset = opforge.open_dataset({place!r})\nx, y = dataset[0]"
    path = dataset.path
    # sets of shards and other layouts have names that would mislead here
    out = path.name if path is not None and path.suffix == ".nc" else "dataset.nc"
    again = command(dataset, summary, out)
    made_by = [] if again is None else [f"The same numbers are made by\n\n```sh\n{again}\n```"]
    opened_by = [f"The data are opened by\n\n```python\n{snippet}\n```"] if dataset.samples else []
    return [_properties(facts) if facts else "The file does not say.", *made_by, *opened_by]


def _quality(
    dataset: OperatorDataset, summary: Summary, spectra: Mapping[str, Spectrum], verification: Verification | None
) -> list[str]:
    parts = ["Every sample agrees with its checksum."] if summary.checked else []
    if summary.as_written is False:
        parts.append(f"Attributes and coordinates: {CHANGED}.")
    if summary.residual is not None:
        residual = summary.residual
        parts.append(
            f"Relative residual of the solutions: mean {residual.mean:.2g}, largest {residual.max:.2g} "
            f"(sample {residual.sample})."
        )
    if known := numbering(dataset):
        parts.append(f"Numbers of samples: {known}.")
    if summary.failed:
        words = left_out(dataset, summary)
        parts.append(f"{words[0].upper()}{words[1:]}.")
        parts += ["\n".join(f"- {line}" for line in failures(summary))] if summary.reasons else []
    for table in quality_tables(dataset, summary, spectra, verification):
        parts += [f"### {table.title.capitalize()}", markdown(table)]
    return parts


def _file(path: Path) -> tuple[str, int, str]:
    with open(path, "rb") as file:
        return path.name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _properties(facts: Sequence[tuple[str, Any]]) -> str:
    return markdown(Table("", ("property", "value"), tuple(facts)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_text(item)}" for name, item in value.items())
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else value


def _row(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(_text(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
