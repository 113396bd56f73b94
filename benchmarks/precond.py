"""Measure learned preconditioners against classical ones, and a neural operator as a first guess.

    python benchmarks/precond.py                                          # everything, about 20 minutes on two cores
    python benchmarks/precond.py --parts dcdm guess --quick               # small grids, nothing is written
    python benchmarks/precond.py --parts multigrid --ndim 2 --sizes 512   # nor is it here, unless --out says where
    python benchmarks/precond.py --parts pages                            # tables and pictures from the CSV files alone
    python benchmarks/precond.py --gpu                                    # 64³ to 256³, batches, on a CUDA device

multigrid: conjugate gradients to a relative residual of 1e-8 in float64, on random systems of the test split
(`opforge.precond.problems`; u = 0 on the boundary, white noise for b) and on a pressure system of smoke that rises
around obstacles between walls (b from the simulation). The same `opforge.solvers.cg` for all; without a preconditioner
it has a CSR array's products up to 2¹⁵ cells and compiled ones beyond, which are faster there. The set-up is counted;
the CSR array that algebraic multigrid, incomplete Cholesky and Jacobi take is made before, and so are the weights read.
Two more systems of every family are solved by learned multigrid alone.

dcdm: deep conjugate directions to 1e-4 in regions of one coefficient with obstacles, each region solved once by each.

guess: x0 from a Fourier neural operator that is trained here, at once, for b = 1 and coefficients of contrast 10.

Contestants take turns in one process, in an order drawn anew in every round, with the settings that the `opforge`
command makes for itself: torch and compiled passes with two threads, BLAS with one, for its second one costs the
contestants in numpy more than it gives them wherever the machine has other work. Times are medians with the least and
the greatest. A method whose turns add up to 10 s has no further one, a slow one (no preconditioner, Jacobi, incomplete
Cholesky) after 3 s, and where its iterations take 30 s it is stopped: its time is then a lower bound. Residuals are
computed from their definition, from the x that came out. Each part writes its own CSV file as soon as it is done; then
come the verdicts (precond.csv), the tables of docs/linear_solvers.md and the pictures in docs/pictures.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opforge.benchmarks.results import FOLDER, machine, read_csv, write_csv
from opforge.errors import InputError, UnknownNameError

PARTS = ("multigrid", "dcdm", "guess", "pages")
DOCS = FOLDER.parent.parent / "docs"
HISTORIES = "precond_histories.csv"

# Cells along an axis of a quick run, by dimensions.
_QUICK = {2: (32,), 3: (8,)}

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Settings:
    """What to measure.

    Args:
        parts: any of `PARTS`.
        threads: of torch and of compiled passes.
        blas: threads of BLAS.
        quick: small grids, one turn each.
        ndim: dimensions.
        sizes: cells along an axis, of those that a part has; all of them unless given.
        out: where files are written; unless given, benchmarks/results for whole parts, nowhere for others.
        gpu: measure the three-dimensional systems on a CUDA device, and nothing else.
    """

    parts: tuple[str, ...] = PARTS
    threads: int = 2
    blas: int = 1
    quick: bool = False
    ndim: tuple[int, ...] = (2, 3)
    sizes: tuple[int, ...] = ()
    out: Path | None = None
    gpu: bool = False

    def __post_init__(self) -> None:
        for name in self.parts:
            if name not in PARTS:
                raise UnknownNameError("part", name, PARTS)
        for name, value in (("threads", self.threads), ("blas", self.blas)):
            if value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")

    @property
    def folder(self) -> Path | None:
        """Where files are written."""
        whole = not self.quick and not self.sizes and set(self.ndim) == {2, 3}
        return self.out or (FOLDER if whole else None)

    def of(self, usual: Mapping[int, Sequence[int]]) -> Iterator[tuple[int, int]]:
        """Dimensions and cells along an axis, of those that a part has."""
        for ndim in self.ndim:
            for n in self.asked((_QUICK if self.quick else usual)[ndim]):
                yield ndim, n

    def asked(self, sizes: Sequence[int]) -> list[int]:
        """Those that are to be measured."""
        return [n for n in sizes if not self.sizes or n in self.sizes]


def run(settings: Settings, say: Callable[[str], None] = print) -> Rows:
    """Measure, write, and return the verdicts.

    Raises:
        InputError: a page without places for the tables; no CUDA device where one is asked for.
    """
    parts = {"multigrid": _multigrid, "dcdm": _dcdm, "guess": _guess}
    if settings.folder is not None:
        settings.folder.mkdir(parents=True, exist_ok=True)
    with _threads(settings):
        if settings.gpu:
            _gpu(settings, say)
            return []
        found: dict[str, tuple[str, Rows]] = {}
        for part in settings.parts:
            if part in parts:
                start = time.perf_counter()
                how, rows = parts[part](settings, say)
                if not rows:
                    raise InputError(
                        f"sizes must be some that {part} has in {settings.ndim} dimensions, got {settings.sizes}"
                    )
                how = f"python benchmarks/precond.py; {settings.threads} threads, BLAS {settings.blas}; {how}"
                if settings.folder is not None:
                    write_csv(f"precond_{part}.csv", rows, how, folder=settings.folder)
                found[part] = (f"{machine()}; {how}", rows)
                say(f"{part}: {time.perf_counter() - start:.0f} s")
        return _report(settings, found, say)


def _multigrid(settings: Settings, say: Callable[[str], None]) -> tuple[str, Rows]:
    from opforge.benchmarks import _precond_multigrid as multigrid
    from opforge.benchmarks._precond_turns import Effort

    effort = Effort(rounds=1, limit=1.0) if settings.quick else Effort()
    rows, curves = [], []
    for ndim, n in settings.of(multigrid.SIZES):
        more, drawn = multigrid.measure(ndim, n, effort)
        curves += drawn
        more += [] if settings.quick else multigrid.more_systems(ndim, n)
        rows += more
        for row in more:
            say(
                "{cells} {family}, seed {seed}, {contestant}: {iterations} iterations, converged: {converged}, "
                "{setup_s} + {solve_s} s of {runs} runs, {ratio} times the first one's".format(**row)
            )
    if curves and settings.folder is not None:
        how = "relative residuals, the median times they belong to; see precond_multigrid.csv"
        write_csv(HISTORIES, [curve.row() for curve in curves], how, folder=settings.folder)
    how = "conjugate gradients to 1e-8 in float64, set-up counted, medians; ratio: of the time to learned multigrid's"
    return how, rows


def _dcdm(settings: Settings, say: Callable[[str], None]) -> tuple[str, Rows]:
    from opforge.benchmarks import _precond_dcdm as dcdm

    rows = []
    for ndim, n in settings.of(dcdm.SIZES):
        more = dcdm.measure(ndim, n, 2 if settings.quick else None)
        rows += more
        for row in more:
            say(
                "{cells}, {contestant}: {iterations} iterations ({least} to {most}), {setup_s} + {solve_s} s, "
                "CG's iterations over its own: {cg_iterations_over_least} to {cg_iterations_over_most}".format(**row)
            )
    return "to 1e-4 in float64, set-up counted; mean iterations, median seconds of the regions", rows


def _guess(settings: Settings, say: Callable[[str], None]) -> tuple[str, Rows]:
    from opforge.benchmarks import _precond_guess as guess

    plan = guess.Plan()
    if settings.quick:
        plan = guess.Plan(cells=16, samples=8, epochs=1, width=4, modes=4, sizes=_QUICK[2], systems=2)
    operator, about = guess.trained(plan)
    say(about)
    rows = []
    for n in settings.asked(plan.sizes):
        more = guess.measure(operator, n, plan.systems)
        rows += more
        for row in more:
            say(
                "{cells}, {method} from {start}: residual {first_residual}, energy error {first_energy_error}, "
                "iterations {iterations_1e-4} to 1e-4 and {iterations_1e-8} to 1e-8, {saved} saved, {total_s} s".format(
                    **row
                )
            )
    return f"{about}; from x0 to 1e-8 in float64, set-up and x0 counted; mean iterations, median seconds", rows


def _gpu(settings: Settings, say: Callable[[str], None]) -> None:
    from opforge.benchmarks import _precond_multigrid as multigrid
    from opforge.benchmarks._precond_turns import Effort

    sizes = settings.asked(_QUICK[3] if settings.quick else multigrid.GPU_SIZES)
    rows = multigrid.gpu_rows(sizes, Effort(rounds=3))
    for row in rows:
        say(" ".join(str(value) for value in row.values()))
    if settings.folder is not None:
        import torch

        name = torch.cuda.get_device_name()
        how = f"python benchmarks/precond.py --gpu; {name}; 1e-8 in float64, cycles in float32, medians"
        write_csv("precond_gpu.csv", rows, how, folder=settings.folder)


def _report(settings: Settings, found: dict[str, tuple[str, Rows]], say: Callable[[str], None]) -> Rows:
    """The verdicts; with a folder also the tables and pictures, those of parts that were measured before included."""
    from opforge.benchmarks import _precond_reach as reach

    folder = settings.folder
    for part in PARTS[:-1]:
        if folder is not None and part not in found and (folder / f"precond_{part}.csv").is_file():
            found[part] = read_csv(f"precond_{part}.csv", folder=folder)
    written = {
        part: (how, [{k: str(v) for k, v in row.items()} for row in rows]) for part, (how, rows) in found.items()
    }
    judged = reach.judge(*(written.get(part, ("", []))[1] for part in ("multigrid", "dcdm")))
    for line in judged:
        say(
            "{verdict}: {what}, {group}: {bound}{reached:.3g}, asked for: {goal}".format(
                **{**line, "bound": "at least " if line["bound"] else ""}
            )
        )
    if folder is not None:
        lines = [{**line, "reached": f"{line['reached']:.4g}"} for line in judged]
        how = "what is asked for, judged on precond_multigrid.csv and precond_dcdm.csv"
        write_csv("precond.csv", lines, how, folder=folder)
        if "pages" in settings.parts:
            _pages(folder, written, lines)
    return judged


def _pages(folder: Path, found: Mapping[str, tuple[str, Sequence[dict[str, str]]]], judged: Rows) -> None:
    """Tables into the documentation and pictures beside it, for results in their usual place; else pictures alone."""
    from opforge.benchmarks import _precond_pages as pages
    from opforge.benchmarks._precond_multigrid import Curve
    from opforge.benchmarks._precond_picture import draw
    from opforge.benchmarks.picture import save

    usual = folder.resolve() == FOLDER.resolve()
    if usual:
        pages.write(DOCS / "linear_solvers.md", found, judged)
    if (folder / HISTORIES).is_file():
        curves = [Curve.read(row) for row in read_csv(HISTORIES, folder=folder)[1]]
        for cells in dict.fromkeys(curve.cells for curve in curves):
            place = (DOCS / "pictures" if usual else folder) / f"convergence_{cells}.png"
            save(draw([curve for curve in curves if curve.cells == cells]), place)


@contextmanager
def _threads(settings: Settings) -> Iterator[None]:
    """As many as the settings say."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(settings.blas, user_api="blas"):
        torch.set_num_threads(settings.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def settings_of(words: Sequence[str] | None = None) -> Settings:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--threads", type=int, default=2, help="of torch and compiled passes (default 2)")
    parser.add_argument("--blas", type=int, default=1, metavar="THREADS", help="of BLAS (default 1)")
    parser.add_argument("--quick", action="store_true", help="small grids, one turn each")
    parser.add_argument("--ndim", nargs="+", type=int, choices=(2, 3), default=(2, 3), help="dimensions")
    parser.add_argument("--sizes", nargs="+", type=int, default=(), metavar="N", help="cells along an axis")
    parser.add_argument("--out", type=Path, help="folder to write to; benchmarks/results for whole parts")
    parser.add_argument("--gpu", action="store_true", help="three dimensions in batches on a CUDA device alone")
    o = parser.parse_args(words)
    parts, ndim, sizes = tuple(o.parts), tuple(o.ndim), tuple(o.sizes)
    return Settings(parts, o.threads, o.blas, o.quick, ndim, sizes, o.out, o.gpu)


def main() -> None:
    from opforge.cli.process import tune

    settings = settings_of()
    tune()  # before torch is loaded
    busy = os.getloadavg()[0]
    if busy > 0.5:
        print(f"the machine is busy, its load is {busy:.1f}: times will be larger than on an idle one", flush=True)
    run(settings, lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
