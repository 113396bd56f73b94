from functools import lru_cache

import numpy as np
import pytest
import torch

import opforge
from opforge.core import Grid
from opforge.datasets import registry
from opforge.errors import InputError
from opforge.pdes import Burgers
from opforge.training.residuals import EquationResidual
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


# recipe, parameters, resolution: steady and evolving ones, with media, obstacles, sources, derived fields
DATA = [
    ("darcy", {}, 12),
    ("poisson", {"coefficient": "lognormal", "obstacles": 2, "boundary": "periodic"}, 16),
    ("helmholtz", {"medium": "random", "draw": "wavenumber", "wavenumber": 20.0}, 56),
    ("advection", {"ndim": 2, "frames": 5}, 48),
    ("allen_cahn", {"frames": 5, "end_time": 1.0}, 64),
    ("burgers", {"ndim": 2, "initial": "series", "viscosity": 0.1, "frames": 5}, 32),
    ("burgers", {"initial": "pdebench", "frames": 5, "end_time": 0.1, "method": "finite volumes"}, 64),
    ("cahn_hilliard", {"frames": 5, "end_time": 0.01}, 64),
    ("compressible_flow", {"ndim": 2, "frames": 5, "end_time": 0.02}, 32),
    ("compressible_flow", {"initial": "tube", "frames": 5, "end_time": 0.1}, 48),
    ("diffusion_sorption", {"frames": 5, "end_time": 10.0}, 24),
    ("elastic", {"frames": 5, "end_time": 0.2, "medium": "random", "waves": True}, 33),
    ("elastic", {"frames": 5, "end_time": 0.2, "boundary": "periodic", "waves": True}, 32),
    ("fisher", {"ndim": 2, "frames": 5, "end_time": 1.0}, 48),
    ("fitzhugh_nagumo", {"frames": 5, "end_time": 0.1}, 32),
    ("gray_scott", {"side": 0.3, "frames": 5, "end_time": 50.0}, 48),
    ("heat", {"ndim": 3, "coefficient": "lognormal", "frames": 5, "end_time": 0.1}, 12),
    ("incompressible_flow", {"scene": "vortices", "frames": 5, "end_time": 0.2}, 16),
    ("incompressible_flow", {"scene": "source", "obstacles": 1, "frames": 5, "end_time": 0.1, "pressure": True}, 16),
    ("incompressible_flow", {"scene": "stream", "obstacles": 1, "viscosity": 0.01, "frames": 5, "end_time": 0.1}, 16),
    ("korteweg_de_vries", {"frames": 5, "end_time": 1.0}, 128),
    ("kuramoto_sivashinsky", {"frames": 5, "end_time": 1.0}, 96),
    ("navier_stokes", {"flow": "kolmogorov", "tracer": 0.01, "frames": 5, "end_time": 0.2}, 32),
    ("shallow_water", {"initial": "bottom", "ndim": 2, "frames": 5, "end_time": 0.1}, 16),
    ("wave", {"medium": "random", "frames": 5, "end_time": 0.1}, 32),
]
WITHOUT = {"diffusion_sorption"}  # what comes in at one end


@lru_cache
def made(recipe, parameters, resolution):
    return opforge.generate(recipe, 2, resolution, progress=False, **dict(parameters)).astype(torch.float64)


def test_every_recipe_is_among_the_data():
    assert {recipe for recipe, _, _ in DATA} == set(registry())


