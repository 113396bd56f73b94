"""ETDRK4: order, numpy and torch, gradients, sources, what is refused. Orders on equations: benchmarks/validation.

That samples of a batch do not touch each other: test_stepper.py.
"""

import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from opforge.core import Grid, planning
from opforge.errors import InputError
from opforge.pdes import KuramotoSivashinsky, NavierStokes, SemilinearEquation, SpectralForm
from opforge.pdes.equation import Field
from opforge.solvers import ETDRK4, repeat, rollout


@dataclass(frozen=True)
class Reaction(SemilinearEquation):
    """u_t = (−r + is) u … for two fields that do not feel space: (u, v)_t = −r (u, v) + (u v, −u²)/2 + (1, 0)."""

    rate: float = 1.0
    ndim: int = 1
    coupled: bool = False

    name: ClassVar[str] = "reaction"
    fields: ClassVar = (Field("u", "u"), Field("v", "v"))
    unknowns: ClassVar = ("u", "v")

    symmetries = ()

    def spectral(self, wavenumbers):
        (k,) = wavenumbers
        one = np.ones_like(k)
        source = np.zeros((2, len(k)), complex)
        source[0, 0] = 1.0
        if self.coupled:  # the same products, mixed and unmixed again
            inner = np.array([[[1.0], [1.0]], [[1.0], [-1.0]]]) * one
            outer = np.array([[[0.5], [0.5]], [[0.5], [-0.5]]]) * one

            def product(points, out):
                s, d = points[:, 0], points[:, 1]
                u, v = (s + d) / 2, (s - d) / 2
                p, q = u * v / 2, -u * u / 2
                return _stacked(p + q, p - q, out)
        else:
            inner = outer = None

            def product(points, out):
                return _stacked(points[:, 0] * points[:, 1] / 2, -points[:, 0] * points[:, 0] / 2, out)

        return SpectralForm(np.stack([-self.rate * one] * 2), product, inner, outer, source, products=2)


def _stacked(first, second, out):
    if isinstance(first, torch.Tensor):
        return torch.stack([first, second], 1)
    return np.stack([first, second], 1, out=out)


GRID = Grid((8,), (2.0,), "periodic")


def start(samples=3):
    return np.random.default_rng(0).uniform(0.5, 1.5, (samples, 2, 1)) * np.ones(8)


