"""The Fourier neural operator's own properties."""

from types import SimpleNamespace

import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.models import FNO


def test_one_number_of_modes_serves_every_axis():
    data = SimpleNamespace(in_channels=1, out_channels=2, grid=Grid((20, 16, 18), points="periodic"))
    model = FNO.for_data(data, modes=5, width=4)
    assert model.config["modes"] == [5, 5, 5]
    assert model.config["points"] == "periodic"
    assert FNO.for_data(data, modes=(5, 4, 3), width=4).config["modes"] == [5, 4, 3]
    with pytest.raises(InputError, match="modes needs one value per axis"):
        FNO.for_data(data, modes=(5, 4), width=4)


def test_padding_keeps_the_far_ends_apart():
    """Without padding a field's left end is the right end's neighbour; with it they are not."""
    torch.manual_seed(0)
    x = torch.zeros(1, 1, 64)
    x[..., 0] = 1.0
    effect = {}
    for padding in (0.0, 0.5):
        torch.manual_seed(0)
        model = FNO(1, 1, (16,), width=8, depth=1, padding=padding)
        change = (model(x) - model(torch.zeros_like(x))).abs()[0, 0]
        effect[padding] = (change[-4:].sum() / change[:4].sum()).item()
    assert effect[0.5] < 0.5 * effect[0.0], effect


def test_can_fit_an_operator_of_its_own_kind():
    """The shift u(x) = a(x − 1/4) on periodic data: multiplication by a phase at every mode."""
    torch.manual_seed(0)
    model = FNO(1, 1, (4,), width=8, depth=1, points="periodic")
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    phase = 2 * torch.pi * torch.arange(16) / 16
    basis = torch.stack([f(k * phase) for k in (1, 2, 3) for f in (torch.sin, torch.cos)])
    error = torch.tensor(1.0)
    for _ in range(300):
        a = (torch.randn(16, 6) @ basis)[:, None]
        u = a.roll(4, -1)
        error = (model(a) - u).norm() / u.norm()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
    assert 0.0 < error.item() < 0.1, error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"padding": 1.5}, "padding must be a fraction between 0 and 1, got 1.5"),
        ({"modes": ()}, "modes must be 1 to 3 numbers"),
        ({"points": "edges"}, "points must be one of cells, nodes, periodic, got 'edges'"),
    ],
)
def test_wrong_input_is_named(options, message):
    arguments = {"in_channels": 1, "out_channels": 1, "modes": (2,)} | options
    with pytest.raises(InputError, match=message):
        FNO(**arguments)
