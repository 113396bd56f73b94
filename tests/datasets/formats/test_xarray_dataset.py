import numpy as np
import pytest
import torch
import xarray

from opforge import generate, open_dataset
from opforge.core import Grid
from opforge.errors import InputError

A, U = np.random.default_rng(0).standard_normal((3, 6)), np.random.default_rng(1).standard_normal((3, 4, 6))
NAMES = {"inputs": ("a",), "outputs": ("u",)}


def ordinary(**coordinates):
    coordinates = {"x": np.linspace(0.0, 1.0, 6), "time": np.arange(4.0), **coordinates}
    return xarray.Dataset({"a": (("sample", "x"), A), "u": (("sample", "time", "x"), U)}, coordinates)


def test_a_dataset_is_read_as_its_file_would_be(tmp_path):
    ordinary().to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    here, there = (open_dataset(source, points="nodes", **NAMES) for source in (ordinary(), tmp_path / "d.nc"))
    assert here.header == there.header
    assert here.grid == Grid((6,), points="nodes")
    for mine, other in zip(here.batch([2, 0, 2]), there.batch([2, 0, 2]), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)
    windows = here.windows(2, 1).astype(torch.float64)
    np.testing.assert_array_equal(windows.batch([1])[1][0, 0], U[0, 3])


def test_axes_in_any_order_and_of_other_names():
    data = ordinary().transpose("x", "time", "sample").rename(sample="case", x="lon", u="head")
    dataset = open_dataset(data, inputs=("a",), outputs=("u",), rename={"case": "sample", "lon": "x", "head": "u"})
    np.testing.assert_array_equal(dataset.astype(torch.float64).batch([1])[0][0, 0], A[1])


def test_dates_are_seconds_since_the_first():
    times = np.array(["2000-01-01", "2000-01-02", "2000-01-03", "2000-01-05"], "datetime64[ns]")
    assert open_dataset(ordinary(time=times), **NAMES).times.tolist() == [0.0, 86400.0, 172800.0, 345600.0]


@pytest.mark.parametrize("units", ["days since 2000-01-01", "Hours since 1999-12-31", "nanoseconds since 2000-01-01"])
def test_dates_are_the_same_from_a_file(tmp_path, units):
    data = ordinary(time=np.array(["2000-01-01", "2000-01-02", "2000-01-03", "2000-01-05"], "datetime64[ns]"))
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf", encoding={"time": {"units": units}})
    np.testing.assert_allclose(open_dataset(tmp_path / "d.nc", **NAMES).times, open_dataset(data, **NAMES).times)


def test_spans_of_time_are_seconds():
    times = np.array([60, 120, 180, 300], "timedelta64[s]")
    assert open_dataset(ordinary(time=times), **NAMES).times.tolist() == [60.0, 120.0, 180.0, 300.0]


def test_truth_values_are_numbers_as_in_a_file(tmp_path):
    data = ordinary().assign(a=ordinary().a > 0)
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    for dataset in (open_dataset(data, **NAMES), open_dataset(tmp_path / "d.nc", **NAMES)):
        np.testing.assert_array_equal(dataset.batch([1])[0][0, 0], (A[1] > 0).astype(np.float32))


@pytest.mark.parametrize(
    ("change", "options", "match"),
    [
        (lambda d: d, {"inputs": ("b",)}, "unknown variable 'b'"),
        (lambda d: d, {"inputs": ()}, "inputs and outputs must name variables"),
        (lambda d: d, {"rename": {"lon": "x"}}, "unknown variable or dimension in rename: 'lon'"),
        (lambda d: d, {"rename": {"a": "u"}}, "rename gives two things one name"),
        (lambda d: d.to_dataarray(), {}, "path must be a path, several paths or an xarray Dataset, got DataArray"),
        (lambda d: d.assign(a=d.a.astype(str)), {}, "variable 'a' must hold real numbers, got <U32"),
        (lambda d: d.assign(a=d.a.astype(complex)), {}, "variable 'a' must hold real numbers, got complex128"),
        (lambda d: d.assign(a=((), 1.0)), {}, r"must have the dimensions sample, \[time\], x"),
        (lambda d: d.rename(x="lon"), {}, r"must have the dimensions sample, \[time\], x.* got lon; give rename"),
        (lambda d: d.assign(a=(("sample", "y"), A)), {}, "must have the dimensions sample"),
        (lambda d: d.isel(sample=slice(0)), {}, "there must be a sample"),
        (lambda d: d.isel(x=slice(1)), {}, "every axis of space needs at least 2 points"),
        (lambda d: d.isel(x=slice(0)), {}, "every axis of space needs at least 2 points"),
        (lambda d: d.isel(time=slice(1)), {}, "the axis 'time' must have at least 2 frames, got 1"),
        (lambda d: d.isel(time=[0, 1, 1, 2]), {}, "coordinate 'time' must increase"),
        (lambda d: d.assign_coords(time=[0.0, 1.0, 2.0, np.inf]), {}, "coordinate 'time' must increase"),
        (lambda d: d.assign_coords(time=list("abcd")), {}, "coordinate 'time' must increase"),
        (lambda d: d.isel(x=slice(None, None, -1)), {}, "coordinate 'x' must increase"),
        (lambda d: d.isel(x=[0, 1, 1, 2]), {}, "coordinate 'x' must increase"),
        (lambda d: d.isel(x=[0, 1, 3]), {}, "is not that of a uniform"),
        (lambda d: d.assign_coords(x=[0, 1, 2, np.nan, 4, 5]), {}, "coordinate 'x' must hold finite numbers"),
        (lambda d: d.assign_coords(x=list("abcdef")), {}, "coordinate 'x' must hold finite numbers"),
        (lambda d: d.where(d.a < 1e9).assign(a=d.a.where(d.x < 0.9)), {}, "'a' has a value that is not finite"),
    ],
)
def test_what_does_not_fit_is_one_line(change, options, match):
    with pytest.raises(InputError, match=match) as raised:
        open_dataset(change(ordinary()), **{**NAMES, **options}).batch(range(3))
    assert "\n" not in str(raised.value)


def test_drawn_parameters_of_opforges_own(loaded, tmp_path):
    made = generate(loaded, 4, 16)
    data = open_dataset(made.to_xarray(), inputs=("a",), outputs=("u",))
    assert data.header.drawn == made.header.drawn and data.fields == ("a", "u")
    for name, values in made.subset([3, 0]).drawn.items():
        np.testing.assert_array_equal(data.subset([3, 0]).drawn[name], values)
        assert data.header.describe(name) == made.header.describe(name)
    data.to_xarray().to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    assert open_dataset(tmp_path / "d.nc").drawn.keys() == made.drawn.keys()
    with pytest.raises(InputError, match="'drawn' names 'shift', which must be a variable with a number for each"):
        open_dataset(made.to_xarray().drop_vars("shift"), inputs=("a",), outputs=("u",))
    with pytest.raises(InputError, match="'shift' is no field"):
        open_dataset(made.to_xarray(), inputs=("shift",), outputs=("u",))


def test_a_drawn_parameter_that_is_not_finite(loaded):
    content = generate(loaded, 4, 16).to_xarray()
    content["shift"][2] = np.inf
    data = open_dataset(content, inputs=("a",), outputs=("u",))
    with pytest.raises(InputError, match=r"variable 'shift' has a value that is not finite .* in sample 2"):
        _ = data.drawn
