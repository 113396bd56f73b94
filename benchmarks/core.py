"""Measure the accelerated core against its peers, side by side: `opforge bench core`, or in a checkout

    python benchmarks/core.py

which writes benchmarks/results/core.csv, core_memory.csv and core.png, and takes every option of the command.

Method. Contestants compute the same thing, which is checked first, and then take turns in one process: in every round
each has one turn, in an order drawn anew, until the ratios are known to 2 % or the time for the case is up. Figures are
medians with quartiles; a ratio is one of medians. Every family has a fresh process with the settings that the `opforge`
command makes for itself, the same for all contestants. Peak memory is measured for each contestant in a fresh process,
by torch's allocator and, as a cross-check, by the resident memory.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from opforge.benchmarks.reach import judge
from opforge.benchmarks.results import FOLDER, machine, write_csv
from opforge.benchmarks.worker import FAMILIES, findings
from opforge.errors import InputError, UnknownNameError

INSTALL = "pip install 'opforge[bench]'"


@dataclass(frozen=True)
class Settings:
    """What to measure, and how long.

    Args:
        families: any of `FAMILIES`.
        threads: of torch and of scipy.
        seconds: for each case and pass at most.
        quick: few cases and little time for each, no memory.
        backends: time each back end of `spectral_conv` by name, too.
        tuned: with the process settings of the `opforge` command.
    """

    families: tuple[str, ...] = tuple(FAMILIES)
    threads: int = 2
    seconds: float = 4.0
    quick: bool = False
    backends: bool = False
    tuned: bool = True

    def __post_init__(self) -> None:
        for name in self.families:
            if name not in FAMILIES:
                raise UnknownNameError("family", name, FAMILIES)
        if not self.families:
            raise InputError(f"families must name at least one of {', '.join(FAMILIES)}, got none")
        if self.threads < 1:
            raise InputError(f"threads must be at least 1, got {self.threads}")
        if not 0 <= self.seconds < float("inf"):
            raise InputError(f"seconds must be a number from 0, got {self.seconds}")

    def task(self, measure: str, family: str, **more: Any) -> dict[str, Any]:
        """What a worker is told."""
        shared = {"threads": self.threads, "quick": self.quick, "backends": self.backends, "tuned": self.tuned}
        return {"measure": measure, "family": family} | shared | more

    @property
    def how(self) -> str:
        """The method in a line."""
        return (
            f"float32, {self.threads} threads, contestants taking turns in one process"
            f"{'' if self.tuned else ' without the settings of the opforge command'}, medians and quartiles"
        )


@dataclass
class Results:
    """What was measured: a row for each contestant of each case and pass, and for each peak of memory."""

    settings: Settings
    rows: list[dict[str, Any]] = field(default_factory=list)
    memory: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the machine and what was reached."""
        settings = dataclasses.asdict(self.settings)
        reach = judge(self.rows, self.memory)
        return {"machine": machine(), "settings": settings, "reach": reach, "times": self.rows, "memory": self.memory}

    def save(self, folder: Path) -> list[Path]:
        """Write core.csv, core_memory.csv and core.png; what is empty is left out."""
        written = []
        if self.rows:
            written.append(write_csv("core.csv", _rounded(self.rows), self.settings.how, folder=folder))
        if self.memory:
            how = f"float32, {self.settings.threads} threads, peak beyond what stands before the call, fresh processes"
            written.append(write_csv("core_memory.csv", _rounded(self.memory), how, folder=folder))
        if self.rows:
            from opforge.benchmarks.picture import draw, save

            written.append(save(draw(self.rows, self.memory), folder / "core.png"))
        return written


def _rounded(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows]


def measurable(settings: Settings, say: Callable[[str], None]) -> Settings:
    """The settings without what cannot be measured because neuraloperator is not installed; says so in one line.

    Raises:
        InputError: nothing is left.
    """
    if find_spec("neuralop") is not None or not {"spectral", "fno"} & set(settings.families):
        return settings
    left = tuple(name for name in settings.families if name != "fno")
    if not left:
        raise InputError(f"fno is measured against neuraloperator, which is not installed; run: {INSTALL}")
    say(f"neuraloperator is not installed, so what is measured against it is left out; run: {INSTALL}")
    return dataclasses.replace(settings, families=left)


def run(settings: Settings, folder: Path, say: Callable[[str], None]) -> Results:
    """Measure, save to ``folder`` after every family, and return what was found.

    Raises:
        InputError: nothing can be measured.
        WorkError: contestants that disagree, a process that failed; what was measured before is saved.
    """
    settings = measurable(settings, say)
    results = Results(settings)
    folder.mkdir(parents=True, exist_ok=True)
    for family in settings.families:
        cases = list(findings(settings.task("plan", family)))
        _times(settings, family, cases, results, say)
        if not settings.quick:
            _memory(settings, family, cases, results, say)
        results.save(folder)
    return results


def _times(
    settings: Settings, family: str, cases: Sequence[dict], results: Results, say: Callable[[str], None]
) -> None:
    total = sum(len(case["passes"]) for case in cases)
    effort = {"seconds": settings.seconds} | ({"least": 5} if settings.quick else {})
    for number, found in enumerate(findings(settings.task("times", family, effort=effort)), start=1):
        results.rows += found["rows"]
        say(f"{family} {number}/{total}: {_said(found['rows'])}")


def _said(rows: Sequence[dict[str, Any]]) -> str:
    """A case in a line: the reference's time, and the others' as multiples of it."""
    (first, *others) = rows
    told = ", ".join(f"{row['contestant']} {row['ratio']:.2f}x" for row in others)
    worst = max(row["difference"] for row in rows)
    place = f"{first['group']}, {first['case']}, {first['pass']}"
    backend = f" ({first['backend']})" if first["backend"] else ""
    return f"{place}: {first['median_ms']:.3g} ms{backend}; {told}; answers agree to {worst:.0e}"


def _memory(settings: Settings, family: str, cases: Sequence[dict], results: Results, say: Callable) -> None:
    tasks = [(case, name) for case in cases for name in case["memory"]]
    for number, (case, name) in enumerate(tasks, start=1):
        (found,) = findings(settings.task("memory", family, case=case["case"], contestant=name))
        row = {"family": family, "group": case["group"], "case": case["label"], "pass": case["passes"][-1]}
        row |= {"contestant": name, "allocated_mb": found["allocated"] / 2**20}
        row |= {"resident_mb": None if found["resident"] is None else found["resident"] / 2**20}
        results.memory.append(row | {"standing_mb": found["standing"] / 2**20})
        said = f"{row['case']}: {name} {row['allocated_mb']:.4g} MB"
        say(f"{family} memory {number}/{len(tasks)}: {said}")


if __name__ == "__main__":
    from opforge.cli import main

    sys.exit(main(["bench", "core", "--out", str(FOLDER), "--force", *sys.argv[1:]]))
