import pickle

import h5py
import numpy as np
import pytest

from opforge import open_dataset
from opforge.errors import InputError
from tests.datasets.formats import examples
from tests.datasets.formats.examples import FRAMES


@pytest.mark.parametrize(
    ("axis", "values", "match"),
    [
        (
            "x",
            2 * examples.centres(6, 2.0, -1.0),
            r"coordinate '0001/grid/x' must agree with '0000/grid/x', got .* inst",
        ),
        (
            "y",
            examples.centres(7),
            r"'0001/grid/y' must have the shape \(8,\) of '0000/grid/y', got \(7,\); samples of",
        ),
        ("t", 0.25 * np.arange(FRAMES), r"'0001/grid/t' must agree with '0000/grid/t', got 1 instead of 2 at point 4;"),
        (
            "t",
            np.full(FRAMES, np.nan),
            r"'0001/grid/t' must agree with '0000/grid/t', got nan instead of 0 at point 0;",
        ),
        ("y", None, r"'0001/grid/y' is missing"),
        ("x", np.full(6, "a", "S1"), r"'0001/grid/x' must hold real numbers"),
    ],
)
def test_samples_on_other_grids_are_refused_when_they_are_read(tmp_path, axis, values, match):
    expected = examples.pdebench_groups(tmp_path / "d.h5", "rdb")["h"]
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        del file[f"0001/grid/{axis}"]
        if values is not None:
            file[f"0001/grid/{axis}"] = values
    dataset = open_dataset(tmp_path / "d.h5")
    for _ in range(2):  # it is not taken for good after the first refusal
        with pytest.raises(InputError, match=match):
            dataset.arrays([2, 1])
    np.testing.assert_array_equal(dataset.arrays([2, 0])["h"], expected[[2, 0]])
    with pytest.raises(InputError, match=match):
        dataset.statistics()
    with pytest.raises(InputError, match=match):
        pickle.loads(pickle.dumps(dataset)).windows(1, 1).batch([FRAMES])


def test_coordinates_may_differ_by_rounding(tmp_path):
    examples.pdebench_groups(tmp_path / "d.h5", "diff-sorp")
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        file["0001/grid/x"][...] = np.nextafter(file["0001/grid/x"][...], np.float32(3))
    assert open_dataset(tmp_path / "d.h5").arrays([1])["u"].shape == (1, FRAMES, 8)
