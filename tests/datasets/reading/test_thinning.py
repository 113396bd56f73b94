import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.files.header import Header
from opforge.datasets.reading.thinning import Thinning
from opforge.errors import InputError


def header(grid, frames=0):
    return Header(("u",), ("u",), grid, 1, times=tuple(0.5 * np.arange(frames)), evolving=("u",) if frames else ())


def kept(thinning, grid):
    """The coordinates that the slices leave of the whole grid's."""
    return [values[part] for values, part in zip(grid.coordinates(), thinning.space, strict=True)]


@pytest.mark.parametrize("points", ["cells", "nodes", "periodic"])
@pytest.mark.parametrize("first", [(1, 1), (2, 3), (3, 2), (4, 1), (6, 6)])
@pytest.mark.parametrize("second", [1, 2, 3])
def test_the_grid_says_where_the_points_are_that_are_left(points, first, second):
    grid = Grid(tuple(n + (points == "nodes") for n in (72, 36)), (2.0, 3.0), points, (-1.0, 0.25))
    once = Thinning.none(header(grid)).every(first, 1)
    twice = once.every(second, 1)
    for thinning, steps in ((once, first), (twice, tuple(second * step for step in first))):
        assert thinning.grid.points == points and thinning.grid.lengths == grid.lengths
        expected = tuple(n // step for n, step in zip((72, 36), steps, strict=True))
        assert thinning.grid.shape == tuple(n + (points == "nodes") for n in expected)
        for left, said in zip(kept(thinning, grid), thinning.grid.coordinates(), strict=True):
            np.testing.assert_allclose(left, said, rtol=0, atol=1e-12)


@pytest.mark.parametrize("points", ["nodes", "periodic"])
def test_nodes_stay_in_their_box(points):
    grid = Grid((13,) if points == "nodes" else (12,), points=points)
    left = Thinning.none(header(grid)).every(4, 1)
    assert left.grid.origin == grid.origin
    (x,) = kept(left, grid)
    assert x[0] == 0.0 and x[-1] == (1.0 if points == "nodes" else pytest.approx(2 / 3))


@pytest.mark.parametrize(("step", "first"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (6, 2)])
def test_cells_in_the_middle_of_their_group_are_left(step, first):
    left = Thinning.none(header(Grid((60,)))).every(step, 1)
    assert left.space[0].start == first
    assert left.grid.origin[0] == pytest.approx(0 if step % 2 else -0.5 / 60), "half a spacing lower for even groups"


def test_frames_from_the_first_on_also_twice():
    none = Thinning.none(header(Grid((4,)), 13))
    assert none.frames == tuple(range(13))
    assert none.every(1, 3).frames == (0, 3, 6, 9, 12)
    assert none.every(1, 3).every(1, 2).frames == (0, 6, 12)


def test_whole_means_that_all_points_are_left():
    none = Thinning.none(header(Grid((8, 8)), 5))
    assert none.whole and none.every(1, 2).whole and none.every((1, 1), 1).whole
    assert not none.every((1, 2), 1).whole


@pytest.mark.parametrize(
    ("points", "space", "time", "match"),
    [
        ("cells", 5, 1, "space must divide the 12 spacings of axis 'x' and leave at least 2, got 5"),
        ("nodes", 2, 1, "space must divide the 11 spacings of axis 'x'"),
        ("cells", 12, 1, "leave at least 2, got 12"),
        ("cells", (1, 8), 1, "of axis 'y' .* got 8"),
        ("cells", (2, 2, 2), 1, r"space must be one number or 2 of them, got \(2, 2, 2\)"),
        ("cells", 0, 1, "space must be at least 1, got 0"),
        ("cells", 1.5, 1, "space must be a whole number, got"),
        ("cells", "2", 1, "space must be a whole number, got"),
        ("cells", 1, -1, "time must be at least 1, got -1"),
        ("cells", 1, 2.0, "time must be a whole number, got"),
        ("cells", 1, 5, "time must leave at least 2 of the 5 frames, got 5"),
    ],
)
def test_wrong_steps_are_named(points, space, time, match):
    with pytest.raises(InputError, match=match):
        Thinning.none(header(Grid((12, 12), points=points), 5)).every(space, time)
