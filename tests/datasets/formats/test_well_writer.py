import os

import h5py
import numpy as np
import pytest
import yaml

from opforge import generate, open_dataset
from opforge.core import Grid
from opforge.datasets.files.header import Header
from opforge.datasets.formats import well_writer
from opforge.datasets.formats.well_writer import write_the_well
from opforge.datasets.reading.dataset import OperatorDataset
from opforge.datasets.reading.source import ArraySource
from opforge.errors import InputError
from tests.datasets.drawn import changed
from tests.datasets.formats import examples

SHAPE = (3, 5, 6, 8)
VECTOR = ("velocity_x", "velocity_y")
TENSOR = ("D_xx", "D_xy", "D_yx", "D_yy")


def arrays():
    """Random fields that evolve and one that does not."""
    rng = np.random.default_rng(0)
    fields = {name: rng.standard_normal(SHAPE).astype(np.float32) for name in ("p", *VECTOR, *TENSOR, "u_x")}
    return fields | {"k": rng.standard_normal((3, 6, 8)).astype(np.float32)}


def dataset(fields=None, grid=None, **provenance):
    fields = fields or arrays()
    evolving = tuple(name for name, values in fields.items() if values.ndim == 4)
    times = (0.0, 0.25, 0.5, 0.75, 1.0) if evolving else ()
    grid = grid or Grid((6, 8), (1.5, 2.0), "periodic", (-1.0, 0.5))
    outputs = evolving or tuple(fields)
    header = Header(tuple(fields), outputs, grid, 3, None, {"samples": 3, **provenance}, times, evolving)
    return OperatorDataset(header, ArraySource(header, fields))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.hdf5"


def test_everything_comes_back(path):
    data = dataset(recipe="demo", seed=7)
    write_the_well(data, path)
    back = open_dataset(path)
    assert back.grid == data.grid and back.times.tolist() == data.times.tolist()
    assert (set(back.inputs), set(back.outputs)) == (set(data.inputs), set(data.outputs))
    assert back.evolving == data.evolving and back.header.inputs == data.header.inputs
    found = back.arrays(range(3))
    for name, values in arrays().items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    assert {name: back.provenance[name] for name in ("recipe", "seed", "dataset_name")} == {
        "recipe": "demo",
        "seed": 7,
        "dataset_name": "demo",
    }


