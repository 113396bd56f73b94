import sys

import numpy as np
import pytest

from opforge import generate
from opforge.core import Grid
from opforge.datasets.quality.picture import labels, plot_sample, quality_picture, sample_picture
from opforge.datasets.quality.spectra import spectra
from opforge.errors import InputError


def images(figure):
    return {axes.get_title(): axes.images[0] for axes in figure.axes if axes.images}


@pytest.mark.parametrize("ndim", [2, 3])
def test_frames_stand_side_by_side_in_one_scale(waves, ndim):
    data = waves(ndim, n=8, frames=10)
    figure = sample_picture(data, 1)
    shown = images(figure)
    assert list(shown) == ["t = 0 s", "t = 0.667 s", "t = 1.33 s", "t = 2 s"]
    assert len({image.get_clim() for image in shown.values()}) == 1
    u = data.arrays([1])["u"][0]
    for frame, image in zip((0, 3, 6, 9), shown.values(), strict=True):
        drawn = u[frame] if ndim == 2 else u[frame][..., 4]
        np.testing.assert_array_equal(np.asarray(image.get_array()), drawn.T)
    (bar,) = (axes for axes in figure.axes if axes.get_label() == "<colorbar>")
    assert bar.get_ylabel() == "velocity u (m s-1)"
    assert ("plane z = 0.5" in figure.get_suptitle()) == (ndim == 3)


def test_the_scale_holds_all_frames_that_are_drawn():
    u = np.arange(6.0)[:, None, None] * np.ones((6, 4, 4))
    figure = plot_sample({"u": u}, Grid.cube(2, 4), times=np.arange(6.0))
    assert [image.get_clim() for image in images(figure).values()] == [(0.0, 5.0)] * 4


def test_few_frames_are_drawn_once(waves):
    assert list(images(sample_picture(waves(2, frames=2), 0))) == ["t = 0 s", "t = 2 s"]


def test_one_dimension_over_space_and_time(waves):
    data = waves(1, frames=5)
    course, profiles, *_ = sample_picture(data, 2).axes
    u = data.arrays([2])["u"][0]
    np.testing.assert_array_equal(np.asarray(course.collections[0].get_array()).reshape(u.shape), u)
    edges = course.collections[0].get_coordinates()
    np.testing.assert_allclose(edges[:, 0, 1], [0.0, 0.25, 0.75, 1.25, 1.75, 2.0])  # time upwards
    np.testing.assert_allclose(edges[0, [0, -1], 0], [-1 / 32, 1 - 1 / 32])
    assert (course.get_title(), course.get_xlabel(), course.get_ylabel()) == ("velocity u (m s-1)", "x (m)", "t (s)")
    assert [line.get_label() for line in profiles.lines] == ["t = 0 s", "t = 0.5 s", "t = 1.5 s", "t = 2 s"]
    for line, frame in zip(profiles.lines, (0, 1, 3, 4), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), u[frame])


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_fields_that_stay_have_a_panel_of_their_own(waves, ndim):
    figure = sample_picture(waves(ndim, n=8, still=True), 0)
    titles = [axes.get_title() for axes in figure.axes if axes.axison and axes.get_title()]
    assert titles[0] == "conductivity k" and len(titles) == (2 if ndim == 1 else 5)


def test_labels_are_words_symbol_and_unit(waves, hand_made):
    assert labels(waves(1, still=True)) == {"u": "velocity u (m s-1)", "k": "conductivity k"}
    plain = hand_made(Grid((4,)), {"u": np.ones((1, 4))}, labels={})
    assert labels(plain) == {"u": "u"}


def test_a_dataset_draws_itself(tmp_path):
    data = generate("darcy", 3, 8, out=tmp_path / "d.nc")
    figure = data.plot(-1)
    assert figure.get_suptitle() == "d.nc, sample 2"
    np.testing.assert_array_equal(np.asarray(images(figure)["pressure u"].get_array()), data[2][1][0].numpy().T)
    with pytest.raises(InputError, match="indices must lie between 0 and 2, got 3"):
        data.plot(3)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_quality_picture_has_spectra_values_and_a_sample(waves, ndim):
    data = waves(ndim, n=8, still=True)
    found = spectra(data)
    figure = quality_picture(data, found)
    first, *others = figure.axes
    assert [axes.get_title() for axes in others[:2]] == ["velocity u (m s-1)", "conductivity k"]
    assert first.get_xscale() == first.get_yscale() == "log"
    line = first.lines[0]
    np.testing.assert_allclose(line.get_xdata(), found["u"].wavenumbers[1 : found["u"].nyquist + 1])
    np.testing.assert_allclose(line.get_ydata()[0], found["u"].energy[1] / found["u"].energy[1:].sum())
    heights = others[1].patches[0].get_data().values
    assert heights.sum() == pytest.approx(1.0)


def test_constant_fields_have_no_line(hand_made):
    data = hand_made(Grid((8,)), {"u": np.ones((2, 8)), "k": np.arange(16.0).reshape(2, 8)})
    assert [line.get_label() for line in quality_picture(data, spectra(data)).axes[0].lines] == ["conductivity k"]


def test_many_fields_go_into_rows(hand_made):
    values = np.arange(16.0).reshape(2, 8)
    data = hand_made(Grid((8,)), {name: values for name in "ukabc"})
    figure = quality_picture(data, spectra(data))
    assert sum(len(axes.patches) > 0 for axes in figure.axes) == 5


def test_all_can_be_saved_and_leave_no_global_state(waves, tmp_path):
    for ndim in (1, 2, 3):
        data = waves(ndim, n=8, still=True)
        for number, figure in enumerate((data.plot(0), quality_picture(data, spectra(data)))):
            path = tmp_path / f"{ndim}-{number}.png"
            figure.savefig(path)
            assert 5_000 < path.stat().st_size < 200_000
    assert "matplotlib.pyplot" not in sys.modules


def test_bad_input_is_refused():
    grid = Grid.cube(2, 4)
    u = np.ones((3, 4, 4))
    with pytest.raises(InputError, match="fields must hold"):
        plot_sample({}, grid)
    with pytest.raises(InputError, match="field 'u' must have the grid's shape"):
        plot_sample({"u": u}, grid)
    with pytest.raises(InputError, match=r"field 'u' must have the grid's shape \(2, 4, 4\), got \(3, 4, 4\)"):
        plot_sample({"u": u}, grid, times=[0.0, 1.0])


def test_labels_of_bars_keep_to_their_rows_and_the_picture():
    """Of a box twice as long as high, whose rows are lower than the labels are long."""
    grid = Grid((8, 4), (2.0, 1.0))
    x = grid.mesh()[0]
    words = {name: f"velocity along {axis}, on upper faces {name}" for name, axis in zip("uvw", "xyz", strict=True)}
    figure = plot_sample({name: np.stack([x, -1e-2 * x]) for name in "uvw"}, grid, times=[0.0, 1.0], labels=words)
    texts = [axes.yaxis.label for axes in figure.axes if axes.get_label() == "<colorbar>"]
    assert [" ".join(text.get_text().split()) for text in texts] == list(words.values())
    found = [text.get_window_extent() for text in texts]
    figure.draw_without_rendering()
    high, middle, low = (text.get_window_extent() for text in texts)
    np.testing.assert_allclose([box.x1 for box in found], [box.x1 for box in (high, middle, low)], atol=1.0)
    assert low.y1 < middle.y0 and middle.y1 < high.y0 and high.y1 < figure.bbox.y1
    assert max(box.x1 for box in (high, middle, low)) <= figure.bbox.x1
