"""``opforge precond``: learned preconditioners, listed, trained, measured; ``opforge solve``: a matrix from a file."""

from __future__ import annotations

import warnings
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opforge.cli.console import Report, text
from opforge.cli.files import check_suffix, free, free_json, save
from opforge.cli.options import Force, Json, Settings
from opforge.cli.settings import parsed
from opforge.cli.tune import sizes
from opforge.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from opforge.precond import Solution

GROUP = "precond"

# Against what a preconditioner is measured unless said otherwise.
_RIVALS = {"multigrid": ("ruge_stuben", "geometric_multigrid", "jacobi"), "directions": ("geometric_multigrid", "cg")}

_LIST_COLUMNS = ("name", "kind", "dimensions", "boundaries", "families", "numbers", "kB", "training", "made by")


def list_(
    context: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]", help="Others, that `train` wrote.")] = None,
    json: Json = None,
    force: Force = False,
) -> None:
    """List the learned preconditioners that opforge ships, and those of files."""
    from opforge.precond import pretrained

    report: Report = context.obj
    free_json(json, force=force)
    rows = [_about(name) for name in [*pretrained(), *map(str, files or [])]]
    if json != "-":
        report.table(_LIST_COLUMNS, [tuple(row.values()) for row in rows])
    report.json(json, {"preconditioners": rows})


def _about(name: str) -> dict[str, Any]:
    from opforge.precond import ConjugateDirections, load
    from opforge.precond.saving import files_of

    learned = load(name)
    multigrid = not isinstance(learned, ConjugateDirections)
    net = learned.net if multigrid else learned
    about, seconds = learned.about, learned.about.get("seconds")
    return {
        "name": name,
        "kind": "learned multigrid, for every cg" if multigrid else "deep conjugate directions, for dcdm and fcg",
        "dimensions": net.ndim,
        "boundaries": list(learned.boundaries),
        "families": list(dict.fromkeys(about.get("families", ["obstacles"]))),
        "numbers": sum(p.numel() for p in net.parameters()),
        "kB": round(sum(path.stat().st_size for path in files_of(name)) / 1000, 1),
        "training": None if seconds is None else f"{seconds / 60:.1f} min",
        "made by": about.get("command"),
    }


