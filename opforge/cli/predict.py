"""``opforge predict``: a trained operator's outputs for the inputs of a file, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import opforge
from opforge.cli.console import Report, text
from opforge.cli.data import DataFile, Names, PointsOfGrid, Rename, existing_data, opened
from opforge.cli.files import free, netcdf_bytes
from opforge.cli.options import BatchSize, Device, Force, Run
from opforge.datasets.files.whole import written_whole
from opforge.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from opforge.training import Operator


def predict(
    context: typer.Context,
    run: Run,
    data: DataFile,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File to write (netCDF-4).")],
    device: Device = "auto",
    batch_size: BatchSize = 32,
    force: Force = False,
    points: PointsOfGrid = None,
    rename: Rename = None,
) -> None:
    """Write a trained operator's outputs for a file's inputs.

    The inputs are written along. The file needs the input variables with axes sample, x, y, z (as far as there are);
    outputs are not looked at. Of fields that change with time the first frame is the input, and an output of the same
    name is written as predicted_NAME.
    """
    report: Report = context.obj
    existing_data(data)
    names = Names(points=points, rename=rename)
    free(out, force=force, reads=data)
    operator = opforge.load(run, device=device)
    if operator.provenance.get("pairing", {}).get("given", 1) > 1:
        raise InputError(
            f"{run} is given several frames at a time ({', '.join(operator.inputs)}), predict gives the first one of a "
            "file; call opforge.load(run)(x) with x (samples, frames, *space)"
        )
    inputs = opened(data, names, inputs=operator.inputs, outputs=operator.inputs).to_xarray()
    inputs = inputs[list(operator.inputs)].load()
    if "time" in inputs.dims:
        inputs = inputs.isel(time=0, drop=True)
    predicted = predicted_dataset(operator, inputs, batch_size=batch_size)
    predicted.attrs |= {"source": str(data), "run": str(run), "opforge_version": opforge.__version__}
    content = netcdf_bytes(predicted)
    with written_whole(out) as partial:
        partial.write_bytes(content)
    shape = inputs[operator.inputs[0]].shape
    report.say(f"wrote {out}: {', '.join(operator.outputs)} of {shape[0]} samples on {text(shape[1:])} points")


def predicted_dataset(operator: Operator, inputs: xr.Dataset, *, batch_size: int) -> xr.Dataset:
    """Inputs and predicted outputs in one dataset, with units where the operator's equation is known.

    Raises:
        InputError: inputs with other axes, or values that are not finite.
    """
    outputs: Any = operator(inputs, batch_size=batch_size)
    for name, values in outputs.data_vars.items():
        values.attrs |= field_attributes(operator, str(name))
    predicted = inputs.merge(outputs.rename({name: f"predicted_{name}" for name in outputs if name in inputs}))
    for name in ("solver", "tolerance"):  # true of the file's own outputs, not of these
        predicted.attrs.pop(name, None)
    return predicted


def field_attributes(operator: Operator, name: str) -> dict[str, str]:
    """``long_name`` and ``units`` of an output, from the equation of the training data."""
    from opforge.pdes import registry

    equation = registry().get(str(operator.provenance.get("equation")))
    for field in equation.fields if equation is not None else ():
        if field.name == name:
            return {"long_name": f"predicted {field.long_name}", "units": field.units}
    return {"long_name": f"predicted {name}"}


COMMANDS = (("predict", predict, "opforge predict runs/darcy darcy128.nc -o predicted.nc"),)
