"""Time generating, reading and training on large files: the figures that the data factory promises.

    python benchmarks/data_factory.py                       # all parts, some minutes and 9 GB of disk
    python benchmarks/data_factory.py --parts reading       # one of generation, reading, compressed, memory

generation: 10,000 samples of 1-D advection, 1024 points and 50 frames: `opforge.generate` from call to return, workers
started, bytes on the disk and file opened, in turns with the same work in a loop in one process on one thread: the
solver alone (`opforge.solvers.advect`), and the recipe (draw, solve, residual), which neither checks invariants nor
writes. The share is the rate of generation over that rate times the workers.

reading: random batches of 32 at 64 x 64 (two fields, float32) of a plain file in the system's cache: the first time a
sample is read, when it is compared with its checksum, and afterwards; beside it h5py, a sample at a time and sorted,
and xarray.

compressed: bytes that reading one sample of a compressed file reads, beside the bytes of that sample's chunks, and the
rates of reading random batches from it.

memory: one epoch of training on a file of 8 GB, in a process of its own: the peak of its resident memory.

Writes benchmarks/results/data_factory.csv.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from opforge.benchmarks.memory import peak_resident
from opforge.benchmarks.results import write_csv
from opforge.datasets.files.columns import checksums, empty_columns
from opforge.datasets.files.header import Header
from opforge.datasets.files.writer import FileWriter

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
BATCH = 32

# What a worker does without the factory: the solver alone, and a recipe that draws its initial states and solves.
_BARE = """
import sys, time
import numpy as np
from opforge.datasets.recipe import make_recipe
from opforge.solvers import advect
recipe = make_recipe("advection", {"frames": 50})
grid = recipe.grid(1024)
starts = [recipe.initial_state(np.random.default_rng(i), grid) for i in range(64)]
velocity, times, count = recipe.velocity, recipe.times, int(sys.argv[1])
def solve(i):
    return advect(starts[i % 64], velocity, times, grid)
def sample(i):
    return recipe.sample(np.random.default_rng(i), grid)
for work in (solve, sample):
    for i in range(200):
        work(i)
    began = time.perf_counter()
    for i in range(count):
        work(i)
    print(count / (time.perf_counter() - began))
"""

_GENERATE = """
import sys, time
import opforge, torch
out, samples, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
options = {"compression": int(sys.argv[4])} if len(sys.argv) > 4 else {}
began = time.perf_counter()
opforge.generate("advection", samples, 1024, frames=50, out=out, workers=workers, **options)
print(samples / (time.perf_counter() - began))
"""


def printed(code: str, *words: object, environment: dict[str, str] | None = None) -> list[float]:
    """The numbers that a fresh Python prints that is given this code and these arguments."""
    command = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **(environment or {})}
    )
    return [float(word) for word in done.stdout.split()]


def generation(folder: Path, runs: int, samples: int) -> Iterator[dict]:
    """Rates of generating, in turns with what a worker does without the factory."""
    out = folder / "advection.nc"
    kinds: dict[str, tuple[int, tuple[int, ...]]] = {
        "2 workers": (2, ()),
        "1 worker": (1, ()),
        "2 workers, compressed at level 1": (2, (1,)),
    }
    bare: list[list[float]] = []
    made: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(runs):
        bare.append(printed(_BARE, min(samples, 5000), environment=ONE_THREAD))
        for kind, (workers, options) in kinds.items():
            made[kind] += printed(_GENERATE, out, samples, workers, *options)
            out.unlink()
    solver, recipe = ([rates[i] for rates in bare] for i in (0, 1))
    yield figure("generation", "solver in a loop, one process", solver, "samples/s")
    yield figure("generation", "recipe in a loop (draw, solve, residual), one process", recipe, "samples/s")
    for kind, (workers, _) in kinds.items():
        yield figure("generation", f"generate to a file, {kind}", made[kind], "samples/s")
        for name, rates in (("solver", solver), ("recipe", recipe)):
            shares = [one / (other * workers) for one, other in zip(made[kind], rates, strict=True)]
            yield figure("generation", f"share of the {name} times workers, {kind}", shares, "1")


def fields_file(path: Path, samples: int, compression: int | None = None) -> None:
    """Random fields at 64 x 64 in opforge's file."""
    from opforge.core import Grid
    from opforge.pdes import Darcy

    header = Header(("a",), ("u",), Grid.cube(2, 64), samples, Darcy(), {"seed": 0})
    rng = np.random.default_rng(0)
    with FileWriter(path, header, np.dtype("f4"), compression=compression) as writer:
        for start in range(0, samples, 500):
            arrays = empty_columns(header, np.dtype("f4"), min(500, samples - start))
            for name, values in arrays.items():
                # smooth numbers that compress about as well as a pressure
                values[...] = np.cumsum(rng.standard_normal(values.shape), -1) if values.ndim > 1 else len(name)
            writer.put(start, {**arrays, "checksum": checksums(arrays)})


