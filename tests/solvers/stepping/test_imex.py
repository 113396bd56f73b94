"""Implicit–explicit Runge–Kutta methods: order, stiffness, numpy and torch, gradients, what is refused."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes import Fisher, KortewegDeVries, KuramotoSivashinsky, SemilinearEquation, SpectralForm
from opforge.pdes.equation import Field
from opforge.solvers import ARS232, ARS443, ETDRK4, IMEXRK, IMEXTable, repeat, rollout

TABLES = [ARS232, ARS443]
GRID = Grid((48,), (20.0,), "periodic")


def waves(samples=3):
    x = 2 * np.pi * GRID.coordinates()[0] / GRID.lengths[0]
    return np.stack([np.cos(x + i) + 0.5 * np.sin((2 + i % 3) * x) for i in range(samples)])[:, None]


@dataclass(frozen=True)
class Relaxation(SemilinearEquation):
    """u_t = −r (u − 1): a linear part and a source."""

    rate: float = 1.0
    ndim: int = 1

    name: ClassVar[str] = "relaxation"
    fields: ClassVar = (Field("u", "u"),)
    unknowns: ClassVar = ("u",)

    symmetries = ()

    def spectral(self, wavenumbers):
        (k,) = wavenumbers
        return SpectralForm(np.full((1, len(k)), -self.rate), source=self.rate * (k == 0)[None].astype(complex))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_order_conditions(table):
    """Those of order 2 with all couplings, and those of order 3 where it is claimed."""
    s = table.stages + 1
    implicit, explicit = np.zeros((s, s)), np.zeros((s, s))
    for i, (a, e) in enumerate(zip(table.implicit, table.explicit, strict=True), start=1):
        implicit[i, 1 : i + 1], explicit[i, :i] = a, e
    b, d = np.array([0.0, *table.implicit_weights]), np.array(table.explicit_weights)
    c = implicit.sum(1)
    for weights in (b, d):
        np.testing.assert_allclose(weights @ c, 1 / 2, rtol=0, atol=1e-14)
        if table.order >= 3:
            np.testing.assert_allclose(weights @ c**2, 1 / 3, rtol=0, atol=1e-14)
            for matrix in (implicit, explicit):
                np.testing.assert_allclose(weights @ matrix @ c, 1 / 6, rtol=0, atol=1e-14)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("equation", [KuramotoSivashinsky(), KortewegDeVries()], ids=lambda e: e.name)
def test_order_in_time(equation, table):
    start = waves(1)
    fine = repeat(ETDRK4(equation, GRID, 1 / 512), 512)(start)
    # steps that follow the fastest wave of Korteweg and de Vries, k³ dt < 0.2; longer ones have a lower order
    errors = [np.abs(repeat(IMEXRK(equation, GRID, 1 / n, table), n)(start) - fine).max() for n in (512, 1024)]
    order = np.log2(errors[0] / errors[1])
    print(errors, order)
    assert table.order - 0.25 < order < table.order + 0.25


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_stiff_relaxation_with_a_source_reaches_its_limit(table):
    """However long the step is against 1/r; without a nonlinear part nothing else is solved."""
    stepper = IMEXRK(Relaxation(rate=1e6), Grid((8,), points="periodic"), 0.1, replace(table))
    end = repeat(stepper, 20)(np.full((2, 1, 8), 3.0))
    np.testing.assert_allclose(end, 1.0, rtol=0, atol=1e-3)


def test_torch_and_numpy_agree_and_samples_do_not_touch():
    stepper, start = IMEXRK(KuramotoSivashinsky(), GRID, 0.05), waves()
    kept = start.copy()
    expected = rollout(stepper, start, frames=2, steps=5)
    np.testing.assert_array_equal(start, kept)
    found = rollout(stepper, torch.from_numpy(start), frames=2, steps=5)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)
    alone = rollout(stepper, start[1:2], frames=2, steps=5)
    np.testing.assert_allclose(alone[:, 0], expected[:, 1], rtol=0, atol=1e-12)
    single = stepper(start.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, stepper(start), rtol=0, atol=1e-5)


def test_two_dimensions():
    grid = Grid((16, 24), (10.0, 15.0), "periodic")
    equation = Fisher(2)
    start = 0.5 + 0.2 * np.cos(2 * np.pi * grid.mesh()[0] / 10.0)[None, None]
    expected = repeat(ETDRK4(equation, grid, 0.02), 50)(start)
    np.testing.assert_allclose(repeat(IMEXRK(equation, grid, 0.02), 50)(start), expected, rtol=0, atol=1e-6)


def test_gradients():
    grid = Grid((8,), (20.0,), "periodic")
    stepper = IMEXRK(KuramotoSivashinsky(), grid, 0.1)
    start = torch.randn(2, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(stepper, (start,))


def test_bad_steps_and_states_are_refused():
    with pytest.raises(InputError, match=r"dt must be a time greater than 0, got -0.1"):
        IMEXRK(KuramotoSivashinsky(), GRID, -0.1)
    # the fastest wave grows at the rate 1/4
    with pytest.raises(InputError, match=r"dt must be less than 8.*, got 9; take more steps"):
        IMEXRK(KuramotoSivashinsky(), GRID, 9.0)
    with pytest.raises(InputError, match=r"state must be an array"):
        IMEXRK(KuramotoSivashinsky(), GRID, 0.1)(np.ones(48))


def test_tables_check_themselves():
    with pytest.raises(InputError, match=r"stage 1 must have one time, got 1.0 implicit and 0.5 explicit"):
        IMEXTable(((1.0,),), ((0.5,),), (1.0,), (1.0, 0.0), 1)
    with pytest.raises(InputError, match=r"implicit_weights must add up to 1, got 0.9"):
        IMEXTable(((1.0,),), ((1.0,),), (0.9,), (1.0, 0.0), 1)
    with pytest.raises(InputError, match=r"explicit_weights must be 2, one more than the stages, got 1"):
        IMEXTable(((1.0,),), ((1.0,),), (1.0,), (1.0,), 1)
    with pytest.raises(InputError, match=r"the diagonal of implicit must be greater than 0, got 0.0 in stage 1"):
        IMEXTable(((0.0,),), ((0.0,),), (1.0,), (1.0, 0.0), 1)
    with pytest.raises(InputError, match=r"explicit must have rows of 1, 2, … numbers"):
        IMEXTable(((1.0,),), ((0.5, 0.5),), (1.0,), (1.0, 0.0), 1)
