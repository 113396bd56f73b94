import pytest
import torch
from torch.utils.data import IterableDataset, Subset, TensorDataset

from opforge import generate
from opforge.errors import InputError
from opforge.training.samples import Samples

CPU = torch.device("cpu")


def pairs(n=5):
    return TensorDataset(torch.arange(n * 4.0).view(n, 1, 4), torch.zeros(n, 2, 4))


def test_batches_are_the_samples_in_the_order_asked_for(fakes):
    for data in (pairs(), fakes.Doubled(5)):
        x, y = Samples(data).batch([3, 0])
        torch.testing.assert_close(x, torch.stack([data[3][0], data[0][0]]))
        torch.testing.assert_close(y, torch.stack([data[3][1], data[0][1]]))


@pytest.mark.parametrize("hold_below", [0, 2**20])
def test_held_samples_are_the_read_ones(fakes, hold_below):
    samples = Samples(fakes.Doubled(7)).to(CPU, torch.float64, hold_below=hold_below)
    x, y = samples.batch(torch.tensor([6, 2]))
    torch.testing.assert_close(x, fakes.Doubled(7).a[[6, 2]].double())
    torch.testing.assert_close(y, 2 * x)
    assert x.is_contiguous()


def test_held_samples_are_read_once(fakes):
    data = fakes.Doubled(7)
    samples = Samples(data).to(CPU, torch.float32, hold_below=2**20)
    data.read.clear()
    samples.batch([1, 2])
    assert data.read == []


def test_a_part_keeps_the_indices_of_the_whole(fakes):
    first, second = Samples(fakes.Doubled(10)).split(0.3, seed=4)
    assert len(second) == 3
    assert sorted(first.indices + second.indices) == list(range(10))
    again = Samples(fakes.Doubled(10)).split(0.3, seed=4)[1]
    assert again.indices == second.indices
    torch.testing.assert_close(second.batch([0])[0][0], fakes.Doubled(10)[second.indices[0]][0])


def test_describes_a_subset_by_what_it_is_a_part_of(fakes):
    samples = Samples(Subset(Subset(fakes.Doubled(6), [5, 4, 3]), [0, 1]))
    assert (samples.inputs, samples.outputs, samples.grid.shape) == (("a",), ("u",), (6, 6))
    assert samples.provenance["recipe"] == "doubled"
    torch.testing.assert_close(samples.batch([1])[0][0], fakes.Doubled(6)[4][0])


def test_names_channels_of_data_that_say_nothing():
    samples = Samples(pairs())
    assert (samples.inputs, samples.outputs) == (("input0",), ("output0", "output1"))
    assert samples.grid is None and samples.equation is None and samples.provenance == {}


def test_passes_cover_every_sample_once():
    samples = Samples(TensorDataset(torch.zeros(130, 1, 3), torch.zeros(130, 1, 3)))
    assert torch.cat([positions for positions, _ in samples.passes()]).tolist() == list(range(130))


class Stream(IterableDataset):
    def __iter__(self):
        return iter(())


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (Stream(), "data: expected a dataset"),
        (TensorDataset(torch.zeros(0, 1, 4), torch.zeros(0, 1, 4)), "at least 1 sample"),
        ([torch.zeros(1, 4)], "data: expected data"),
        (TensorDataset(torch.zeros(3, 4), torch.zeros(3, 4)), r"data: expected pairs of float tensors \(channels"),
        (TensorDataset(torch.zeros(3, 1, 4, dtype=torch.int64), torch.zeros(3, 1, 4)), "float"),
    ],
    ids=["stream", "empty", "not pairs", "no channels", "integers"],
)
def test_refuses_what_is_no_dataset_of_fields(data, match):
    with pytest.raises(InputError, match=match):
        Samples(data)


def test_refuses_names_that_do_not_fit_the_channels(fakes):
    data = fakes.Doubled(3)
    data.inputs = ("a", "b")
    with pytest.raises(InputError, match=r"data\.inputs: expected one name per channel"):
        Samples(data)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, True])
def test_refuses_a_fraction_that_is_none(fakes, fraction):
    with pytest.raises(InputError, match="validation: expected a fraction"):
        Samples(fakes.Doubled(3)).split(fraction, seed=0)


def test_refuses_to_hold_out_everything(fakes):
    with pytest.raises(InputError, match=r"validation: .* leaves none"):
        Samples(fakes.Doubled(1)).split(0.5, seed=0)


class Trajectories(TensorDataset):
    """Four pairs of each sample, read in an order and ahead as the dataset likes."""

    pairs_per_sample = 4
    asked = ()

    def order(self, indices):
        return torch.arange(len(indices)).flip(0)

    def batch(self, indices):
        return tuple(t[torch.as_tensor(indices)] for t in self.tensors)

    def read_ahead(self, batches):
        self.asked = [list(indices) for indices in batches]
        yield from map(self.batch, self.asked)


def test_pairs_of_one_sample_are_held_out_together():
    data = Trajectories(*pairs(20).tensors)
    first, second = Samples(data).split(0.4, seed=1)
    assert (len(first), len(second)) == (12, 8)
    assert not {i // 4 for i in first.indices} & {i // 4 for i in second.indices}
    assert sorted(first.indices + second.indices) == list(range(20))


def test_a_dataset_chooses_the_order_and_reads_ahead():
    data = Trajectories(*pairs(20).tensors)
    samples = Samples(data, [4, 9, 2])
    order = samples.order()
    assert order.tolist() == [2, 1, 0]
    batches = list(samples.batches(order.split(2)))
    assert data.asked == [[2, 9], [4]]
    torch.testing.assert_close(torch.cat([x for x, _ in batches]), data.tensors[0][[2, 9, 4]])


def test_held_samples_come_in_any_order():
    data = Trajectories(*pairs(20).tensors)
    samples = Samples(data).to(CPU, torch.float32, hold_below=2**20)
    torch.manual_seed(0)
    expected = torch.randperm(20)
    torch.manual_seed(0)
    torch.testing.assert_close(samples.order(), expected)
    data.asked = ()
    torch.testing.assert_close(next(samples.batches([torch.tensor([5, 1])]))[0], data.tensors[0][[5, 1]])
    assert data.asked == ()


def test_drawn_parameters_are_those_of_the_positions(loaded):
    data = generate(loaded, 6, 16)
    values = torch.as_tensor(data.drawn["forcing"])
    for source, rows in [
        (Samples(data), [4, 1]),
        (Samples(data, [5, 3, 0, 2, 1]), [1, 3]),
        (Samples(Subset(Subset(data, [5, 3, 0]), [2, 1, 0])), [5, 3]),
    ]:
        positions = {4: [4, 1], 1: [4, 1], 5: [2, 1]}[rows[0]]
        torch.testing.assert_close(source.drawn(torch.tensor(positions))["forcing"], values[rows], rtol=0, atol=0)
    assert Samples(pairs()).drawn([0]) == {}
