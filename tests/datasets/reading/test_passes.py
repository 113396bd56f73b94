import numpy as np
import pytest
import torch

from opforge import open_dataset
from opforge.errors import InputError
from tests.datasets.reading.examples import HEADER, assert_equal, columns, write

ARRAYS = columns()


@pytest.mark.parametrize("room", [3 * 7 * 24 * 4, 2**28], ids=["one block is held", "all are held"])
def test_a_random_order_has_every_pair_once_and_those_of_a_block_together(tmp_path, monkeypatch, room):
    monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 0)
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", room)
    pairs = open_dataset(write(tmp_path / "d.nc", ARRAYS, compression=4)).windows()
    order = pairs.order(generator=torch.Generator().manual_seed(0))
    assert sorted(order.tolist()) == list(range(30))
    assert order.tolist() == pairs.order(generator=torch.Generator().manual_seed(0)).tolist()
    samples = (order // 6).reshape(5, 6)
    assert bool((samples == samples[:, :1]).all()) == (room < 2**28), "as many blocks are mixed as are held"
    assert samples[:, 0].tolist() != list(range(5)) and order[:6].tolist() != sorted(order[:6].tolist())


@pytest.mark.parametrize("ahead", [1, 2, 50])
def test_batches_that_are_read_ahead_are_the_same_in_the_same_order(evolving, ahead):
    pairs = evolving.windows()
    indices = [[3, 1], [29], [0, 7, 7], [], range(30)]
    for (x, y), some in zip(pairs.read_ahead(indices, ahead=ahead), indices, strict=True):
        assert_equal(x, pairs.batch(some)[0])
        assert_equal(y, pairs.batch(some)[1])


def test_what_reading_ahead_finds_is_told_when_it_is_its_turn(evolving):
    batches = evolving.read_ahead([[0], [1], [99], [2]])
    assert len(next(batches)[0]) == len(next(batches)[0]) == 1
    with pytest.raises(InputError, match="got 99"):
        next(batches)
    with pytest.raises(InputError, match="ahead must lie between 1 and"):
        next(evolving.read_ahead([[0]], ahead=0))


def test_epochs_in_order_and_shuffled(evolving):
    pairs = evolving.windows()
    x = torch.cat([x for x, _ in pairs.batches(7)])
    assert_equal(x, pairs.batch(range(30))[0])

    def epoch(**options):
        return torch.cat([x for x, _ in pairs.batches(7, shuffle=True, **options)])

    one = epoch(seed=3, epoch=1)
    assert one.shape == x.shape and not torch.equal(one, x)
    assert_equal(one, epoch(seed=3, epoch=1))
    assert not torch.equal(one, epoch(seed=3, epoch=2)) and not torch.equal(one, epoch(seed=4, epoch=1))
    key = lambda values: sorted(map(tuple, values.flatten(1).tolist()))  # noqa: E731
    assert key(one) == key(x)
    with pytest.raises(InputError, match="size must lie between 1 and"):
        pairs.batches(0)


def test_statistics_are_numpys(evolving):
    for dataset, take in ((evolving, np.s_[:, :]), (evolving.subset([3, 1]).every((2, 1), 3), np.s_[[3, 1], ::3, ::2])):
        for name, moments in dataset.statistics().items():
            where = take if name in HEADER.evolving else (take[0], *take[2:])
            values = ARRAYS[name].astype(np.float64)[where]
            np.testing.assert_allclose(float(moments.mean), values.mean(), rtol=1e-6, atol=1e-7)
            assert (float(moments.least), float(moments.greatest)) == (values.min(), values.max())


@pytest.mark.parametrize(("most", "sizes"), [(1, [1]), (2**26, None)])
def test_pieces_are_all_samples_in_order(evolving, most, sizes):
    found = list(evolving.pieces(most))
    assert next(start for start, _ in found) == 0
    if sizes is not None:
        assert {len(fields["u"]) for _, fields in found} == set(sizes), "at least one sample at a time"
    for name in evolving.fields:
        whole = evolving.arrays(range(evolving.samples))[name]
        np.testing.assert_array_equal(np.concatenate([fields[name] for _, fields in found]), whole)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"size": 2.5}, "size must be an integer, got 2.5"),
        ({"size": "a"}, "size must be an integer, got 'a'"),
        ({"size": 2, "seed": -1}, "seed must lie between 0 and"),
        ({"size": 2, "epoch": 0.5}, "epoch must be an integer"),
        ({"size": 2, "ahead": "x"}, "ahead must be an integer"),
    ],
)
def test_numbers_that_are_none(evolving, arguments, match):
    with pytest.raises(InputError, match=match):
        next(evolving.batches(shuffle=True, **arguments))


def test_parts_that_are_no_numbers(evolving):
    for sizes in ((float("nan"),), (0.5, float("nan")), (float("inf"),), ("a",)):
        with pytest.raises(InputError, match="sizes must all be numbers of samples or all be fractions"):
            evolving.split(*sizes)
