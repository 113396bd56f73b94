import numpy as np

from opforge.benchmarks import generation


def test_averages_over_cells_keep_the_mean_and_linear_functions():
    x = (np.arange(12) + 0.5) / 12
    coarse = generation.averaged(np.add.outer(x, 2 * x), 4)
    centres = (np.arange(4) + 0.5) / 4
    np.testing.assert_allclose(coarse, np.add.outer(centres, 2 * centres), rtol=0, atol=1e-14)


def test_the_data_error_falls_with_the_grid(monkeypatch):
    monkeypatch.setattr(generation, "RESOLUTIONS", (8, 16, 64))
    rows = generation.data_error(1)
    assert len(rows) == 8
    for coarse, fine in zip(rows[::2], rows[1::2], strict=True):
        assert (coarse["resolution"], fine["resolution"], fine["reference"]) == (8, 16, 64)
        assert float(coarse["mean"]) > float(fine["mean"]) > 0


def test_solvers_agree_and_are_timed():
    rows = generation.solvers(2, resolutions=(16,))
    names = ["opforge", "scipy direct", "scipy direct, symmetric ordering"]
    assert [row["contestant"] for row in rows] == names
    assert all(float(row["median_ms"]) > 0 and row["rounds"] == 2 for row in rows)
