import gc
import pickle

import h5netcdf
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from opforge import generate, open_dataset
from opforge.core import Grid
from opforge.datasets import OperatorDataset
from opforge.errors import InputError
from opforge.pdes import Darcy

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


def test_split_in_numbers_and_fractions(dataset):
    for sizes in ((7, 3), (0.7, 0.3)):
        train, test = dataset.split(*sizes)
        assert (len(train), len(test)) == (7, 3)
        torch.testing.assert_close(train.batch(range(7))[0], dataset.batch(range(7))[0], rtol=0, atol=0)
        torch.testing.assert_close(test[0][1], dataset[7][1], rtol=0, atol=0)
    assert [len(part) for part in dataset.split(2, 3)] == [2, 3]
    assert [len(part) for part in dataset.split(0.1, 0.2, 0.7)] == [1, 2, 7]
    assert len(dataset.split(10, 0)[1]) == 0


@pytest.mark.parametrize("sizes", [(), (7, 0.3), (11,), (0.7, 0.4), (-1, 4), ("7",), (True, 0.5)])
def test_wrong_splits(dataset, sizes):
    with pytest.raises(InputError, match="sizes must"):
        dataset.split(*sizes)


def test_subsets_of_subsets(dataset):
    part = dataset.subset([8, 1, 5]).subset([2, 0])
    assert len(part) == 2
    torch.testing.assert_close(part[0][0], dataset[5][0], rtol=0, atol=0)
    torch.testing.assert_close(part[1][0], dataset[8][0], rtol=0, atol=0)
    assert len(dataset.subset([])) == 0
    assert len(dataset.subset(slice(None, None, 3))) == 4
    assert len(dataset.subset(np.arange(N) < 4)) == 4
    assert part.astype(torch.float64).subset([0])[0][0].dtype == torch.float64


@pytest.mark.parametrize("indices", [[0, 10], [-11]])
def test_subset_out_of_range(dataset, indices):
    with pytest.raises(InputError, match=f"indices must lie between 0 and 9, got {indices[-1]}"):
        dataset.subset(indices)


@pytest.mark.parametrize("method", ["batch", "subset"])
@pytest.mark.parametrize("kind", [np.array, list, torch.tensor])
def test_masks_select(dataset, method, kind):
    mask = kind((np.arange(N) % 3 == 0).tolist())
    chosen = getattr(dataset, method)(mask)
    X = chosen[0] if method == "batch" else chosen.batch(range(len(chosen)))[0]
    torch.testing.assert_close(X, dataset.batch([0, 3, 6, 9])[0], rtol=0, atol=0)


@pytest.mark.parametrize("method", ["batch", "subset"])
@pytest.mark.parametrize(
    ("indices", "match"),
    [
        ([0, 10], "indices must lie between 0 and 9, got 10; the dataset has 10 samples"),
        (np.array([-11, 3]), "indices must lie between 0 and 9, got -11"),
        (np.array([2**64 - 1], np.uint64), "indices must lie between 0 and 9, got 18446744073709551615"),
        ([True, False], r"a truth value for each of the 10 samples, got shape \(2,\)"),
        (np.ones((10, 1), bool), "a truth value for each of the 10 samples"),
        ([0.5, 2.0], "indices must be a sequence of integers or a mask, got"),
        ([[1, 2]], "indices must be a sequence of integers"),
        (3, "indices must be a sequence of integers"),
        ("3", "indices must be a sequence of integers"),
    ],
)
def test_indices_that_select_nothing_sensible(dataset, method, indices, match):
    with pytest.raises(InputError, match=match) as raised:
        getattr(dataset, method)(indices)
    assert "\n" not in str(raised.value)


def test_negative_indices_count_from_the_end_of_a_subset(dataset):
    part = dataset.subset([5, -3])
    torch.testing.assert_close(part.batch([-1, -2])[0], dataset.batch([7, 5])[0], rtol=0, atol=0)


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
