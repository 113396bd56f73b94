import numpy as np
import pytest
from matplotlib.figure import Figure

from opforge.core import Grid
from opforge.datasets.quality.panels import Panel, add_bar, as_array, draw, draw_plane, plane, size
from opforge.errors import InputError


def test_places_without_a_panel_stay_empty():
    grid = Grid.cube(2, 4)
    x, y = grid.mesh()
    figure = draw([[Panel("x", {"x": x}), None], [Panel("y", {"y": y})]], grid, title="both", length_unit="m")
    assert [axes.get_title() for axes in figure.axes if axes.axison and axes.images] == ["x", "y"]
    assert figure.get_suptitle() == "both" and figure.axes[0].get_ylabel() == "y (m)"


def test_a_figure_has_the_shape_of_the_box():
    flat, tall, cube = (size(Grid((4, 4), lengths), 1, 1, title="") for lengths in ((2.0, 1.0), (1.0, 2.0), (1.0, 1.0)))
    assert flat[0] == tall[0] == cube[0] and flat[1] < cube[1] < tall[1]
    long = size(Grid((4, 4), (1000.0, 1.0)), 1, 1, title="")
    assert 0.4 * cube[1] < long[1] < flat[1]


def test_bars_explain_their_axes_and_limits_hold():
    figure = Figure()
    grid = Grid.cube(2, 4)
    axes = figure.subplots()
    image = draw_plane(figure, axes, Panel("x", {"x": grid.mesh()[0]}, limits=(0.0, 4.0), bar=False), grid, unit="")
    assert len(figure.axes) == 1 and image.get_clim() == (0.0, 4.0)
    add_bar(figure, image, [axes], "height (m)")
    assert figure.axes[1].get_ylabel() == "height (m)"


def test_the_middle_plane():
    values = np.arange(2 * 3 * 5.0).reshape(2, 3, 5)
    np.testing.assert_array_equal(plane(values), values[..., 2])
    np.testing.assert_array_equal(plane(values[0]), values[0])


def test_arrays_of_another_shape_are_refused():
    assert as_array("u", np.ones(3, np.float32), (3,)).dtype == np.float64
    with pytest.raises(InputError, match=r"field 'u' must have the grid's shape \(3,\), got \(2,\)"):
        as_array("u", np.ones(2), (3,))
