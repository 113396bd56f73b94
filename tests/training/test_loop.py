import re

import pytest
import torch

from opforge.errors import InputError, WorkError
from opforge.training import Optimiser, RelativeLp, fit
from opforge.training.loop import seed_of


class Recorder:
    """A loss that keeps the truths that it saw."""

    def __init__(self, data):
        self.first = {round(float(y[0, 0, 0]), 6): i for i, (_, y) in enumerate(data)}
        self.truths = []

    def __call__(self, prediction, truth):
        self.truths.append(truth.detach().clone())
        return RelativeLp(2)(prediction, truth)

    def samples(self):
        """Indices of the samples, batch by batch; only without symmetries."""
        return [[self.first[round(float(y[0, 0, 0]), 6)] for y in batch] for batch in self.truths]


def orders(fakes, epochs, *, seed=0, data=None):
    data = data or fakes.Doubled(11)
    recorder = Recorder(data)
    fit(fakes.tiny(), data, epochs, batch_size=4, loss=recorder, symmetries=None, seed=seed, progress=False)
    per_epoch = -(-len(data) // 4)
    batches = recorder.samples()
    return [batches[i : i + per_epoch] for i in range(0, len(batches), per_epoch)]


def test_every_epoch_sees_every_sample_once_in_an_order_of_its_own(fakes):
    seen = orders(fakes, 3)
    for epoch in seen:
        assert sorted(i for batch in epoch for i in batch) == list(range(11))
        assert [len(batch) for batch in epoch] == [4, 4, 3]
    assert seen[0] != seen[1] != seen[2]


def test_the_order_of_an_epoch_does_not_depend_on_those_before(fakes):
    assert orders(fakes, 3)[:2] == orders(fakes, 2)
    assert orders(fakes, 1, seed=1) != orders(fakes, 1, seed=2)
    assert len({seed_of(seed, epoch) for seed in range(20) for epoch in range(20)}) == 400


def test_symmetries_are_applied_to_half_of_the_batches(fakes):
    data = fakes.Doubled(4, (3, 3))
    recorder = Recorder(data)
    fit(fakes.tiny(), data, 200, batch_size=4, loss=recorder, symmetries=(fakes.Mirror(),), seed=0, progress=False)
    # Sorted, since each epoch has its own order.
    plain, turned = (set(t.flatten().tolist()) for t in (data.u[:, :, :, 0], data.u[:, :, :, 2]))
    corners = [set(batch[:, :, :, 0].flatten().tolist()) for batch in recorder.truths]
    assert all(corner in (plain, turned) for corner in corners)
    # 200 fair coins: 4 standard deviations are 28.
    assert sum(corner == turned for corner in corners) == pytest.approx(100, abs=28)


def test_the_train_loss_is_the_mean_over_the_samples(fakes):
    losses = []

    def loss(prediction, truth):
        value = RelativeLp(2)(prediction, truth)
        losses.append((float(value.detach()), len(truth)))
        return value

    run = fit(fakes.tiny(), fakes.Doubled(11), 1, batch_size=4, loss=loss, progress=False)
    assert run.history[0]["train_loss"] == pytest.approx(sum(value * n for value, n in losses) / 11, rel=1e-6)


def test_the_validation_loss_is_without_symmetries_and_dropout(fakes):
    data = fakes.Doubled(5, seed=3)
    run = fit(fakes.tiny(dropout=0.5), fakes.Doubled(), 2, batch_size=3, validation=data, progress=False)
    expected = RelativeLp(2)(run.operator(data.a), data.u)
    assert run.history[-1]["validation_loss"] == pytest.approx(float(expected), rel=1e-5)


def test_long_gradients_are_clipped(fakes):
    def steep(prediction, truth):
        return 1e6 * (prediction - truth).square().mean()

    norms = []
    for clip in (None, 1e-3):
        model = fakes.tiny()
        fit(model, fakes.Doubled(), 1, loss=steep, optimiser=Optimiser(clip=clip), progress=False)
        norms.append(float(torch.stack([p.grad.norm() for p in model.parameters()]).norm()))
    assert norms[0] > 1 and norms[1] == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_and_names_the_samples(fakes, value):
    data = fakes.Doubled(11)
    recorder = Recorder(data)

    def loss(prediction, truth):
        return recorder(prediction, truth) * (value if len(recorder.truths) == 5 else 1.0)

    with pytest.raises(WorkError, match="the loss of epoch 2, step 2 is ") as caught:
        fit(fakes.tiny(), data, 4, batch_size=4, loss=loss, symmetries=None, progress=False)
    named = re.search(r"samples ([\d, ]+)\)", str(caught.value))
    assert named is not None
    assert [int(i) for i in named[1].split(", ")] == recorder.samples()[4]


def test_a_validation_loss_that_is_not_finite_stops(fakes):
    held_out = fakes.Doubled(7)
    held_out.u[5] = torch.nan
    with pytest.raises(InputError, match="'u' of sample 5"):
        fit(fakes.tiny(), fakes.Doubled(), 1, batch_size=4, validation=held_out, progress=False)

    def loss(prediction, truth):
        return RelativeLp(2)(prediction, truth) * (1.0 if torch.is_grad_enabled() else torch.nan)

    with pytest.raises(WorkError, match=r"validation loss is nan .samples 0, 1, 2, 3\)"):
        fit(fakes.tiny(), fakes.Doubled(), 1, batch_size=4, loss=loss, validation=fakes.Doubled(7), progress=False)


def test_a_bad_sample_of_a_subset_is_named_by_its_index_in_the_whole(fakes):
    data = fakes.Doubled(30)

    def loss(prediction, truth):
        return RelativeLp(2)(prediction, truth) * torch.where((truth == data.u[17]).all(), torch.nan, 1.0)

    seed = next(s for s in range(9) if 17 in _training_indices(data, s))
    with pytest.raises(WorkError, match=r"samples 17\)"):
        fit(fakes.tiny(), data, 1, batch_size=1, loss=loss, validation=0.5, symmetries=None, seed=seed, progress=False)


def _training_indices(data, seed):
    from opforge.training.samples import Samples

    return Samples(data).split(0.5, seed_of(seed, 0))[0].indices
