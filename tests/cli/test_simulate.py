"""``opforge simulate``: pictures, moving pictures, data, the last finite state, what is refused."""

import numpy as np
import pytest
import xarray
from PIL import Image

import opforge
from opforge.cli.app import main

SHORT = ["--resolution", "96", "--set", "frames=3", "--set", "end_time=1.0"]


@pytest.mark.parametrize("name", ["u.png", "u.svg", "u.gif"])
def test_pictures(tmp_path, capsys, name):
    assert main(["simulate", "kuramoto_sivashinsky", *SHORT, "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / name).stat().st_size > 1000
    out, err = capsys.readouterr()
    assert "kuramoto_sivashinsky on 96 points, 3 frames until 1" in err
    assert "solver residual (relative)" in out and "the mean of u does not change" in out


@pytest.mark.parametrize(
    ("name", "words", "panels"),
    [("u.png", ["darcy"], {"": 2, "u, a": 2, "u": 1}), ("u.gif", ["elastic"], {"": 7, "div,curl": 2, "curl": 1})],
)
def test_some_fields_of_a_picture(tmp_path, name, words, panels):
    """As wide as there are panels."""
    if words == ["elastic"]:
        words = [*words, "--set", "waves=true", "--set", "frames=3", "--set", "end_time=0.1"]
    widths = []
    for number, fields in enumerate(panels):
        path, chosen = tmp_path / f"{number}{name}", ["--fields", fields] if fields else []
        assert main(["simulate", *words, "--resolution", "32", *chosen, "-o", str(path)]) == 0
        with Image.open(path) as image:
            widths.append(image.size[0])
    assert [width / widths[-1] for width in widths] == pytest.approx(list(panels.values()), rel=0.02)


def test_data_are_the_first_sample_of_generate(tmp_path):
    assert main(["simulate", "kuramoto_sivashinsky", *SHORT, "--seed", "3", "-o", str(tmp_path / "u.nc")]) == 0
    data = opforge.generate("kuramoto_sivashinsky", 1, 96, seed=3, dtype="float64", frames=3, end_time=1.0)
    with xarray.open_dataset(tmp_path / "u.nc") as found:
        np.testing.assert_array_equal(found["u"].values, data.to_xarray()["u"].values)


def test_the_name_of_the_picture_is_the_recipes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", "darcy", "--resolution", "16"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["darcy.png"]


def test_a_run_that_blows_up_leaves_its_last_state(tmp_path, capsys):
    words = ["simulate", "navier_stokes", "--resolution", "32", "--set", "time_step=0.2", "--set", "viscosity=1e-4"]
    words += ["-o", str(tmp_path / "w.png"), "--save-state", str(tmp_path / "w.nc")]
    assert main(words) == 1
    captured = capsys.readouterr()
    assert "not finite any more at time" in captured.err and "time_step is 0.2, usual are steps of 0.0" in captured.err
    with xarray.open_dataset(tmp_path / "w.nc") as state:
        assert state["w"].dims == ("x", "y") and state["w"].shape == (32, 32)
        assert np.isfinite(state["w"].values).all()
        assert state.attrs["blew_up_at"] > 0
    assert not (tmp_path / "w.png").exists()


def test_a_state_that_cannot_be_written_does_not_hide_why_the_run_ended(tmp_path, capsys, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("opforge.datasets.files.whole.written_whole", full)
    words = ["simulate", "navier_stokes", "--resolution", "32", "--set", "time_step=0.2", "--set", "viscosity=1e-4"]
    assert main([*words, "-o", str(tmp_path / "w.png"), "--save-state", str(tmp_path / "w.nc")]) == 1
    err = capsys.readouterr().err
    assert "w.nc: No space left on device" in err and "not finite any more at time" in err


def test_a_folder_that_cannot_be_written_to_is_named_before_the_run(tmp_path, capsys, monkeypatch):
    """Whoever may write everywhere is refused by the system's own folder of processes."""
    started = []
    monkeypatch.setattr(opforge, "generate", lambda *args, **kwargs: started.append(args))
    for option in ("-o", "--save-state"):
        words = ["simulate", "fisher", "-o", str(tmp_path / "u.png")] if option != "-o" else ["simulate", "fisher"]
        assert main([*words, option, "/proc/u.nc"]) == 2
        assert "'/proc/u.nc' cannot be written: " in capsys.readouterr().err
    assert not started


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["simulate", "navier"], "unknown recipe 'navier'; did you mean 'navier_stokes'?"),
        (["simulate", "darcy", "--fields", "u,b"], "unknown field 'b'; Known: a, u"),
        (["simulate", "darcy", "--fields", "u", "-o", "u.nc"], "--fields chooses what a picture shows"),
        (["simulate", "fisher", "-o", "u.jpg"], "must end in one of"),
        (["simulate", "fisher", "--save-state", "u.npy"], "must end in one of .nc"),
        (["simulate", "darcy", "-o", "u.gif", "--resolution", "16"], "needs fields that change with time"),
        (["simulate", "fisher", "--set", "rate=-1"], "rate must be a number greater than 0"),
        (
            ["simulate", "fisher", "--save-state", "none/u.nc"],
            "the folder of file of --save-state 'none/u.nc' does not",
        ),
        (["simulate", "fisher", "-o", "none/u.png"], "the folder of output 'none/u.png' does not exist; create 'none'"),
        (["simulate", "fisher", "-o", "u.nc", "--save-state", "./u.nc"], "--save-state and --out must be two files"),
    ],
)
def test_what_is_refused(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
