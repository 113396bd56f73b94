"""Kinds of weights: what each stands for, and what is refused."""

import pytest
import torch

from opforge.core.spectral.weights import check_weight, parts
from opforge.errors import InputError
from tests.core.spectral.reference import MODES, as_dense, random_weight


@pytest.mark.parametrize("modes", [(3,), (2, 3), (1, 2, 1)])
@pytest.mark.parametrize("kind", ["cp", "tucker"])
def test_to_dense_is_the_definition(kind, modes):
    weight = random_weight(kind, modes)
    torch.testing.assert_close(torch.view_as_complex(weight.to_dense()), as_dense(weight, kind), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "outputs"), [("dense", 6), ("separable", 4), ("block", 6), ("axis", 6), ("cp", 6), ("tucker", 6)]
)
def test_tells_the_output_channels(kind, outputs):
    assert check_weight(random_weight(kind), kind, MODES, 4) == outputs


def test_parts_are_all_tensors():
    assert [t.shape[0] for t in parts(random_weight("cp"))] == [3, 4, 6, 5, 4]
    assert len(parts(random_weight("axis"))) == 2
    assert len(parts(random_weight("dense"))) == 1


@pytest.mark.parametrize(
    ("weight", "kind", "message"),
    [
        (random_weight("dense"), "dens", "unknown kind 'dens'; did you mean 'dense'"),
        (
            random_weight("dense"),
            "cp",
            "must be a CPWeight for kind 'cp', got a tensor of shape .5, 4, 4, 6, 2.",
        ),
        (random_weight("cp"), "tucker", "weight must be a TuckerWeight for kind 'tucker', got CPWeight"),
        (random_weight("cp"), "dense", "weight must be a tensor for kind 'dense', got CPWeight"),
        (random_weight("separable"), "dense", r"weight must have the shape \(5, 4, 4, out, 2\) .* got \(5, 4, 4, 2\)"),
        (random_weight("axis")[:1], "axis", "weight must be one tensor per axis of space .* got tuple of 1"),
        (random_weight("axis", channels=(5, 6)), "axis", r"weight must have the shape \(3, 4, out, 2\)"),
        (random_weight("block", channels=(6, 6)), "block", "must have blocks .* = 4 input channels, got 2 blocks"),
        (random_weight("cp")._replace(scales=torch.ones(2, 2)), "cp", "'cp inputs', got"),
        (
            random_weight("tucker", (2, 3, 1)),
            "tucker",
            "weight.modes must hold one factor per axis .* .2., got tuple of 3",
        ),
        (torch.zeros(5, 4, 4, 0, 2), "dense", "weight must have the shape"),
        ("w", "dense", "weight must be a tensor for kind 'dense', got str"),
        ((1.0, 2.0), "axis", "weight must be made of torch tensors for kind 'axis', got float"),
        (None, "axis", "weight must be one tensor per axis of space .* got NoneType"),
        (random_weight("cp")._replace(modes=None), "cp", "weight.modes must hold one factor per axis .* got NoneType"),
        (random_weight("cp")._replace(inputs=None), "cp", "torch tensors for kind 'cp inputs', got NoneType"),
    ],
)
def test_wrong_weights_are_named(weight, kind, message):
    with pytest.raises(InputError, match=message):
        check_weight(weight, kind, MODES, 4)