def train(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of those that `opforge precond list` shows.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="PATH", help="Writes PATH.safetensors and PATH.json.")],
    seed: Annotated[int, typer.Option(help="Of the weights at the start and of everything drawn.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Of the training.", show_default="as shipped")] = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Train a shipped preconditioner anew, from random weights, as it was made: 9 to 11 minutes on one core.

    --steps and --set change the training: cells along an axis (--set cells=28,80), families of random systems, the
    learning rate. Nothing is written before the end.
    """
    from opforge.precond import make_shipped
    from opforge.precond.saving import files_of

    report: Report = context.obj
    changes = {**parsed(settings or []), **({} if steps is None else {"steps": steps})}
    paths = files_of(out, new=True)
    for path in paths:
        free(path, force=force)
    learned = make_shipped(name, seed, progress=report.progress, **changes)
    learned.save(out)
    report.say(f"wrote {' and '.join(map(str, paths))}: trained in {learned.about['seconds'] / 60:.1f} minutes")


def evaluate(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME|PATH", help="Shipped, or files that `train` wrote.")],
    resolution: Annotated[str, typer.Option(metavar="N|NxM", help="Cells per axis.", show_default="128, 3-D: 32")] = "",
    family: Annotated[str, typer.Option(help="obstacles, 'contrast 10' or 'contrast 100'.")] = "obstacles",
    boundary: Annotated[str, typer.Option(help="dirichlet, neumann or periodic.")] = "dirichlet",
    systems: Annotated[int, typer.Option("-n", "--systems", min=1, help="Random systems.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of the first system; none is one of the training.")] = 20,
    rtol: Annotated[float | None, typer.Option(help="Relative residual.", show_default="1e-8; of dcdm 1e-4")] = None,
    against: Annotated[
        list[str] | None, typer.Option(metavar="METHOD", help="A method to compare with; may be repeated.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="PICTURE", help="Draw the convergence on the first system.")
    ] = None,
    json: Json = None,
    force: Force = False,
) -> None:
    """Measure a learned preconditioner on random systems that it was not trained on, beside other methods.

    Iterations, and the seconds of set-up and solution, in turns on this machine; the set-up of methods for matrices
    includes assembling them. Residuals are true ones in double precision.
    """
    from opforge.core import Grid
    from opforge.precond import ConjugateDirections, load, random_system
    from opforge.precond.problems import random_right_hand_side

    report: Report = context.obj
    free_json(json, force=force)
    if picture is not None:
        free(picture, force=force, what="picture")
        check_suffix(picture)
    learned = load(name)
    directions = isinstance(learned, ConjugateDirections)
    ndim = learned.ndim if directions else learned.net.ndim
    given = sizes(resolution or ("128" if ndim == 2 else "32"), option="--resolution")
    shape = given * ndim if len(given) == 1 else given
    if len(shape) != ndim:
        raise InputError(f"--resolution must have {ndim} axes for {name}, got {resolution}")
    rivals = _checked(against or _RIVALS["directions" if directions else "multigrid"])
    tolerance = rtol if rtol is not None else 1e-4 if directions else 1e-8
    grid = Grid(shape, tuple(n / max(shape) for n in shape))  # cells that are cubes
    found: dict[str, list[Solution]] = {label: [] for label in (name, *rivals)}
    for number in range(-1, systems):  # the first time what is imported and compiled is not counted
        A = random_system(family, grid, seed + max(number, 0), boundary=boundary)
        b = random_right_hand_side(A, seed + max(number, 0))[0]
        for label in found:
            solution = _solved(A, b, learned if label == name else label, tolerance)
            if number >= 0:
                found[label].append(solution)
    rows = [_row(label, solutions) for label, solutions in found.items()]
    said = {"resolution": list(shape), "family": family, "boundary": boundary, "systems": systems, "seed": seed}
    if json != "-":
        title = f"{systems} systems, {family}, {boundary}, {text(list(shape))}, relative residual {tolerance:g}"
        report.table(tuple(rows[0]), [tuple(row.values()) for row in rows], title=title)
    if picture is not None:
        from opforge.plotting import plot_convergence

        first = {label: (solutions[0].residuals, solutions[0].seconds) for label, solutions in found.items()}
        save(plot_convergence(first, rtol=tolerance, title=f"{family}, {text(list(shape))}"), picture)
        report.say(f"wrote {picture}")
    report.json(json, {"preconditioner": name, "rtol": tolerance, **said, "methods": rows})


def _checked(rivals: Any) -> list[str]:
    from opforge.precond._methods import known

    for rival in rivals:
        if rival not in known():
            raise UnknownNameError("method", rival, known())
    return list(dict.fromkeys(rivals))


def _solved(A: Any, b: Any, method: Any, rtol: float) -> Solution:
    from opforge.precond import solve

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what has not converged stands in the table
        return solve((A, b), method, rtol=rtol)


def _row(label: str, solutions: list[Solution]) -> dict[str, Any]:
    iterations = [solution.iterations for solution in solutions]
    set_up, solution = (median(one.seconds[i] for one in solutions) for i in (0, 1))
    return {
        "method": label,
        "iterations, mean": sum(iterations) / len(iterations),
        "most": max(iterations),
        "set-up, ms": 1e3 * set_up,
        "solution, ms": 1e3 * solution,
        "both, ms": 1e3 * median(sum(one.seconds) for one in solutions),
        "converged": sum(one.converged for one in solutions),
        "largest residual": max(one.residual for one in solutions),
    }


def solve(
    context: typer.Context,
    matrix: Annotated[
        Path,
        typer.Argument(
            metavar="MATRIX", exists=True, dir_okay=False, help="Of scipy.sparse.save_npz (.npz), or dense (.npy)."
        ),
    ],
    right: Annotated[
        Path,
        typer.Argument(metavar="B", exists=True, dir_okay=False, help="(n,) or (n, systems), of numpy.save (.npy)."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="Solution to write (.npy).")],
    grid: Annotated[
        str | None, typer.Option(metavar="NxM", help="Where the unknowns are, in C order: cells per axis.")
    ] = None,
    method: Annotated[str, typer.Option(help="See `help(opforge.solve)`.")] = "auto",
    fallback: Annotated[
        str | None, typer.Option(metavar="METHOD", help="Takes over where the preconditioner makes things worse.")
    ] = None,
    rtol: Annotated[float, typer.Option(help="Relative residual.")] = 1e-8,
    maxiter: Annotated[int | None, typer.Option(help="Most iterations.")] = None,
    json: Json = None,
    force: Force = False,
) -> None:
    """Solve a linear system from files by the method that suits it, and say which.

    Exit status 1 where the tolerance is not reached; the best solution is written then too.
    """
    import numpy as np

    from opforge.core import Grid
    from opforge.datasets.files.whole import written_whole
    from opforge.errors import WorkError
    from opforge.precond import LinearProblem
    from opforge.precond import solve as solved
    from opforge.solvers import ConvergenceWarning

    report: Report = context.obj
    free(out, force=force, what="solution")
    check_suffix(out, (".npy",), what="solution")
    free_json(json, force=force)
    shape = None if grid is None else sizes(grid, option="--grid")
    A, b = _matrix(matrix), _array(right)
    problem = LinearProblem(A, b, None if shape is None else Grid(shape, tuple(map(float, shape))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the error below says it
        found = solved(problem, method, rtol=rtol, maxiter=maxiter, fallback=fallback)
    with written_whole(out) as partial, open(partial, "wb") as file:
        np.save(file, found.x)
    set_up, solution = found.seconds
    values = {
        "method": found.method,
        "why": found.why,
        "converged": found.converged,
        "iterations": found.iterations,
        "residual": found.residual,
        "set_up_seconds": set_up,
        "solution_seconds": solution,
    }
    if json != "-":
        report.table(("property", "value"), list(values.items()))
    report.json(json, values)
    report.say(f"wrote {out}")
    if not found.converged:
        raise WorkError(f"the relative residual is {found.residual:.1e}, asked for was {rtol:g}: {found.reason}")


def _matrix(path: Path) -> Any:
    import scipy.sparse

    if path.suffix == ".npy":
        return _array(path)
    try:
        return scipy.sparse.load_npz(path)
    except Exception as error:  # zip's, numpy's and scipy's
        raise InputError(
            f"{path} must be a sparse matrix of scipy.sparse.save_npz, or a dense one (.npy): {error}"
        ) from error


def _array(path: Path) -> Any:
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except Exception as error:
        raise InputError(f"{path} must be an array of numpy.save: {error}") from error


SUBCOMMANDS = (
    ("list", list_, "opforge precond list"),
    ("train", train, "opforge precond train multigrid_2d -o mine"),
    ("evaluate", evaluate, "opforge precond evaluate multigrid_2d --family 'contrast 100' --resolution 256"),
)
COMMANDS = (("solve", solve, "opforge solve A.npz b.npy --grid 128x128 -o x.npy"),)
