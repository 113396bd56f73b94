"""A small dataset with fields of every kind, and its files: what the tests of this folder read."""

import numpy as np
import torch
from torch.testing import assert_close

from opforge.core import Grid
from opforge.datasets.files.columns import checksums, empty_columns
from opforge.datasets.files.header import Header
from opforge.datasets.files.writer import FileWriter
from opforge.datasets.reading.dataset import OperatorDataset
from opforge.datasets.reading.source import ArraySource

FLOAT = np.dtype(np.float32)

# a stays and is given, w evolves and is given, u evolves, is given and found, v evolves and is found.
HEADER = Header(
    ("a", "w", "u"),
    ("u", "v"),
    Grid((6, 4), (3.0, 1.0), "periodic", (0.5, -1.0)),
    5,
    times=(0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5),
    evolving=("w", "u", "v"),
    labels={name: {"long_name": f"the field {name}", "units": "m"} for name in "awuv"},
)


def columns(header=HEADER, dtype=FLOAT, failed=(), seed=0):
    """Arrays of all variables, of random numbers; NaN in the samples that failed."""
    rng = np.random.default_rng(seed)
    arrays = empty_columns(header, dtype, header.samples)
    for name in header.names:
        arrays[name][...] = rng.standard_normal(arrays[name].shape)
    arrays["solver_residual"][...] = 1e-9
    arrays["seed"][...] = np.arange(header.samples) + 100
    for index in failed:
        for name in (*header.names, "solver_residual"):
            arrays[name][index] = np.nan
    arrays["checksum"] = checksums(arrays)
    return arrays


def write(path, arrays, header=HEADER, compression=None):
    """A file of these samples."""
    with FileWriter(path, header, arrays[header.names[0]].dtype, compression=compression) as writer:
        writer.put(0, arrays)
        failed = np.flatnonzero(np.isnan(arrays["solver_residual"]))
        if failed.size:
            writer.fail([f"sample {header.first + index} (seed {arrays['seed'][index]}): no" for index in failed])
    return path


def in_memory(arrays, header=HEADER):
    return OperatorDataset(header, ArraySource(header, {name: arrays[name] for name in header.names}))


def pair(arrays, header, sample, given, wanted):
    """What a dataset has to give for these frames of a sample: channels of x and of y, by their definition."""

    def side(names, frames):
        rows = (
            arrays[name][sample][list(frames)] if name in header.evolving else arrays[name][sample][None]
            for name in names
        )
        return np.concatenate(list(rows))

    return side(header.inputs, given), side(header.outputs, wanted)


def assert_equal(tensor, values):
    assert_close(tensor, torch.as_tensor(np.ascontiguousarray(values)), rtol=0, atol=0)
