import gc
import pickle
from dataclasses import replace

import h5netcdf
import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader

from opforge import generate, open_dataset
from opforge.core import Grid
from opforge.datasets import OperatorDataset
from opforge.datasets.files.columns import checksums
from opforge.datasets.files.writer import Arrays
from opforge.errors import InputError
from opforge.pdes import Darcy
from tests.datasets.drawn import NAMES, changed
from tests.datasets.formats import examples
from tests.datasets.reading.examples import FLOAT, HEADER, assert_equal, columns, in_memory, pair, write

N = 10


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "darcy.nc"
    generate("darcy", N, (8, 6), seed=1, out=path, forcing=2.0)
    return path


@pytest.fixture(params=["file", "memory"])
def dataset(request, path):
    return open_dataset(path) if request.param == "file" else generate("darcy", N, (8, 6), seed=1, forcing=2.0)


def raw(path, name):
    with h5netcdf.File(path, "r") as file:
        return file[name][...]


def test_samples_are_pairs_of_channels(dataset, path):
    a, u = raw(path, "a"), raw(path, "u")
    assert len(dataset) == N
    for i in (0, 3, N - 1, -1):
        x, y = dataset[i]
        assert (x.shape, y.shape, x.dtype, y.dtype) == ((1, 8, 6), (1, 8, 6), torch.float32, torch.float32)
        np.testing.assert_array_equal(x[0], a[i])
        np.testing.assert_array_equal(y[0], u[i])


def test_what_it_is(dataset, path):
    assert isinstance(dataset, torch.utils.data.Dataset)
    assert (dataset.inputs, dataset.outputs) == (("a",), ("u",))
    assert (dataset.in_channels, dataset.out_channels, dataset.ndim) == (1, 1, 2)
    assert dataset.grid == Grid((8, 6))
    assert dataset.equation == Darcy(forcing=2.0)
    assert dataset.provenance["recipe"] == "darcy"
    assert dataset.provenance["samples"] == N
    assert dataset.path in (path, None)
    assert "10 samples, a -> u, 8x6 cells" in repr(dataset)


@pytest.mark.parametrize("indices", [[7, 2, 2, 9], range(3), np.array([1, 0]), torch.tensor([5]), [-1], []])
def test_batches_are_the_samples_in_the_order_asked_for(dataset, indices):
    X, Y = dataset.batch(indices)
    pairs = [dataset[int(i)] for i in indices]
    assert X.shape == Y.shape == (len(pairs), 1, 8, 6)
    for i, (x, y) in enumerate(pairs):
        torch.testing.assert_close(X[i], x, rtol=0, atol=0)
        torch.testing.assert_close(Y[i], y, rtol=0, atol=0)


def test_batches_belong_to_the_caller(dataset):
    X, _ = dataset.batch([0, 1])
    before = X.clone()
    X.zero_()
    torch.testing.assert_close(dataset.batch([0, 1])[0], before, rtol=0, atol=0)


def test_iterating_ends(dataset):
    assert len(list(dataset)) == N
    with pytest.raises(IndexError, match="index 10 is out of range for 10 samples"):
        dataset[N]


def test_double_precision_on_demand(dataset):
    double = dataset.astype(torch.float64)
    assert double.dtype == double[0][0].dtype == double.batch([0])[1].dtype == torch.float64
    torch.testing.assert_close(double[1][1], dataset[1][1].double(), rtol=0, atol=0)
    assert dataset[0][0].dtype == torch.float32
    with pytest.raises(InputError, match="dtype must be a floating point type"):
        dataset.astype(torch.int32)


def test_xarray_of_a_subset(dataset, path):
    data = dataset.subset([4, 2]).to_xarray()
    assert dict(data.sizes) == {"sample": 2, "x": 8, "y": 6}
    np.testing.assert_array_equal(data.u, raw(path, "u")[[4, 2]])
    np.testing.assert_array_equal(data.seed, raw(path, "seed")[[4, 2]])
    np.testing.assert_allclose(data.y, Grid((8, 6)).coordinates()[1])
    assert data.a.attrs["long_name"] == "permeability"
    assert data.attrs["recipe"] == "darcy"


