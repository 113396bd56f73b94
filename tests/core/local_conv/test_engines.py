"""Which back end runs a short convolution, and what the choice depends on."""

from itertools import pairwise

import pytest
import torch

from opforge.core import conv_nd, explain
from opforge.core.choice.decision import answer
from opforge.core.local_conv import question
from opforge.core.local_conv._geometry import make_geometry
from opforge.core.local_conv.engines import engine_for
from opforge.errors import InputError

FACTORISED = [("kernel", 2), ("separable", 8)]


def cost(name, *shape, **options):
    return {c.name: c.cost for c in question(shape, **options).candidates}[name]


def test_short_kernels_run_directly_and_long_ones_by_fft():
    usual = {"channels": 32, "batch": 8, "padding": "periodic"}
    assert answer(question((64, 64), kernel_size=3, **usual)) == "direct"
    assert answer(question((64, 64), kernel_size=31, **usual)) == "fft"
    assert answer(question((32, 32, 32), kernel_size=9, **usual)) == "fft"


def test_shared_filters_are_applied_one_by_one_and_kernels_of_many_channels_made_dense():
    usual = {"channels": 32, "batch": 8, "kernel_size": 5}
    assert answer(question((64, 64), form="separable", rank=32, **usual)) == "staged"
    assert answer(question((64, 64), form="kernel", rank=2, **usual)) in ("rebuild", "fft")
    alone = {"channels": 1, "batch": 4, "kernel_size": 7}
    assert answer(question((20, 20, 20), form="kernel", rank=1, **alone)) == "staged"


@pytest.mark.parametrize("padding", ["zeros", "periodic"])
@pytest.mark.parametrize(("form", "rank"), [("dense", None), *FACTORISED])
def test_more_work_never_costs_less(form, rank, padding):
    usual = {"form": form, "rank": rank, "padding": padding, "batch": 4, "channels": 8, "out_channels": 8}
    for name in ("direct", "fft", "rebuild", "staged"):
        for shape in ((64,), (33, 97), (20, 20, 20)):
            for option in ("batch", "channels", "out_channels", "kernel_size"):
                costs = [cost(name, *shape, **(usual | {option: n})) for n in range(1, 20)]
                # tiles come in sizes whose transforms are fast: from one to the next a percent may be won
                assert all(more > 0.99 * less for less, more in pairwise(costs)), (name, shape, option)


def test_direct_cost_counts_products():
    """A forward and backward pass takes three times the products of the definition; the rest grows more slowly."""
    few, many = (cost("direct", 64, 64, kernel_size=k, channels=16, padding="periodic", batch=1000) for k in (10, 20))
    assert 3.5 < many / few < 4.5


def test_the_key_names_everything_that_counts():
    usual = {"kernel_size": 3, "channels": 4, "form": "kernel", "rank": 2}
    changes = [
        {"kernel_size": (3, 5)},
        {"channels": 5},
        {"rank": 3},
        {"form": "separable"},
        {"out_channels": 7},
        {"padding": "periodic"},
        {"stride": 2},
        {"dilation": (1, 2)},
        {"batch": 3},
        {"dtype": torch.float64},
        {"device": "cuda"},
        {"threads": 17},
    ]
    keys = [question((16, 16), **(usual | change)).key for change in ({}, *changes)]
    keys += [question((16, 17), **usual).key]
    assert len(set(keys)) == len(keys)
    assert question((16, 16), kernel_size=3, threads=2).key == (
        "16x16 taps 3x3 dense zeros stride 1 dilation 1 batch 1 channels 1 to 1 float32 cpu 2 threads"
    )


@pytest.mark.parametrize(("form", "rank"), [("dense", None), *FACTORISED])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_candidate_can_be_tried(form, rank, dtype):
    asked = question((8, 9), form=form, rank=rank, channels=3, out_channels=4, batch=2, stride=2, dtype=dtype)
    assert asked.trial is not None
    with torch.no_grad(), torch.device("meta"):
        trials = [asked.trial(c.name) for c in asked.candidates if not c.why_not]
    gradients = [trial() for trial in trials]
    assert len(gradients) > 1
    for found in gradients[1:]:  # random data, but the same for all
        torch.testing.assert_close(found, gradients[0], rtol=1e-4, atol=1e-4)


def test_every_kind_of_call_has_its_engine():
    x, kernels = torch.ones(1, 1, 4), torch.ones(1, 1, 3)
    geometry = make_geometry((4,), (3,), "zeros", 1, 1)
    for backend in ("direct", "fft"):
        y = engine_for(x, geometry, 1, "dense", 0, backend)(x, kernels, None, geometry)
        torch.testing.assert_close(y, torch.tensor([[[2.0, 3.0, 3.0, 2.0]]]))


def test_explain_names_the_reason():
    text = explain("conv_nd", (64, 64), kernel_size=31, channels=32, batch=8, padding="periodic")
    assert text.splitlines()[0].startswith("conv_nd, 64x64 taps 31x31 dense periodic")
    assert ": fft (cost model" in text
    assert "staged   cannot serve: dense kernels have no filters" in text


def test_the_answer_can_be_set():
    from opforge.core import set_backend

    x, kernels = torch.randn(1, 2, 8), torch.randn(2, 2, 3)
    with set_backend("conv_nd", "fft"):
        by_fft = conv_nd(x, kernels)
    torch.testing.assert_close(by_fft, conv_nd(x, kernels, backend="direct"), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "sep"}, "unknown form 'sep'"),
        ({"form": "separable"}, "rank belongs to the forms .* got rank None for the form 'separable'"),
        ({"rank": 2}, "rank belongs to the forms"),
        ({"form": "kernel", "rank": 0}, "rank must be at least 1, got 0"),
        ({"kernel_size": (3,)}, "kernel_size needs one number per axis of shape"),
        ({"kernel_size": 0}, "kernel_size must be at least 1, got 0"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"channels": 0}, "channels must be at least 1"),
        ({"out_channels": 0}, "out_channels must be at least 1"),
        ({"kernel_size": 9, "padding": "valid"}, "kernels must fit into the grid"),
        ({"dtype": torch.float16}, "dtype must be torch.float32 or torch.float64"),
    ],
)
def test_wrong_input_is_named(options, message):
    with pytest.raises(InputError, match=message):
        question((8, 8), **options)
    with pytest.raises(InputError, match="kernel_size needs one number per axis of shape, one to three"):
        question((8,) * 4)
