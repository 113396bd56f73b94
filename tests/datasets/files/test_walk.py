import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from opforge.datasets.files import walk as module
from opforge.datasets.files.walk import is_matlab, load, walk


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["a"] = np.zeros((3, 4))
        file.create_dataset("g/z", data=np.zeros((300, 1000)), chunks=(1, 1000), compression="gzip")
        file["g/text"] = np.array(["p", "q"], dtype=object)
        file["g"].attrs.update({"one": 1.0, "two": "text"})
        file["g/type"] = np.dtype("f8")
    return tmp_path / "d.h5"


def test_everything_is_seen_once(path):
    assert walk(str(path), 60.0) == 6  # the root, a, g, g/z, g/text, g/type
    with h5py.File(path, "r+") as file:
        file["g/again"] = file["g"]
        file["g/root"] = file["/"]
        file["g/link"] = h5py.SoftLink("/nowhere")
    assert walk(str(path), 60.0) == 6


def test_it_stops_in_time(path):
    assert walk(str(path), 0.0) == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are POSIX's")
def test_no_link_leads_out_of_the_file(path, tmp_path):
    os.mkfifo(tmp_path / "pipe")  # opening it would never end
    with h5py.File(path, "r+") as file:
        file["out"] = h5py.ExternalLink(str(tmp_path / "pipe"), "/a")
        file["soft"] = h5py.SoftLink("/out/a")
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "pipe"), "a", (3,))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("raw", (3,), "f8", external=[(str(tmp_path / "pipe"), 0, 24)])
    assert walk(str(path), 60.0) == 8


def test_what_raises_does_not_end_it(path, monkeypatch):
    def fail(*arguments):
        raise RuntimeError

    for name in ("_attribute", "_chunks", "_values"):
        monkeypatch.setattr(module, name, fail)
    assert walk(str(path), 60.0) == 6


def test_as_a_script(path, tmp_path):
    scipy = pytest.importorskip("scipy.io")
    scipy.savemat(tmp_path / "d.mat", {"a": np.zeros((3, 4))})
    (tmp_path / "d.txt").write_text("text")
    assert is_matlab(str(tmp_path / "d.mat")) and not is_matlab(str(path))
    load(str(tmp_path / "d.mat"))
    for file in (path, tmp_path / "d.mat", tmp_path / "d.txt"):
        command = [sys.executable, "-P", module.__file__, str(file), "60"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
