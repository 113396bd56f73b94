"""What is known about a dataset's quality as tables, for the terminal and for data cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opforge.datasets.quality.spectra import Spectrum
from opforge.datasets.quality.summary import Summary, numbers
from opforge.datasets.quality.verification import Change, Verification
from opforge.datasets.reading.dataset import OperatorDataset

# Reasons of failures that are shown.
_SHOWN = 20


@dataclass(frozen=True)
class Table:
    """Rows of plain values, with what stands above them.

    Args:
        title: above the table.
        columns: their names.
        rows: numbers, texts, or None where there is nothing to say.
        below: sentences that belong to it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    below: tuple[str, ...] = ()


def field_table(dataset: OperatorDataset, summary: Summary, title: str = "fields") -> Table:
    """Role, meaning, unit and range of every field, as far as there are samples.

    Example:
        >>> import opforge
        >>> from opforge.datasets.quality.summary import summarise
        >>> data = opforge.generate("darcy", 2, 16)
        >>> field_table(data, summarise(data)).rows[0][:5]
        ('a', 'input', 'permeability', '1', 'float32')
    """
    columns = ("field", "role", "long name", "units", "format", "min", "mean", "max", "std")
    rows = []
    for name in dataset.fields:
        words, found = dataset.header.describe(name), summary.ranges.get(name)
        values = (None,) * 5 if found is None else (found.dtype, found.min, found.mean, found.max, found.std)
        rows.append((name, role(dataset, name), words.get("long_name"), words.get("units"), *values))
    return Table(title, columns, tuple(rows))


def drawn_table(dataset: OperatorDataset, summary: Summary) -> Table:
    """Meaning, unit and range of every parameter that was drawn for each sample."""
    columns = ("parameter", "long name", "units", "min", "mean", "max", "std")
    rows = []
    for name, found in summary.drawn.items():
        words = dataset.header.describe(name)
        rows.append((name, words["long_name"], words["units"], found.min, found.mean, found.max, found.std))
    return Table("drawn for each sample", columns, tuple(rows))


def provenance_of(dataset: OperatorDataset, summary: Summary) -> dict[str, Any]:
    """Where the numbers come from; a parameter of the equation that is drawn for each sample with its range, as text.

    Example:
        >>> import opforge
        >>> from opforge.datasets.quality.summary import summarise
        >>> data = opforge.generate("helmholtz", 3, 56, ndim=1, draw="wavenumber")
        >>> provenance_of(data, summarise(data))["equation_parameters"]["wavenumber"].split(",")[0]
        'drawn for each sample'
    """
    found, equation = dataset.provenance, dataset.equation
    known = {} if equation is None else equation.parameters()
    drawn = {
        name: f"drawn for each sample, {values.min:.4g} to {values.max:.4g}"
        for name, values in summary.drawn.items()
        if name in known
    }
    return {**found, "equation_parameters": found.get("equation_parameters", {}) | drawn} if drawn else found


def role(dataset: OperatorDataset, name: str) -> str:
    """Whether a field is an input, an output, or both; and whether it evolves."""
    header = dataset.header
    both = name in header.inputs and name in header.outputs
    found = "input and output" if both else "input" if name in header.inputs else "output"
    return f"{found}, evolves" if name in header.evolving else found


def promise_table(summary: Summary) -> Table:
    """How well the samples keep to the equation's invariants."""
    rows = tuple(
        (each.name, each.statement, each.violation, each.sample, each.tolerance, "yes" if each.holds else "NO")
        for each in summary.promises
    )
    return Table("invariants", ("invariant", "statement", "largest violation", "sample", "tolerance", "holds"), rows)


def spectrum_table(spectra: Mapping[str, Spectrum]) -> Table:
    """How the energy of every field falls with the wavenumber, and what that says about the grid."""
    rows = tuple((name, each.top_third, each.decay, each.verdict) for name, each in spectra.items())
    columns = ("field", "energy in the top third", "peak over last shell", "verdict")
    return Table("spectra", columns, rows, ("Shares of the energy without the mean, over wavenumbers up to Nyquist.",))


def verification_table(dataset: OperatorDataset, found: Verification) -> Table:
    """How far samples are from others that are made more exactly."""

    def numbers(changes: Mapping[str, Change], name: str) -> tuple[float | None, float | None]:
        return (changes[name].mean, changes[name].max) if name in changes else (None, None)

    rows = tuple(
        (
            name,
            role(dataset, name),
            *numbers(found.step, name),
            *numbers(found.grid, name),
            numbers(found.second, name)[0],
            found.order.get(name),
        )
        for name in dataset.fields
    )
    columns = ("field", "role", "step: mean", "step: max", "grid: mean", "grid: max", "next grid: mean", "order")
    samples = ", ".join(map(str, found.samples))
    below = (
        f"Samples {samples} made again from their seeds: {found.reproduced}.",
        "Relative L2 change. step: by half the time step or a tenth of the tolerance. grid: by half the spacing; next "
        "grid: by half of that once more; order: observed.",
        "Inputs change with the grid where they jump or have waves that only the finer grid resolves.",
        *found.notes,
    )
    return Table("data error", columns, rows, below)


def quality_tables(
    dataset: OperatorDataset, summary: Summary, spectra: Mapping[str, Spectrum], verification: Verification | None
) -> list[Table]:
    """Invariants, spectra and the data error, those of them that are known."""
    return [
        *([promise_table(summary)] if summary.promises else []),
        *([spectrum_table(spectra)] if spectra else []),
        *([verification_table(dataset, verification)] if verification is not None else []),
    ]


def numbering(dataset: OperatorDataset) -> str:
    """What the numbers of samples mean, where ``dataset[i]`` has others.

    Example:
        >>> import opforge
        >>> numbering(opforge.generate("darcy", 2, 8))
        ''
    """
    if np.array_equal(numbers(dataset), np.arange(dataset.samples)):
        return ""
    return "sample i is the one that (seed, i) makes; dataset[k] counts from 0 those that are here and did not fail"


def left_out(dataset: OperatorDataset, summary: Summary) -> str:
    """How many samples failed, and what a shard is good for if all of them did.

    Example:
        >>> import opforge
        >>> from opforge.datasets.quality.summary import Summary
        >>> left_out(opforge.generate("darcy", 2, 8), Summary(2, 3, (), {}, True, None, ()))
        '3 samples failed when they were generated and are left out'
    """
    text = f"{summary.failed} samples failed when they were generated and are left out"
    if dataset.samples:
        return text
    return f"all {text}" + ("; the shard is needed to join the others (opforge merge)" * bool(dataset.header.total))


def failures(summary: Summary) -> Sequence[str]:
    """One line for each of the first samples that failed, as far as the reasons are known."""
    shown = summary.reasons[:_SHOWN]
    left = summary.failed - len(shown)
    return [*shown, *([f"and {left} more"] if shown and left > 0 else [])]
