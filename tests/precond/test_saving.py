"""Files of learned preconditioners: what is written is read again, and damage is named."""

import json

import pytest
import safetensors.torch
import torch

from opforge.core import Grid
from opforge.errors import InputError, UnknownNameError
from opforge.precond import LearnedMultigrid, load, pretrained, random_system
from opforge.precond._network import MultigridNet
from opforge.precond.saving import PRETRAINED


def test_round_trip(tmp_path):
    net = MultigridNet(hidden=5, ndim=2)
    with torch.no_grad():
        net.second.weight.normal_(generator=torch.Generator().manual_seed(0))
    learned = LearnedMultigrid(net, ("dirichlet", "neumann"), {"seed": 3})
    path = learned.save(tmp_path / "mine")
    for name in (path, tmp_path / "mine.json", str(tmp_path / "mine.safetensors")):
        again = load(name)
        assert again.boundaries == ("dirichlet", "neumann") and again.about == {"seed": 3}
        A = random_system("contrast 10", Grid((20, 20)), 0)
        r = torch.ones(1, 20, 20, dtype=torch.float64)
        torch.testing.assert_close(again.on(A, compiled=False)(r), learned.on(A, compiled=False)(r), rtol=0, atol=0)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine.json", "mine.safetensors"]


def test_what_ships_is_small_and_says_how_it_was_made():
    names = [name for name in pretrained() if name.startswith("multigrid")]
    assert names == ["multigrid_2d", "multigrid_3d"]
    for name in names:
        assert load(name).about["name"] == name and load(name).about["steps"] >= 500
        sizes = [(PRETRAINED / f"{name}{ending}").stat().st_size for ending in (".json", ".safetensors")]
        assert 500 < sum(sizes) < 100_000


def test_refusals(tmp_path):
    with pytest.raises(UnknownNameError, match="unknown preconditioner 'multigrid'; did you mean 'multigrid_"):
        load("multigrid")
    path = LearnedMultigrid(MultigridNet()).save(tmp_path / "mine")
    about = json.loads((tmp_path / "mine.json").read_text())
    (tmp_path / "mine.json").write_text(json.dumps({**about, "kind": "cake"}))
    with pytest.raises(
        InputError, match=r"mine.json must say a kind that is known, multigrid or directions, got 'cake'"
    ):
        load(path)
    (tmp_path / "mine.json").write_text("[1]")
    with pytest.raises(InputError, match=r"mine.json is damaged: expected a JSON object, got list"):
        load(path)
    (tmp_path / "mine.json").write_text(json.dumps({**about, "network": {"hidden": 5, "ndim": 2}}))
    with pytest.raises(
        InputError,
        match=r"does not fit its JSON: expected first.bias \(5,\), got \(8,\); use the model",
    ):
        load(path)
    (tmp_path / "mine.json").write_text(json.dumps({"kind": "multigrid"}))
    with pytest.raises(InputError, match=r"mine.json is damaged \(KeyError: 'network'\)"):
        load(path)
    (tmp_path / "mine.json").write_text(json.dumps(about))
    weights = tmp_path / "mine.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:40])
    with pytest.raises(InputError, match=r"mine.safetensors is cut off or damaged .*copy it again"):
        load(path)
    tensors = safetensors.torch.load(whole)
    tensors["dampings"][0, 0] = torch.nan
    safetensors.torch.save_file(tensors, weights)
    with pytest.raises(InputError, match=r"dampings has numbers that are not finite"):
        load(path)
    with pytest.raises(InputError, match=r"about: expected plain JSON values .*use numbers, text, lists, dicts"):
        LearnedMultigrid(MultigridNet(), about={"x": object()}).save(tmp_path / "other")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write .*mine.safetensors .*give a folder that can be written to"):
        LearnedMultigrid(MultigridNet()).save(tmp_path / "file" / "mine")
