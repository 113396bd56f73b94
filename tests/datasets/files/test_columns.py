"""Arrays of samples and their checksums."""

import zlib

import numpy as np

from opforge.core import Grid
from opforge.datasets.files.columns import PAGE, bytes_per_sample, checksums, empty_columns
from opforge.datasets.files.header import Header

HEADER = Header(("a",), ("a", "u"), Grid((3, 4)), 7)


def test_a_checksum_sums_all_that_belongs_to_a_sample():
    a, seed = np.arange(6, dtype="<f4").reshape(2, 3), np.array([1, 2], "<u8")
    expected = [zlib.crc32(a[i].tobytes() + seed[i].tobytes()) for i in range(2)]
    assert checksums({"a": a, "seed": seed}).tolist() == expected
    assert checksums({"a": a[1:], "seed": seed[1:]}).tolist() == expected[1:]


def test_there_is_a_column_for_all_that_belongs_to_a_sample():
    columns = empty_columns(HEADER, np.dtype(np.float32), 5)
    assert {name: values.shape for name, values in columns.items()} == {
        "a": (5, 3, 4),
        "u": (5, 3, 4),
        "solver_residual": (5,),
        "seed": (5,),
        "checksum": (5,),
    }
    assert sum(values.nbytes for values in columns.values()) == 5 * bytes_per_sample(HEADER, np.dtype(np.float32))
    assert all(columns[name].ctypes.data % PAGE == 0 for name in "au")


def test_drawn_parameters_are_summed_after_the_fields_in_double_precision():
    header = Header(("a",), ("u",), Grid((3,)), 7, drawn=("nu", "k"))
    columns = empty_columns(header, np.dtype(np.float32), 5)
    assert list(columns) == ["a", "u", "nu", "k", "solver_residual", "seed", "checksum"]
    assert all(columns[name].shape == (5,) and columns[name].dtype == "<f8" for name in header.drawn)
    for values in columns.values():
        values[...] = 1
    before = checksums(columns)
    columns["k"][3] = 2
    assert (checksums(columns) != before).tolist() == [False, False, False, True, False]
