"""``opforge simulate``: one run of an equation, as a picture, a moving picture or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import opforge
from opforge.cli.console import Report, text
from opforge.cli.files import PICTURES, check_suffix, free, netcdf_bytes, save
from opforge.cli.generate import shape_of
from opforge.cli.options import Force, Settings
from opforge.cli.settings import parsed
from opforge.errors import InputError, UnknownNameError, WorkError

if TYPE_CHECKING:
    from opforge.datasets import OperatorDataset, Recipe

_DATA = (".nc",)


def simulate(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="What to run; `opforge list recipes` shows them.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="A picture (.png, .pdf, .svg), a moving picture (.gif, .mp4) or data (.nc).",
            show_default="RECIPE.png",
        ),
    ] = None,
    resolution: Annotated[str, typer.Option(metavar="N|NxM", help="Points per axis, such as 128 or 96x64.")] = "128",
    seed: Annotated[int, typer.Option(help="Of the random initial state: sample 0 of `generate` with this seed.")] = 0,
    settings: Settings = None,
    fields: Annotated[
        str | None, typer.Option(metavar="NAME,NAME", help="Of pictures: the fields to draw.", show_default="all")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames per second of a moving picture.")] = 10.0,
    save_state: Annotated[
        Path | None,
        typer.Option(metavar="FILE.nc", help="If the run blows up: write the last state that is finite."),
    ] = None,
    force: Force = False,
) -> None:
    """Run a simulation once, and draw it.

    Draws the inputs at random as `opforge generate` does, solves, says how well the equation's promises are kept, and
    writes a picture, a moving picture or the data. --set gives a parameter of the recipe, such as
    --set viscosity=0.01 or --set frames=101.
    """
    from opforge.datasets.quality.animation import MOVING
    from opforge.datasets.recipe import make_recipe

    report: Report = context.obj
    parameters = parsed(settings or [])
    maker = make_recipe(recipe, parameters)
    path = Path(f"{recipe}.png") if out is None else out
    check_suffix(path, (*PICTURES, *MOVING, *_DATA), what="output")
    free(path, force=force)
    drawn = _chosen(fields, maker, path)
    if save_state is not None:
        check_suffix(save_state, _DATA, what="file")
        free(save_state, force=force, what="file of --save-state")
        if save_state.resolve() == path.resolve():
            raise InputError(f"--save-state and --out must be two files, got {str(path)!r} for both; give another name")
    try:
        data = opforge.generate(recipe, 1, shape_of(resolution), seed=seed, dtype="float64", workers=1, **parameters)
    except WorkError as error:
        if save_state is not None:
            report.say(_saved(error, maker, shape_of(resolution), save_state))
        raise
    _write(data, path, fps, drawn)
    frames = "" if data.times is None else f", {len(data.times)} frames until {data.times[-1]:g}"
    report.say(f"wrote {path}: {recipe} on {text(data.grid.shape)} points{frames}")
    report.table(("quantity", "value"), _numbers(data))


def _chosen(fields: str | None, recipe: Recipe, path: Path) -> list[str] | None:
    """The names of the fields to draw, None for all."""
    if fields is None:
        return None
    if path.suffix.lower() in _DATA:
        raise InputError(f"--fields chooses what a picture shows, a file such as {path.name!r} has all; leave it out")
    known = {*recipe.inputs, *recipe.outputs}
    names = [name.strip() for name in fields.split(",")]
    for name in names:
        if name not in known:
            raise UnknownNameError("field", name, known)
    return names


def _write(data: OperatorDataset, path: Path, fps: float, fields: list[str] | None) -> None:
    from opforge.datasets.files.whole import written_whole
    from opforge.datasets.quality.animation import MOVING, animate

    if path.suffix.lower() in MOVING:
        animate(data, path, frames_per_second=fps, fields=fields)
    elif path.suffix.lower() in _DATA:
        with written_whole(path) as partial:
            partial.write_bytes(netcdf_bytes(data.to_xarray()))
    else:
        from opforge.datasets.quality.picture import sample_picture

        save(sample_picture(data, 0, fields), path)


def _numbers(data: OperatorDataset) -> list[tuple[str, str]]:
    """What the run is worth: ranges, the solver's residual, and how far each promise of the equation is off."""
    import numpy as np

    values = data.arrays([0])
    rows = [(name, f"{field.min():.4g} to {field.max():.4g}") for name, field in values.items()]
    residual = data.to_xarray()["solver_residual"].values
    rows.append(("solver residual (relative)", f"{float(residual[0]):.2e}"))
    equation = data.equation
    if equation is not None:
        drawn: dict[str, Any] = {**values, **getattr(data, "drawn", {})}
        fields = drawn if data.times is None else {**drawn, "time": data.times}
        for invariant in equation.invariants:
            off = float(np.ravel(invariant.violation(equation, fields, data.grid))[0])
            rows.append((f"{invariant.name}: {invariant.statement}", f"off by {off:.1e}"))
    return rows


def _saved(error: WorkError, recipe: Any, shape: Any, path: Path) -> str:
    """Write the last finite state of a run that blew up, and say so; what went wrong with the run is to be told yet."""
    try:
        there_is_one = _save_state(error, recipe, shape, path)
    except OSError as failure:
        return f"the state before could not be written to {path}: {failure.strerror or failure}"
    return f"wrote {path}: the state before" if there_is_one else f"{path} is not written: the run did not blow up"


def _save_state(error: BaseException | None, recipe: Any, shape: Any, path: Path) -> bool:
    """Write the last finite state of a run that blew up; whether there is one."""
    from opforge.datasets.files.whole import written_whole
    from opforge.solvers import BlowUp

    blow_up: Any = error
    while blow_up is not None and not isinstance(blow_up, BlowUp):
        blow_up = blow_up.__cause__ or blow_up.__context__
    if blow_up is None:
        return False
    import numpy as np
    import xarray

    grid = recipe.grid(shape)
    grid = recipe.solved_on(grid) if hasattr(recipe, "solved_on") else grid
    state = np.asarray(blow_up.state)[blow_up.samples[0]]
    coordinates = dict(zip(grid.axis_names, grid.coordinates(), strict=True))
    fields = {name: (grid.axis_names, values) for name, values in zip(recipe.equation.unknowns, state, strict=True)}
    with written_whole(path) as partial:
        data = xarray.Dataset(fields, coordinates, {"blew_up_at": blow_up.time, "equation": recipe.equation.name})
        partial.write_bytes(netcdf_bytes(data))
    return True


COMMANDS = (("simulate", simulate, "opforge simulate navier_stokes --set flow=kolmogorov -o flow.gif"),)
