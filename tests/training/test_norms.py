import math

import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.training import RelativeH1, RelativeLp, losses

POINTS = ["cells", "nodes", "periodic"]


def fields(grid, *, batch=2, channels=2, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, channels, *grid.shape)
    return (torch.randn(shape, generator=generator, dtype=dtype) for _ in range(2))


def mesh(grid):
    return [torch.from_numpy(x)[None, None] for x in grid.mesh()]


def observed_order(loss_on, n, expected, points):
    """log2 of the ratio of errors on n and 2n cells per axis of u = exp(x + y), error 0.1 x y."""
    errors = []
    for size in (n, 2 * n):
        grid = Grid.cube(2, size + (points == "nodes"), points=points)
        x, y = mesh(grid)
        truth = torch.exp(x + y)
        errors.append(abs(float(loss_on(grid)(truth + 0.1 * x * y, truth)) - expected))
    return math.log2(errors[0] / errors[1])


@pytest.mark.parametrize("points", ["cells", "nodes"])
def test_l2_converges_to_the_integral_at_order_2(points):
    expected = 0.1 * (1 / 3) / ((math.e**2 - 1) / 2)
    assert observed_order(lambda grid: RelativeLp(2, grid), 16, expected, points) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("points", ["cells", "nodes"])
def test_h1_converges_to_the_integral_at_order_2(points):
    square = ((math.e**2 - 1) / 2) ** 2
    expected = 0.1 * math.sqrt((1 / 9 + 2 / 3) / (3 * square))
    assert observed_order(RelativeH1, 256, expected, points) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("shape", [(8,), (9,), (8, 9), (7, 8), (6, 5, 8)])
def test_periodic_h1_is_exact_for_what_the_grid_resolves(shape):
    lengths = (2.0, 3.0, 0.5)[: len(shape)]
    grid = Grid(shape, lengths, "periodic")
    x = mesh(grid)
    k = [2 * math.pi / length for length in lengths]
    truth = torch.sin(k[0] * x[0]) + 0 * sum(x)
    error = torch.cos(2 * k[-1] * x[-1]) + 0 * sum(x)
    expected = math.sqrt((1 + (2 * k[-1]) ** 2) / (1 + k[0] ** 2))
    assert float(RelativeH1(grid)(truth + error, truth)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("p", [1, 2, 4, math.inf])
@pytest.mark.parametrize("points", POINTS)
def test_lp_of_constants_is_the_ratio_of_the_constants(p, points):
    truth = torch.full((3, 1, 5, 4), 2.0)
    assert float(RelativeLp(p, Grid((5, 4), points=points))(truth + 0.5, truth)) == pytest.approx(0.25)


def test_lp_matches_its_formula_on_cells():
    prediction, truth = fields(Grid((5, 4)))
    expected = [
        float((prediction[b] - truth[b]).abs().pow(3).sum() ** (1 / 3) / truth[b].abs().pow(3).sum() ** (1 / 3))
        for b in range(2)
    ]
    loss = RelativeLp(3)
    torch.testing.assert_close(loss.per_sample(prediction, truth), torch.tensor(expected, dtype=torch.float64))
    assert float(loss(prediction, truth)) == pytest.approx(sum(expected) / 2)


@pytest.mark.parametrize("loss", [RelativeLp(1), RelativeLp(2), RelativeH1()], ids=str)
@pytest.mark.parametrize("points", POINTS)
def test_scale_invariant_over_fifteen_decades(loss, points):
    grid = Grid((6, 5), points=points)
    prediction, truth = fields(grid)
    loss = loss.on(grid)
    expected = loss(prediction, truth)
    for scale in (1e-8, 1e8):
        torch.testing.assert_close(loss(scale * prediction, scale * truth), expected)


@pytest.mark.parametrize(
    "loss", [RelativeLp(2), RelativeLp(4), RelativeH1(), RelativeLp(2, weights=(2.0, 0.5))], ids=str
)
@pytest.mark.parametrize("points", POINTS)
def test_gradient(loss, points):
    grid = Grid((4, 5), (1.0, 2.0), points)
    prediction, truth = fields(grid)
    assert torch.autograd.gradcheck(lambda v: loss.on(grid)(v, truth), prediction.requires_grad_())


@pytest.mark.parametrize("loss", [RelativeLp(2), RelativeH1()], ids=str)
@pytest.mark.parametrize("points", POINTS)
def test_gradient_where_the_prediction_is_exact_is_zero(loss, points):
    grid = Grid((4, 5), points=points)
    _, truth = fields(grid)
    prediction = truth.clone().requires_grad_()
    loss.on(grid)(prediction, truth).backward()
    torch.testing.assert_close(prediction.grad, torch.zeros_like(truth))


@pytest.mark.parametrize("loss", [RelativeLp(2), RelativeH1()], ids=str)
def test_a_truth_of_zero_counts_the_error_over_epsilon(loss):
    truth = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    assert float(loss(truth + 3, truth)) == pytest.approx(3 / loss.epsilon)
    assert float(loss(truth, truth)) == 0


def test_weights_scale_the_channels():
    prediction, truth = fields(Grid((4,)))
    scaled = torch.tensor([2.0, 3.0]).view(1, 2, 1)
    torch.testing.assert_close(
        RelativeLp(2, weights=(4.0, 9.0))(prediction, truth), RelativeLp(2)(scaled * prediction, scaled * truth)
    )
    torch.testing.assert_close(
        RelativeH1(weights=(0.0, 1.0))(prediction, truth), RelativeH1()(prediction[:, 1:], truth[:, 1:])
    )


def test_lengths_weigh_the_slope():
    x = mesh(Grid((200,), (2.0,)))[0]
    truth, error = torch.ones_like(x), 1.0 * x
    loss = float(RelativeH1(Grid((200,), (2.0,)))(truth + error, truth))
    assert loss == pytest.approx(math.sqrt(4 / 3 + 1), rel=1e-4)


def test_names_of_the_command_line():
    assert {name: loss() for name, loss in losses().items()} == {"l2": RelativeLp(2), "h1": RelativeH1()}


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: RelativeLp(0.5), "p: expected"),
        (lambda: RelativeLp(2, weights=(-1.0,)), "weights: expected"),
        (lambda: RelativeH1(epsilon=0.0), "epsilon: expected"),
        (lambda: RelativeLp(2)(torch.ones(1, 1, 4), torch.ones(2, 1, 4)), "prediction: expected"),
        (lambda: RelativeLp(2)(torch.ones(1, 4), torch.ones(1, 4)), "truth: expected"),
        (lambda: RelativeLp(2, weights=(1.0,))(torch.ones(1, 2, 4), torch.ones(1, 2, 4)), "weights: expected"),
        (lambda: RelativeLp(2, Grid((4, 4)))(torch.ones(1, 2, 4), torch.ones(1, 2, 4)), "grid: expected"),
        (lambda: RelativeH1()(torch.ones(1, 1, 2), torch.ones(1, 1, 2)), "at least 3 points"),
    ],
)
def test_wrong_input(call, match):
    with pytest.raises(InputError, match=match):
        call()
