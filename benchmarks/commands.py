"""Time whole commands as a user runs them: start-up, and the quickstart with the errors it reaches.

    python benchmarks/commands.py

Each figure is the median of several runs in fresh processes, with the least and the greatest beside it. Writes
benchmarks/results/startup.csv and benchmarks/results/quickstart.csv.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from opforge.benchmarks.results import seconds, write_csv

STARTUP = {
    "python -c pass": ["-c", "pass"],
    "python -c 'import opforge'": ["-c", "import opforge"],
    "opforge --help": ["-m", "opforge", "--help"],
    "opforge list": ["-m", "opforge", "list"],
}


def startup(runs: int) -> list[dict]:
    times: dict[str, list[float]] = {name: [] for name in STARTUP}
    for turn in range(runs + 1):  # one round to warm up
        for name, words in STARTUP.items():
            taken = seconds(words)
            if turn:
                times[name].append(taken)
    return [
        {"command": name, "median_s": f"{statistics.median(t):.3f}", "min_s": f"{min(t):.3f}", "max_s": f"{max(t):.3f}"}
        for name, t in times.items()
    ]


def quickstart(runs: int, options: list[str]) -> list[dict]:
    rows = []
    for run in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "quickstart"
            whole = seconds(["-m", "opforge", "--quiet", "quickstart", "--out", str(out), *options])
            metrics = json.loads((out / "metrics.json").read_text())
        row = {"run": run + 1, "options": " ".join(options), "process_s": f"{whole:.1f}"}
        row |= {f"{phase}_s": f"{value:.1f}" for phase, value in metrics["phases"].items()}
        for resolution, errors in metrics["resolutions"].items():
            row |= {f"{name}_{resolution}": f"{errors[name]:.5f}" for name in ("relative_l2", "h1", "max_error")}
        rows.append(row)
        print(row, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="runs of the quickstart (default 3)")
    parser.add_argument("--starts", type=int, default=15, help="rounds of the start-up commands (default 15)")
    options = parser.parse_args()
    if options.starts:
        rows = startup(options.starts)
        write_csv("startup.csv", rows, f"median of {options.starts} rounds, commands taking turns")
        print(*rows, sep="\n")
    if options.runs:
        fast = quickstart(1, ["--fast"])
        write_csv("quickstart_fast.csv", fast, "opforge quickstart --fast, a fresh process")
        rows = quickstart(options.runs, [])
        write_csv("quickstart.csv", rows, "opforge quickstart, a fresh process for each run")


if __name__ == "__main__":
    main()
