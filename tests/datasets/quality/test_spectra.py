import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.quality.spectra import spectra, spread

KINDS = ("periodic", "cells", "nodes")


def mean_square(u, grid):
    """Of fields (samples, *space), by the midpoint rule or, on nodes, the trapezoidal one."""
    total = u**2
    for n in grid.shape:
        weights = np.ones(n)
        if grid.points == "nodes":
            weights[[0, -1]] = 0.5
        total = np.moveaxis(total, 1, -1) @ weights / weights.sum()
    return total.mean()


@pytest.mark.parametrize("points", KINDS)
@pytest.mark.parametrize("shape", [(9,), (8, 6), (4, 5, 6)])
def test_the_shells_add_up_to_the_mean_square(hand_made, points, shape):
    grid = Grid(shape, tuple(1.0 + 0.5 * i for i in range(len(shape))), points)
    u = 1 + np.random.default_rng(0).standard_normal((3, *shape))
    found = spectra(hand_made(grid, {"u": u}))["u"]
    np.testing.assert_allclose(found.energy.sum(), mean_square(u, grid), rtol=1e-12)


@pytest.mark.parametrize(("points", "k"), [("periodic", 2 * np.pi), ("cells", np.pi), ("nodes", np.pi)])
@pytest.mark.parametrize("length", [1.0, 3.0])
def test_a_wave_is_in_the_shell_of_its_wavenumber(hand_made, points, k, length):
    grid = Grid((16, 16), (length, length), points)
    x, y = grid.mesh()
    u = 1 + np.cos(3 * k * x / length) * np.cos(4 * k * y / length)
    found = spectra(hand_made(grid, {"u": u[None]}))["u"]
    np.testing.assert_allclose(found.wavenumbers[5], 5 * k / length)
    expected = np.zeros(len(found.energy))
    expected[[0, 5]] = 1.0, 0.25
    np.testing.assert_allclose(found.energy, expected, atol=1e-12)


def test_shells_are_as_far_apart_as_the_waves_of_the_shortest_axis(hand_made):
    grid = Grid((8, 8), (4.0, 1.0), "periodic")
    found = spectra(hand_made(grid, {"u": np.cos(2 * np.pi * grid.mesh()[1])[None]}))["u"]
    assert found.unit == 2 * np.pi and found.nyquist == 1
    np.testing.assert_allclose(found.energy[:3], [0.0, 0.5, 0.0], atol=1e-12)


@pytest.mark.parametrize("points", KINDS)
def test_the_slope_of_a_known_spectrum(hand_made, points):
    grid = Grid((65,), points=points)
    unit = 2 * np.pi if points == "periodic" else np.pi
    k = np.arange(1, 30)
    u = (np.cos(unit * np.outer(grid.coordinates()[0], k)) * k**-1.5).sum(axis=1)
    found = spectra(hand_made(grid, {"u": u[None]}))["u"]
    slope = np.polyfit(np.log(k), np.log(found.energy[1:30]), 1)[0]
    assert slope == pytest.approx(-3.0, abs=1e-9)


@pytest.mark.parametrize("points", ["cells", "nodes"])
def test_ends_that_do_not_meet_do_not_leak(hand_made, points):
    grid = Grid((64,), points=points)
    found = spectra(hand_made(grid, {"u": np.exp(grid.coordinates()[0])[None]}))["u"]
    assert found.top_third < 1e-4 and found.verdict == "resolved"


@pytest.mark.parametrize(
    ("shape", "points", "nyquist"), [((8,), "periodic", 4), ((9,), "periodic", 4), ((8, 6), "cells", 5)]
)
def test_the_last_complete_shell(hand_made, shape, points, nyquist):
    u = np.random.default_rng(0).standard_normal((2, *shape))
    found = spectra(hand_made(Grid(shape, points=points), {"u": u}))["u"]
    assert found.nyquist == nyquist
    assert found.decay == pytest.approx(found.energy[1 : nyquist + 1].max() / found.energy[nyquist])


@pytest.mark.parametrize("highest", [20, 28, 30])
@pytest.mark.parametrize("points", ["periodic", "cells"])
def test_waves_that_the_grid_carries_are_resolved_however_short(hand_made, points, highest):
    """All waves below a limit with the same energy, as a file keeps them: in single precision."""
    grid = Grid((64,), points=points)
    n = 2 * highest if points == "cells" else highest
    rng, x = np.random.default_rng(0), grid.coordinates()[0]
    phase = 0.0 if points == "cells" else rng.random(n) * 2 * np.pi
    factor = np.pi if points == "cells" else 2 * np.pi
    u = np.cos(factor * np.outer(x, np.arange(n)) + phase).sum(1).astype(np.float32)
    found = spectra(hand_made(grid, {"u": u[None]}))["u"]
    assert found.verdict in ("resolved", "resolved: ends just below the grid's limit")
    assert found.top_third > 0.2 or highest == 20


def test_verdicts(hand_made):
    grid = Grid((64, 64))
    x, y = grid.mesh()
    noise = np.random.default_rng(0).standard_normal(grid.shape)
    fields = {
        "smooth": np.cos(np.pi * x) * np.exp(y),
        "jump": np.where((x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.05, 1.0, 0.0),
        "noise": noise,
        "constant": np.full(grid.shape, 3.0),
        "u": noise,
    }
    found = spectra(hand_made(grid, {name: values[None] for name, values in fields.items()}))
    words = [found[name].verdict for name in ("smooth", "jump", "noise", "constant")]
    assert words[:2] == ["resolved", "rough: falls slowly, as jumps do"]
    assert words[2:] == ["goes on to the grid's limit: perhaps not resolved", "constant"]
    # noise has equal energy everywhere: the top third has the share of waves that lie there
    k = np.hypot(*np.meshgrid(np.arange(64), np.arange(64))).round()
    assert found["noise"].top_third == pytest.approx((k > 42).mean(), rel=0.05)


def test_the_frame_that_is_resolved_worst_is_named(hand_made):
    grid = Grid((32,), points="periodic")
    x = grid.coordinates()[0]
    u = np.array([[np.sin(2 * np.pi * x), np.sin(30 * np.pi * x), np.sin(4 * np.pi * x)]])
    found = spectra(hand_made(grid, {"u": u}, [0.0, 1.0, 2.0]))["u"]
    assert (found.frame, found.top_third) == (1, pytest.approx(1.0))
    np.testing.assert_allclose(found.energy[[1, 2, 15]], 0.5 / 3, rtol=1e-12)


def test_samples_are_spread_and_each_counts_once(hand_made):
    grid = Grid((8,), points="periodic")
    u = np.arange(40.0)[:, None] * np.ones(8)
    found = spectra(hand_made(grid, {"u": u}), samples=4)["u"]
    chosen = spread(40, 4)
    assert found.energy[0] == pytest.approx(np.mean(np.square(chosen)))
    assert len(set(chosen)) == 4 and max(chosen) < 40
    assert spread(3, 8) == [0, 1, 2]
