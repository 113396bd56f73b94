from dataclasses import replace

import h5netcdf
import h5py
import numpy as np
import pytest
import torch
import xarray

from opforge import generate, open_dataset
from opforge.core import Grid
from opforge.datasets.formats.described import Asked
from opforge.datasets.formats.netcdf import describe, failed
from opforge.errors import InputError
from tests.datasets.drawn import NAMES, changed


@pytest.fixture(autouse=True)
def unprobed(monkeypatch):
    """These files are in order as far as HDF5 is concerned: they need no process of their own."""
    monkeypatch.setattr("opforge.datasets.files.probe.probe", lambda path: None)


def refused(path, match, **options):
    with pytest.raises(InputError, match=match) as raised:
        dataset = open_dataset(path, **options)
        dataset.batch(range(len(dataset)))
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def foreign(path, points="cells", ndim=2, coordinates=True, dimensions=None):
    """A file as xarray writes it: two variables of other names, an attribute of another meaning."""
    grid = Grid((6, 5, 4)[:ndim], (2.0, 1.0, 0.5)[:ndim], points, (1.0, 0.0, -1.0)[:ndim])
    axes = ("sample", *grid.axis_names) if dimensions is None else dimensions
    values = np.random.default_rng(0).standard_normal((3, *grid.shape))
    data = xarray.Dataset(
        {"conductivity": (axes, values), "head": (axes, -values)},
        dict(zip(grid.axis_names, grid.coordinates(), strict=True)) if coordinates else {},
        {"equation": "whatever it was", "seed": "none"},
    )
    data.to_netcdf(path, engine="h5netcdf")
    return grid, values


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("points", ["cells", "nodes", "periodic"])
def test_ordinary_netcdf_opens_when_told_its_variables(tmp_path, points, ndim):
    grid, values = foreign(tmp_path / "d.nc", points, ndim)
    dataset = open_dataset(tmp_path / "d.nc", inputs=("conductivity",), outputs=("head",), points=points)
    assert dataset.grid.shape == grid.shape
    assert dataset.grid.points == points
    np.testing.assert_allclose(dataset.grid.lengths, grid.lengths)
    np.testing.assert_allclose(dataset.grid.origin, grid.origin, atol=1e-12)
    assert (dataset.equation, dataset.provenance) == (None, {"samples": 3})
    X, Y = dataset.astype(torch.float64).batch([2, 0])
    np.testing.assert_array_equal(X[:, 0], values[[2, 0]])
    np.testing.assert_array_equal(Y[:, 0], -values[[2, 0]])
    assert list(dataset.subset([1]).to_xarray().data_vars) == ["conductivity", "head"]


def test_ordinary_netcdf_without_coordinates_is_on_the_unit_box(tmp_path):
    foreign(tmp_path / "d.nc", coordinates=False)
    assert open_dataset(tmp_path / "d.nc", inputs=["conductivity"], outputs=["head"]).grid == Grid((6, 5))


def test_ordinary_netcdf_untold(tmp_path):
    foreign(tmp_path / "d.nc")
    refused(tmp_path / "d.nc", "the attribute 'inputs' is missing: .*name the variables: open_dataset")
    refused(tmp_path / "d.nc", "the attribute 'inputs' is missing", outputs=("head",))
    refused(tmp_path / "d.nc", "the variable 'hed' is missing; did you mean 'head'", inputs=("hed",), outputs=("head",))
    with pytest.raises(InputError, match=r"inputs must be a tuple of names.*write \('head',\)"):
        open_dataset(tmp_path / "d.nc", inputs="head", outputs=("head",))


def test_ordinary_netcdf_with_other_dimensions(tmp_path):
    foreign(tmp_path / "d.nc", dimensions=("sample", "lon", "lat"), coordinates=False)
    refused(
        tmp_path / "d.nc",
        r"must have the dimensions sample, \[time\], x.*got lon, lat; give rename=",
        inputs=("head",),
        outputs=("head",),
    )


def test_coordinates_that_are_not_uniform(tmp_path):
    data = xarray.Dataset({"a": (("sample", "x"), np.zeros((2, 4)))}, {"x": [0.0, 1.0, 2.0, 4.0]})
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    refused(tmp_path / "d.nc", "coordinate 'x' is not that of a uniform", inputs=("a",), outputs=("a",))