def test_a_dataset_of_opforge_comes_back_with_its_equation(path):
    data = generate("darcy", 3, (16, 12), dtype="float64")
    write_the_well(data, path)
    back = open_dataset(path)
    assert (back.inputs, back.outputs, back.grid, back.equation) == (("a",), ("u",), data.grid, data.equation)
    for mine, theirs in zip(back.batch(range(3)), data.batch(range(3)), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert back.provenance["recipe_parameters"] == data.provenance["recipe_parameters"]
    with h5py.File(path) as file:
        assert file["scalars/forcing"][()] == 1.0 and file.attrs["simulation_parameters"].tolist() == ["forcing"]


@pytest.mark.parametrize("dims", [("x", "y"), ("theta", "phi")])
def test_a_file_of_the_well_comes_back(path, tmp_path, dims):
    examples.well(tmp_path / "original.hdf5", dims)
    with h5py.File(tmp_path / "original.hdf5", "r+") as file:
        file.move(f"boundary_conditions/{dims[0]}_periodic", f"boundary_conditions/{dims[0]}_open")
        file[f"boundary_conditions/{dims[0]}_open"].attrs["bc_type"] = "OPEN"
    original = open_dataset(tmp_path / "original.hdf5")
    write_the_well(original, path)
    back = open_dataset(path)
    assert back.fields == original.fields and back.evolving == original.evolving
    mine, theirs = back.arrays(range(3)), original.arrays(range(3))
    for name in original.fields:
        np.testing.assert_array_equal(mine[name], theirs[name])
    with h5py.File(path) as file:
        assert file["dimensions"].attrs["spatial_dims"].tolist() == list(dims)
        assert set(file["boundary_conditions"]) == {f"{dims[0]}_open", f"{dims[1]}_periodic"}
        assert file["t2_fields/D"].shape == (3, 5, 6, 8, 2, 2) and file.attrs["Rayleigh"] == 1e6


def test_scalars_and_masks_of_a_file_of_the_well_are_kept(path, tmp_path):
    """Once and again, and of some samples only: what belongs to them."""
    examples.well(tmp_path / "original.hdf5", ("x", "y"))
    mask = np.random.default_rng(0).random((6, 8)) > 0.5
    with h5py.File(tmp_path / "original.hdf5", "r+") as file:
        inner = file.create_group("boundary_conditions/xy_wall")
        inner.attrs["bc_type"] = "WALL"
        inner.attrs["associated_dims"] = ["x", "y"]
        inner.attrs["associated_fields"] = np.array([], dtype=h5py.string_dtype())
        inner.attrs["sample_varying"] = inner.attrs["time_varying"] = False
        inner["mask"] = mask
    write_the_well(open_dataset(tmp_path / "original.hdf5"), path)
    write_the_well(open_dataset(path).subset([2, 0]), tmp_path / "again.hdf5", stats=tmp_path / "again.yaml")
    for name, samples in ((path, [0, 1, 2]), (tmp_path / "again.hdf5", [2, 0])):
        with h5py.File(name) as file, h5py.File(tmp_path / "original.hdf5") as original:
            np.testing.assert_array_equal(file["boundary_conditions/xy_wall/mask"], mask)
            assert set(file["boundary_conditions"]) == set(original["boundary_conditions"])
            assert set(file["scalars"].attrs["field_names"]) == set(original["scalars"].attrs["field_names"])
            np.testing.assert_array_equal(file["scalars/gain"], original["scalars/gain"][...][samples])
            assert file["scalars/gain"].attrs["sample_varying"]
            assert file.attrs["simulation_parameters"].tolist() == ["Rayleigh"] and file.attrs["Rayleigh"] == 1e6
            assert file["scalars/Rayleigh"][()] == 1e6


def test_masks_are_of_the_whole_grid(path, tmp_path):
    examples.well(tmp_path / "original.hdf5", ("x", "y"))
    write_the_well(open_dataset(tmp_path / "original.hdf5").every((3, 2)), path)
    with h5py.File(path) as file:
        assert file["boundary_conditions/x_periodic/mask"].shape == (2,)


def test_the_layout_is_the_wells(path):
    """As The Well's scripts/check_thewell_formatting.py demands it."""
    write_the_well(dataset(), path)
    with h5py.File(path) as file:
        groups = {"dimensions", "boundary_conditions", "scalars", "t0_fields", "t1_fields", "t2_fields"}
        assert file.keys() == groups
        assert (file.attrs["n_trajectories"], file.attrs["n_spatial_dims"]) == (3, 2)
        assert isinstance(file.attrs["dataset_name"], str) and file.attrs["grid_type"] == "cartesian"
        names = [sorted(file[f"t{order}_fields"].attrs["field_names"]) for order in range(3)]
        assert names == [["k", "p", "u_x"], ["velocity"], ["D"]]
        assert [sorted(file[f"t{order}_fields"]) for order in range(3)] == names
        shapes = {"t0_fields/p": SHAPE, "t0_fields/k": (3, 6, 8), "t1_fields/velocity": (*SHAPE, 2)}
        for name, shape in {**shapes, "t2_fields/D": (*SHAPE, 2, 2)}.items():
            assert file[name].shape == shape and file[name].dtype == np.float32
            flags = {flag: file[name].attrs[f"{flag}_varying"] for flag in ("sample", "time", "dim")}
            assert flags["sample"] and flags["time"] == (name != "t0_fields/k") and flags["dim"].tolist() == [True] * 2
            assert all(np.asarray(flag).dtype == bool for flag in flags.values())
        assert not file["t2_fields/D"].attrs["symmetric"]
        for dim in ("x", "y"):
            boundary = file[f"boundary_conditions/{dim}_periodic"]
            assert boundary.attrs["bc_type"] == "PERIODIC" and boundary.attrs["associated_dims"].tolist() == [dim]
            assert boundary["mask"][...].tolist() == [True, *[False] * (len(boundary["mask"]) - 2), True]
            assert file[f"dimensions/{dim}"].dtype == np.float32
        assert file["dimensions/time"].attrs["time_varying"] and not file["dimensions/time"].attrs["sample_varying"]


@pytest.mark.parametrize(
    ("name", "parameters", "kinds"),
    [
        ("shallow_water", {"boundary": "outflow"}, {"x_open", "y_open"}),
        ("shallow_water", {"boundary": "walls"}, {"x_wall", "y_wall"}),
        ("poisson", {"boundary": "periodic"}, {"x_periodic", "y_periodic"}),
        ("darcy", {}, {"x_wall", "y_wall"}),
        ("navier_stokes", {"frames": 2, "end_time": 0.1}, {"x_periodic", "y_periodic"}),
    ],
)
def test_boundaries_are_the_equations(path, name, parameters, kinds):
    made = generate(name, 1, 24, workers=1, **parameters)
    write_the_well(made, path)
    with h5py.File(path) as file:
        assert set(file["boundary_conditions"]) == kinds
    again = open_dataset(path)
    np.testing.assert_allclose(again.grid.coordinates(), made.grid.coordinates(), rtol=0, atol=1e-6)
    for field, values in made.arrays([0]).items():
        np.testing.assert_array_equal(again.arrays([0])[field], values.astype(np.float32))


def test_walls_where_the_grid_is_not_periodic(path):
    write_the_well(dataset(grid=Grid((6, 8), points="nodes")), path)
    with h5py.File(path) as file:
        assert {file["boundary_conditions"][name].attrs["bc_type"] for name in ("x_wall", "y_wall")} == {"WALL"}
    assert open_dataset(path).grid == Grid((6, 8), points="nodes")


@pytest.mark.parametrize("at_once", [1, 2**26])
def test_statistics(path, monkeypatch, at_once):
    monkeypatch.setattr(well_writer, "_AT_ONCE", at_once)
    write_the_well(dataset(), path)
    found = yaml.safe_load(path.with_name("stats.yaml").read_text())
    values = {name: array.astype(float) for name, array in arrays().items()}
    values["velocity"] = np.stack([values.pop(name) for name in VECTOR], axis=-1)
    values["D"] = np.stack([values.pop(name) for name in TENSOR], axis=-1).reshape(*SHAPE, 2, 2)
    assert found.keys() == {f"{kind}{end}" for kind in ("mean", "std", "rms") for end in ("", "_delta")}
    for end in ("", "_delta"):
        assert found[f"mean{end}"].keys() == values.keys()
        for name, array in values.items():
            axes = tuple(range(3 if name == "k" else 4))
            expected = {"mean": array.mean(axes), "std": array.std(axes), "rms": np.sqrt((array**2).mean(axes))}
            for kind, number in expected.items():
                np.testing.assert_allclose(found[f"{kind}{end}"][name], number, rtol=1e-10, atol=1e-12)
        values.pop("k", None)
        values = {name: np.diff(array, axis=1) for name, array in values.items()}


def test_numbers_in_statistics_are_numbers(path):
    write_the_well(dataset({name: values * np.float32(1e-6) for name, values in arrays().items()}), path)
    found = yaml.safe_load(path.with_name("stats.yaml").read_text())
    assert isinstance(found["std"]["p"], float), "YAML takes 1e-06 for a text, 1.0e-06 for a number"


def test_samples_are_read_a_few_at_a_time(path, monkeypatch):
    asked = []
    original = OperatorDataset.arrays
    monkeypatch.setattr(OperatorDataset, "arrays", lambda self, rows: asked.append(len(rows)) or original(self, rows))
    monkeypatch.setattr(well_writer, "_AT_ONCE", 2 * 8 * 6 * 8 * (5 * 8 + 1))
    write_the_well(dataset(), path)
    assert asked == [2, 1]


def test_part_of_a_dataset(path):
    data = dataset().subset([2, 0]).every(space=2, time=2)
    write_the_well(data, path)
    back = open_dataset(path)
    assert (back.samples, back.grid, back.times.tolist()) == (2, data.grid, [0, 0.5, 1])
    np.testing.assert_array_equal(back.arrays([0])["p"][0], arrays()["p"][2, ::2, ::2, ::2])


def test_nothing_is_left_of_a_failure(path, monkeypatch):
    fields = arrays()
    fields["k"][1, 2, 3] = np.inf
    with pytest.raises(InputError, match=r"variable 'k' has a value that is not finite .* in sample 1; leave"):
        write_the_well(dataset(fields), path)
    assert os.listdir(path.parent) == []
    monkeypatch.setattr(well_writer, "_yaml", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_the_well(dataset(), path)
    assert os.listdir(path.parent) == []


def test_the_dataset_appears_last(path, monkeypatch):
    names = []
    original = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: names.append(new.name) or original(old, new))
    write_the_well(dataset(), path)
    assert names == ["stats.yaml", "data.hdf5"]


def test_components_beside_a_field_of_the_vectors_name_stay_scalars(path):
    values = arrays()
    write_the_well(dataset({"velocity": values["p"], **{name: values[name] for name in VECTOR}}), path)
    assert set(open_dataset(path).fields) == {"velocity", *VECTOR}
    write_the_well(dataset({"velocity_x": values["p"], "velocity_y": values["k"]}), path, overwrite=True)
    assert open_dataset(path).evolving == ("velocity_x",), "one evolves and one does not"


def test_values_too_large_for_single_precision(path):
    with pytest.raises(InputError, match="not finite in single precision in sample 0"), np.errstate(over="ignore"):
        write_the_well(dataset({"k": np.full((3, 6, 8), 1e300)}), path)


def test_existing_files_are_kept(path):
    path.with_name("stats.yaml").write_text("precious")
    with pytest.raises(InputError, match=r"out names .*stats\.yaml, which exists"):
        write_the_well(dataset(), path)
    assert os.listdir(path.parent) == ["stats.yaml"]
    write_the_well(dataset(), path, stats=path.with_name("mine.yaml"))
    assert path.with_name("stats.yaml").read_text() == "precious"
    with pytest.raises(InputError, match=r"out names .*data\.hdf5, which exists"):
        write_the_well(dataset(), path, stats=path.with_name("other.yaml"))
    write_the_well(dataset(), path, overwrite=True)
    assert "mean" in yaml.safe_load(path.with_name("stats.yaml").read_text())


def test_names_that_the_loader_would_not_find(path):
    with pytest.raises(InputError, match=r"must end in \.h5 or \.hdf5, got 'data\.nc'"):
        write_the_well(dataset(), path.with_suffix(".nc"))
    with pytest.raises(InputError, match="stats must be another file"):
        write_the_well(dataset(), path, stats=path)


def test_too_small_a_disk_is_foreseen(path, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")(10, 10, 65536 + 3 * 4 * 48 * (8 * 5 + 1) - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(InputError, match=r"data\.hdf5 needs 0\.1 MB and the disk has 0\.1 MB free"):
        write_the_well(dataset(), path)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=usage.free + 1))
    write_the_well(dataset(), path)


