import h5py
import numpy as np
import pytest

from opforge import open_dataset
from opforge.core import Grid
from opforge.datasets.formats import the_well
from opforge.datasets.formats.described import Asked
from opforge.errors import InputError
from tests.datasets.formats import examples
from tests.datasets.formats.examples import FRAMES, SAMPLES


@pytest.fixture
def path(tmp_path):
    examples.well(tmp_path / "data.hdf5")
    return tmp_path / "data.hdf5"


def change(path, attributes=(), arrays=()):
    """Write attributes {(where, name): value} and arrays {name: values}, which keep their attributes; None deletes."""
    with h5py.File(path, "r+") as file:
        for (where, name), value in dict(attributes).items():
            if value is None:
                del file[where].attrs[name]
            else:
                file[where].attrs[name] = value
        for name, values in dict(arrays).items():
            kept = dict(file[name].attrs) if name in file else {}
            if name in file:
                del file[name]
            if values is not None:
                file[name] = values
                if not isinstance(values, h5py.ExternalLink | h5py.SoftLink):
                    file[name].attrs.update(kept)


@pytest.mark.parametrize("dims", [("x",), ("x", "y"), ("x", "y", "z"), ("log_r", "theta", "phi")])
def test_everything_is_where_it_was(tmp_path, dims):
    expected = examples.well(tmp_path / "data.hdf5", dims)
    dataset = open_dataset(tmp_path / "data.hdf5")
    evolving = tuple(name for name in expected if name != "mask")
    assert (set(dataset.header.inputs), set(dataset.header.outputs)) == ({*evolving, "mask"}, set(evolving))
    assert dataset.samples == SAMPLES and dataset.times.tolist() == [0, 0.5, 1, 1.5, 2]
    assert (dataset.grid.shape, dataset.grid.points) == (examples.SPACE[: len(dims)], "periodic")
    np.testing.assert_allclose(dataset.grid.lengths, 1.0, rtol=1e-6)
    found = dataset.arrays([2, 0, 1])
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values[[2, 0, 1]], err_msg=name)
        np.testing.assert_array_equal(dataset.to_xarray()[name].values, values, err_msg=name)


def test_axes_of_space_take_their_order_from_their_names(tmp_path):
    expected = examples.well(tmp_path / "data.hdf5", ("z", "x", "y"))
    dataset = open_dataset(tmp_path / "data.hdf5")
    assert dataset.grid.shape == (8, 4, 6)
    for name, values in dataset.arrays(range(SAMPLES)).items():
        np.testing.assert_array_equal(values, np.moveaxis(expected[name], -3, -1), err_msg=name)
    with h5py.File(tmp_path / "data.hdf5") as file:
        np.testing.assert_array_equal(
            dataset.arrays([1])["D_xz"][0, 2, 3, 1, 5], file["t2_fields/D"][1, 2, 5, 3, 1, 1, 0]
        )


def test_describing_reads_no_field(path, monkeypatch):
    read = []
    original = h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: read.append(self.name) or original(self, key))
    with h5py.File(path) as file:
        assert the_well.matches(file)
        the_well.describe(file, Asked())
    assert {name.split("/")[1] for name in read} == {"dimensions", "scalars"}


def test_what_is_no_field_is_in_the_provenance(path):
    assert open_dataset(path).provenance == {
        "format": "The Well",
        "dataset_name": "example",
        "grid_type": "cartesian",
        "Rayleigh": 1e6,
        "simulation_parameters": ["Rayleigh"],
        "spatial_dims": ["x", "y"],
        "scalars": {"gain": [0.0, 1.0, 2.0]},
        "boundary_conditions": {
            f"{dim}_periodic": {"type": "periodic", "dims": [dim], "fields": []} for dim in ("x", "y")
        },
        "samples": SAMPLES,
    }


def test_a_scalar_of_very_many_numbers_is_named_only(path):
    change(path, arrays={"scalars/gain": np.zeros((3, 5000))})
    assert open_dataset(path).provenance["scalars"] == {"gain": "array of shape (3, 5000)"}


def test_other_fields_and_points(path):
    dataset = open_dataset(path, inputs=("mask",), outputs=("velocity_y", "D_yx"), points="nodes")
    assert dataset.fields == ("mask", "velocity_y", "D_yx")
    assert dataset.grid.points == "nodes" and dataset.grid.lengths == pytest.approx((5 / 6, 7 / 8))
    with pytest.raises(InputError, match=r"unknown field 'velocity_z'; did you mean 'velocity_[xy]'\? Known: D_xx"):
        open_dataset(path, inputs=("velocity_z",))