def test_text_is_refused(tmp_path):
    data = xarray.Dataset({"a": (("sample", "x"), np.array([["p", "q"]]))}, {"x": [0.0, 1.0]})
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    refused(tmp_path / "d.nc", "variable 'a' must hold real numbers", inputs=("a",), outputs=("a",))


def test_packed_coordinates(tmp_path):
    data = xarray.Dataset({"a": (("sample", "x"), np.zeros((2, 4)))}, {"x": [0.0, 0.5, 1.0, 1.5]})
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf", encoding={"x": {"dtype": "i2", "scale_factor": 0.25}})
    grid = open_dataset(tmp_path / "d.nc", inputs=("a",), outputs=("a",), points="nodes").grid
    assert grid == Grid((4,), (1.5,), "nodes")


def test_packing_that_is_not_a_number(tmp_path):
    foreign(tmp_path / "d.nc")
    with h5py.File(tmp_path / "d.nc", "r+") as file:
        file["head"].attrs["scale_factor"] = "0.1"
    refused(
        tmp_path / "d.nc",
        "attribute 'scale_factor' of variable 'head' must be a number, got '0.1'",
        inputs=("head",),
        outputs=("head",),
    )


# --- what is wrong with a file -------------------------------------------------------------------------------------

A, U = np.arange(18.0).reshape(3, 6), np.arange(72.0).reshape(3, 4, 6)


@pytest.fixture(params=["usual names", "renamed"])
def ordinary(request, tmp_path):
    """A file in order, and how to open it: as its variables are called, or with ``rename``."""
    names = {name: name for name in ("sample", "time", "x", "a", "u")}
    options = {"inputs": ("a",), "outputs": ("u",)}
    if request.param == "renamed":
        names |= {"sample": "case", "time": "t", "x": "lon", "u": "head"}
        options["rename"] = {there: here for here, there in names.items() if here != there}
    coordinates = {names["x"]: np.linspace(0.0, 1.0, 6), names["time"]: np.arange(4.0)}
    fields = {
        "a": ((names["sample"], names["x"]), A),
        names["u"]: ((names["sample"], names["time"], names["x"]), U),
    }
    xarray.Dataset(fields, coordinates, {"title": "t"}).to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    return tmp_path / "d.nc", names, options


def replaced(name, *arguments, **options):
    """A variable becomes another one."""

    def change(file, names):
        del file[names[name]]
        file.create_dataset(names[name], *arguments, **options)

    return change


def linked(name, link):
    def change(file, names):
        file.move(names[name], "moved")
        file[names[name]] = link

    return change


def described(name, **attributes):
    return lambda file, names: file[names[name]].attrs.update(attributes)


def numbered(name, *values):
    return lambda file, names: file[names[name]].write_direct(np.array(values, float))


def a_group(file, names):
    del file["a"]
    file.create_group("a")


def cut_short(file, names):
    """Samples that one variable lacks."""
    for name in ("a", names["u"]):
        values, scales = file[name][...], [dict(axis).values() for axis in file[name].dims]
        del file[name]
        file.create_dataset(name, data=values[: 2 if name == "a" else 3], maxshape=(None, *values.shape[1:]))
        for axis, found in zip(file[name].dims, scales, strict=True):
            for scale in found:
                axis.attach_scale(scale)


