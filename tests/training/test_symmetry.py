import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError
from opforge.training.samples import Samples
from opforge.training.symmetry import Augmentation


def test_inputs_and_outputs_move_together(fakes):
    samples = Samples(fakes.Doubled(4))
    augmentation = Augmentation.of("auto", samples)
    assert augmentation.names == ["mirror", "diagonal"]
    x, y = samples.batch([0, 1, 2])
    for chosen in ([True, False], [False, True], [True, True]):
        moved_x, moved_y = augmentation(x, y, chosen)
        expected = x.flip(-1) if chosen[0] else x
        expected = expected.transpose(-1, -2) if chosen[1] else expected
        torch.testing.assert_close(moved_x, expected, rtol=0, atol=0)
        torch.testing.assert_close(moved_y, 2 * expected, rtol=0, atol=0)
        assert moved_x.is_contiguous() and moved_y.is_contiguous()


def test_nothing_chosen_changes_nothing(fakes):
    samples = Samples(fakes.Doubled(4))
    x, y = samples.batch([0])
    assert Augmentation.of("auto", samples)(x, y, [False, False]) == (x, y)


def test_auto_takes_those_that_apply_to_the_grid(fakes):
    assert Augmentation.of("auto", Samples(fakes.Doubled(4, (6, 5)))).names == ["mirror"]
    assert Augmentation.of(None, Samples(fakes.Doubled(4))).names == []


def test_auto_without_an_equation_is_none(fakes):
    data = fakes.Doubled(4)
    data.equation = None
    assert Augmentation.of("auto", Samples(data)).names == []


def test_states_of_the_same_name_on_both_sides_both_move(fakes):
    augmentation = Augmentation((fakes.Mirror(),), ("w",), ("w",), ndim=1)
    x, y = torch.arange(3.0).view(1, 1, 3), torch.arange(3.0, 6.0).view(1, 1, 3)
    moved_x, moved_y = augmentation(x, y, [True])
    assert moved_x.flatten().tolist() == [2, 1, 0] and moved_y.flatten().tolist() == [5, 4, 3]


def test_a_map_may_mix_components():
    def turn(fields, ndim):
        return {"v": -fields["w"], "w": fields["v"], "p": fields["p"]}

    augmentation = Augmentation((turn,), ("v", "w"), ("p",), ndim=1)
    x, y = torch.stack([torch.ones(2, 4), torch.full((2, 4), 5.0)], dim=1), torch.zeros(2, 1, 4)
    assert augmentation(x, y, [True])[0][0, :, 0].tolist() == [-5.0, 1.0]


def test_refuses_a_symmetry_that_does_not_hold(fakes):
    with pytest.raises(InputError, match=r"symmetries: Diagonal\(\) does not hold"):
        Augmentation.of((fakes.Diagonal(),), Samples(fakes.Doubled(4, (6, 5))))
    with pytest.raises(InputError, match="symmetries: expected 'auto'"):
        Augmentation.of("all", Samples(fakes.Doubled(4)))


def test_the_equation_of_porous_media_keeps_its_residual():
    from opforge.pdes import Darcy

    grid, equation = Grid((6, 6)), Darcy()
    generator = torch.Generator().manual_seed(0)
    a = 1 + torch.rand(2, 1, 6, 6, generator=generator, dtype=torch.float64)
    u = torch.rand(2, 1, 6, 6, generator=generator, dtype=torch.float64)
    augmentation = Augmentation(equation.symmetries, ("a",), ("u",), ndim=2)
    moved_a, moved_u = augmentation(a, u, [True] * len(equation.symmetries))
    before, after = (
        equation.residual({"a": f[:, 0], "u": g[:, 0]}, grid).flatten(1).norm(dim=1)
        for f, g in ((a, u), (moved_a, moved_u))
    )
    assert not torch.equal(a, moved_a)
    torch.testing.assert_close(after, before)
