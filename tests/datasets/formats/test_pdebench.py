import h5py
import numpy as np
import pytest

from opforge import open_dataset
from opforge.core import Grid
from opforge.datasets.formats import pdebench
from opforge.datasets.formats.described import Asked
from opforge.errors import InputError
from tests.datasets.formats import examples
from tests.datasets.formats.examples import FRAMES, SAMPLES

# layout -> writer of a file, inputs, outputs, grid, times
FILES = {
    "1d": (examples.pdebench_1d, "u", "u", Grid((8,), points="periodic", origin=(1 / 16,)), 0.25),
    "darcy": (examples.pdebench_darcy, "nu", "u", Grid((6, 8), (1.0, 2.0)), None),
    **{
        f"cfd{ndim}": (
            lambda path, ndim=ndim: examples.pdebench_cfd(path, ndim),
            ("density", "pressure", "Vx", "Vy", "Vz")[: 2 + ndim],
            ("density", "pressure", "Vx", "Vy", "Vz")[: 2 + ndim],
            Grid((6, 8, 4)[:ndim], (1.5, 2.0, 1.0)[:ndim], origin=(-1.0,) * ndim),
            0.1,
        )
        for ndim in (1, 2, 3)
    },
    "diff-sorp": (
        lambda p: examples.pdebench_groups(p, "diff-sorp"),
        "u",
        "u",
        Grid((8,), (2.0,), origin=(-1.0,)),
        0.5,
    ),
    "rdb": (lambda p: examples.pdebench_groups(p, "rdb"), "h", "h", Grid((6, 8), (2.0,) * 2, origin=(-1.0,) * 2), 0.5),
    "diff-react": (
        lambda p: examples.pdebench_groups(p, "diff-react"),
        ("u", "v"),
        ("u", "v"),
        Grid((6, 8), (2.0, 2.0), origin=(-1.0, -1.0)),
        0.5,
    ),
    "incompressible": (
        examples.pdebench_incompressible,
        ("velocity_x", "velocity_y", "particles", "force_x", "force_y"),
        ("velocity_x", "velocity_y", "particles"),
        Grid((6, 8), (1.0, 2.0)),
        0.005,
    ),
}


@pytest.mark.parametrize("layout", FILES)
def test_everything_is_where_it_was(tmp_path, layout):
    write, inputs, outputs, grid, step = FILES[layout]
    expected = write(tmp_path / "data.h5")
    dataset = open_dataset(tmp_path / "data.h5")
    assert dataset.header.inputs == tuple([inputs] if isinstance(inputs, str) else inputs)
    assert dataset.header.outputs == tuple([outputs] if isinstance(outputs, str) else outputs)
    assert dataset.samples == SAMPLES
    assert (dataset.grid.shape, dataset.grid.points) == (grid.shape, grid.points)
    np.testing.assert_allclose(dataset.grid.lengths, grid.lengths, rtol=1e-6)
    np.testing.assert_allclose(dataset.grid.origin, grid.origin, atol=1e-6)
    if step is None:
        assert dataset.times is None
    else:
        np.testing.assert_allclose(dataset.times, step * np.arange(FRAMES), rtol=1e-6)
    found = dataset.arrays(range(SAMPLES))
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
        np.testing.assert_array_equal(dataset.to_xarray()[name].values, values, err_msg=name)


def test_describing_reads_no_field(tmp_path, monkeypatch):
    read = []
    original = h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: read.append(self.name) or original(self, key))
    for layout, (write, *_) in FILES.items():
        write(tmp_path / layout)
        with h5py.File(tmp_path / layout) as file:
            assert pdebench.matches(file)
            pdebench.describe(file, Asked())
    assert {name.rsplit("/")[-1].removesuffix("-coordinate") for name in read} == {"t", "x", "y", "z"}


def test_attributes_are_in_the_provenance(tmp_path):
    examples.pdebench_1d(tmp_path / "d.hdf5", Nu=0.5, rho=np.array([2.0]), note=np.bytes_("a note"))
    found = open_dataset(tmp_path / "d.hdf5").provenance
    assert found == {"format": "PDEBench", "samples": SAMPLES, "Nu": 0.5, "rho": 2.0, "note": "a note"}


