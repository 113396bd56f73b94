import numpy as np
import pytest
import torch
from matplotlib import image as matplotlib_image

from opforge.core import Grid
from opforge.errors import InputError
from opforge.plotting import plot_history, plot_prediction, plot_sample


def fields(ndim, n=16):
    grid = Grid.cube(ndim, n)
    mesh = grid.mesh()
    a = np.where(sum(np.sin(5 * x) for x in mesh) > 0.3, 12.0, 3.0)
    return grid, a, np.prod([np.sin(np.pi * x) for x in mesh], axis=0)


def picture_titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def colour_scales(figure):
    return {axes.get_title(): axes.images[0].get_clim() for axes in figure.axes if axes.images}


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_sample_has_a_panel_a_field(ndim):
    grid, a, u = fields(ndim)
    figure = plot_sample({"a": a, "u": u}, grid, labels={"u": "pressure u"}, title="sample 0")
    assert picture_titles(figure) == ["a", "pressure u"]
    assert "sample 0" in figure.get_suptitle()


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_prediction_states_its_relative_error(ndim):
    grid, a, u = fields(ndim)
    figure = plot_prediction({"a": a}, {"u": u}, {"u": 1.05 * u}, grid=grid)
    assert picture_titles(figure)[-1] == "error: 5.00 % in L2"
    assert len(picture_titles(figure)) == (3 if ndim == 1 else 4)


@pytest.mark.parametrize("ndim", [2, 3])
def test_truth_and_prediction_share_a_scale_and_the_error_is_centred(ndim):
    grid, a, u = fields(ndim)
    scales = colour_scales(plot_prediction({"a": a}, {"u": u}, {"u": 1.5 * u - 0.1}, grid=grid))
    assert scales["truth: u"] == scales["prediction: u"]
    low, high = next(scale for title, scale in scales.items() if title.startswith("error"))
    assert low == -high < 0


def test_axes_are_x_to_the_right_and_y_upwards():
    grid = Grid((4, 6), (2.0, 3.0))
    x, _ = grid.mesh()
    axes = plot_sample({"x": x}, grid, length_unit="m").axes[0]
    np.testing.assert_array_equal(np.asarray(axes.images[0].get_array()), x.T)
    assert axes.images[0].get_extent() == [0.0, 2.0, 0.0, 3.0]
    assert axes.images[0].origin == "lower"
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_aspect()) == ("x (m)", "y (m)", 1.0)


def test_three_dimensions_show_the_middle_plane():
    grid = Grid.cube(3, 5)
    z = grid.mesh()[2]
    figure = plot_sample({"z": z}, grid)
    assert "z = 0.5" in figure.get_suptitle()
    np.testing.assert_allclose(np.asarray(figure.axes[0].images[0].get_array()), 0.5, rtol=1e-12)


def test_torch_tensors_and_several_channels_are_drawn():
    grid, a, u = fields(2)
    prediction = torch.tensor(u, requires_grad=True) * 1.01
    figure = plot_prediction({"a": a, "b": u}, {"u": u}, {"u": prediction}, grid=grid)
    assert picture_titles(figure) == ["input: a", "truth: u", "prediction: u", "error: 1.00 % in L2", "input: b"]


def test_pictures_are_small_and_leave_no_global_state(tmp_path):
    import sys

    grid, a, u = fields(2, n=128)
    error = 0.01 * np.sin(20 * u + 0.2 * a)
    path = tmp_path / "prediction.png"
    plot_prediction({"a": a}, {"u": u}, {"u": u + error}, grid=grid).savefig(path)
    height, width, _ = matplotlib_image.imread(path).shape
    assert width > 2 * height
    assert path.stat().st_size < 150_000
    assert "matplotlib.pyplot" not in sys.modules


def test_history_is_on_a_log_scale_with_a_curve_a_number():
    history = [
        {"epoch": e, "train_loss": 0.5**e, "validation_relative_l2": 0.6**e, "learning_rate": 1e-3} for e in range(1, 6)
    ]
    axes = plot_history(history).axes[0]
    assert axes.get_yscale() == "log"
    assert [line.get_label() for line in axes.lines] == ["training loss", "validation relative L2"]
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1, 2, 3, 4, 5])


def test_history_skips_epochs_without_validation():
    history = [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.4, "validation_h1": 0.3}]
    lines = plot_history(history).axes[0].lines
    assert [len(line.get_xdata()) for line in lines] == [2, 1]


def test_bad_input_is_refused():
    grid, a, u = fields(2)
    with pytest.raises(InputError, match="fields must hold"):
        plot_sample({}, grid)
    with pytest.raises(InputError, match="field 'u' must have the grid's shape"):
        plot_sample({"u": u[None]}, grid)
    with pytest.raises(InputError, match="prediction must hold the outputs"):
        plot_prediction({"a": a}, {"u": u}, {"v": u}, grid=grid)
    with pytest.raises(InputError, match="history"):
        plot_history([])
    with pytest.raises(InputError, match="history"):
        plot_history([{"epoch": 1, "seconds": 3.0}])