def reference(state, time):
    from scipy.integrate import solve_ivp

    def rate(t, y):
        u, v = y.reshape(2, -1)
        return np.concatenate([-u + u * v / 2 + 1, -v - u * u / 2])

    flat = np.moveaxis(state[..., 0], 1, 0).ravel()
    end = solve_ivp(rate, (0, time), flat, rtol=1e-12, atol=1e-13).y[:, -1]
    return np.moveaxis(end.reshape(2, -1), 0, 1)


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_order_4_with_sources_and_mixed_products(coupled, make):
    state, exact = start(), reference(start(), 1.0)
    errors = []
    for steps in (4, 8, 16):
        found = repeat(ETDRK4(Reaction(coupled=coupled), GRID, 1 / steps), steps)(make(state))
        errors.append(np.abs(np.asarray(found)[..., 0] - exact).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    print(errors, orders)
    assert errors[-1] < 1e-6
    assert np.all((orders > 3.7) & (orders < 4.4))


def test_linear_equations_are_exact():
    @dataclass(frozen=True)
    class Decay(Reaction):
        def spectral(self, wavenumbers):
            (k,) = wavenumbers
            return SpectralForm(np.stack([-(k**2), 1j * k]))

    x = GRID.coordinates()[0]
    state = np.stack([np.cos(np.pi * x), np.sin(np.pi * x)])[None]
    found = ETDRK4(Decay(), GRID, 0.3)(state)
    np.testing.assert_allclose(found[0, 0], np.exp(-0.3 * np.pi**2) * state[0, 0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(found[0, 1], np.sin(np.pi * (x + 0.3)), rtol=0, atol=1e-14)
    torch.testing.assert_close(ETDRK4(Decay(), GRID, 0.3)(torch.from_numpy(state)).numpy(), found, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("dtype", "rounding"), [(np.float64, 1e-12), (np.float32, 1e-4)])
@pytest.mark.parametrize("samples", [1, 2, 5])
def test_numpy_torch_and_batches_agree(dtype, rounding, samples):
    grid = Grid((64,), (32.0,), "periodic")
    stepper = ETDRK4(KuramotoSivashinsky(), grid, 0.1)
    state = np.random.default_rng(1).standard_normal((samples, 1, 64)).astype(dtype)
    found = rollout(stepper, state, frames=2, steps=5)
    assert found.dtype == dtype
    tensors = rollout(stepper, torch.from_numpy(state), frames=2, steps=5)
    np.testing.assert_allclose(tensors.numpy(), found, rtol=0, atol=rounding)
    for i in range(samples):
        alone = rollout(stepper, state[i : i + 1], frames=2, steps=5)
        np.testing.assert_allclose(found[:, i : i + 1], alone, rtol=0, atol=rounding)


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize(("dtype", "rounding"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_compiled_steps_are_the_same(coupled, dtype, rounding):
    state = start(5).astype(dtype)
    plain, compiled = (
        repeat(ETDRK4(Reaction(coupled=coupled), GRID, 0.1, compiled=c), 10)(state) for c in (False, True)
    )
    assert compiled.dtype == dtype
    np.testing.assert_allclose(compiled, plain, rtol=0, atol=rounding)


@pytest.mark.parametrize("tracer", [None, 0.1])
def test_compiled_steps_in_two_dimensions(tracer):
    equation = NavierStokes(forcing="kolmogorov", wavenumber=2, tracer_diffusivity=tracer)
    grid = Grid((12, 18), (2.0, 3.0), "periodic")
    state = np.random.default_rng(0).standard_normal((3, len(equation.unknowns), 12, 18))
    plain, compiled = (repeat(ETDRK4(equation, grid, 0.01, compiled=c), 10)(state) for c in (False, True))
    np.testing.assert_allclose(compiled, plain, rtol=0, atol=1e-13 * np.abs(plain).max())


def test_compiled_steps_need_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "opforge.solvers.stepping._compiled", raising=False)
    with pytest.raises(ImportError, match=r"compiled steps need numba: pip install 'opforge\[compiled\]'"):
        ETDRK4(KuramotoSivashinsky(), Grid((64,), (32.0,), "periodic"), 0.1, compiled=True)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("compiled", [False, True])
def test_threads_change_nothing_but_rounding(threads, compiled):
    grid = Grid((256,), (60.0,), "periodic")
    state = np.random.default_rng(0).standard_normal((64, 1, 256))
    stepper = ETDRK4(KuramotoSivashinsky(), grid, 0.05, compiled=compiled)
    alone = repeat(stepper, 5)(state)
    with planning(threads=threads):
        together = repeat(stepper, 5)(state)
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-12)


def test_nothing_given_is_changed():
    state = np.random.default_rng(1).standard_normal((2, 1, 64))
    stepper, before = ETDRK4(KuramotoSivashinsky(), Grid((64,), (32.0,), "periodic"), 0.1), state.copy()
    inner = stepper.prepare(state)
    modes = inner.modes.copy()
    stepper.finish(stepper.advance(inner))
    np.testing.assert_array_equal(state, before)
    np.testing.assert_array_equal(inner.modes, modes)


@pytest.mark.parametrize("coupled", [False, True])
def test_gradients(coupled):
    stepper = ETDRK4(Reaction(coupled=coupled), Grid((6,), points="periodic"), 0.2)
    state = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 2, 6))).requires_grad_()
    assert torch.autograd.gradcheck(lambda u: stepper(stepper(u)), state)


@pytest.mark.parametrize("dt", [0.0, -0.1, np.inf, np.nan])
def test_time_step_must_be_positive(dt):
    with pytest.raises(InputError, match="dt must be a time greater than 0"):
        ETDRK4(KuramotoSivashinsky(), Grid((64,), (32.0,), "periodic"), dt)


def test_states_and_grids_that_do_not_fit():
    with pytest.raises(InputError, match="grid must have points='periodic'"):
        ETDRK4(KuramotoSivashinsky(), Grid((64,), (32.0,)), 0.1)
    stepper = ETDRK4(KuramotoSivashinsky(), Grid((64,), (32.0,), "periodic"), 0.1)
    with pytest.raises(InputError, match=r"state must be an array \(..., 1, 64\) with u on 64 points"):
        stepper(np.ones((1, 1, 32)))
    with pytest.raises(InputError, match=r"state must be an array \(samples, components, \*space\)"):
        stepper(np.ones((1, 64)))


@pytest.mark.parametrize("compiled", [False, True])
def test_what_steps_work_on_goes_with_the_stepper(compiled):
    """At once: memory of many steppers would grow until cycles of references are looked for."""
    import gc
    import weakref

    stepper = ETDRK4(KuramotoSivashinsky(), Grid((64,), (32.0,), "periodic"), 0.05, compiled=compiled)
    state = np.cos(np.arange(64) / 32 * np.pi)[None, None]
    stepper(state)
    (kept,) = (kept for lists in stepper._arrays._free.values() for kept in lists)
    gone = weakref.ref(kept)
    gc.disable()
    try:
        del stepper, kept
        assert gone() is None
    finally:
        gc.enable()
