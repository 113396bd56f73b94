import pytest
import torch

from opforge.core import Moments


def data():
    scale = torch.tensor([1e-6, 1e3]).view(2, 1, 1)
    return 1e4 * scale + scale * torch.randn(23, 2, 5, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sizes", [(23,), (1,) * 23, (5, 18), (20, 1, 2), (0, 23, 0)])
def test_moments_do_not_depend_on_the_batches(sizes):
    x = data()
    moments = Moments(2)
    for batch in x.split(sizes):
        moments.add(batch)
    assert moments.count == 23 * 20
    torch.testing.assert_close(moments.mean, x.double().mean((0, 2, 3)), rtol=1e-13, atol=0)
    torch.testing.assert_close(moments.std, x.double().std((0, 2, 3), correction=0), rtol=1e-9, atol=0)
    torch.testing.assert_close(moments.least, x.double().amin((0, 2, 3)), rtol=0, atol=0)
    torch.testing.assert_close(moments.greatest, x.double().amax((0, 2, 3)), rtol=0, atol=0)


def test_values_that_are_not_finite_are_seen():
    x = data()
    x[3, 1, 2, 2] = torch.nan
    moments = Moments(2)
    moments.add(x)
    assert torch.isfinite(moments.mean).tolist() == [True, False]