def test_pickled_and_copied(dataset):
    dataset.batch([0])
    again = pickle.loads(pickle.dumps(dataset.subset([3, 4]).astype(torch.float64)))
    assert isinstance(again, OperatorDataset)
    torch.testing.assert_close(again[1][1], dataset[4][1].double(), rtol=0, atol=0)
    assert again.equation == dataset.equation


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_of_a_loader_read_for_themselves(path, context):
    dataset = open_dataset(path)
    dataset[0]  # the file is open before the workers start
    loader = DataLoader(dataset, batch_size=4, num_workers=2, multiprocessing_context=context)
    batches = [x for x, _ in loader]
    torch.testing.assert_close(torch.cat(batches), dataset.batch(range(N))[0], rtol=0, atol=0)
    torch.testing.assert_close(dataset[1][0], batches[0][1], rtol=0, atol=0)


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_of_a_loader_read_files_of_others(tmp_path, context):
    """MATLAB 7.3 with its axes in reverse, The Well with vectors and what does not vary: every number in its place."""
    examples.mat_v73(tmp_path / "darcy.mat", examples.darcy())
    examples.well(tmp_path / "well.hdf5")
    datasets = [open_dataset(tmp_path / "darcy.mat"), open_dataset(tmp_path / "well.hdf5").windows(2, 1)]
    datasets[0][0]  # one file is open before the workers start
    pairs = ConcatDataset(datasets)
    loaded = list(DataLoader(pairs, batch_size=None, num_workers=2, multiprocessing_context=context))
    assert len(loaded) == len(pairs) == 3 + 3 * 3
    raw = examples.darcy()
    for sample, (x, y) in enumerate(loaded[:3]):
        np.testing.assert_array_equal(x[0], raw["coeff"][sample].astype(np.float32))
        np.testing.assert_array_equal(y[0], raw["sol"][sample].astype(np.float32))
    for (x, y), (a, b) in zip(loaded[3:], datasets[1], strict=True):
        torch.testing.assert_close((x, y), (a, b), rtol=0, atol=0)
    fields = examples.well(tmp_path / "again.hdf5")
    for name, values in fields.items():
        if name != "mask":
            row = datasets[1].outputs.index(name)
            np.testing.assert_array_equal(loaded[3 + 4][1][row], values[1, 3])  # sample 1, frames 1 and 2 to 3


def test_loader_takes_batches_at_once(dataset):
    assert [x.shape[0] for x, _ in DataLoader(dataset, batch_size=4)] == [4, 4, 2]


def test_opening_reads_no_samples_and_closing_is_left_to_python(path, tmp_path):
    copy = tmp_path / "copy.nc"
    copy.write_bytes(path.read_bytes())
    dataset = open_dataset(copy)
    assert dataset._source._file is None
    dataset[0]
    handle = dataset._source._file
    assert handle
    del dataset
    gc.collect()
    del handle
    gc.collect()
    copy.unlink()


def test_other_variables_on_demand(path):
    swapped = open_dataset(path, inputs=("u", "a"), outputs=("a",))
    assert (swapped.in_channels, swapped.out_channels) == (2, 1)
    X, Y = swapped.batch([1])
    torch.testing.assert_close(X[:, 1:], Y, rtol=0, atol=0)
    np.testing.assert_array_equal(X[0, 0], raw(path, "u")[1])
    assert open_dataset(path, outputs=("a",)).inputs == ("a",)


# --- fields that evolve --------------------------------------------------------------------------------------------

ARRAYS = columns()


def runs_of(frames, given, wanted, step, stride):
    """The frames of all pairs of a sample, by their definition."""
    length = (given + wanted - 1) * step + 1
    starts = range(0, frames - length + 1, stride)
    return [[start + step * i for i in range(given + wanted)] for start in starts]


WINDOWS = [(1, 1, 1, 1), (2, 3, 1, 1), (3, 1, 2, 1), (1, 2, 1, 3), (2, 2, 2, 2), (6, 1, 1, 1), (1, 1, 6, 9)]


