"""The residual of predicted fields, of steady equations and of windows of frames, against the equation's own."""

import numpy as np
import pytest
from torch.utils.data import Subset

import opforge
from opforge.core import Grid
from opforge.training import evaluate
from opforge.training.residuals import EquationResidual
from opforge.training.samples import Samples

# recipe, parameters, resolution
WINDOWS = [
    ("heat", {"ndim": 1, "coefficient": "lognormal"}, 24),
    ("burgers", {"ndim": 2, "initial": "series", "viscosity": 0.1}, 25),
    ("wave", {"ndim": 1, "medium": "random", "frames": 41}, 48),
    ("incompressible_flow", {"scene": "cavity", "draw": "viscosity", "end_time": 0.2, "frames": 5}, 16),
    ("incompressible_flow", {"scene": "cavity", "pressure": True, "end_time": 0.2, "frames": 5}, 16),
]


def made(recipe, parameters, resolution, samples=2):
    return opforge.generate(recipe, samples, resolution, progress=False, **parameters)


def exact(data):
    """An operator that gives the answers in their order: samples that differ in parameters alone have the same x."""
    _, answers = data.batch(range(len(data)))
    given = 0

    def operator(x):
        nonlocal given
        given += len(x)
        return answers[given - len(x) : given]

    return operator


def by_hand(data, sample, frames):
    """The relative residual of a run of a sample's frames, from the whole sample."""
    fields = {name: values[0] for name, values in data.arrays([sample]).items()}
    cut = {name: np.float64(values[frames] if name in data.evolving else values) for name, values in fields.items()}
    own = {name: values[sample] for name, values in data.drawn.items()}
    known = {name: values for name, values in cut.items() if name not in data.evolving or name in data.header.inputs}
    known |= {"time": data.times[frames], **own}
    residual = np.linalg.norm(data.equation.residual(known, data.grid))
    return residual / data.equation.residual_scale(known, data.grid)


@pytest.mark.parametrize(("recipe", "parameters", "resolution"), WINDOWS)
@pytest.mark.parametrize(("given", "wanted"), [(1, 1), (2, 3)])
def test_of_windows_it_is_the_equation_s_of_these_frames(recipe, parameters, resolution, given, wanted):
    data = made(recipe, parameters, resolution)
    pairs = data.windows(given, wanted)
    metrics = evaluate(exact(pairs), pairs)
    expected = [
        by_hand(data, sample, slice(start + given - 1, start + given + wanted))
        for sample in range(2)
        for start in range(pairs.pairs_per_sample)
    ]
    np.testing.assert_allclose(metrics.per_sample["data_residual"], expected, rtol=1e-6)
    np.testing.assert_array_equal(metrics.per_sample["residual"], metrics.per_sample["data_residual"])
    assert metrics.residual == metrics.data_residual < 0.5 and metrics.residual_note is None


def test_an_error_of_the_prediction_is_seen():
    """In an exact equation that is linear, a prediction that is too great by a tenth leaves a tenth over."""
    pairs = made("advection", {"frames": 6}, 32).windows()
    answers = exact(pairs)
    metrics = evaluate(lambda inputs: 1.1 * answers(inputs), pairs)
    assert metrics.data_residual < 1e-6
    np.testing.assert_allclose(metrics.per_sample["residual"], 0.1, rtol=1e-4)


def test_parameters_of_samples_of_their_own_are_used():
    data = made("incompressible_flow", WINDOWS[3][1], 16, samples=4)
    viscosity = data.drawn["viscosity"]
    of_all = type(data.equation)(**{**data.equation.parameters(), "viscosity": float(viscosity[0])})

    class Alike:
        """The same pairs, said to have all the first one's viscosity."""

        equation, drawn = of_all, {}

        def __getattr__(self, name):
            return getattr(data.windows(), name)

        def __len__(self):
            return len(data.windows())

        def __getitem__(self, index):
            return data.windows()[index]

    own, alike = (evaluate(exact(data.windows()), d).per_sample["data_residual"] for d in (data.windows(), Alike()))
    each = data.windows().pairs_per_sample
    np.testing.assert_allclose(own[:each], alike[:each], rtol=1e-9)
    assert np.abs(own[each:] / alike[each:] - 1).min() > 0.01
    # a part of the pairs keeps its numbers
    chosen = Subset(data.windows(), [each, 2 * each + 1])
    part = evaluate(lambda x: x, chosen)
    np.testing.assert_allclose(part.per_sample["data_residual"], own[[each, 2 * each + 1]], rtol=1e-9)


def test_frames_that_are_far_apart_tell_nothing():
    data = made("heat", {"ndim": 1, "end_time": 4.0, "frames": 81}, 64)  # the first frame to the last
    metrics = evaluate(exact(data), data)
    assert metrics.residual is None and metrics.data_residual > 0.5
    assert "frames that are 4 apart in time are too far apart for it: the data themselves" in metrics.residual_note
    assert "residual" not in metrics.per_sample
    steps = evaluate(exact(data.windows()), data.windows())
    assert steps.residual == steps.data_residual < 0.1
    # an equation whose residual is exact over any time has one
    data = made("advection", {}, 32)
    assert evaluate(exact(data), data).residual < 1e-6


def test_why_there_is_none():
    data = made("wave", {"ndim": 1}, 32)

    def reason(**changes):
        samples = Samples(data.windows())
        for name, value in changes.items():
            setattr(samples, name, value)
        return EquationResidual.of(samples)

    assert isinstance(reason(), EquationResidual)
    assert reason(equation=None) == "the data name no equation"
    assert reason(provenance={}) == "the data do not say how far apart in time their frames are"
    assert reason(outputs=("u",)) == "it takes all unknowns of the equation, given and predicted; v is not"


def test_predictions_that_are_no_states_are_told():
    residual = EquationResidual(None, Grid((8,)), ("u",), ("u",), evolving=("u",), interval=0.1)
    predicted, own = np.array([0.1, np.nan, 0.2]), np.full(3, 0.01)
    assert "1 of 3 predictions, such as that for sample 1, are no states" in str(residual.says_nothing(predicted, own))
    assert residual.says_nothing(own, own) is None


def test_frames_that_are_not_evenly_spaced():
    data = made("heat", {"ndim": 1, "frames": 6}, 24)

    class Uneven:
        times = np.array([0.0, 0.1, 0.4, 0.5, 0.6, 1.0])
        grid, equation, evolving = data.grid, data.equation, data.evolving

        def __init__(self, pairs):
            self.pairs, self.pairing, self.pairs_per_sample = pairs, pairs.pairing, pairs.pairs_per_sample
            self.inputs, self.outputs = pairs.inputs, pairs.outputs

        def __len__(self):
            return len(self.pairs)

        def __getitem__(self, index):
            return self.pairs[index]

    assert EquationResidual.of(Samples(Uneven(data.windows()))) == "the frames are not evenly spaced in time"
    assert isinstance(EquationResidual.of(Samples(Uneven(data))), EquationResidual), "one interval, of the ends"