# what is wrong -> what makes it so, and how it is refused
WRONG = {
    "group": (a_group, "variable 'a' is a group of variables, expected an array of numbers"),
    "text": (
        lambda file, names: replaced("a", data=np.full((3, 6), "p", dtype=object))(file, names),
        "'a' must have the dimensions|'a' must hold real numbers, got text",
    ),
    "number": (replaced("a", data=1.0), r"'a' must have the dimensions sample.*, got none"),
    "nothing": (replaced("a", data=h5py.Empty("f8")), r"'a' must have the dimensions sample.*, got none"),
    "other sizes": (replaced("a", data=np.zeros((3, 5))), "'a' must have the dimensions"),
    "shorter": (cut_short, r"'a' must have the dimensions .*, got (shape \(2, 6\)|.*=2)"),
    "other file": (linked("a", h5py.ExternalLink("o.h5", "/a")), r"is a link to another file, 'o\.h5', which is not"),
    "link to nothing": (linked("a", h5py.SoftLink("/none")), "variable 'a' is a link that leads nowhere"),
    "link in circles": (linked("a", h5py.SoftLink("/a")), "variable 'a' is a link that leads in circles"),
    "other file, unused": (
        lambda file, names: file.__setitem__("more", h5py.ExternalLink("o.h5", "/a")),
        "variable 'more' is a link to another file",
    ),
    "raw file, unused": (
        lambda file, names: file.create_dataset("more", (3,), "f8", external=[("/etc/hostname", 0, 24)]),
        "variable 'more' lies in other files",
    ),
    "NaN in space": (numbered("x", 0.0, 0.2, np.nan, 0.6, 0.8, 1.0), "must hold finite numbers; mend the file"),
    "twice in space": (
        numbered("x", 0.0, 0.2, 0.2, 0.6, 0.8, 1.0),
        r"must increase, got 0\.2 and then 0\.2 at point 2; sort the axis and drop duplicates",
    ),
    "back in space": (numbered("x", 1.0, 0.8, 0.6, 0.4, 0.2, 0.0), "must increase, got 1 and then 0.8 at point 1"),
    "uneven in space": (numbered("x", 0.0, 0.1, 0.4, 0.6, 0.8, 1.0), "is not that of a uniform 'cells' grid"),
    "NaN in time": (numbered("time", 0.0, 1.0, np.nan, 3.0), "coordinate 'time' must increase from frame to frame"),
    "infinite time": (numbered("time", 0.0, 1.0, 2.0, np.inf), "coordinate 'time' must increase from frame to frame"),
    "twice in time": (numbered("time", 0.0, 1.0, 1.0, 3.0), "coordinate 'time' must increase from frame to frame"),
    "packed by text": (described("u", scale_factor="x"), "'scale_factor' of variable .* must be a number, got 'x'"),
    "packed by a row": (described("u", scale_factor=[1.0, 2.0]), r"must be a number, got array\(\[1\., 2\.\]\); mend"),
    "packed by nothing": (described("u", _FillValue=h5py.Empty("f8")), "'_FillValue' of variable .* must be a number"),
    "packed by NaN": (described("u", scale_factor=np.nan), "must be finite and not 0, got nan"),
    "a name that is no text": (
        lambda file, names: file.create_dataset(b"\xff\xfe", (3,), "f8"),
        r"the name b'\\xff\\xfe' is no UTF-8",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line(ordinary, what):
    path, names, options = ordinary
    change, match = WRONG[what]
    with h5py.File(path, "r+") as file:
        change(file, names)
    refused(path, match, **options)


@pytest.mark.parametrize("where", ["root", "a", "x"])
@pytest.mark.parametrize("kind", ["text", "numbers"])
def test_an_attribute_of_100_mb_is_refused(tmp_path, where, kind):
    xarray.Dataset({"a": (("sample", "x"), A)}, {"x": np.arange(6.0)}).to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    with h5py.File(tmp_path / "d.nc", "r+", libver="latest") as file:
        thing = file if where == "root" else file[where]
        thing.attrs["big"] = "x" * 100_000_000 if kind == "text" else np.zeros(12_500_000)
    refused(
        tmp_path / "d.nc", r"the attribute 'big' takes 100\.0 MB, at most 1\.0 MB are", inputs=("a",), outputs=("a",)
    )


def test_attributes_that_are_odd_do_no_harm(ordinary):
    path, names, options = ordinary
    with h5py.File(path, "r+") as file:
        file.attrs.update({"c": np.zeros(2, [("p", "f4")]), "e": h5py.Empty("f4"), "m": np.zeros((3, 3))})
        file["a"].attrs.update({"units": [1.0, 2.0], "long_name": "a\n\x1b[31mname"})
        file[names["time"]].attrs["units"] = "days since the flood"
    dataset = open_dataset(path, **options)
    assert dataset.provenance == {"samples": 3}
    assert dataset.header.labels["a"] == {"long_name": r"a\n\x1b[31mname", "units": "[1. 2.]"}
    np.testing.assert_array_equal(dataset.batch([0, 1, 2])[0][:, 0], A)


def test_what_xarray_does_not_read_is_one_line(tmp_path):
    data = xarray.Dataset({"u": (("sample", "time", "x"), U)}, {"time": np.arange(4.0)})
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    with h5py.File(tmp_path / "d.nc", "r+") as file:
        file["time"].attrs["units"] = "days since the flood"
    dataset = open_dataset(tmp_path / "d.nc", inputs=("u",), outputs=("u",))
    with pytest.raises(InputError, match=r"d\.nc cannot be read by xarray: unable to decode time units") as raised:
        dataset.to_xarray()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("units", ["months since 2000-01-01", "furlongs since 2000-01-01"])
def test_dates_in_units_of_no_fixed_length_are_refused(tmp_path, units):
    data = xarray.Dataset({"u": (("sample", "time", "x"), U)}, {"time": np.arange(4.0)})
    data["time"].attrs["units"] = units
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    refused(tmp_path / "d.nc", f"units of coordinate 'time' .*got '{units}'; mend", inputs=("u",), outputs=("u",))


def test_whole_numbers_are_times_too(tmp_path):
    data = xarray.Dataset({"u": (("sample", "time", "x"), U)}, {"time": np.arange(4)})
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    assert open_dataset(tmp_path / "d.nc", inputs=("u",), outputs=("u",)).times.tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((0, 4, 6), "the dimension 'sample' has no samples"),
        ((3, 1, 6), "the axis 'time' must have at least 2 frames, got 1"),
        ((3, 0, 6), "the axis 'time' must have at least 2 frames, got 0"),
        ((3, 4, 1), "every axis of space needs at least 2 points, got x=1"),
        ((3, 4, 0), "every axis of space needs at least 2 points, got x=0"),
    ],
)
def test_axes_that_are_too_short(tmp_path, shape, match):
    xarray.Dataset({"u": (("sample", "time", "x"), np.zeros(shape))}).to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    refused(tmp_path / "d.nc", match, inputs=("u",), outputs=("u",))


