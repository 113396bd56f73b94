import pickle

import h5py
import numpy as np
import pytest
import scipy.io

from opforge import open_dataset
from opforge.core import Grid
from opforge.datasets.formats import fno_mat
from opforge.datasets.formats.described import Asked
from opforge.errors import InputError
from tests.datasets.formats import examples
from tests.datasets.formats.examples import FRAMES, SAMPLES

# benchmark -> its variables, inputs, outputs, grid
BENCHMARKS = {
    "burgers": (examples.burgers, ("a",), ("u",), Grid((8,), points="periodic")),
    "darcy": (examples.darcy, ("coeff",), ("sol",), Grid((6, 8), points="nodes")),
    "navier-stokes": (examples.navier_stokes, ("u",), ("u",), Grid((6, 8), points="periodic")),
}
WRITERS = {"v5": examples.mat_v5, "v7.3": examples.mat_v73}


@pytest.fixture(params=WRITERS)
def write(request, tmp_path):
    """Write variables as one of the versions does: variables -> path."""

    def written(arrays):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        WRITERS[request.param](folder / "data.mat", arrays)
        return folder / "data.mat"

    return written


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_everything_is_where_it_was(write, benchmark):
    variables, inputs, outputs, grid = BENCHMARKS[benchmark]
    dataset = open_dataset(write(variables()))
    assert (dataset.header.inputs, dataset.header.outputs) == (inputs, outputs)
    assert (dataset.samples, dataset.grid) == (SAMPLES, grid)
    assert dataset.provenance == {"format": "FNO (MATLAB)", "samples": SAMPLES}
    found = dataset.arrays([2, 0, 1])
    for name in dataset.fields:
        values = np.moveaxis(variables()[name], -1, 1) if benchmark == "navier-stokes" else variables()[name]
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values[[2, 0, 1]])
        np.testing.assert_array_equal(dataset.to_xarray()[name].values, values)


def test_times(write):
    variables = examples.navier_stokes() | {"t": 0.5 * np.arange(1.0, FRAMES + 1)[None]}
    dataset = open_dataset(write(variables))
    assert dataset.times.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5]
    X, Y = dataset.windows(given=2, wanted=1).batch([1])
    np.testing.assert_array_equal(X[0], np.moveaxis(variables["u"][0, ..., 1:3], -1, 0))
    np.testing.assert_array_equal(Y[0, 0], variables["u"][0, ..., 3])


def test_times_that_the_file_lacks_are_whole_numbers(write):
    variables = examples.navier_stokes()
    assert open_dataset(write({"u": variables["u"]})).times.tolist() == [1, 2, 3, 4, 5]


def test_other_fields_and_points(write):
    variables = examples.navier_stokes()
    dataset = open_dataset(write(variables), inputs=("a",), outputs=("u",), points="cells")
    assert dataset.grid == Grid((6, 8), points="cells") and dataset.evolving == ("u",)
    X, Y = dataset.batch([1])
    np.testing.assert_array_equal(X[0, 0], variables["a"][1])
    np.testing.assert_array_equal(Y[0, 0], variables["u"][1, ..., -1])
    smoothed = open_dataset(write(examples.darcy()), inputs=("coeff", "Kcoeff"))
    np.testing.assert_array_equal(smoothed.batch([2])[0][0, 1], examples.darcy()["Kcoeff"][2])
    with pytest.raises(InputError, match=r"data\.mat: unknown field 'Kcoef'; did you mean 'Kcoeff'\?"):
        open_dataset(write(examples.darcy()), inputs=("Kcoef",))


def test_variables_of_other_kinds_are_passed_over(write):
    variables = examples.darcy() | {"visc": np.array([[0.1]]), "other": np.zeros((4, 4))}
    assert open_dataset(write(variables)).fields == ("coeff", "sol")


def test_opening_reads_no_field(tmp_path, monkeypatch):
    read = []
    examples.mat_v5(tmp_path / "v5.mat", examples.navier_stokes())
    examples.mat_v73(tmp_path / "v73.mat", examples.navier_stokes())
    monkeypatch.setattr(fno_mat, "load_v5", lambda path, name: read.append(name) or np.arange(1.0, FRAMES + 1))
    fno_mat.open_v5(tmp_path / "v5.mat", Asked())
    original = h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: read.append(self.name) or original(self, key))
    with h5py.File(tmp_path / "v73.mat") as file:
        fno_mat.describe(file, Asked())
    assert read == ["t", "/t"]


def test_an_array_of_version_5_is_read_once(tmp_path, monkeypatch):
    read = []
    original = fno_mat.load_v5
    monkeypatch.setattr(fno_mat, "load_v5", lambda path, name: read.append(name) or original(path, name))
    examples.mat_v5(tmp_path / "d.mat", examples.darcy())
    dataset = open_dataset(tmp_path / "d.mat")
    assert read == []
    dataset[0], dataset[1]
    assert sorted(read) == ["coeff", "sol"]


