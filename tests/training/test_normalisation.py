import json

import pytest
import torch
from torch.utils.data import TensorDataset

from opforge.errors import InputError
from opforge.training import Normaliser
from opforge.training.samples import Samples


def data(n=23, shape=(5, 4)):
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([1e-6, 1e3]).view(2, *(1,) * len(shape))
    x = 1e4 * scale + scale * torch.randn(n, 2, *shape, generator=generator)
    return TensorDataset(x, 7 + 3 * torch.randn(n, 1, *shape, generator=generator))


def test_moments_are_those_of_all_samples_together():
    x, y = data().tensors
    normaliser = Normaliser.fit(data())
    for name, values in (("input", x), ("output", y)):
        mean = values.double().mean((0, 2, 3))
        std = values.double().std((0, 2, 3), correction=0)
        torch.testing.assert_close(getattr(normaliser, f"{name}_mean"), mean, rtol=1e-12, atol=0)
        torch.testing.assert_close(getattr(normaliser, f"{name}_std"), std, rtol=1e-9, atol=0)


@pytest.mark.parametrize("shape", [(4,), (5, 3), (2, 3, 4)])
def test_encoded_samples_have_mean_zero_and_variance_one_on_any_number_of_axes(shape):
    samples = data(shape=shape)
    x = Normaliser.fit(samples).encode(samples.tensors[0].double())
    space = (0, *range(2, x.ndim))
    torch.testing.assert_close(x.mean(space), torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(x.std(space, correction=0), torch.ones(2, dtype=torch.float64))


def test_decoding_undoes_the_outputs_scaling_at_another_resolution():
    normaliser = Normaliser([0.0], [1.0], [5.0, -1.0], [2.0, 0.5])
    y = torch.randn(3, 2, 7, 9)
    expected = torch.stack([5 + 2 * y[:, 0], -1 + 0.5 * y[:, 1]], dim=1)
    torch.testing.assert_close(normaliser.decode(y), expected)
    assert normaliser.decode(y.double()).dtype == torch.float64


def test_a_constant_channel_is_only_shifted():
    x = torch.full((4, 1, 8), 0.1)
    normaliser = Normaliser.fit(TensorDataset(x, torch.rand(4, 1, 8)))
    assert normaliser.input_std.tolist() == [1.0]
    torch.testing.assert_close(normaliser.encode(x), torch.zeros_like(x))


def test_sees_only_the_samples_it_is_given(fakes):
    whole = fakes.Doubled(10)
    whole.a[5:] *= 100
    part = Normaliser.fit(Samples(whole, range(5)))
    alone = fakes.Doubled(10)
    assert sorted(set(whole.read)) == [0, 1, 2, 3, 4]
    torch.testing.assert_close(part.input_mean, alone.a[:5].double().mean().view(1))


def test_json_keeps_every_bit():
    normaliser = Normaliser.fit(data())
    again = Normaliser.from_dict(json.loads(json.dumps(normaliser.to_dict())))
    torch.testing.assert_close(again.state_dict(), normaliser.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(("side", "name"), [(0, "input1"), (1, "output0")])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_names_the_sample_and_the_variable_that_is_not_finite(side, name, value):
    samples = data(n=70)
    samples.tensors[side][66, 1 - side, 2, 3] = value
    with pytest.raises(InputError, match=f"{name!r} of sample 66"):
        Normaliser.fit(samples)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (([0.0], [0.0], [0.0], [1.0]), "input_std"),
        (([0.0], [1.0], [0.0], [float("nan")]), "output_std"),
        (([0.0], [1.0, 2.0], [0.0], [1.0]), "input_std: expected one value per input_mean"),
    ],
)
def test_refuses_statistics_that_cannot_be(values, match):
    with pytest.raises(InputError, match=match):
        Normaliser(*values)


def test_refuses_another_number_of_channels():
    with pytest.raises(InputError, match="channels: expected 1"):
        Normaliser([0.0], [1.0], [0.0], [1.0]).encode(torch.ones(2, 3, 4))
