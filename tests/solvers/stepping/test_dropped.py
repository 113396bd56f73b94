"""What steppers leave out of first states is said."""

import warnings

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.pdes import Burgers, NavierStokes
from opforge.solvers import ETDRK4, IMEXRK

LINE, SQUARE = Grid((48,), points="periodic"), Grid((24, 24), points="periodic")


@pytest.mark.parametrize("method", [ETDRK4, IMEXRK])
@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("samples", [1, 2, 3])
def test_noise_is_cut_off_with_a_word(method, kind, samples):
    """Of the 24 waves that 48 points carry 15 are kept."""
    x = LINE.coordinates()[0]
    state = np.tile(np.sin(2 * np.pi * x), (samples, 1, 1))
    state[-1] += 0.3 * np.cos(2 * np.pi * 20 * x)  # above the mode 15: 0.09 of 1.09
    given = torch.from_numpy(state) if kind == "torch" else state
    stepper = method(Burgers(viscosity=0.1), LINE, 0.001)
    share = 0.09 / 1.09 if samples % 2 else 0.09 / 2.09  # of a pair
    words = rf"{100 * share:.2g} % of the squares of a first state's waves lie above the modes up to 15 that are kept"
    with pytest.warns(UserWarning, match=words):
        stepper.prepare(given)


def test_smooth_states_and_means_are_not_worth_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = LINE.coordinates()[0]
        for u in (7.0 + np.sin(2 * np.pi * 15 * x), np.full(48, 3.0), np.zeros(48), np.full(48, np.nan)):
            ETDRK4(Burgers(viscosity=0.1), LINE, 0.001).prepare(u[None, None])
        y, z = SQUARE.mesh()
        w = np.sin(2 * np.pi * 7 * y) * np.cos(2 * np.pi * 7 * z) + 0.05 * np.cos(2 * np.pi * 11 * y)
        ETDRK4(NavierStokes(), SQUARE, 0.001).prepare(np.stack([w, 3 * w])[:, None])