@pytest.mark.parametrize(("recipe", "parameters", "resolution"), DATA, ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("windows", [None, (1, 1), (2, 2)], ids=["ends", "1:1", "2:2"])
def test_what_comes_out_solves_the_equation_as_well(recipe, parameters, resolution, windows):
    """The residual of mapped samples is that of the samples, each symmetry alone and all of them together."""
    data = made(recipe, tuple(parameters.items()), resolution)
    if windows is not None:
        if not data.evolving:
            return
        data = data.windows(*windows)
    samples = Samples(data)
    residual, augmentation = EquationResidual.of(samples), Augmentation.of("auto", samples)
    count = len(augmentation.symmetries)
    assert isinstance(residual, EquationResidual) and bool(count) == (recipe not in WITHOUT)
    rows = [0, len(data) // 2, len(data) - 1]
    x, y = samples.batch(rows)
    drawn = samples.drawn(rows)
    before, _ = residual(x, y, y, drawn)
    for chosen in (*torch.eye(count, dtype=torch.bool).tolist(), [True] * count) if count else ():
        moved_x, moved_y = augmentation(x, y, chosen)
        assert not (torch.equal(moved_x, x) and torch.equal(moved_y, y))
        after, _ = residual(moved_x, moved_y, moved_y, drawn)
        torch.testing.assert_close(after, before, rtol=1e-6, atol=1e-9)


def test_velocities_turn_round_and_change_places_in_every_frame():
    data = made("burgers", tuple(DATA[5][1].items()), 32).windows(2, 2)
    samples = Samples(data)
    augmentation = Augmentation.of("auto", samples)
    x, y = samples.batch([0, 3])
    mirror, diagonal = (
        augmentation(x, y, [name == wanted for name in augmentation.names])
        for wanted in ("reflection x", "transposition xy")
    )
    assert samples.inputs == ("u[-1]", "u[0]", "v[-1]", "v[0]")
    for before, after, turned in zip((x, y), mirror, diagonal, strict=True):
        around = before.flip(-2).roll(1, -2)
        torch.testing.assert_close(after, torch.cat([-around[:, :2], around[:, 2:]], 1), rtol=0, atol=0)
        expected = torch.cat([before[:, 2:], before[:, :2]], 1).transpose(-1, -2)
        torch.testing.assert_close(turned, expected, rtol=0, atol=0)


@pytest.mark.parametrize("boundary", ["free", "periodic"])
def test_divergence_and_curl_go_with_the_velocity(boundary):
    """Fields that are outputs alone are those of the mapped velocities."""
    number = next(
        i for i, (name, p, _) in enumerate(DATA) if name == "elastic" and p.get("boundary", "free") == boundary
    )
    data = made("elastic", tuple(DATA[number][1].items()), DATA[number][2]).windows()
    samples, equation = Samples(data), data.equation
    augmentation = Augmentation.of("auto", samples)
    x, y = samples.batch([0, 5])
    assert len(augmentation.symmetries) >= 4 and samples.outputs[-2:] == ("div", "curl")
    for chosen in torch.eye(len(augmentation.symmetries), dtype=torch.bool).tolist():
        moved = [
            dict(zip(names, m.numpy().swapaxes(0, 1), strict=True))
            for names, m in zip((samples.inputs, samples.outputs), augmentation(x, y, chosen), strict=True)
        ]
        media = {name: values for name, values in moved[0].items() if name not in equation.unknowns}
        velocity = [moved[1]["u"], moved[1]["v"]]
        scale = np.abs(moved[1]["curl"]).max()
        np.testing.assert_allclose(
            moved[1]["div"], equation.divergence(velocity, data.grid, media), rtol=0, atol=1e-6 * scale
        )
        np.testing.assert_allclose(moved[1]["curl"], equation.curl(velocity, data.grid), rtol=0, atol=1e-6 * scale)


def test_the_pressure_goes_with_the_flow():
    parameters = {"scene": "vortices", "pressure": True, "frames": 5, "end_time": 0.2}
    data = made("incompressible_flow", tuple(parameters.items()), 16).windows()
    samples = Samples(data)
    augmentation = Augmentation.of("auto", samples)
    x, y = samples.batch([0, 5])
    assert augmentation.names == ["reflection x", "reflection y", "transposition xy"]
    assert samples.outputs == ("u", "v", "p")
    for chosen in ([True, False, False], [False, True, False], [False, False, True], [True, True, True]):
        state = augmentation(x, y, chosen)[1].numpy()
        p = data.equation.pressure(state[:, :2], data.grid)
        assert np.abs(state[:, 2] - y[:, 2].numpy()).max() > 0.1 * np.abs(p).max()
        np.testing.assert_allclose(state[:, 2], p, rtol=0, atol=1e-6 * np.abs(p).max())


def test_one_of_two_velocities_alone_has_no_transposition():
    class Part:
        """Burgers' u without v."""

        grid, equation, inputs, outputs = Grid((8, 8), points="periodic"), Burgers(2), ("u",), ("u",)

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return torch.zeros(1, 8, 8), torch.zeros(1, 8, 8)

    samples = Samples(Part())
    names = Augmentation.of("auto", samples).names
    assert "reflection x" in names and "shift y 1/4" in names and "transposition xy" not in names
    with pytest.raises(InputError, match=r"symmetries: Transposition.*fields must contain 'v', which changes places"):
        Augmentation.of(Burgers(2).symmetries, samples)


def test_points_that_are_left_keep_the_symmetries_that_move_them_to_each_other():
    def names(recipe, step):
        _, parameters, resolution = next(case for case in DATA if case[0] == recipe)
        return Augmentation.of("auto", Samples(made(recipe, tuple(parameters.items()), resolution).every(step))).names

    assert names("darcy", 3) == names("darcy", 1) == ["reflection x", "reflection y", "transposition xy"]
    assert names("darcy", 2) == ["transposition xy"], "kept cells lie beside the middle of pairs"
    assert "reflection x" in names("burgers", 2) and "shift x 1/8" in names("burgers", 2)
    assert names("elastic", 1)[:2] == ["reflection x", "reflection y"]
    assert names("elastic", 2) == ["transposition xy", names("elastic", 1)[-1]], "half places move elsewhere"


def test_fit_maps_windows_by_the_equation_s_symmetries():
    """What the loss sees are mapped pairs: mirrored fronts go the other way."""
    data = made("burgers", tuple(DATA[5][1].items()), 32).windows(1, 2)
    whole = data.batch(range(len(data)))[1]
    seen = []

    def loss(prediction, truth):
        seen.append(truth.detach())
        return (prediction - truth).square().mean()

    model = torch.nn.Conv2d(2, 4, 1).double()
    run = opforge.fit(model, data, 20, loss=loss, batch_size=len(data), progress=False)
    assert {"reflection x", "reflection y", "transposition xy", "shift x 1/2"} <= set(
        run.operator.training["symmetries"]
    )
    sizes = whole.square().mean((0, 2, 3)).double()
    swapped = sizes[[2, 3, 0, 1]]
    found = [batch.double().square().mean((0, 2, 3)) for batch in seen]
    kept = [torch.allclose(size, sizes, rtol=1e-5) for size in found]
    assert all(same or torch.allclose(size, swapped, rtol=1e-5) for same, size in zip(kept, found, strict=True))
    assert 3 <= sum(kept) <= 17, "u and v change places in about half of the batches"
    assert len({round(float(batch[:, 0, :8].sum()), 6) for batch in seen}) > 10, "and are mirrored and shifted"
