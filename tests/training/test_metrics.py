import json

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.training import Metrics, RelativeH1, RelativeLp, evaluate


def off_by_a_tenth(a):
    return 2.2 * a


def test_a_prediction_off_by_a_tenth(fakes):
    data = fakes.Doubled(10)
    metrics = evaluate(off_by_a_tenth, data, batch_size=3)
    assert metrics.relative_l2 == pytest.approx(0.1, rel=1e-6)
    assert metrics.h1 == pytest.approx(0.1, rel=1e-6)
    assert metrics.residual == pytest.approx(0.1, rel=1e-6)
    assert metrics.max_error == pytest.approx(float(0.2 * data.a.max()), rel=1e-6)
    assert (metrics.samples, metrics.resolution) == (10, (6, 6))


def test_an_exact_operator_has_no_error(fakes):
    metrics = evaluate(lambda a: 2 * a, fakes.Doubled(5))
    assert [metrics[name] for name in ("relative_l2", "h1", "max_error", "residual")] == [0, 0, 0, 0]


def test_does_not_depend_on_the_batches(fakes):
    data = fakes.Doubled(7)

    def operator(a):
        return 2 * a + a**3

    one, all_at_once = evaluate(operator, data, batch_size=1), evaluate(operator, data, batch_size=7)
    for name, values in one.per_sample.items():
        np.testing.assert_allclose(values, all_at_once.per_sample[name], rtol=1e-12)
        assert values.shape == (7,) and values.dtype == np.float64


def test_norms_are_those_of_the_data_s_grid(fakes):
    data = fakes.Doubled(3, (5, 5))
    data.grid = Grid((5, 5), (2.0, 0.5), "nodes")
    metrics = evaluate(lambda a: a**2, data)
    prediction, truth = data.a.double() ** 2, data.u.double()
    assert metrics.relative_l2 == pytest.approx(float(RelativeLp(2, data.grid)(prediction, truth)), rel=1e-5)
    assert metrics.h1 == pytest.approx(float(RelativeH1(data.grid)(prediction, truth)), rel=1e-5)
    assert metrics.h1 != pytest.approx(float(RelativeH1()(prediction, truth)), rel=1e-5)


def test_without_an_equation_there_is_no_residual(fakes):
    data = fakes.Doubled(3)
    data.equation = None
    metrics = evaluate(off_by_a_tenth, data)
    assert metrics.residual is None and "residual" not in metrics.per_sample


def test_plain_values_have_the_names_that_others_rely_on(fakes):
    metrics = evaluate(off_by_a_tenth, fakes.Doubled(3))
    plain = json.loads(json.dumps(metrics.to_dict()))
    assert set(plain) == {
        "relative_l2",
        "h1",
        "max_error",
        "residual",
        "data_residual",
        "residual_note",
        "samples",
        "resolution",
        "seconds",
    }
    assert plain["resolution"] == [6, 6]
    assert isinstance(metrics, Metrics) and dict(metrics).keys() == plain.keys()
    assert metrics["h1"] == metrics.h1
    with pytest.raises(KeyError):
        metrics["per_sample"]


def test_the_residual_of_porous_media_is_that_of_the_equation(fakes):
    from opforge.pdes import Darcy

    data = fakes.Doubled(3, (8, 8))
    data.equation = Darcy()
    per_sample = evaluate(off_by_a_tenth, data).per_sample["residual"]
    residual = Darcy().residual({"a": data.a[:, 0].double(), "u": off_by_a_tenth(data.a)[:, 0].double()}, data.grid)
    np.testing.assert_allclose(per_sample, residual.flatten(1).norm(dim=1).numpy() / 8.0, rtol=1e-12)  # ||1|| on 8 x 8


def test_wrong_input(fakes):
    with pytest.raises(InputError, match="batch_size"):
        evaluate(off_by_a_tenth, fakes.Doubled(3), batch_size=0)
    with pytest.raises(InputError, match="prediction: expected"):
        evaluate(lambda a: a[:, :, :3], fakes.Doubled(3))
    with pytest.raises(InputError, match="data: expected"):
        evaluate(off_by_a_tenth, torch.ones(3))


def test_the_residual_is_that_of_the_drawn_parameters(fakes):
    class Scaled(fakes.Doubled):
        """u = factor · a with a factor of its own for each sample."""

        def __init__(self, samples):
            super().__init__(samples)
            self.drawn = {"factor": np.arange(1.0, samples + 1.0)}

        def batch(self, indices):
            a, factor = self.a[indices], torch.as_tensor(self.drawn["factor"])[indices]
            return a, a * factor[:, None, None, None].float()

        class equation:
            @staticmethod
            def residual(fields, grid):
                return fields["u"] - fields["factor"][:, None, None] * fields["a"]

            @staticmethod
            def residual_scale(fields, grid):
                return torch.linalg.vector_norm(fields["a"].flatten(1), dim=1) * fields["factor"]

    data = Scaled(7)
    metrics = evaluate(lambda a: 3 * a, data, batch_size=3)
    np.testing.assert_allclose(metrics.per_sample["residual"], np.abs(3 / data.drawn["factor"] - 1), atol=1e-6)
