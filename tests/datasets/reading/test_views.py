"""Parts, windows and thinned grids of datasets."""

import h5netcdf
import numpy as np
import pytest
import torch

from opforge import generate, open_dataset
from opforge.errors import InputError
from tests.datasets.reading.examples import HEADER, assert_equal, columns, pair

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


ARRAYS = columns()


def runs_of(frames, given, wanted, step, stride):
    """The frames of all pairs of a sample, by their definition."""
    length = (given + wanted - 1) * step + 1
    starts = range(0, frames - length + 1, stride)
    return [[start + step * i for i in range(given + wanted)] for start in starts]


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


def test_parts_have_whole_samples_with_all_their_pairs(evolving):
    pairs = evolving.windows(1, 2)
    train, test = pairs.split(3, 2)
    assert (train.samples, len(train), test.samples, len(test)) == (3, 15, 2, 10)
    assert_equal(train.batch(range(15))[0], pairs.batch(range(15))[0])
    assert_equal(test.batch(range(10))[1], pairs.batch(range(15, 25))[1])
    some = pairs.subset([4, 1])
    assert_equal(some.batch(range(10))[0], pairs.batch([*range(20, 25), *range(5, 10)])[0])
    assert_equal(some.windows(1, 1).batch([0])[0], pairs.batch([20])[0])
    with pytest.raises(InputError, match="indices must lie between 0 and 4, got 7; the dataset has 5 samples"):
        pairs.subset([7])
    with pytest.raises(InputError, match="indices must lie between 0 and 24, got 25; the dataset has 25 pairs"):
        pairs.batch([25])
    with pytest.raises(IndexError, match="index 25 is out of range for 25 pairs"):
        pairs[25]


def test_windows_of_every_second_frame_and_point(evolving):
    thin = evolving.every((3, 2), 2)
    np.testing.assert_array_equal(thin.times, HEADER.times[::2])
    assert thin.grid.shape == (2, 2) and len(thin) == 5
    less = {name: (values[:, ::2] if name in HEADER.evolving else values) for name, values in ARRAYS.items()}
    less = {name: values[..., ::3, ::2] if name in HEADER.names else values for name, values in less.items()}
    for dataset, given, wanted in ((thin, 1, 1), (thin.windows(2, 1), 2, 1)):
        runs = runs_of(4, given, wanted, 1, 1) if given > 1 else [[0, 3]]
        x, y = dataset.batch(range(len(dataset)))
        for number in range(len(dataset)):
            run = runs[number % len(runs)]
            expected = pair(less, HEADER, number // len(runs), run[:given], run[given:])
            assert_equal(x[number], expected[0])
            assert_equal(y[number], expected[1])
    found = thin.arrays([3, 1])
    for name in HEADER.names:
        np.testing.assert_array_equal(found[name], less[name][[3, 1]])


def test_windows_of_what_does_not_evolve(dataset):
    with pytest.raises(InputError, match="windows need fields that change with time, a, u do not"):
        dataset.windows()
    with pytest.raises(InputError, match="time needs fields that change with it, a, u do not"):
        dataset.every(1, 2)
    assert dataset.times is None and dataset.evolving == ()
    assert_equal(dataset.every(2).batch([1])[0], dataset.batch([1])[0][..., ::2, ::2])


@pytest.mark.parametrize(("given", "wanted", "step"), [(1, 1, 1), (2, 1, 2), (1, 3, 1)])
def test_pairs_as_another_dataset_has_them(evolving, given, wanted, step):
    pairs = evolving.windows(given, wanted, step=step)
    again = evolving.paired_as(pairs.pairing)
    assert (again.inputs, again.outputs, len(again)) == (pairs.inputs, pairs.outputs, len(pairs))
    for one, other in zip(again.batch(range(len(again))), pairs.batch(range(len(pairs))), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    ends = evolving.paired_as(evolving.pairing)
    torch.testing.assert_close(ends.batch([0, 1])[1], evolving.batch([0, 1])[1], rtol=0, atol=0)


def test_pairs_keep_their_interval_in_time_or_are_refused(dataset):
    coarse, fine = (generate("advection", 2, 32, frames=n, end_time=1.0) for n in (6, 11))
    _, y = fine.paired_as(coarse.windows().pairing).batch([0])
    torch.testing.assert_close(y, fine.windows(step=2).batch([0])[1], rtol=0, atol=0)
    with pytest.raises(InputError, match=r"frames must meet the interval 0\.1 .*, they are 0\.2 apart"):
        coarse.paired_as(fine.windows().pairing)
    assert dataset.pairing is None
    with pytest.raises(InputError, match="need fields that change with time, a, u do not"):
        dataset.paired_as(fine.pairing)
