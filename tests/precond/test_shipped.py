"""Shipped preconditioners made anew: by name, the same for a seed, by other schedules, what is refused."""

import pytest
import torch

from opforge.core import Grid
from opforge.errors import InputError, UnknownNameError
from opforge.precond import load, make_shipped, pretrained, random_system
from opforge.precond.problems import random_right_hand_side
from opforge.precond.shipped import names

FEW = {
    "multigrid_2d": {"steps": 2, "cells": (12, 16), "families": ("contrast 10",)},
    "multigrid_3d": {"steps": 1, "cells": [8, 9], "families": ["obstacles"]},
    "dcdm_2d": {"steps": 2, "cells": (8, 9), "regions": 1},
    "dcdm_3d": {"steps": 1, "cells": (6, 7), "regions": 1},
}


def test_what_is_shipped_can_be_made():
    assert names() == pretrained() == sorted(FEW)
    for name in names():
        assert load(name).about["command"] == f"opforge precond train {name}"
        assert 60 < load(name).about["seconds"] < 3600


@pytest.mark.parametrize("name", sorted(FEW))
def test_a_seed_gives_the_same_weights(name, tmp_path):
    ndim = int(name[-2])
    A = random_system("obstacles", Grid((20,) * ndim, (20.0,) * ndim), seed=0)
    r = random_right_hand_side(A, 0)
    one, other, third = (make_shipped(name, seed, **FEW[name]) for seed in (0, 0, 1))
    torch.testing.assert_close(one.on(A)(r), other.on(A)(r), rtol=0, atol=0)
    assert float((one.on(A)(r) - third.on(A)(r)).abs().max()) > 1e-7
    again = load(one.save(tmp_path / "mine"))
    torch.testing.assert_close(again.on(A)(r), one.on(A)(r), rtol=0, atol=0)
    assert again.about["name"] == name and again.about["steps"] == FEW[name]["steps"]
    assert again.about["command"].startswith(f"opforge precond train {name} --set steps=")
    assert "--seed 1" in third.about["command"]


def test_what_is_refused():
    with pytest.raises(UnknownNameError, match="unknown preconditioner 'multigrid_4d'; did you mean"):
        make_shipped("multigrid_4d")
    with pytest.raises(UnknownNameError, match="unknown setting of dcdm_2d 'step'; did you mean 'steps'"):
        make_shipped("dcdm_2d", step=3)
    with pytest.raises(InputError, match="steps must be greater than 0, got 0"):
        make_shipped("dcdm_2d", steps=0)
    with pytest.raises(InputError, match="must be numbers"):
        make_shipped("dcdm_2d", steps="many")