def test_an_axis_that_a_variable_has_twice(tmp_path):
    with h5netcdf.File(tmp_path / "d.nc", "w") as file:
        file.dimensions = {"sample": 3, "x": 6}
        file.create_variable("a", ("sample", "x", "x"), "f8")
    refused(tmp_path / "d.nc", "got sample=3, x=6, x=6", inputs=("a",), outputs=("a",))


@pytest.mark.parametrize("shape", [(2**40, 6), (3, 2**40)])
def test_sizes_that_no_file_has(tmp_path, shape):
    """A file of a few kB may say that it holds more than any memory does."""
    with h5py.File(tmp_path / "d.nc", "w") as file:
        array = file.create_dataset("a", shape, "f8", chunks=(1, 6))
        for axis, size, name in zip(array.dims, shape, ("sample", "x"), strict=True):
            file.create_dataset(name, (size,), "S1", chunks=(min(size, 1000),)).make_scale(
                f"This is a netCDF dimension but not a netCDF variable. {size:10d}"
            )
            axis.attach_scale(file[name])
    refused(tmp_path / "d.nc", "too much for a file of .* MB: it was never written", inputs=("a",), outputs=("a",))


OWN = {
    "the attribute 'grid' does not describe a grid": lambda file: file.attrs.update(grid="{}"),
    "attribute 'grid' does not describe a grid": lambda file: file.attrs.update(grid=[1.0, 2.0]),
    "the attribute 'equation_parameters' is not JSON text": lambda file: file.attrs.update(equation_parameters="{"),
    "'first_sample' must be a number of samples, got 'x'": lambda file: file.attrs.update(first_sample="x"),
    "coordinate 'x' is not that of the attribute 'grid'": lambda file: file["x"].write_direct(np.full(4, np.nan)),
    "the variable 'b' is missing": lambda file: file.attrs.update(inputs="b"),
    "'a' is a group": lambda file: (file.pop("a"), file.create_group("a")),
    "variable 'seed' is a link to another file": lambda file: (
        file.pop("seed"),
        file.__setitem__("seed", h5py.ExternalLink("o.h5", "/seed")),
    ),
    "solver_residual of sample 0 is NaN, .* but its field 'a' holds numbers": lambda file: file[
        "solver_residual"
    ].write_direct(np.full(2, np.nan)),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "darcy.nc"
    generate("darcy", 2, 4, out=path)
    return path.read_bytes()


@pytest.mark.parametrize("match", OWN)
def test_what_was_changed_in_a_file_of_opforge_is_one_line(original, tmp_path, match):
    (tmp_path / "d.nc").write_bytes(original)
    with h5py.File(tmp_path / "d.nc", "r+") as file:
        OWN[match](file)
    refused(tmp_path / "d.nc", match)


def test_failed_samples_are_told_by_their_residuals(original, tmp_path):
    (tmp_path / "d.nc").write_bytes(original)
    header = open_dataset(tmp_path / "d.nc").header
    with h5py.File(tmp_path / "d.nc", "r+") as file:
        assert failed(file, header).tolist() == [False, False]
        file["solver_residual"][1] = np.nan
        with pytest.raises(InputError, match="solver_residual of sample 1 is NaN"):
            failed(file, header)
        for name in header.names:
            file[name][1] = np.nan
        assert failed(file, header).tolist() == [False, True]
        assert failed(file, replace(header, samples=3)).tolist() == [False] * 3, "not of this many samples"
        del file["solver_residual"]
        assert failed(file, header).tolist() == [False, False]


@pytest.fixture
def drawing(tmp_path, loaded):
    """A file whose samples have drawn parameters."""
    return generate(loaded, 4, 16, out=tmp_path / "d.nc").path


def _replaced(values):
    def change(file):
        del file["shift"]
        file["shift"] = values
        if np.shape(values):
            file["shift"].dims[0].attach_scale(file["sample" if np.shape(values)[0] == 4 else "x"])

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda file: file.pop("shift"), "the variable 'shift' is missing"),
        (_replaced(np.zeros(16)), "variable 'shift' must have the dimensions sample=4, got x=16"),
        (_replaced(0.0), "variable 'shift' must have the dimensions sample=4, got none"),
        (_replaced(np.array([b"a", b"b", b"c", b"d"])), "variable 'shift' must hold real numbers, got text"),
        (_replaced(np.zeros(4, complex)), "variable 'shift' must hold real numbers"),
        (lambda file: file.attrs.update(drawn="forcing shft"), "'shft' is missing; did you mean 'shift'"),
        (
            lambda file: file.attrs.update(drawn="forcing u"),
            "drawn must name parameters by names of their own, got 'u'",
        ),
        (lambda file: file.attrs.update(drawn="a/b"), "'a/b' is missing"),
        (lambda file: file["shift"].attrs.update(scale_factor="x"), "attribute 'scale_factor' of variable 'shift'"),
    ],
)
def test_drawn_parameters_that_are_not_as_the_file_says(drawing, change, match):
    refused(changed(drawing, change), match)


