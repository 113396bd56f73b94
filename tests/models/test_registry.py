"""What every operator promises, checked for each one in the registry."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from opforge import models
from opforge.core import Grid
from opforge.errors import InputError

GRIDS = {1: [(32,), (27,)], 2: [(24, 24), (21, 30)], 3: [(12, 12, 12), (11, 14, 9)]}


def data(ndim, in_channels=2, out_channels=1, points="cells"):
    """What `for_data` asks of a dataset."""
    grid = Grid(GRIDS[ndim][0], points=points)
    return SimpleNamespace(in_channels=in_channels, out_channels=out_channels, grid=grid)


def build(name, ndim, **options):
    torch.manual_seed(0)
    return models.registry()[name].for_data(data(ndim, **options), modes=4, width=6)


CASES = [(name, ndim) for name in models.registry() for ndim in (1, 2, 3)]


@pytest.fixture(params=CASES, ids=lambda p: f"{p[0]}{p[1]}d")
def case(request):
    return request.param


def test_takes_any_grid(case):
    model = build(*case)
    for shape in GRIDS[case[1]]:
        assert model(torch.randn(3, 2, *shape)).shape == (3, 1, *shape)


def test_precision_follows_the_input(case):
    model = build(*case)
    x = torch.randn(2, 2, *GRIDS[case[1]][1])
    single = model(x)
    double = model.double()(x.double())
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)


def test_samples_do_not_see_each_other(case):
    model = build(*case).double()
    x = torch.randn(3, 2, *GRIDS[case[1]][0], dtype=torch.float64)
    torch.testing.assert_close(model(x)[1:2], model(x[1:2]), rtol=1e-11, atol=1e-12)


def test_its_configuration_rebuilds_it(case):
    model = build(*case)
    again = type(model)(**model.config)
    again.load_state_dict(model.state_dict())
    x = torch.randn(1, 2, *GRIDS[case[1]][0])
    torch.testing.assert_close(again(x), model(x), rtol=0, atol=0)


def test_every_parameter_is_real_and_learns(case):
    model = build(*case)
    model(torch.randn(2, 2, *GRIDS[case[1]][0])).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert not parameter.is_complex(), name
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


def test_trains_under_autocast(case):
    model = build(*case)
    x = torch.randn(2, 2, *GRIDS[case[1]][0])
    with torch.autocast("cpu", torch.bfloat16):
        y = model(x)
    torch.testing.assert_close(y.float(), model(x), rtol=0.1, atol=0.1)
    y.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in model.parameters())


def test_the_same_function_on_a_finer_grid(case):
    """A smooth input gives the same output at common points, up to the aliasing of the nonlinearity."""
    name, ndim = case
    model = build(name, ndim, in_channels=1, points="periodic").double()
    differences = []
    for n in (16, 32):

        def smooth(n):
            mesh = Grid.cube(ndim, n, points="periodic").mesh()
            return torch.from_numpy(sum(np.sin(2 * np.pi * x) for x in mesh))[None, None]

        coarse, fine = model(smooth(n)), model(smooth(2 * n))
        sub = fine[(..., *[slice(None, None, 2)] * ndim)]
        differences.append(((sub - coarse).norm() / coarse.norm()).item())
    assert differences[1] < 0.1, differences
    assert differences[1] < differences[0], differences


def test_wrong_input_is_named(case):
    name, ndim = case
    model = build(*case)
    shape = GRIDS[ndim][0]
    with pytest.raises(InputError, match="in_channels=2"):
        model(torch.randn(1, 3, *shape))
    with pytest.raises(InputError, match="in_channels=2"):
        model(torch.randn(2, *shape))
    with pytest.raises(InputError, match="modes must be"):
        model(torch.randn(1, 2, *(4 for _ in shape)))
    with pytest.raises(InputError, match="modes must be at most"):
        models.registry()[name].for_data(data(ndim), modes=500)


def test_constructors_have_at_most_eight_parameters():
    for name, model in models.registry().items():
        assert len(inspect.signature(model).parameters) <= 8, name
