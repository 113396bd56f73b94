"""Training of learned multigrid: it helps on systems that were not seen, repeats, and its gradients are right."""

import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError, UnknownNameError
from opforge.precond._network import MultigridNet
from opforge.precond.multigrid import cycle_of
from opforge.precond.multigrid_training import Schedule, error_reduction, train_multigrid
from opforge.precond.problems import random_system
from opforge.solvers import Stencil

SHORT = Schedule(steps=40, families=("contrast 100",) * 4, cells=(24, 40), rate=3e-2)


def unseen(net, ndim=2):
    A = random_system(
        ["contrast 100"] * 6, Grid((40,) * ndim), 77, boundary=["dirichlet", "neumann", "periodic"][:ndim]
    )
    with torch.no_grad():
        return float(error_reduction(A, net, seed=1).mean())


def test_a_short_training_helps_on_systems_not_seen(capfd):
    learned = train_multigrid(2, SHORT, progress=True)
    before, after = unseen(MultigridNet()), unseen(learned.net)
    assert -4.0 < after < before - 0.05
    assert learned.about["steps"] == 40
    shown = capfd.readouterr().err
    assert "40/40" in shown and "errors times 0." in shown


def test_the_same_seed_gives_the_same_weights():
    short = Schedule(steps=3, families=("contrast 10",), cells=(16, 20))
    state = torch.get_rng_state()
    one, again, other = (train_multigrid(2, short, seed=seed).net.state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in one.items():
        torch.testing.assert_close(again[name], value, rtol=0, atol=0)
    assert not torch.equal(one["first.weight"], other["first.weight"])


def test_three_dimensions():
    short = Schedule(steps=2, families=("obstacles", "contrast 100"), cells=(8, 12))
    assert train_multigrid(3, short).net.ndim == 3


@pytest.mark.parametrize("parameter", ["second.weight", "dampings"])
def test_gradients_are_those_of_the_cycle(parameter):
    """Of one level on a line; the coarsest inverse, whose derivative is written by hand, included."""
    generator = torch.Generator().manual_seed(0)
    A = Stencil(Grid((200, 1)), "dirichlet", a=torch.rand(200, 1, dtype=torch.float64, generator=generator) + 0.1)
    net = MultigridNet().double()
    torch.nn.init.normal_(net.second.weight, std=0.1, generator=generator)
    chosen = dict(net.named_parameters())[parameter]
    r, other, direction = (
        torch.randn(shape, dtype=torch.float64, generator=generator) for shape in ((1, 200, 1),) * 2 + (chosen.shape,)
    )

    def value():
        return (other * cycle_of(A, net, torch.float64)(r)).sum()

    value().backward()
    slope, step, values = (chosen.grad * direction).sum(), 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            chosen += sign * step * direction
            values.append(value())
            chosen -= sign * step * direction
    torch.testing.assert_close((values[0] - values[1]) / (2 * step), slope, rtol=1e-5, atol=0)


def test_refusals():
    with pytest.raises(InputError, match="ndim must be 2 or 3, got 1"):
        train_multigrid(1)
    with pytest.raises(UnknownNameError, match="unknown family 'contrast 7'"):
        train_multigrid(2, Schedule(steps=1, families=("contrast 7",)))
