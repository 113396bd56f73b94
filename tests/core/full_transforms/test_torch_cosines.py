"""Cosine and sine transforms of tensors in plain torch, against `scipy.fft`."""

import pytest
import scipy.fft
import torch

from opforge import core
from opforge.core.full_transforms import _torch_cosines

SIZES = [1, 2, 3, 4, 5, 6, 7, 9, 16, 17, 30, 97]


KINDS = [(name, type) for name in ("dctn", "dstn") for type in (1, 2, 3, 4)]


@pytest.mark.parametrize(("name", "type", "n"), [(*k, n) for k in KINDS for n in SIZES if (*k, n) != ("dctn", 1, 1)])
def test_every_size(name, type, n):
    x = torch.randn(3, n, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.from_numpy(getattr(scipy.fft, name)(x.numpy(), type, axes=(1,)))
    torch.testing.assert_close(
        getattr(core, name)(x, type, (1,), backend="torch"), expected, rtol=0, atol=1e-13 * 4 * n
    )
    single = getattr(core, name)(x.float(), type, (1,), backend="torch")
    torch.testing.assert_close(single.double(), expected, rtol=0, atol=4e-6 * n**0.5)


def test_order_for_odd_sizes_is_a_permutation():
    for n in (1, 3, 5, 7, 9, 11, 97):
        place, sign = _torch_cosines._odd_order(n)
        assert sorted(place) == list(range(n))
        assert set(sign) <= {-1.0, 1.0}


@pytest.mark.parametrize(("name", "type"), KINDS)
def test_every_type_can_be_compiled(name, type):
    x = torch.randn(3, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    function = getattr(core, name)
    torch.compiler.reset()
    compiled = torch.compile(lambda x: function(x, type, (1,)), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), function(x, type, (1,)), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_in_one_graph(dynamic):
    def function(x):
        return core.dstn(core.dctn(x, 2, (1, 2)), 4, (2,), norm="ortho")

    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, backend="eager" if dynamic else "aot_eager", dynamic=dynamic)
    for shape in ((2, 4, 5), (2, 4, 6))[: 1 + dynamic]:
        x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        torch.testing.assert_close(compiled(x), function(x))
        weights = torch.randn(shape, dtype=torch.float64)
        gradients = [torch.autograd.grad(f(x), x, weights)[0] for f in (compiled, function)]
        torch.testing.assert_close(*gradients)
    torch.compiler.reset()


def test_exported_with_an_open_batch():
    class Transforms(torch.nn.Module):
        def forward(self, x):
            return core.irfftn(core.rfftn(core.dctn(x, 3, (1,)), (1, 2)), (4, 6), (1, 2))

    x = torch.randn(2, 4, 6)
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(Transforms(), (x,), dynamic_shapes={"x": {0: batch}}).module()
    x = torch.randn(5, 4, 6)
    torch.testing.assert_close(exported(x), Transforms()(x))


def test_fake_tensors_leave_no_trace():
    from torch._subclasses import FakeTensorMode

    _torch_cosines._constants.clear()
    with FakeTensorMode() as mode:
        assert core.dctn(mode.from_tensor(torch.ones(3, 22))).shape == (3, 22)
    assert _torch_cosines._constants == {}
    x = torch.ones(3, 22)
    torch.testing.assert_close(core.dctn(x, backend="torch"), core.dctn(x, backend="scipy"))


def test_constants_do_not_pile_up():
    for n in range(2, 2 * _torch_cosines._KEPT_CONSTANTS, 3):
        core.dctn(torch.ones(n), backend="torch")
    assert len(_torch_cosines._constants) <= _torch_cosines._KEPT_CONSTANTS