def test_drawn_parameters_are_scalars_that_vary_from_sample_to_sample(path, loaded, tmp_path):
    data = generate(loaded, 6, 16).subset([4, 0, 5])
    write_the_well(data, path)
    with h5py.File(path) as file:
        for name, values in data.drawn.items():
            scalar = file[f"scalars/{name}"]
            np.testing.assert_array_equal(scalar[...], values.astype(np.float32))
            assert scalar.dtype == np.float32 and scalar.attrs["sample_varying"] and not scalar.attrs["time_varying"]
        assert set(file["scalars"].attrs["field_names"]) == {"forcing", "shift"}
        assert "forcing" not in file.attrs and file.attrs["simulation_parameters"].tolist() == []
    back = open_dataset(path)
    assert back.fields == data.fields and back.header.drawn == data.header.drawn
    assert "forcing" not in back.provenance["scalars"] and "drawn" not in back.provenance
    write_the_well(back.subset([2, 1]), tmp_path / "again.hdf5", stats=tmp_path / "again.yaml")
    again = open_dataset(tmp_path / "again.hdf5")
    for name, values in data.drawn.items():
        assert back.header.describe(name) == data.header.describe(name) == again.header.describe(name)
        np.testing.assert_array_equal(back.drawn[name], values.astype(np.float32))
        np.testing.assert_array_equal(again.drawn[name], back.drawn[name][[2, 1]])
        np.testing.assert_array_equal(back.to_xarray()[name], back.drawn[name])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda file: file.pop("scalars/shift"), "variable 'scalars/shift' is missing"),
        (lambda file: file.attrs.update(n_trajectories=4), "must have the size 4 along sample"),
    ],
)
def test_drawn_parameters_that_are_not_as_the_file_says(path, loaded, change, match):
    write_the_well(generate(loaded, 3, 16), path)

    def altered(file):
        change(file)
        names = [name for name in file["scalars"].attrs["field_names"] if name in file["scalars"]]
        file["scalars"].attrs["field_names"] = np.array(names, dtype=h5py.string_dtype())

    with pytest.raises(InputError, match=match):
        open_dataset(changed(path, altered))