def test_a_damaged_drawn_parameter_is_seen(drawing):
    content = bytearray(drawing.read_bytes())
    content[content.index(open_dataset(drawing).drawn["shift"].tobytes()) + 11] ^= 4
    drawing.write_bytes(content)
    refused(drawing, "is cut off or damaged")


def test_drawn_parameters_are_not_taken_for_fields(drawing):
    refused(drawing, "'shift' is no field but a parameter that was drawn", inputs=("shift",), outputs=("u",))
    found = describe(drawing, Asked())
    assert found.available == ("a", "u") and found.fields.keys() == {"a", "u"} and found.drawn.keys() == set(NAMES)


def test_drawn_parameters_of_a_file_whose_names_are_given(drawing):
    plain, renamed = open_dataset(drawing), open_dataset(drawing, rename={"a": "k"}, inputs=("k",))
    np.testing.assert_array_equal(renamed.drawn["shift"], plain.drawn["shift"])
    content = renamed.to_xarray()
    np.testing.assert_array_equal(content["shift"], plain.drawn["shift"])
    assert content["forcing"].attrs["units"] == "Pa m-2"


def test_packed_drawn_parameters(drawing):
    values = open_dataset(drawing).drawn["shift"]

    def change(file):
        file["shift"].attrs["scale_factor"] = 2.0

    np.testing.assert_array_equal(open_dataset(changed(drawing, change)).drawn["shift"], 2 * values)


def test_what_other_files_call_drawn_is_left_alone(tmp_path):
    foreign(tmp_path / "d.nc")
    changed(tmp_path / "d.nc", lambda file: file.attrs.update(drawn="by hand"))
    dataset = open_dataset(tmp_path / "d.nc", inputs=("conductivity",), outputs=("head",))
    assert dataset.drawn == {} and dataset.samples == 3
