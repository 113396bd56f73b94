"""Time a training step of the quickstart's operator with and without the settings of `opforge.cli.process.tune`.

    python benchmarks/process_settings.py

Each contestant is a process of its own; they take turns, on an idle machine and beside one process that keeps a core
busy. Writes benchmarks/results/process_settings.csv.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from opforge.benchmarks.results import write_csv

STEP = """
import statistics, sys, time
if sys.argv[1] == "tuned":
    from opforge.cli.process import tune
    tune()
import torch
from opforge.models import FNO
torch.manual_seed(0)
model, x = FNO(1, 1, (12, 12)), torch.randn(10, 1, 64, 64)
times = []
for turn in range(33):
    start = time.perf_counter()
    model(x).square().mean().backward()
    times.append(time.perf_counter() - start)
print(statistics.median(times[3:]))
"""
BUSY = "while True: pass"
ROUNDS = 5


def step(settings: str) -> float:
    kept = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in kept}
    words = [sys.executable, "-c", STEP, settings]
    return float(subprocess.run(words, check=True, capture_output=True, text=True, env=environment).stdout)


def main() -> None:
    rows = []
    for machine in ("idle", "beside a busy process"):
        busy = subprocess.Popen([sys.executable, "-c", BUSY]) if machine != "idle" else None
        times: dict[str, list[float]] = {"as it is": [], "tuned": []}
        try:
            for _ in range(ROUNDS):
                for settings, seen in times.items():
                    seen.append(step(settings))
        finally:
            if busy is not None:
                busy.kill()
        for settings, seen in times.items():
            row = {"machine": machine, "process": settings, "median_ms": statistics.median(seen)}
            row |= {"min_ms": min(seen), "max_ms": max(seen)}
            rows.append({key: f"{1e3 * v:.1f}" if isinstance(v, float) else v for key, v in row.items()})
            print(rows[-1], flush=True)
    write_csv("process_settings.csv", rows, f"2 threads, batch 10 of 64 x 64; median of {ROUNDS} processes each")


if __name__ == "__main__":
    main()
