import pytest
import torch
from torch.utils.data import TensorDataset

from opforge.core import Grid
from opforge.errors import InputError
from opforge.models import FNO
from opforge.training import Cosine, Normaliser, Optimiser, RelativeH1, fit, load

QUICK = Optimiser(learning_rate=0.05)


def numbers(history):
    """The history without the time that it took."""
    return [{name: value for name, value in line.items() if name != "seconds"} for line in history]


def test_learns_and_says_how_well(fakes):
    run = fit(
        fakes.tiny(width=8), fakes.Doubled(40), 30, optimiser=QUICK, validation=fakes.Doubled(7, seed=1), progress=False
    )
    assert [line["epoch"] for line in run.history] == list(range(1, 31))
    assert run.history[-1]["train_loss"] < 0.2 * run.history[0]["train_loss"]
    test = fakes.Doubled(9, (5, 8), seed=2)
    metrics = run.evaluate(test)
    assert metrics.relative_l2 < 0.02 and metrics.residual < 0.02
    assert run.history[-1]["validation_loss"] == pytest.approx(
        run.evaluate(fakes.Doubled(7, seed=1)).relative_l2, rel=1e-4
    )


def test_same_seed_same_bits(fakes):
    first, again, other = (
        fit(fakes.tiny(dropout=0.2), fakes.Doubled(), 3, batch_size=5, seed=seed, progress=False) for seed in (1, 1, 2)
    )
    assert numbers(first.history) == numbers(again.history) != numbers(other.history)
    fakes.same_weights(first.operator.model, again.operator.model)


def test_the_caller_s_generator_is_left_alone(fakes):
    before = torch.get_rng_state()
    fit(fakes.tiny(dropout=0.2), fakes.Doubled(), 1, validation=0.2, progress=False)
    torch.testing.assert_close(torch.get_rng_state(), before, rtol=0, atol=0)


def test_normaliser_sees_the_training_part_only(fakes):
    data = fakes.Doubled(20)
    data.u[::3] *= 50  # so that any sample more or less shows
    run = fit(fakes.tiny(), data, 1, validation=0.25, progress=False)
    assert run.operator.training["samples"] == 15 and run.operator.training["held_out"] == 5
    from opforge.training.loop import seed_of
    from opforge.training.samples import Samples

    train, _ = Samples(data).split(0.25, seed_of(0, 0))
    expected = Normaliser.fit(TensorDataset(data.a[train.indices], data.u[train.indices]))
    whole = Normaliser.fit(data)
    torch.testing.assert_close(run.operator.normaliser.state_dict(), expected.state_dict(), rtol=1e-12, atol=0)
    assert not torch.equal(run.operator.normaliser.output_mean, whole.output_mean)


def test_reads_large_data_batch_by_batch_to_the_same_result(fakes, monkeypatch):
    held = fit(fakes.tiny(), fakes.Doubled(), 2, batch_size=5, progress=False)
    monkeypatch.setattr("opforge.training.fitting.HOLD_BELOW", 0)
    read = fit(fakes.tiny(), fakes.Doubled(), 2, batch_size=5, progress=False)
    fakes.same_weights(read.operator.model, held.operator.model)


def test_symmetries_are_on_unless_switched_off(fakes):
    def names(**options):
        run = fit(fakes.tiny(), fakes.Doubled(), 1, progress=False, **options)
        return run.operator.training["symmetries"]

    assert names() == ["mirror", "diagonal"]
    assert names(symmetries=None) == []
    assert names(symmetries=(fakes.Mirror(),)) == ["mirror"]


def test_loss_gets_the_data_s_grid_unless_it_has_one(fakes):
    data = fakes.Doubled()
    data.grid = Grid((6, 6), (2.0, 2.0), "nodes")
    run = fit(fakes.tiny(), data, 1, loss=RelativeH1(), progress=False)
    assert run.operator.training["loss"]["grid"]["points"] == "nodes"
    own = RelativeH1(Grid((6, 6), points="cells"))
    run = fit(fakes.tiny(), data, 1, loss=own, progress=False)
    assert run.operator.training["loss"]["grid"]["points"] == "cells"


def test_takes_any_function_as_loss(fakes):
    run = fit(fakes.tiny(), fakes.Doubled(), 1, loss=torch.nn.functional.mse_loss, progress=False)
    assert run.operator.training["loss"] == "mse_loss"


def test_learning_rate_follows_the_schedule(fakes):
    optimiser = Optimiser(learning_rate=1e-2, schedule=Cosine(end=0.1))
    run = fit(fakes.tiny(), fakes.Doubled(12), 4, batch_size=4, optimiser=optimiser, progress=False)
    assert [line["learning_rate"] for line in run.history] == pytest.approx(
        [optimiser.rate(step, 12) for step in (2, 5, 8, 11)]
    )
    assert run.history[-1]["learning_rate"] == pytest.approx(1e-3)


