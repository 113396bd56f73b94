import numpy as np
import pytest

import opforge as package
from tests.datasets.formats import examples


def test_to_the_well(opforge, made, tmp_path):
    done = opforge("convert", made.data, "--to", "the-well", "-o", "d.hdf5")
    assert done.status == 0 and done.out == ""
    assert "wrote d.hdf5 and stats.yaml: 12 samples on 16 x 16 points" in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.hdf5", "stats.yaml"]
    before, after = package.open_dataset(made.data), package.open_dataset("d.hdf5")
    assert (after.inputs, after.outputs, after.grid) == (before.inputs, before.outputs, before.grid)
    np.testing.assert_array_equal(after.batch([3])[1], before.batch([3])[1])


@pytest.mark.parametrize("write", [examples.pdebench_incompressible, lambda p: examples.mat_v5(p, examples.burgers())])
def test_from_other_layouts(opforge, tmp_path, write):
    write(tmp_path / "theirs.mat")
    assert opforge("--quiet", "convert", "theirs.mat", "--to", "the-well", "-o", "d.h5", "--stats", "s.yaml").err == ""
    before, after = package.open_dataset("theirs.mat"), package.open_dataset("d.h5")
    assert sorted(after.fields) == sorted(before.fields) and after.samples == before.samples
    for name, values in before.arrays(range(3)).items():
        np.testing.assert_array_equal(after.arrays(range(3))[name], values.astype(np.float32))


def test_existing_files_are_kept_unless_forced(opforge, refused, made, tmp_path):
    (tmp_path / "stats.yaml").write_text("precious")
    assert "file of statistics 'stats.yaml' exists; use --force" in refused(
        "convert", made.data, "--to", "the-well", "-o", "d.h5"
    )
    assert opforge("--quiet", "convert", made.data, "--to", "the-well", "-o", "d.h5", "--force").status == 0
    assert "output 'd.h5' exists; use --force" in refused("convert", made.data, "--to", "the-well", "-o", "d.h5")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--to", "the-wel", "-o", "d.h5"), "unknown layout 'the-wel'; did you mean 'the-well'?"),
        (("--to", "the-well", "-o", "d.nc"), "must end in .h5 or .hdf5, got 'd.nc'"),
        (("--to", "the-well", "-o", "none/d.h5"), "does not exist; create 'none' first"),
        (("--to", "the-well", "-o", "d.h5", "--stats", "d.h5"), "stats must be another file"),
        (("--to", "the-well"), "--out"),
        (("-o", "d.h5"), "--to"),
    ],
)
def test_bad_input_is_refused(refused, made, words, expected):
    assert expected in refused("convert", made.data, *words)


def test_a_file_that_does_not_exist(refused):
    assert "data file 'none.nc' does not exist" in refused("convert", "none.nc", "--to", "the-well", "-o", "d.h5")


def test_drawn_parameters_are_kept(opforge, loaded):
    before = package.generate(loaded, 3, 16, out="d.nc")
    assert opforge("convert", "d.nc", "--to", "the-well", "-o", "d.hdf5").status == 0
    after = package.open_dataset("d.hdf5")
    for name, values in before.drawn.items():
        np.testing.assert_array_equal(after.drawn[name], values.astype(np.float32))
