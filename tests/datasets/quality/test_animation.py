"""Moving pictures: every frame, one and two dimensions, fields that stand still, what is refused."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import opforge
from opforge.datasets.quality.animation import animate
from opforge.errors import InputError


@pytest.mark.parametrize("ndim", [1, 2])
def test_a_gif_has_every_frame(tmp_path, ndim):
    data = opforge.generate("advection", 2, 24, frames=4, ndim=ndim)
    animate(data, tmp_path / "wave.gif", 1, frames_per_second=5.0)
    with Image.open(tmp_path / "wave.gif") as picture:
        assert picture.n_frames == 4
        assert picture.info["duration"] == 200
        frames = []
        for number in range(4):
            picture.seek(number)
            frames.append(np.asarray(picture.convert("RGB"), dtype=int))
    assert all(np.abs(a - b).max() > 50 for a, b in pairwise(frames))
    assert [path.name for path in tmp_path.iterdir()] == ["wave.gif"]


def test_what_stands_still_has_no_moving_picture(tmp_path):
    with pytest.raises(InputError, match="a moving picture needs fields that change with time, a, u do not"):
        animate(opforge.generate("darcy", 1, 8), tmp_path / "u.gif")


def test_what_is_refused(tmp_path, monkeypatch):
    data = opforge.generate("advection", 1, 24, frames=3)
    with pytest.raises(InputError, match=r"a moving picture is a file .gif or .mp4, got"):
        animate(data, tmp_path / "u.avi")
    with pytest.raises(InputError, match="frames_per_second must be greater than 0"):
        animate(data, tmp_path / "u.gif", frames_per_second=0.0)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="needs the program ffmpeg, which is not there; install it or write a"):
        animate(data, tmp_path / "u.mp4")
    assert list(tmp_path.iterdir()) == []
