"""The Fourier neural operator's own properties."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from opforge.core import Grid
from opforge.errors import InputError
from opforge.layers import append_coordinates
from opforge.models import FNO


def test_one_number_of_modes_serves_every_axis():
    data = SimpleNamespace(in_channels=1, out_channels=2, grid=Grid((20, 16, 18), points="periodic"))
    model = FNO.for_data(data, modes=5, width=4)
    assert model.config["modes"] == [5, 5, 5]
    assert model.config["points"] == "periodic"
    assert FNO.for_data(data, modes=(5, 4, 3), width=4).config["modes"] == [5, 4, 3]
    assert FNO.for_data(data, width=4).config["modes"] == [9, 7, 8]
    with pytest.raises(InputError, match="modes needs one value per axis"):
        FNO.for_data(data, modes=(5, 4), width=4)


@pytest.mark.parametrize("shape", [(10,), (8, 12), (4, 6, 8)])
def test_padding_continues_each_axis_with_zeros_at_its_end(shape):
    torch.manual_seed(0)
    modes = (1,) * len(shape)
    padded = FNO(1, 1, modes, width=4, depth=1, padding=0.5).double()
    x = torch.randn(2, 1, *shape, dtype=torch.float64)
    lifted = padded.lift(append_coordinates(x.movedim(1, -1), "cells"))
    wide = torch.zeros(2, *(n + n // 2 for n in shape), 4, dtype=torch.float64)
    inside = (slice(None), *(slice(n) for n in shape))
    wide[inside] = lifted
    expected = padded.project(F.gelu(padded.blocks(wide)[inside])).movedim(-1, 1)
    torch.testing.assert_close(padded(x), expected, rtol=1e-12, atol=1e-12)


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


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("padding", [0.0, pytest.param(0.25, marks=pytest.mark.slow)])
def test_exports_with_any_batch_and_grid(strict, padding):
    torch.manual_seed(0)
    model = FNO(1, 1, (3, 3), width=4, depth=2, padding=padding).eval()
    sizes = {0: torch.export.Dim("b"), 2: torch.export.Dim("h", min=8), 3: torch.export.Dim("w", min=8)}
    graph = torch.export.export(
        model,
        (torch.randn(2, 1, 16, 20),),
        dynamic_shapes=(sizes,),
        strict=strict,
        prefer_deferred_runtime_asserts_over_guards=padding > 0,
    ).module()
    for shape in ((2, 1, 16, 20), (3, 1, 33, 9)):
        x = torch.randn(shape)
        torch.testing.assert_close(graph(x), model(x), rtol=1e-5, atol=1e-5)