@pytest.mark.parametrize("kind", ["WALL", "open"])
def test_points_are_cells_where_a_boundary_is_not_periodic(path, kind):
    change(path, {("boundary_conditions/y_periodic", "bc_type"): kind})
    dataset = open_dataset(path)
    assert dataset.grid.points == "cells"
    assert dataset.grid.coordinates()[1] == pytest.approx(np.arange(8) / 8)


def test_times_that_differ_between_samples_are_numbered(path):
    change(path, arrays={"dimensions/time": np.arange(FRAMES) * np.arange(1.0, 4)[:, None]})
    dataset = open_dataset(path)
    assert dataset.times.tolist() == [0, 1, 2, 3, 4]
    assert "differs from sample to sample" in dataset.to_xarray().time.long_name


def test_a_file_in_which_nothing_evolves_needs_names(path):
    for name in ("t1_fields", "t2_fields"):
        change(path, {(name, "field_names"): []})
    change(path, {("t0_fields", "field_names"): ["mask"]})
    with pytest.raises(InputError, match=r"does not say which fields are inputs .* it has: mask$"):
        open_dataset(path)
    assert open_dataset(path, inputs=("mask",), outputs=("mask",)).times is None


def test_other_files_do_not_match(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["dimensions"] = np.zeros(3)
        assert not the_well.matches(file)


FIELD = "t0_fields/pressure"
OUTSIDE = h5py.ExternalLink("other.h5", "/x")
WRONG = [
    ({("/", "n_trajectories"): None}, {}, "'n_trajectories' must be a number of samples, got None"),
    ({("/", "n_trajectories"): 4}, {}, "'t0_fields/pressure' must have the size 4 along sample, got shape"),
    ({("/", "n_trajectories"): "three"}, {}, "'n_trajectories' must be a number of samples, got 'three'"),
    ({("dimensions", "spatial_dims"): None}, {}, "'spatial_dims' of '/dimensions' must be a list of names, got None"),
    ({("dimensions", "spatial_dims"): [1.0, 2.0]}, {}, "'spatial_dims' of '/dimensions' must be a list of names"),
    ({("dimensions", "spatial_dims"): ["x", "x"]}, {}, "'spatial_dims' of '/dimensions' must name 1 to 3 axes"),
    ({("dimensions", "spatial_dims"): ["x", "w"]}, {}, "'dimensions/w' is missing"),
    ({("dimensions/x", "sample_varying"): True}, {}, "'dimensions/x' changes from sample to sample"),
    ({("dimensions/x", "time_varying"): True}, {}, "'dimensions/x' changes from time to time"),
    ({("t0_fields", "field_names"): None}, {}, "'field_names' of '/t0_fields' must be a list of names, got None"),
    ({("t0_fields", "field_names"): ["pressur"]}, {}, "'t0_fields/pressur' is missing"),
    ({(FIELD, "sample_varying"): None}, {}, "'sample_varying' of 't0_fields/pressure' must be a truth value, got None"),
    ({(FIELD, "time_varying"): "no"}, {}, "'time_varying' of 't0_fields/pressure' must be a truth value, got 'no'"),
    ({(FIELD, "time_varying"): False}, {}, r"pressure' must have the axes \(sample, x, y\), got shape \(3, 5, 6, 8\)"),
    ({(FIELD, "dim_varying"): [True]}, {}, "'dim_varying' of 't0_fields/pressure' must be a truth value for each"),
    ({(FIELD, "dim_varying"): "xy"}, {}, "'dim_varying' of 't0_fields/pressure' must be a truth value for each"),
    ({("boundary_conditions/x_periodic", "bc_type"): None}, {}, "'bc_type' of '/boundary_conditions/x_periodic' must"),
    ({("boundary_conditions/x_periodic", "associated_dims"): 1}, {}, "'associated_dims' of '/boundary_conditions/x_"),
    ({("/", "note"): "x" * 2**21}, {}, "attribute 'note' takes 2.1 MB"),
    (
        {("t0_fields", "field_names"): ["velocity_x", "mask"]},
        {"t0_fields/velocity_x": 0},
        "'velocity_x' is there twice",
    ),
    ({}, {FIELD: np.zeros((3, 5, 8, 6))}, "'t0_fields/pressure' must have the size 6 along x"),
    ({}, {FIELD: np.array([b"a"])}, "'t0_fields/pressure' must hold real numbers, got text"),
    ({}, {FIELD: OUTSIDE}, "'t0_fields/pressure' is a link to another file"),
    ({}, {"t0_fields": OUTSIDE}, "group 't0_fields' is a link, which is not followed"),
    ({}, {"t1_fields/velocity": np.zeros((3, 5, 6, 8, 3))}, "'t1_fields/velocity' must have the size 2 for components"),
    ({}, {"t2_fields/D": np.zeros((3, 5, 6, 8, 4))}, "'t2_fields/D' must have the axes .*, component, component"),
    ({}, {"dimensions/time": np.arange(4.0)}, "'t0_fields/pressure' must have the size 4 along time"),
    ({}, {"dimensions/time": np.zeros((2, 5))}, r"'dimensions/time' must have the shape \(frames\) or \(samples, fr"),
    ({}, {"dimensions/time": 1.0}, "'t0_fields/pressure' must have the size 0 along time"),
    ({}, {"dimensions/time": None}, "'dimensions/time' is missing"),
    ({}, {"dimensions/x": np.arange(6.0) ** 2}, "coordinate 'x' is not that of a uniform 'periodic' grid"),
    ({}, {"dimensions/x": np.zeros((6, 1))}, r"'dimensions/x' must have 6 numbers, got shape \(6, 1\)"),
    ({}, {"boundary_conditions/x_periodic": OUTSIDE}, "'boundary_conditions/x_periodic' is a link"),
    ({}, {"boundary_conditions/x_periodic/mask": OUTSIDE}, "'boundary_conditions/x_periodic/mask' is a link to anoth"),
    ({("boundary_conditions/x_periodic/mask", "note"): "x" * 2**21}, {}, "attribute 'note' takes 2.1 MB"),
    ({}, {"scalars/gain": np.array([b"a"])}, "'scalars/gain' must hold real numbers, got text"),
]


@pytest.mark.parametrize(("attributes", "arrays", "match"), WRONG, ids=[match for *_, match in WRONG])
def test_what_does_not_fit_is_one_line(path, attributes, arrays, match):
    if "t0_fields/velocity_x" in arrays:  # a scalar and a component of the same name
        with h5py.File(path) as file:
            arrays = {"t0_fields/velocity_x": file[FIELD][...]}
            attributes |= {("t0_fields/velocity_x", name): value for name, value in file[FIELD].attrs.items()}
        change(path, arrays=arrays)
        arrays = {}
    change(path, attributes, arrays)
    with pytest.raises(InputError, match=match) as raised:
        open_dataset(path)
    assert "\n" not in str(raised.value) and str(raised.value).startswith(str(path))


def test_an_axis_with_one_point_is_refused(path):
    change(path, arrays={"dimensions/x": np.zeros(1), "t0_fields/pressure": np.zeros((3, 5, 1, 8))})
    change(path, {(group, "field_names"): [] for group in ("t1_fields", "t2_fields")})
    change(path, {("t0_fields", "field_names"): ["pressure"]})
    with pytest.raises(InputError, match="coordinate 'x' must be a row of at least 2 numbers"):
        open_dataset(path)


def test_a_field_with_one_frame_is_refused(path):
    change(path, {(group, "field_names"): [] for group in ("t1_fields", "t2_fields")})
    change(path, {("t0_fields", "field_names"): ["pressure"]})
    change(path, arrays={"dimensions/time": np.zeros(1), "t0_fields/pressure": np.zeros((3, 1, 6, 8))})
    with pytest.raises(InputError, match="'dimensions/time' has 1 frame; a field that evolves needs at least 2"):
        open_dataset(path)


@pytest.mark.parametrize("said", [["u", "v"], 2, "left to right"])
def test_what_others_say_of_components_names_none(path, said):
    with h5py.File(path, "r+") as file:
        file["t1_fields/velocity"].attrs["components"] = said
    assert {"velocity_x", "velocity_y"} <= set(open_dataset(path).inputs)


def test_single_precision_is_no_hindrance(path):
    long = (1000 + 3 * np.arange(8) / 8).astype(np.float32)
    change(path, arrays={"dimensions/y": long})
    assert open_dataset(path).grid.origin[1] == 1000
    assert open_dataset(path).grid == Grid((6, 8), open_dataset(path).grid.lengths, "periodic", (0.0, 1000.0))
