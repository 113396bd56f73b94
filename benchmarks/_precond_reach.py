"""What learned preconditioners are to reach, and whether the measured rows do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from opforge.benchmarks import _precond_dcdm as dcdm
from opforge.benchmarks import _precond_multigrid as multigrid
from opforge.benchmarks.reach import verdict
from opforge.precond import pretrained
from opforge.precond.saving import PRETRAINED

Row = Mapping[str, str]

MOST_ITERATIONS, OVER_CLASSICAL, OVER_PLAIN = 15, 3.0, 20.0
LARGE = ("512x512", "1024x1024")

# Grids so many times finer than those of the training; fewer iterations than conjugate gradients; growth of them.
FINER, OVER_CG, GROWTH = 4.0, 8.0, 1.5
GROWN = (("128x128", "512x512"), ("32x32x32", "64x64x64"))

MOST_MINUTES = 60.0


def judge(rows: Sequence[Row], directions: Sequence[Row]) -> list[dict[str, Any]]:
    """A line for every goal that rows of the multigrid part and of the conjugate directions say something about."""
    lines = [*_iterations(rows), *_speed(rows), *_directions(directions), *_training()]
    return [{**line, "bound": line.get("bound", "")} for line in lines]


def _iterations(rows: Sequence[Row]) -> Iterable[dict[str, Any]]:
    for name in (multigrid.LEARNED, multigrid.TORCH):
        mine = [row for row in rows if row["contestant"] == name]
        if mine:
            counts = [int(row["iterations"]) if row["converged"] == "yes" else float("inf") for row in mine]
            what = "iterations to 1e-8, most"
            yield verdict("multigrid", name, what, max(counts), "at most", MOST_ITERATIONS) | {"cases": len(mine)}


def _speed(rows: Sequence[Row]) -> Iterable[dict[str, Any]]:
    for cells in LARGE:
        mine = [row for row in rows if row["cells"] == cells]
        for peers, what, goal in (
            (multigrid.CLASSICAL, "speed over the fastest of RS, SA and incomplete Cholesky, least", OVER_CLASSICAL),
            ((multigrid.PLAIN,), "speed over CG alone, least", OVER_PLAIN),
        ):
            ratios = [fastest(case, peers) for case in cases(mine) if any(r["contestant"] in peers for r in case)]
            if ratios:
                least, bound = min(ratios)
                line = verdict("multigrid", cells, what, least, "at least", goal)
                yield line | {"bound": "lower" if bound else "", "cases": len(ratios)}


def cases(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of every system."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in ("cells", "family", "right_side", "seed")), []).append(row)
    return list(found.values())


def fastest(case: Iterable[Row], peers: Sequence[str]) -> tuple[float, bool]:
    """The ratio of the fastest of some contestants, and whether it was stopped, so that its ratio is a lower bound."""
    return min((float(row["ratio"]), row["converged"] == "no") for row in case if row["contestant"] in peers)


def _directions(rows: Sequence[Row]) -> Iterable[dict[str, Any]]:
    mine = {row["cells"]: row for row in rows if row["contestant"] == dcdm.DCDM and row["converged"] == "yes"}
    finer = [row for row in mine.values() if float(row["finer"]) >= FINER]
    if finer:
        least = min(float(row["cg_iterations_over_least"]) for row in finer)
        what = f"CG's iterations over DCDM's to 1e-4 on grids at least {FINER:g} times finer than trained, least"
        place = ", ".join(row["cells"] for row in finer)
        yield verdict("dcdm", place, what, least, "at least", OVER_CG) | {"cases": sum(int(r["runs"]) for r in finer)}
    for coarse, fine in GROWN:
        if coarse in mine and fine in mine:
            growth = float(mine[fine]["iterations"]) / float(mine[coarse]["iterations"])
            what = f"growth of DCDM's iterations from {coarse}"
            yield verdict("dcdm", fine, what, growth, "at most", GROWTH) | {"cases": int(mine[fine]["runs"])}


def _training() -> Iterable[dict[str, Any]]:
    for name, minutes in training_minutes().items():
        yield verdict("training", name, "minutes of training", minutes, "at most", MOST_MINUTES) | {"cases": 1}


def training_minutes(read: Callable[[str], str] | None = None) -> dict[str, float]:
    """Name -> minutes that the training of a shipped preconditioner took, from its JSON."""
    read = read or (lambda name: (PRETRAINED / f"{name}.json").read_text())
    return {name: json.loads(read(name))["seconds"] / 60 for name in pretrained()}
