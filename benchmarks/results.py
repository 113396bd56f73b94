"""What benchmarks share: timing a fresh process, and a CSV file that says on which machine its figures came about."""

from __future__ import annotations

import csv
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from opforge.datasets.files.whole import written_whole
from opforge.errors import InputError

FOLDER = Path(__file__).parent / "results"
LIBRARIES = ("torch", "numpy", "scipy", "pyfftw", "numba", "pyamg", "neuraloperator")


def seconds(words: Sequence[str]) -> float:
    """Wall time of a fresh Python with these words, from start to end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def machine() -> str:
    """Processor, cores, Python and the libraries that decide the speed, those that are installed, in one line."""
    model = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    for line in lines:
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    libraries = ", ".join(f"{name} {found}" for name in LIBRARIES if (found := _version(name)))
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {libraries}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def write_csv(name: str, rows: Sequence[Mapping[str, Any]], how: str, *, folder: Path = FOLDER) -> Path:
    """Write ``folder/name``: a comment line with the machine and how it was measured, then the rows."""
    path = folder / name
    with written_whole(path) as partial, partial.open("w", newline="") as file:
        file.write(f"# {machine()}; {how}\n")
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(name: str, *, folder: Path = FOLDER) -> tuple[str, list[dict[str, str]]]:
    """What `write_csv` wrote: the comment's text, and the rows.

    Raises:
        InputError: no such file.
    """
    path = folder / name
    if not path.is_file():
        raise InputError(f"{path} must be there to be read; measure first")
    with path.open(newline="") as file:
        comment = file.readline()
        return comment.removeprefix("# ").strip(), list(csv.DictReader(file))
