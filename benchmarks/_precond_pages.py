"""The tables of docs/linear_solvers.md, from the CSV files alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from opforge.benchmarks import _precond_dcdm as dcdm
from opforge.benchmarks import _precond_multigrid as multigrid
from opforge.benchmarks._precond_reach import cases, training_minutes
from opforge.errors import InputError

Row = Mapping[str, str]

_HEADS = {
    multigrid.LEARNED: "learned",
    multigrid.TORCH: "learned, torch",
    multigrid.GEOMETRIC: "geometric",
    multigrid.RUGE_STUEBEN: "RS",
    multigrid.AGGREGATION: "SA",
    multigrid.CHOLESKY: "IC",
    multigrid.MODIFIED: "modified IC",
    multigrid.JACOBI: "Jacobi",
    multigrid.PLAIN: "none",
}
_DCDM = {
    dcdm.DCDM: "DCDM",
    dcdm.CYCLE: "V-cycle in DCDM",
    dcdm.CYCLE_CG: "V-cycle in CG",
    dcdm.RUGE_STUEBEN: "RS in CG",
    dcdm.PLAIN: "CG",
}


def put(page: Path, name: str, lines: Sequence[str]) -> None:
    """Replace what stands between ``<!-- name -->`` and ``<!-- end of name -->``.

    Raises:
        InputError: the page has no such lines.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise InputError(f"{page} must have the lines {begin} and {end}; put them where the table belongs")
    page.write_text(f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """
    >>> table(["a", "b"], [["1", "2"]])
    ['| a | b |', '|---|---|', '| 1 | 2 |']
    """
    return [_cells(head), "|" + "---|" * len(head), *(_cells(row) for row in rows)]


def _cells(words: Sequence[str]) -> str:
    return f"| {' | '.join(words)} |"


def goals(rows: Sequence[Row]) -> list[str]:
    """Of `_precond_reach.judge`, as written."""
    shown = (
        [row["what"], row["group"], reached(row), row["goal"], row["verdict"], str(row["cases"])]
        for row in rows
        if row["family"] != "training"
    )
    return table(["goal", "where", "reached", "asked for", "verdict", "systems"], shown)


def reached(row: Row) -> str:
    """The number, with a sign where it is a bound.

    Example:
        >>> reached({"reached": "31.234", "bound": "lower"})
        '≥ 31.2'
    """
    return f"{'≥ ' if row['bound'] else ''}{float(row['reached']):.3g}"


def seconds(rows: Sequence[Row]) -> list[str]:
    """Of the multigrid part: seconds and iterations of every contestant on systems that all of them solved."""
    shared = [case for case in cases(rows) if len(case) > 1]
    names = [name for name in _HEADS if any(row["contestant"] == name for case in shared for row in case)]
    lines = []
    for case in shared:
        of = {row["contestant"]: row for row in case}
        words = [_timed(of[name]) if name in of else "" for name in names]
        lines.append([case[0]["cells"].replace("x", "×"), case[0]["family"], *words])
    return table(["cells", "family", *(_HEADS[name] for name in names)], lines)


def _timed(row: Row) -> str:
    """Seconds, iterations; what was stopped has a sign."""
    bound = "" if row["converged"] == "yes" else "> "
    return f"{bound}{_short(row['total_s'])}, {row['iterations']}"


def _short(number: str) -> str:
    """
    >>> [_short(number) for number in ("0.01234", "0.5678", "12.345", "123.4")]
    ['0.012', '0.57', '12', '123']
    """
    value = float(number)
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _count(number: str) -> str:
    """A mean of iterations.

    Example:
        >>> [_count(number) for number in ("3.4167", "0.25", "24.44", "1437.2")]
        ['3.4', '0.2', '24', '1437']
    """
    value = float(number)
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}"


def directions(rows: Sequence[Row]) -> list[str]:
    """Of the conjugate directions: iterations and seconds, and CG's iterations over DCDM's."""
    lines = []
    for cells in dict.fromkeys(row["cells"] for row in rows):
        of = {row["contestant"]: row for row in rows if row["cells"] == cells}
        ours = of[dcdm.DCDM]
        shares = f"{float(ours['cg_iterations_over_least']):.0f} to {float(ours['cg_iterations_over_most']):.0f}"
        words = [f"{_count(of[name]['iterations'])}, {_short(of[name]['total_s'])}" for name in _DCDM]
        lines.append([cells.replace("x", "×"), ours["finer"], *words, shares])
    return table(["cells", "times finer", *_DCDM.values(), "CG's iterations over DCDM's"], lines)


def guesses(rows: Sequence[Row]) -> list[str]:
    """Of the operator's guesses: a line for each method and start."""
    shown = (
        [
            row["cells"].replace("x", "×"),
            row["method"],
            row["start"],
            row["first_residual"],
            row["first_energy_error"],
            _count(row["iterations_1e-4"]),
            _count(row["iterations_1e-8"]),
            _count(row["saved"]),
            _short(row["total_s"]),
        ]
        for row in rows
    )
    head = ["cells", "method", "x0", "residual", "energy error", "to 1e-4", "to 1e-8", "saved", "seconds"]
    return table(head, shown)


def training() -> list[str]:
    """Minutes of the shipped preconditioners' trainings."""
    return table(["preconditioner", "minutes"], ([f"`{n}`", f"{m:.1f}"] for n, m in training_minutes().items()))


PARTS = {"multigrid": seconds, "dcdm": directions, "guess": guesses}


def write(page: Path, found: Mapping[str, tuple[str, Sequence[Row]]], judged: Sequence[Row]) -> None:
    """Fill the tables of the page.

    Args:
        page: Markdown with the marked places.
        found: part -> how it was measured, and its rows.
        judged: the verdicts.
    """
    for part, (how, rows) in found.items():
        put(page, part, ["", *PARTS[part](rows), "", f"{how}.", ""])
    put(page, "goals", ["", *goals(judged), ""])
    put(page, "training", ["", *training(), ""])