@pytest.mark.parametrize(("given", "wanted", "step", "stride"), WINDOWS)
def test_every_window_is_what_numpy_takes(evolving, given, wanted, step, stride):
    pairs = evolving.windows(given, wanted, step=step, stride=stride)
    runs = runs_of(7, given, wanted, step, stride)
    assert len(pairs) == 5 * len(runs) and pairs.pairs_per_sample == len(runs) and pairs.samples == 5
    assert (pairs.in_channels, pairs.out_channels) == (1 + 2 * given, 2 * wanted)
    order = np.random.default_rng(0).permutation(len(pairs))
    x, y = pairs.batch(order)
    for row, number in enumerate(order):
        run = runs[number % len(runs)]
        expected = pair(ARRAYS, HEADER, number // len(runs), run[:given], run[given:])
        assert_equal(x[row], expected[0])
        assert_equal(y[row], expected[1])
    last = pairs[-1]
    assert_equal(last[0], pair(ARRAYS, HEADER, 4, runs[-1][:given], runs[-1][given:])[0])


def test_channels_are_named_in_their_order(evolving):
    assert (evolving.inputs, evolving.outputs) == (("a", "w", "u"), ("u", "v"))
    pairs = evolving.windows(2, 3)
    assert pairs.inputs == ("a", "w[-1]", "w[0]", "u[-1]", "u[0]")
    assert pairs.outputs == ("u[1]", "u[2]", "u[3]", "v[1]", "v[2]", "v[3]")
    assert (pairs.fields, pairs.evolving) == (("a", "w", "u", "v"), ("w", "u", "v"))
    assert "5 samples, a, w, u -> u, v, 6x4 periodic, 7 frames" in repr(evolving)


def test_a_sample_pairs_its_first_frame_with_its_last(evolving):
    assert len(evolving) == 5
    np.testing.assert_array_equal(evolving.times, HEADER.times)
    for i in range(5):
        expected = pair(ARRAYS, HEADER, i, (0,), (6,))
        assert_equal(evolving[i][0], expected[0])
        assert_equal(evolving[i][1], expected[1])


def test_whole_samples_in_any_order(evolving):
    for samples in ([4, 0, 4], [-1], np.arange(5) == 2, []):
        found = evolving.windows(2).arrays(samples)
        for name in HEADER.names:
            np.testing.assert_array_equal(
                found[name], ARRAYS[name][np.asarray(samples, dtype=None if len(samples) else int)]
            )


@pytest.mark.parametrize("points", ["cells", "nodes", "periodic"])
@pytest.mark.parametrize(("first", "second"), [((3, 2), 1), (2, 2), ((2, 4), (3, 1)), (1, 3)])
def test_points_that_are_left_are_where_the_grid_says(tmp_path, points, first, second):
    """Fields that are the coordinates themselves, thinned twice."""
    shape = tuple(n + (points == "nodes") for n in (36, 24))
    header = replace(
        HEADER, grid=Grid(shape, (2.0, 3.0), points, (-1.0, 0.5)), inputs=("a",), outputs=("u",), samples=2
    )
    header = replace(header, evolving=("u",))
    arrays = columns(header)
    x, y = header.grid.mesh()
    arrays["a"][...], arrays["u"][...] = x, y
    arrays["checksum"] = checksums(arrays)
    for dataset in (in_memory(arrays, header), open_dataset(write(tmp_path / "d.nc", arrays, header))):
        once = dataset.every(first)
        for thin in (once, once.every(second)):
            a, u = thin[1]
            mesh = thin.grid.mesh()
            np.testing.assert_allclose(a[0], mesh[0], rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(u[0], mesh[1], rtol=1e-6, atol=1e-6)
            data = thin.to_xarray()
            for name, values in zip("xy", thin.grid.coordinates(), strict=True):
                np.testing.assert_allclose(data[name], values, rtol=0, atol=1e-12)
            np.testing.assert_array_equal(data.u[1, -1], u[0])


def test_xarray_of_a_part_is_what_the_tensors_are(evolving):
    part = evolving.subset([4, 1, 3]).every((1, 2), 3)
    data = part.to_xarray()
    assert dict(data.sizes) == {"sample": 3, "time": 3, "x": 6, "y": 2}
    np.testing.assert_array_equal(data.time, part.times)
    for name, values in part.arrays(range(3)).items():
        np.testing.assert_array_equal(data[name], values)
        assert data[name].dims == (("sample", "time", "x", "y") if name in HEADER.evolving else ("sample", "x", "y"))
    x, y = part.batch([2])
    np.testing.assert_array_equal(data.u[2, 0], x[0, 2])
    np.testing.assert_array_equal(data.v[2, -1], y[0, 1])


@pytest.mark.parametrize(
    "change",
    [
        lambda dataset: dataset,
        lambda dataset: dataset.every(2),
        lambda dataset: dataset.every(1, 3),
        lambda dataset: dataset.subset([3, 1]),
        lambda dataset: dataset.subset([3, 1]).every((3, 1), 2),
    ],
)
@pytest.mark.parametrize("shard", [False, True])
def test_what_is_saved_by_xarray_opens_again(tmp_path, change, shard):
    header = replace(HEADER, samples=12).shard(4, 5) if shard else HEADER
    part = change(open_dataset(write(tmp_path / "d.nc", ARRAYS, header)))
    part.to_xarray().to_netcdf(tmp_path / "part.nc", engine="h5netcdf")
    again = open_dataset(tmp_path / "part.nc")
    assert (again.grid, again.samples, again.inputs, again.outputs) == (
        part.grid,
        part.samples,
        part.inputs,
        part.outputs,
    )
    np.testing.assert_array_equal(again.times, part.times)
    everything = range(part.samples)
    for name, values in part.arrays(everything).items():
        np.testing.assert_array_equal(again.arrays(everything)[name], values)


def test_batches_of_windows_share_no_memory(evolving):
    pairs = evolving.windows(1, 1)
    before = [side.clone() for side in pairs.batch(range(30))]
    x, y = pairs.batch(range(30))
    x.zero_()
    assert_equal(y, before[1])
    y.zero_()
    for side, expected in zip(pairs.batch(range(30)), before, strict=True):
        assert_equal(side, expected)


@pytest.mark.parametrize(
    ("inputs", "outputs"), [(("u",), ("u",)), (("w",), ("v",)), (("a",), ("a",)), (("a",), ("v",))]
)
def test_other_choices_of_fields(tmp_path, inputs, outputs):
    dataset = open_dataset(write(tmp_path / "d.nc", ARRAYS), inputs=inputs, outputs=outputs)
    x, y = dataset.batch([3, 1])
    for side, names, frame in ((x, inputs, 0), (y, outputs, 6)):
        values = ARRAYS[names[0]][[3, 1]]
        assert_equal(side[:, 0], values[:, frame] if names[0] in HEADER.evolving else values)
    x.zero_()
    assert y.abs().min() > 0, "x and y are different memory"


def test_pickled_windows(evolving):
    pairs = evolving.subset([2, 4]).every((2, 1), 2).windows(1, 2).astype(torch.float64)
    again = pickle.loads(pickle.dumps(pairs))
    assert len(again) == len(pairs) == 4 and again.dtype == torch.float64
    for one, other in zip(again.batch(range(4)), pairs.batch(range(4)), strict=True):
        assert_equal(one, other)


@pytest.mark.parametrize(("context", "compression"), [("fork", None), ("fork", 4), ("spawn", 4)])
def test_workers_of_a_loader_read_windows(tmp_path, context, compression):
    """What is kept in memory is not sent to a worker that is spawned, and not changed for one that is forked."""
    pairs = open_dataset(write(tmp_path / "d.nc", ARRAYS, compression=compression)).windows(2, 1)
    pairs[0]
    loader = DataLoader(pairs, batch_size=7, num_workers=2, multiprocessing_context=context)
    x, y = (torch.cat(sides) for sides in zip(*loader, strict=True))
    assert_equal(x, pairs.batch(range(25))[0])
    assert_equal(y, pairs.batch(range(25))[1])


@pytest.mark.parametrize("compression", [None, 4])
def test_samples_that_failed_are_left_out(tmp_path, compression):
    arrays = columns(failed=[0, 3])
    dataset = open_dataset(write(tmp_path / "d.nc", arrays, compression=compression))
    assert (len(dataset), dataset.samples, len(dataset.windows())) == (3, 3, 18)
    for row, sample in enumerate((1, 2, 4)):
        assert_equal(dataset[row][0], pair(ARRAYS, HEADER, sample, (0,), (6,))[0])
    np.testing.assert_array_equal(dataset.to_xarray().seed, [101, 102, 104])
    assert np.isfinite(dataset.to_xarray().u).all()
    assert [part.samples for part in dataset.split(2, 1)] == [2, 1]
    with pytest.raises(InputError, match="no samples, all 5 of them failed"):
        open_dataset(write(tmp_path / "none.nc", columns(failed=range(5))))


def test_in_memory_too():
    arrays = Arrays(HEADER, FLOAT)
    arrays.put(0, columns(failed=[2]))
    dataset = OperatorDataset.from_arrays(arrays)
    assert dataset.samples == 4
    assert_equal(dataset[2][0], pair(ARRAYS, HEADER, 3, (0,), (6,))[0])


def test_whole_samples_have_all_their_frames(evolving):
    for dataset, take in (
        (evolving, np.s_[[2, 0], :]),
        (evolving.windows(2, 1), np.s_[[2, 0], :]),  # whatever the pairs are
        (evolving.subset([3, 0, 1]).every((2, 1), 3), np.s_[[1, 3], ::3, ::2]),
    ):
        found = dataset.arrays([2, 0])
        assert tuple(found) == dataset.fields
        for name, values in found.items():
            where = take if name in HEADER.evolving else (take[0], *take[2:])
            np.testing.assert_array_equal(values, ARRAYS[name][where])
    assert len(evolving.times) == len(HEADER.times)
    np.testing.assert_array_equal(evolving.every(time=3).times, HEADER.times[::3])
    with pytest.raises(InputError, match="indices must lie between"):
        evolving.arrays([99])


@pytest.fixture(params=["memory", "plain", "compressed", "read anew"])
def loads(request, tmp_path, loaded):
    """9 samples with drawn parameters, from wherever they may be read."""
    options = {"compression": 4} if request.param == "compressed" else {}
    data = generate(
        loaded, 9, 16, seed=3, **({} if request.param == "memory" else {"out": tmp_path / "d.nc"} | options)
    )
    return pickle.loads(pickle.dumps(data)) if request.param == "read anew" else data


def test_drawn_parameters_are_those_of_the_samples(loads):
    values = loads.drawn
    assert tuple(values) == NAMES and all(each.shape == (9,) and each.dtype == np.float64 for each in values.values())
    x = loads.grid.coordinates()[0]
    for part, rows in [
        (loads.subset([7, 0, 3]), [7, 0, 3]),
        (loads.split(4, 2)[1], [4, 5]),
        (loads.subset(slice(2, 8)).subset([-1]), [7]),
        (loads.subset([]), []),
        (loads.every(2), range(9)),
        (loads.astype(torch.float64), range(9)),
    ]:
        for name in NAMES:
            np.testing.assert_array_equal(part.drawn[name], values[name][list(rows)])
        if part.grid == loads.grid and part.samples:
            expected = part.drawn["forcing"][:, None] * x * (1 - x) / 2
            np.testing.assert_allclose(part.arrays(range(part.samples))["u"], expected, rtol=1e-6)
    loads.drawn["forcing"][...] = 0.0
    np.testing.assert_array_equal(loads.drawn["forcing"], values["forcing"])


def test_drawn_parameters_are_no_fields(loads):
    assert (loads.fields, loads.inputs, loads.outputs) == (("a", "u"), ("a",), ("u",))
    assert set(loads.statistics()) == {"a", "u"} and set(loads.arrays([0])) == {"a", "u"}


@pytest.mark.parametrize("part", [lambda data: data, lambda data: data.subset([7, 2]), lambda data: data.every(2)])
def test_drawn_parameters_go_through_xarray(loads, part, tmp_path):
    data = part(loads)
    made = data.to_xarray()
    assert made.attrs["drawn"] == "forcing shift"
    for name, values in data.drawn.items():
        assert made[name].dims == ("sample",) and made[name].dtype == np.float64
        assert (made[name].attrs["long_name"], made[name].attrs["units"]) == tuple(loads.header.describe(name).values())
        np.testing.assert_array_equal(made[name], values)
    made.to_netcdf(tmp_path / "again.nc", engine="h5netcdf")
    again = open_dataset(tmp_path / "again.nc")
    assert again.header.drawn == NAMES and again.header.describe("forcing") == loads.header.describe("forcing")
    for name, values in data.drawn.items():
        np.testing.assert_array_equal(again.drawn[name], values)
    again.batch(range(again.samples))  # compared with their checksums, which hold the drawn parameters


def test_most_datasets_have_no_drawn_parameters(dataset):
    assert dataset.drawn == {} and dataset.header.drawn == () and "drawn" not in dataset.to_xarray().attrs


def test_a_drawn_parameter_that_was_changed_does_not_agree_with_the_checksum(tmp_path, loaded):
    path = generate(loaded, 4, 16, out=tmp_path / "d.nc").path

    def change(file):
        file["shift"][2] += 1e-12

    data = open_dataset(changed(path, change))
    data.batch([0, 1, 3])
    with pytest.raises(InputError, match="sample 2 does not agree with its checksum"):
        data.batch([2])


def test_a_drawn_parameter_that_is_not_finite(tmp_path, loaded):
    path = generate(loaded, 4, 16, out=tmp_path / "d.nc").path

    def change(file):
        file["forcing"][2] = np.nan

    data = open_dataset(changed(path, change))
    with pytest.raises(InputError, match=r"d\.nc: variable 'forcing' has a value that is not finite .* in sample 2"):
        _ = data.drawn
    assert data.subset([0, 3]).drawn["forcing"].shape == (2,)