def test_a_dataset_of_version_5_can_be_sent_to_another_process(tmp_path):
    examples.mat_v5(tmp_path / "d.mat", examples.darcy())
    dataset = open_dataset(tmp_path / "d.mat")
    dataset[0]
    sent = pickle.dumps(dataset)
    assert len(sent) < 10_000, "the arrays stay behind"
    np.testing.assert_array_equal(pickle.loads(sent)[2][1], dataset[2][1])


def test_versions_are_told_apart(tmp_path):
    examples.mat_v5(tmp_path / "v5", examples.darcy())
    examples.mat_v73(tmp_path / "v73", examples.darcy())
    with h5py.File(tmp_path / "plain", "w") as file:
        file["u"] = np.zeros(3)
    (tmp_path / "short").write_bytes(b"MATLAB")
    assert [fno_mat.matches_v5(tmp_path / name) for name in ("v5", "v73", "plain", "short")] == [True, *[False] * 3]
    assert not fno_mat.matches_v5(tmp_path), "what cannot be read is none"
    for name, matches in (("v73", True), ("plain", False)):
        with h5py.File(tmp_path / name) as file:
            assert fno_mat.matches(file) == matches


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sol": None}, r"must be those of an FNO benchmark: .*the file has the arrays Kcoeff \(3, 6, 8\), coeff"),
        (
            {"sol": np.zeros((3, 8, 6))},
            r"variable 'coeff' must have the axes sample=3, x=8, y=6 of 'sol', got shape \(3",
        ),
        ({"sol": np.zeros((3, 6))}, r"variable 'sol' must have the axes sample=3, x=6, y=8 of 'coeff'"),
        ({"coeff": np.zeros(6)}, "must be those of an FNO benchmark"),
        ({"coeff": np.zeros((3, 1, 8)), "sol": np.zeros((3, 1, 8))}, r"every axis of space needs at least 2 points"),
        ({"u": np.zeros((3, 6, 8, 5)), "t": np.arange(6.0)}, "'t' must have one time for each of the 5 frames"),
        ({"u": np.zeros((3, 6, 8, 5)), "t": np.zeros(5)}, "coordinate 't' must increase"),
    ],
)
def test_what_does_not_fit_is_one_line(write, change, match):
    variables = {name: values for name, values in (examples.darcy() | change).items() if values is not None}
    with pytest.raises(InputError, match=match) as raised:
        open_dataset(write(dict(sorted(variables.items()))))
    assert "\n" not in str(raised.value) and "data.mat: " in str(raised.value)


def test_complex_numbers_are_refused(tmp_path):
    scipy.io.savemat(tmp_path / "d.mat", examples.darcy() | {"sol": np.full((3, 6, 8), 1j)})
    with pytest.raises(InputError, match=r"d\.mat: variable 'sol' must hold real numbers, got complex128"):
        open_dataset(tmp_path / "d.mat")[0]


def test_values_that_are_not_finite_are_refused(write):
    variables = examples.darcy()
    variables["sol"][1, 2, 3] = np.nan
    dataset = open_dataset(write(variables))
    dataset.batch([0, 2])
    with pytest.raises(InputError, match=r"data\.mat: variable 'sol' has a value that is not finite .* in sample 1"):
        dataset.batch([0, 1])


@pytest.mark.slow
def test_a_damaged_file_of_version_5_is_one_line(tmp_path):
    examples.mat_v5(tmp_path / "d.mat", examples.darcy())
    content = (tmp_path / "d.mat").read_bytes()
    rng = np.random.default_rng(0)
    for trial in range(40):
        damaged = bytearray(content[: rng.integers(128, len(content))] if trial % 2 else content)
        for place in rng.integers(128, len(damaged), 20) if not trial % 2 and len(damaged) > 128 else ():
            damaged[place] = rng.integers(256)
        (tmp_path / "d.mat").write_bytes(damaged)
        try:
            open_dataset(tmp_path / "d.mat").batch([0, 1])
        except InputError as error:
            assert "\n" not in str(error) and str(tmp_path / "d.mat") in str(error)


@pytest.mark.parametrize("name", ["sol", "#refs#"])
def test_links_of_version_73_are_not_followed(tmp_path, name):
    examples.mat_v73(tmp_path / "d.mat", examples.darcy())
    with h5py.File(tmp_path / "d.mat", "r+") as file:
        if name in file:
            del file[name]
        file[name] = h5py.ExternalLink("other.mat", "/x")
    if name == "sol":
        with pytest.raises(InputError, match="must be those of an FNO benchmark"):
            open_dataset(tmp_path / "d.mat")
    else:
        assert open_dataset(tmp_path / "d.mat").fields == ("coeff", "sol")