def test_averaged_weights_lag_behind(fakes):
    model = fakes.tiny()
    options = Optimiser(learning_rate=0.05, ema=0.9)
    run = fit(model, fakes.Doubled(), 5, batch_size=4, optimiser=options, progress=False)
    assert run.operator.model is not model
    start, end = fakes.tiny().net[0].weight, model.net[0].weight
    average = run.operator.model.net[0].weight
    assert torch.dist(average, end).item() < torch.dist(start, end).item()
    assert not torch.equal(average, end)


def test_without_validation_there_is_no_number_for_it(fakes):
    run = fit(fakes.tiny(), fakes.Doubled(), 1, progress=False)
    assert run.history[0]["validation_loss"] is None and run.folder is None


def test_data_that_say_nothing_about_themselves():
    a = torch.rand(10, 2, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    run = fit(torch.nn.Conv1d(2, 1, 1), TensorDataset(a, a.sum(1, keepdim=True)), 2, progress=False)
    assert run.operator.inputs == ("input0", "input1") and run.operator.grid is None
    assert run.operator(a).shape == (10, 1, 16) and run.operator(a).dtype == torch.float64


def test_frozen_parameters_stay(fakes):
    model = fakes.tiny()
    model.net[0].requires_grad_(False)
    before = model.net[0].weight.clone()
    fit(model, fakes.Doubled(), 2, progress=False)
    torch.testing.assert_close(model.net[0].weight, before, rtol=0, atol=0)


def test_a_fourier_neural_operator_from_data_to_file(fakes, tmp_path):
    data = fakes.Doubled(10, (8, 8))
    data.in_channels = data.out_channels = 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = FNO.for_data(data, modes=2, width=4, depth=2)
    run = fit(model, data, 3, batch_size=4, out=tmp_path / "run", progress=False)
    test = fakes.Doubled(3, (12, 12), seed=1)
    again = load(tmp_path / "run")
    torch.testing.assert_close(again(test.a), run.operator(test.a), rtol=0, atol=0)
    assert again.provenance == data.provenance and again.grid == data.grid


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"epochs": 0}, "epochs: expected a whole number >= 1, got 0"),
        ({"epochs": 1.5}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"seed": -1}, "seed: expected a whole number >= 0"),
        ({"device": "tpu0"}, "device"),
        ({"validation": 1.5}, "validation"),
        ({"symmetries": "none"}, "symmetries"),
        ({"data": 3}, "data"),
        ({"data": TensorDataset(torch.rand(4, 3, 6, 6), torch.rand(4, 1, 6, 6))}, "in_channels: expected 1 .* got 3"),
        ({"data": TensorDataset(torch.rand(4, 1, 6, 6), torch.rand(4, 2, 6, 6))}, "out_channels: expected 1 .* got 2"),
        ({"data": TensorDataset(torch.rand(4, 1, 6), torch.rand(4, 1, 6))}, "ndim: expected 2 .* got 1"),
        ({"data": TensorDataset(torch.rand(4, 1, 6, 6), torch.rand(4, 1, 3, 3))}, "model: expected outputs"),
        ({"validation": TensorDataset(torch.rand(4, 2, 6, 6), torch.rand(4, 1, 6, 6))}, "validation: expected"),
        ({"model": torch.nn.Identity()}, "model: expected at least one parameter"),
        ({"resume": True}, "resume: expected a run folder"),
    ],
    ids=str,
)
def test_wrong_input(fakes, options, match):
    with pytest.raises(InputError, match=match):
        fit(**{"model": fakes.tiny(), "data": fakes.Doubled(), "epochs": 1, "progress": False} | options)


def test_values_that_are_not_finite_are_found_before_training(fakes):
    data = fakes.Doubled()
    data.a[7, 0, 1, 1] = torch.nan
    with pytest.raises(InputError, match="'a' of sample 7"):
        fit(fakes.tiny(), data, 1, progress=False)


def test_held_out_samples_that_cannot_be_measured_are_refused_before_the_training(tmp_path):
    pairs = [(x, x) for x in torch.rand(4, 1, 2)]
    with pytest.raises(InputError, match="at least 3 points per axis"):
        fit(torch.nn.Conv1d(1, 1, 1), pairs, 1, validation=0.5, out=tmp_path / "run", progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compression", [None, 1])
def test_a_file_read_ahead_trains_as_data_that_are_held(tmp_path, monkeypatch, compression):
    import opforge

    data = opforge.generate("darcy", 12, 12, seed=1, out=tmp_path / "d.nc", compression=compression)
    runs = []
    for hold_below in (2**31, 0):
        monkeypatch.setattr("opforge.training.fitting.HOLD_BELOW", hold_below)
        torch.manual_seed(0)
        model = FNO.for_data(data, width=4, modes=3, depth=1)
        runs.append(fit(model, data, 2, batch_size=5, validation=0.25, progress=False))
    assert numbers(runs[0].history) == numbers(runs[1].history)
