import multiprocessing
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from opforge import generate
from opforge.datasets.files import probe as module
from opforge.datasets.files.probe import examine, probe
from opforge.errors import InputError


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["a"] = np.zeros((3, 4))
    os.utime(tmp_path / "d.h5", (1e9, 1e9))  # not a moment ago
    return tmp_path / "d.h5"


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Have another script go through files."""

    def use(text):
        (tmp_path / "script.py").write_text(text)
        fake = SimpleNamespace(__file__=tmp_path / "script.py", is_matlab=lambda path: False)
        monkeypatch.setattr("opforge.datasets.files.probe.walk", fake)

    return use


@pytest.fixture
def started(monkeypatch):
    """What was started."""
    commands, real = [], subprocess.run

    def run(command, **options):
        commands.append(command)
        return real(command, **options)

    monkeypatch.setattr("subprocess.run", run)
    return commands


def test_a_file_in_order_is_tried_and_nothing_is_said(path, capfd):
    probe(path)
    assert capfd.readouterr() == ("", "")


def test_what_raises_is_left_to_who_opens_the_file(path, script, capfd):
    script("print('out'); raise ValueError('err')")
    probe(path)
    assert capfd.readouterr() == ("", "")


def test_what_hangs_is_one_line(path, script, monkeypatch):
    script("while True: pass")
    monkeypatch.setattr(module, "_PATIENCE", 0.3)
    with pytest.raises(InputError, match=r"d\.h5 is damaged: reading it does not come to an end; copy or generate it"):
        probe(path)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("signal", ["SIGSEGV", "SIGABRT", "SIGKILL"])
def test_what_crashes_is_one_line(path, script, signal):
    script(f"import os, signal; os.kill(os.getpid(), signal.{signal})")
    with pytest.raises(InputError, match=r"d\.h5 is damaged: reading it crashes; copy or generate it again"):
        probe(path)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_what_is_ended_from_outside_is_no_damage(path, script, signal):
    """A batch system tells every process to end: the samples of a generation must not be thrown away for that."""
    script(f"import os, signal; os.kill(os.getpid(), signal.{signal})")
    probe(path)


def test_a_file_is_tried_once_for_each_of_its_states(path, started):
    examine(path)
    examine(path)
    assert len(started) == 1
    os.utime(path, (1e9, 1e9 + 1))
    examine(path)
    assert len(started) == 2


def test_a_file_that_was_written_just_now_may_change_unseen(path, started, monkeypatch):
    monkeypatch.setattr(module, "_TICK", 10**20)
    examine(path)
    examine(path)
    assert len(started) == 2


def test_a_file_that_was_refused_is_refused_again(path, script):
    script("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    for _ in range(2):
        with pytest.raises(InputError, match="reading it crashes"):
            examine(path)


def test_files_of_opforge_and_of_other_kinds_are_not_tried(tmp_path, started):
    generate("darcy", 2, 4, out=tmp_path / "own.nc")
    (tmp_path / "text.nc").write_text("a,b\n")
    started.clear()
    examine(tmp_path / "own.nc")
    examine(tmp_path / "text.nc")
    assert started == []


@pytest.mark.parametrize("program", ["", None, "/opt/app/blender"])
def test_where_no_python_is_known_nothing_is_started(path, started, monkeypatch, program):
    monkeypatch.setattr("sys.executable", program)
    probe(path)
    monkeypatch.undo()
    monkeypatch.setattr("sys.frozen", True, raising=False)
    probe(path)
    assert started == []


def test_where_no_process_can_be_started_nothing_is_said(path, monkeypatch):
    def refuse(*arguments, **options):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("subprocess.run", refuse)
    probe(path)


def _started_in_worker(path):
    calls = []
    subprocess.run = lambda *arguments, **options: calls.append(arguments)
    probe(path)
    return len(calls)


@pytest.mark.parametrize("kind", ["fork", "loky"])
def test_workers_start_nothing(path, kind):
    if kind == "fork":
        if kind not in multiprocessing.get_all_start_methods():
            pytest.skip("no fork here")
        with multiprocessing.get_context(kind).Pool(1) as pool:
            assert pool.apply(_started_in_worker, (path,)) == 0
    else:
        code = (
            "import sys, loky, pathlib\n"
            "from tests.datasets.files.test_probe import _started_in_worker\n"
            "print(loky.ProcessPoolExecutor(1).submit(_started_in_worker, pathlib.Path(sys.argv[1])).result())"
        )
        command = [sys.executable, "-c", code, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "0"


def test_matlab_5_is_tried_too(tmp_path, script):
    from scipy.io import savemat

    savemat(tmp_path / "d.mat", {"a": np.zeros((3, 4))})
    probe(tmp_path / "d.mat")
    shutil.copy(tmp_path / "d.mat", tmp_path / "e.mat")
    script("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    module.walk.is_matlab = lambda path: True
    with pytest.raises(InputError, match=r"e\.mat is damaged: reading it crashes"):
        probe(tmp_path / "e.mat")
