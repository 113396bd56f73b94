import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from opforge.core import Grid
from opforge.errors import InputError
from opforge.training import Normaliser, Operator, fit


class Sums(nn.Module):
    """v ↦ (sum of channels, first channel) or, with one output, the sum; one parameter, so that it has a dtype."""

    def __init__(self, outputs, ndim):
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))
        self.outputs, self.ndim = outputs, ndim
        self.batches = []

    def forward(self, v):
        self.batches.append(len(v))
        v = v * self.one
        return torch.cat([v.sum(1, keepdim=True), v[:, :1]][: self.outputs], dim=1)


def operator(inputs=("a",), outputs=("u",), ndim=2):
    n, m = len(inputs), len(outputs)
    normaliser = Normaliser([1.0] * n, [2.0] * n, [3.0] * m, [4.0] * m)
    return Operator(Sums(m, ndim), normaliser, inputs=inputs, outputs=outputs, grid=Grid((4,) * ndim))


def formula(a):
    return 3 + 4 * (a - 1) / 2


def random(*shape, dtype=torch.float64):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize("shape", [(5, 1, 4, 6), (1, 4, 6), (4, 6)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_comes_back_with_its_axes_and_precision(shape, dtype):
    a = random(*shape, dtype=dtype)
    u = operator()(a)
    assert u.shape == a.shape and u.dtype == dtype
    torch.testing.assert_close(u, formula(a), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f8", "int64"])
def test_numpy_comes_back_as_numpy(dtype):
    a = (10 * random(3, 1, 4, 6).numpy()).astype(dtype)
    before = a.copy()
    u = operator()(a[::-1])
    assert isinstance(u, np.ndarray) and u.dtype == (np.float32 if dtype == "int64" else np.dtype(dtype))
    np.testing.assert_allclose(u, formula(a[::-1].astype(np.float64)), rtol=1e-5)
    np.testing.assert_array_equal(a, before)


def test_numpy_that_may_not_be_written_to():
    a = np.ones((4, 4))
    a.flags.writeable = False
    np.testing.assert_allclose(operator()(a), 3.0, rtol=1e-6)


def test_several_channels_keep_the_batch_axis():
    both = operator(("a", "b"), ("u", "v"))
    assert both(random(5, 2, 4, 4)).shape == (5, 2, 4, 4)
    assert both(random(2, 4, 4)).shape == (2, 4, 4)


def test_at_most_batch_size_samples_go_through_the_model_at_a_time():
    model = operator()
    whole = model(random(7, 1, 4, 4), batch_size=7)
    parts = model(random(7, 1, 4, 4), batch_size=3)
    assert model.model.batches == [7, 3, 3, 1]
    torch.testing.assert_close(parts, whole)


def test_differentiable_only_where_asked():
    a = random(2, 1, 4, 4)
    assert not operator()(a).requires_grad
    assert torch.autograd.gradcheck(lambda v: Operator.__call__(double(), v), a.requires_grad_())


def double():
    made = operator()
    made.model.double()
    return made


def dataset(*dims, names=("a",)):
    sizes = {"sample": 5, "x": 4, "y": 6, "z": 3}
    generator = np.random.default_rng(0)
    variables = {name: (dims, generator.random([sizes[d] for d in dims])) for name in names}
    coords = {d: np.arange(sizes[d]) / 7 for d in dims} | {"seed": ((dims[0],), np.arange(sizes[dims[0]])), "time": 2.5}
    return xr.Dataset(variables, coords)


@pytest.mark.parametrize("dims", [("sample", "x", "y"), ("x", "y"), ("y", "sample", "x"), ("y", "x")])
def test_xarray_keeps_axes_coordinates_and_takes_the_output_s_name(dims):
    given = dataset(*dims)
    result = operator()(given)
    assert isinstance(result, xr.Dataset) and list(result.data_vars) == ["u"]
    assert result["u"].dims == dims
    assert set(result.coords) == set(given.coords)
    xr.testing.assert_allclose(result["u"], formula(given["a"]).rename("u"), rtol=1e-5)
    single = operator()(given["a"])
    assert isinstance(single, xr.DataArray) and single.name == "u"
    xr.testing.assert_identical(single, result["u"])


def test_xarray_variables_may_have_their_axes_in_different_orders():
    given = dataset("sample", "x", "y", names=("a", "b"))
    mixed = given.assign(b=given["b"].transpose("y", "x", "sample"))
    both = operator(("a", "b"), ("u", "v"))
    xr.testing.assert_identical(both(mixed), both(given))
    xr.testing.assert_allclose(both(given)["u"], 3 + 2 * (given["a"] + given["b"] - 2), rtol=1e-5)


def test_a_dataarray_with_two_outputs_gives_a_dataset():
    assert set(operator(("a",), ("u", "v"))(dataset("x", "y")["a"]).data_vars) == {"u", "v"}


@pytest.mark.parametrize(
    ("inputs", "given", "match"),
    [
        (("a",), np.ones((3, 3, 4, 4)), r"in_channels: expected 1 \(a\), got 3"),
        (("a",), np.ones((5, 4, 4)), r"in_channels: expected 1 \(a\), got 5 on axis 0 .* x\[:, None\]"),
        (("a", "b"), np.ones((1, 4, 4)), r"in_channels: expected 2 \(a, b\), got 1"),
        (("a", "b"), np.ones((4, 4)), "x: expected .batch, channels"),
        (("a",), np.ones((1, 1, 1, 4, 4)), "x: expected .* 2 axes of space"),
        (("a",), np.ones((0, 1, 4, 4)), "at least one sample"),
        (("a",), [[1.0]], "x: expected a numpy array, .* got list"),
        (("a",), dataset("sample", "x", "y", names=("A",)), "x: expected variable 'a', the Dataset has A"),
        (("pressure",), dataset("x", "y", names=("presure",)), "did you mean 'presure'"),
        (("a",), dataset("sample", "x", "y", "z"), "variable 'a' with axes x, y and at most one more"),
        (("a",), dataset("sample", "x"), "variable 'a' with axes x, y"),
        (("a", "b"), dataset("x", "y")["a"], "in_channels: expected 2, got one DataArray"),
    ],
)
def test_wrong_input(inputs, given, match):
    with pytest.raises(InputError, match=match):
        operator(inputs)(given)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_names_the_sample_and_variable_that_is_not_finite(value):
    a = np.ones((50, 2, 4, 4))
    a[41, 1, 0, 2] = value
    with pytest.raises(InputError, match="'b' of sample 41"):
        operator(("a", "b"))(a, batch_size=8)


def test_wrong_batch_size_and_names():
    with pytest.raises(InputError, match="batch_size"):
        operator()(np.ones((4, 4)), batch_size=0)
    with pytest.raises(InputError, match="outputs: expected one name per channel"):
        Operator(nn.Identity(), Normaliser([0.0], [1.0], [0.0], [1.0]), inputs=["a"], outputs=["u", "v"])


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_complex_values_are_refused(fakes, kind):
    operator = fit(fakes.tiny(), fakes.Doubled(4), 1, progress=False).operator
    with pytest.raises(InputError, match=r"x: expected real values, got .*complex64"):
        operator(kind(np.ones((1, 1, 6, 6), np.complex64)))