@pytest.mark.parametrize("bad", ["external link", "huge attribute"])
def test_boundaries_that_lead_out_of_the_file_or_are_huge_are_not_copied(path, tmp_path, bad):
    examples.well(tmp_path / "original.hdf5", ("x", "y"))
    with h5py.File(tmp_path / "other.hdf5", "w") as other:
        other["secret"] = np.arange(3.0)
    with h5py.File(tmp_path / "original.hdf5", "r+") as file:
        boundary = next(iter(file["boundary_conditions"].values()))
        if bad == "external link":
            boundary["values"] = h5py.ExternalLink(str(tmp_path / "other.hdf5"), "/secret")
        else:
            boundary.create_dataset("values", data=np.zeros(3), track_order=True)
            boundary["values"].attrs.create("text", np.zeros(2**18 + 1))
    with pytest.raises(InputError, match="link to another file" if bad == "external link" else "takes 2.1 MB"):
        write_the_well(open_dataset(tmp_path / "original.hdf5"), path)
    assert not path.exists() and sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".hdf5") == []


@pytest.mark.parametrize(
    ("name", "parameters", "scalars"),
    [
        ("shallow_water", {}, ["h"]),
        ("compressible_flow", {"ndim": 2, "frames": 2, "end_time": 0.01}, ["p", "rho"]),
        ("burgers", {"ndim": 2, "frames": 2, "end_time": 0.01, "viscosity": 0.1}, []),
        ("incompressible_flow", {"frames": 2, "end_time": 0.01}, ["s", "u", "v"]),  # on faces: no vector at a point
        ("fitzhugh_nagumo", {"frames": 2, "end_time": 0.01}, ["u", "v"]),  # no velocities
    ],
)
def test_velocities_are_a_vector_and_keep_their_names(path, name, parameters, scalars):
    made = generate(name, 2, (32, 36), workers=1, **parameters)
    write_the_well(made, path)
    with h5py.File(path) as file:
        assert set(scalars) <= set(file["t0_fields"].attrs["field_names"])
        vectors = file["t1_fields"].attrs["field_names"].tolist()
        assert vectors == ([] if "u" in scalars else ["velocity"])
        if vectors:
            assert file["t1_fields/velocity"].shape == (2, len(made.times), 32, 36, 2)
            np.testing.assert_array_equal(file["t1_fields/velocity"][..., 1], made.arrays([0, 1])["v"])
    again = open_dataset(path)
    assert (again.inputs, again.outputs) == (made.inputs, made.outputs)
    for field, values in made.arrays([0, 1]).items():
        np.testing.assert_array_equal(again.arrays([0, 1])[field], values)
    write_the_well(again, path.with_name("again.hdf5"), stats=path.with_name("again.yaml"))
    third = open_dataset(path.with_name("again.hdf5"))
    assert (third.inputs, third.outputs) == (made.inputs, made.outputs)
    np.testing.assert_array_equal(third.arrays([1])["v"], made.arrays([1])["v"])


def test_components_that_do_not_fit_are_refused(path):
    write_the_well(generate("shallow_water", 1, 24, workers=1), path)
    with h5py.File(path, "r+") as file:
        file["t1_fields/velocity"].attrs["components"] = ["u", "v", "w"]
    with pytest.raises(InputError, match=r"the attribute 'components' of 't1_fields/velocity' must name 2 components"):
        open_dataset(path)