def test_settings_that_samples_agree_on_are_in_the_provenance(tmp_path):
    examples.pdebench_groups(tmp_path / "d.h5", "diff-react")
    assert open_dataset(tmp_path / "d.h5").provenance["config"] == {"k": 0.005, "t": 2.0}
    examples.pdebench_incompressible(tmp_path / "c.h5")
    found = open_dataset(tmp_path / "c.h5").provenance
    assert found["config"] == {"NU": 0.01, "domain_size": [1, 2]} and found["latestIndex"] == FRAMES - 1


def test_other_fields_and_points(tmp_path):
    expected = examples.pdebench_cfd(tmp_path / "d.hdf5", 2)
    dataset = open_dataset(tmp_path / "d.hdf5", inputs=("Vx", "density"), outputs=("Vy",), points="periodic")
    assert dataset.fields == ("Vx", "density", "Vy") and dataset.grid.points == "periodic"
    np.testing.assert_allclose(dataset.grid.coordinates()[1], examples.centres(8, 2.0, -1.0), atol=1e-6)
    X, Y = dataset.batch([2, 0])
    np.testing.assert_array_equal(X[:, 1], expected["density"][[2, 0], 0])
    np.testing.assert_array_equal(Y[:, 0], expected["Vy"][[2, 0], -1])
    with pytest.raises(InputError, match=r"d\.hdf5: unknown field 'presure'; did you mean 'pressure'\? Known: Vx, "):
        open_dataset(tmp_path / "d.hdf5", inputs=("presure",))