def rate_of_batches(read: Callable[[np.ndarray], object], samples: int, seed: int) -> float:
    """Samples per second in random batches, every sample once."""
    order = np.random.default_rng(seed).permutation(samples)[: samples // BATCH * BATCH].reshape(-1, BATCH)
    began = time.perf_counter()
    for indices in order:
        read(indices)
    return order.size / (time.perf_counter() - began)


def reading(folder: Path, runs: int, samples: int) -> Iterator[dict]:
    import h5py
    import xarray

    import opforge

    path = folder / "fields.nc"
    fields_file(path, samples)
    path.read_bytes()  # into the system's cache
    with h5py.File(path) as hdf5, xarray.open_dataset(path, engine="h5netcdf") as lazy:
        arrays: dict[str, Any] = {name: hdf5[name] for name in "au"}

        def by_h5py(indices: np.ndarray) -> object:
            return [np.stack([array[i] for i in indices]) for array in arrays.values()]

        def by_sorted_h5py(indices: np.ndarray) -> object:
            order = np.sort(indices)
            return [array[order] for array in arrays.values()]

        def by_xarray(indices: np.ndarray) -> object:
            some = lazy.isel(sample=np.sort(indices))
            return [some[name].values for name in "au"]

        found: dict[str, list[float]] = {}
        for run in range(runs):
            dataset = opforge.open_dataset(path)
            contestants: dict[str, tuple[Callable[[np.ndarray], object], int]] = {
                "opforge, first time, checksums compared": (dataset.batch, samples),
                "opforge, afterwards": (dataset.batch, samples),
                "h5py, a sample at a time": (by_h5py, samples // 8),
                "h5py, sorted indices": (by_sorted_h5py, samples // 8),
                "xarray, sorted indices": (by_xarray, samples // 8),
            }
            for name, (read, count) in contestants.items():
                found.setdefault(name, []).append(rate_of_batches(read, count, run))
            began, total = time.perf_counter(), 0
            for x, _ in dataset.batches(BATCH, shuffle=True, seed=run):
                total += len(x)
            found.setdefault("opforge, batches(shuffle=True) read ahead", []).append(
                total / (time.perf_counter() - began)
            )
        for name, rates in found.items():
            yield figure("reading", name, rates, "samples/s")


class Logged:
    """A file that remembers which bytes were read from it."""

    def __init__(self, path: Path):
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 -- closed with the object
        self.spans: list[tuple[int, int]] = []

    def readinto(self, buffer) -> int:
        start = self._file.tell()
        count = self._file.readinto(buffer)
        self.spans.append((start, start + count))
        return count

    def __getattr__(self, name: str):
        return getattr(self._file, name)


def compressed(folder: Path, runs: int, samples: int) -> Iterator[dict]:
    import h5py

    import opforge
    import opforge.datasets.reading.hdf5_source as source

    path = folder / "compressed.nc"
    fields_file(path, samples, compression=4)
    log = Logged(path)
    with h5py.File(log) as hdf5:
        arrays: list[Any] = [hdf5[name] for name in "au"]
        index = samples // 2
        chunks = [array.id.get_chunk_info_by_coord((index, 0, 0)) for array in arrays]
        log.spans.clear()
        for array in arrays:
            array[index]
        inside = sum(stop - start for start, stop in log.spans if any(_within(start, stop, chunk) for chunk in chunks))
        outside = sum(stop - start for start, stop in log.spans) - inside
    log.close()
    yield figure("compressed", "bytes of one sample's chunks", [sum(chunk.size for chunk in chunks)], "B")
    yield figure("compressed", "bytes read for it from its chunks", [inside], "B")
    yield figure("compressed", "bytes read for it from elsewhere (index of chunks)", [outside], "B")
    plain = samples * 2 * 64 * 64 * 4
    yield figure("compressed", "size over plain size, level 4, random walks", [path.stat().st_size / plain], "1")
    found: dict[str, list[float]] = {"first time, not kept": [], "first time": [], "afterwards, kept in memory": []}
    usual = source.KEEP_BYTES
    for run in range(runs):
        source.KEEP_BYTES = 0
        found["first time, not kept"].append(rate_of_batches(opforge.open_dataset(path).batch, samples // 4, run))
        source.KEEP_BYTES = usual
        dataset = opforge.open_dataset(path)
        found["first time"].append(rate_of_batches(dataset.batch, samples, run))
        found["afterwards, kept in memory"].append(rate_of_batches(dataset.batch, samples, run))
    for name, rates in found.items():
        yield figure("compressed", f"random batches, {name}", rates, "samples/s")


def _within(start: int, stop: int, chunk) -> bool:
    return chunk.byte_offset <= start and stop <= chunk.byte_offset + chunk.size


def memory(folder: Path, runs: int, gigabytes: float) -> Iterator[dict]:
    import opforge

    path = folder / "large.nc"
    samples = int(gigabytes * 1e9 / (50 * 1024 * 4))
    opforge.generate("advection", samples, 1024, frames=50, out=path)
    size = path.stat().st_size
    yield figure("memory", "size of the file", [size / 1e9], "GB")
    peaks, taken = [], []
    for _ in range(runs):
        words = [sys.executable, str(Path(__file__)), "--train", str(path)]
        found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        peaks.append(found["peak"] / 1e9)
        taken.append(found["seconds"])
    yield figure("memory", f"peak of resident memory, one epoch over {samples} samples", peaks, "GB")
    yield figure("memory", "time of the epoch, normaliser included", taken, "s")


def train(path: str) -> None:
    """One epoch over windows of a file, in this process; prints the peak of its memory."""
    import opforge
    from opforge.models import FNO

    began = time.perf_counter()
    data = opforge.open_dataset(path)
    model = FNO.for_data(data, width=8, modes=16, depth=2)
    opforge.fit(model, data, epochs=1, batch_size=100, progress=False)
    print(json.dumps({"peak": peak_resident(), "seconds": time.perf_counter() - began}))


def figure(part: str, what: str, values: list[float], unit: str) -> dict:
    row = {"part": part, "what": what, "unit": unit, "median": f"{statistics.median(values):.4g}"}
    row |= {"min": f"{min(values):.4g}", "max": f"{max(values):.4g}", "runs": len(values)}
    print(row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("generation", "reading", "compressed", "memory")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts, help="what to measure")
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default 5; memory: 2)")
    parser.add_argument("--samples", type=int, default=10_000, help="samples to generate and to read (default 10000)")
    parser.add_argument("--gigabytes", type=float, default=8.0, help="size of the large file (default 8)")
    parser.add_argument(
        "--folder", type=Path, help="where to put the files; the system's temporary folder unless given"
    )
    parser.add_argument("--train", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train(options.train)
        return
    rows: list[dict] = []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        work = {
            "generation": lambda: generation(folder, options.runs, options.samples),
            "reading": lambda: reading(folder, options.runs, options.samples),
            "compressed": lambda: compressed(folder, options.runs, min(options.samples, 5000)),
            "memory": lambda: memory(folder, min(2, options.runs), options.gigabytes),
        }
        for part in options.parts:
            rows += work[part]()
    how = "python benchmarks/data_factory.py; medians of runs, least and greatest beside them; files on a local disk"
    if set(options.parts) == set(parts):
        write_csv("data_factory.csv", rows, how)


if __name__ == "__main__":
    main()
