"""Tensors that are kept."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from opforge.core.kept import kept


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
def test_what_is_kept_is_plain_wherever_it_was_first_made():
    @kept(4)
    def table(n):
        return torch.arange(n).double() * 2

    torch.func.grad(lambda x: (x * table(2)).sum())(torch.ones(2, dtype=torch.float64))
    with torch.inference_mode():
        table(3)
    with FakeTensorMode():
        assert table(4).is_inference() is False and isinstance(table(4), FakeTensor)
    for n in (2, 3, 4):
        assert type(table(n)) is torch.Tensor and not torch._C._functorch.is_functorch_wrapped_tensor(table(n))
        assert not table(n).is_inference() and table(n) is table(n)