def test_more_than_ten_thousand_samples_stay_in_order(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        for number in (9998, 9999, 10000):
            file[f"{number:04d}/data"] = np.full((2, 8, 1), number, np.float32)
            file[f"{number:04d}/grid/x"], file[f"{number:04d}/grid/t"] = examples.centres(8), [0.0, 1.0]
    found = open_dataset(tmp_path / "d.h5").arrays(range(3))["u"]
    np.testing.assert_array_equal(found[:, 0, 0], [9998, 9999, 10000])


def test_times_that_differ_between_runs_are_numbered(tmp_path):
    examples.pdebench_incompressible(tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        file["t"][1] *= 2
    dataset = open_dataset(tmp_path / "d.h5")
    assert dataset.times.tolist() == [0, 1, 2, 3, 4]
    assert "differs from sample to sample" in dataset.to_xarray().time.long_name


def test_samples_of_another_type_are_refused(tmp_path):
    """They would be read as the first one's, and lose digits."""
    data = examples.pdebench_groups(tmp_path / "d.h5", "rdb")["h"]
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        del file["0001/data"]
        file["0001/data"] = data[1][..., None].astype(np.float64)
    with pytest.raises(InputError, match="'0001/data' must have the type float32 of '0000/data', got float64"):
        open_dataset(tmp_path / "d.h5")


@pytest.mark.parametrize("name", ["netcdf", "empty", "other"])
def test_other_files_do_not_match(tmp_path, name):
    with h5py.File(tmp_path / name, "w") as file:
        if name == "netcdf":
            file["u"], file["x"] = np.zeros((3, 8)), np.zeros(8)
        if name == "other":
            file["0000/values"] = np.zeros(3)
        assert not pdebench.matches(file)


def without(name):
    return lambda file: file.__delitem__(name)


def instead(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


def elsewhere(name):
    return instead(name, h5py.ExternalLink("other.h5", "/x"))


def attribute(name, value, where="/"):
    return lambda file: file[where].attrs.__setitem__(name, value)


def huge(file):
    file.attrs["note"] = "x" * 2**21


WRONG = [
    ("1d", without("t-coordinate"), "'t-coordinate' is missing"),
    ("1d", instead("t-coordinate", np.arange(9.0)), r"'t-coordinate' must have 5 or 6 numbers, got shape \(9,\)"),
    ("1d", instead("t-coordinate", [0.0, 1, 1, 2, 3]), "'t-coordinate' must increase"),
    ("1d", instead("t-coordinate", [0.0, 1, 2, 3, np.nan]), "'t-coordinate' must increase"),
    ("1d", instead("x-coordinate", np.arange(8.0) ** 2), "coordinate 'x' is not that of a uniform"),
    ("1d", instead("x-coordinate", np.arange(8.0)[::-1]), "coordinate 'x' must increase"),
    ("1d", instead("x-coordinate", [0.0, 1, 1, 2, 3, 4, 5, 6]), "coordinate 'x' must increase"),
    ("1d", instead("x-coordinate", np.array([b"a"] * 8)), "'x-coordinate' must hold real numbers, got text"),
    ("1d", instead("tensor", np.zeros((3, 5, 1))), r"coordinate 'x-coordinate' must have 1 numbers"),
    ("1d", instead("tensor", np.zeros((3, 0, 8))), "'tensor' is empty"),
    ("1d", instead("tensor", np.zeros((3, 5, 8, 2))), r"'tensor' must have the axes \(sample, time, x\), got shape"),
    ("1d", elsewhere("tensor"), "'tensor' is a link to another file"),
    ("1d", huge, "attribute 'note' takes 2.1 MB"),
    ("darcy", instead("tensor", np.zeros((3, 2, 6, 8))), "'tensor' must have the size 1 for components"),
    ("darcy", instead("tensor", np.zeros((3, 1, 8, 6))), "'tensor' must have the size 6 along x"),
    ("cfd2", without("Vy"), "'Vy' is missing"),
    ("cfd2", without("y-coordinate"), "'y-coordinate' is missing"),
    ("cfd2", instead("pressure", np.zeros((3, 5, 8, 6))), "'pressure' must have the size 6 along x"),
    ("cfd2", lambda file: file.create_group("a") and instead("Vx", file["a"])(file), "'Vx' is a group"),
    ("rdb", without("0001/data"), "sample '0001': variable 'data' is missing"),
    ("rdb", instead("0001", np.zeros(3)), "sample '0001': group '0001' is an array"),
    ("rdb", elsewhere("0001"), "sample '0001': group '0001' is a link, which is not followed"),
    ("rdb", instead("0002/data", np.zeros((5, 6, 7, 1))), r"'0002/data' must have the shape \(5, 6, 8, 1\) of '0000/"),
    ("rdb", instead("0000/data", np.zeros((5, 6, 8, 3))), r"'0000/data' must have the axes \(time, x, 1\), "),
    ("rdb", instead("0000/grid/x", examples.centres(8)), "'0000/grid/x' must have 6 numbers"),
    ("rdb", attribute("config", 3.0, "0000"), "attribute 'config' must be YAML text, got float64"),
    ("rdb", attribute("config", "a: [", "0000"), "attribute 'config' is not YAML text"),
    ("rdb", attribute("config", "[" * 5000, "0000"), "attribute 'config' is not YAML text"),
    ("rdb", attribute("config", "text", "0000"), "attribute 'config' must name the simulation's settings, got 'text'"),
    ("incompressible", instead("velocity", np.zeros((3, 5, 6, 8, 3))), "'velocity' must have the size 2 for comp"),
    ("incompressible", instead("force", np.zeros((3, 8, 6, 2))), "'force' must have the size 6 along x"),
    ("incompressible", instead("t", np.zeros(5)), r"coordinate 't' must have the shape \(samples, frames\)"),
    ("incompressible", instead("t", np.zeros((3, 5))), "coordinate 't' must increase"),
    ("incompressible", attribute("config", "domain_size: [1]"), "'domain_size' in the attribute 'config' must be two"),
]


@pytest.mark.parametrize(("layout", "change", "match"), WRONG, ids=[match for *_, match in WRONG])
def test_what_does_not_fit_is_one_line(tmp_path, layout, change, match):
    FILES[layout][0](tmp_path / "data.h5")
    with h5py.File(tmp_path / "data.h5", "r+") as file:
        change(file)
    with pytest.raises(InputError, match=match) as raised:
        open_dataset(tmp_path / "data.h5")
    assert "\n" not in str(raised.value) and str(raised.value).startswith(str(tmp_path / "data.h5"))


def test_packed_groups(tmp_path):
    """All alike, or refused: the scale of one is not that of the others."""
    values = examples.pdebench_groups(tmp_path / "d.h5", "rdb")["h"]
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        for sample in file:
            file[sample]["data"].attrs["scale_factor"] = 0.5
    np.testing.assert_allclose(open_dataset(tmp_path / "d.h5").arrays([1])["h"][0], 0.5 * values[1], rtol=1e-6)
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        file["0001/data"].attrs["scale_factor"] = 0.25
    with pytest.raises(InputError, match=r"'/0001/data' must be packed as '/0000/data' is, .*0\.5.*, got .*0\.25"):
        open_dataset(tmp_path / "d.h5").arrays([0])
