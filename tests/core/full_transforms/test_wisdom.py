"""FFTW's measured plans in the user's cache folder."""

import json
import os
import stat
import subprocess
import sys
import threading
import warnings

import numpy as np
import pyfftw
import pytest

from opforge import core
from opforge.core.full_transforms import _fftw, _wisdom
from opforge.core.full_transforms._wisdom import WisdomWarning

X = np.random.default_rng(0).standard_normal((12, 14))


def measured(x=X):
    with core.planning("measure"):
        return core.rfftn(x, backend="fftw")


@pytest.fixture
def forgetful(tmp_path, monkeypatch):
    """A new cache folder, which is returned, and `forget`: what a new process would know."""
    monkeypatch.setenv("OPFORGE_CACHE", str(tmp_path / "cache"))

    def forget():
        pyfftw.forget_wisdom()
        _fftw._plans.kept.clear()
        _wisdom._read = ()
        _wisdom._complained.clear()

    forget()
    yield forget
    forget()


def file():
    (found,) = _wisdom.file().parent.glob("fftw-*.json")
    assert found == _wisdom.file()
    return found


def count_measurements(monkeypatch):
    made = []

    class Counting(pyfftw.FFTW):
        def __init__(self, *args, flags, **options):
            if "FFTW_WISDOM_ONLY" not in flags:
                made.append(flags)

    monkeypatch.setattr(pyfftw, "FFTW", Counting)
    return made


def test_nothing_is_written_without_measuring(forgetful):
    core.rfftn(X, backend="fftw")
    assert not _wisdom.file().parent.exists()


def test_a_plan_is_measured_once_and_then_known(forgetful, monkeypatch):
    made = count_measurements(monkeypatch)
    first = measured()
    assert len(made) == 1
    assert measured() is not first
    before = file().stat().st_mtime_ns
    forgetful()
    np.testing.assert_array_equal(measured(), first)
    assert len(made) == 1
    assert file().stat().st_mtime_ns == before
    measured(X[:5])
    assert len(made) == 2
    assert file().stat().st_mtime_ns > before


def test_the_file_says_what_it_is(forgetful):
    measured()
    content = json.loads(file().read_text())
    assert content["what"] == "plans that FFTW measured for opforge; may be deleted"
    assert content["double"].startswith("(fftw-")
    assert pyfftw.fftw_version in file().name
    assert stat.S_ISREG(file().stat().st_mode)
    assert [path.suffix for path in file().parent.iterdir() if path != file()] in ([], [".lock"])


def test_what_another_process_measured_is_kept(forgetful, monkeypatch):
    measured()
    command = (
        "import numpy as np; from opforge import core\n"
        "with core.planning('measure'): core.rfftn(np.ones((9, 11)), backend='fftw')"
    )
    subprocess.run([sys.executable, "-c", command], check=True, env=os.environ)
    measured(X[:7])  # writes the file again
    forgetful()
    made = count_measurements(monkeypatch)
    for x in (X, X[:7], np.ones((9, 11))):
        measured(x)
    assert made == []


def test_processes_that_measure_at_once_end_with_one_plan(forgetful):
    command = (
        "import hashlib, numpy as np; from opforge import core\n"
        "x = np.random.default_rng(0).standard_normal((40, 66))\n"
        "with core.planning('measure'): y = core.fftn(x + 0j, backend='fftw')\n"
        "print(hashlib.sha256(y).hexdigest())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, text=True, env=os.environ)
        for _ in range(3)
    ]
    results = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(set(results)) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "[" * 200_000,
        lambda text: text.replace("codelet", "c0delet", 1),
        lambda text: text.encode().replace(b"what", b"\xff\xfe\xff\xfe"),
        lambda text: json.dumps(resealed(json.loads(text), "(fftw-9.9.9 fftw_wisdom)\n")),
    ],
    ids=["empty", "cut off", "something else", "brackets without end", "changed", "no text", "refused by FFTW"],
)
def test_a_damaged_file_is_made_anew_with_one_warning(forgetful, damage):
    expected = measured()
    damaged = damage(file().read_text())
    file().write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    forgetful()
    with pytest.warns(WisdomWarning, match="is damaged .* and is made anew") as caught:
        np.testing.assert_allclose(measured(), expected, rtol=0, atol=1e-12)
        measured(X[:5])
    assert [str(_wisdom.file()) in str(w.message) for w in caught] == [True]
    forgetful()
    measured()  # without a warning: the file is whole


def resealed(content, double):
    return content | {"double": double, "sha256": _wisdom._digest(double, content["single"])}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(forgetful):
    folder = _wisdom.file().parent
    folder.mkdir(mode=0o500)
    with pytest.warns(WisdomWarning, match="cannot be written .* set OPFORGE_CACHE") as caught:
        measured()
        measured(X[:5])
    assert len(caught) == 1


def test_a_folder_that_cannot_be_made(forgetful, tmp_path, monkeypatch):
    (tmp_path / "occupied").write_text("")
    monkeypatch.setenv("OPFORGE_CACHE", str(tmp_path / "occupied" / "cache"))
    with pytest.warns(WisdomWarning, match="cannot be written .* set OPFORGE_CACHE") as caught:
        measured()
        measured(X[:5])
    assert [str(_wisdom.file()) in str(w.message) for w in caught] == [True]


def test_a_folder_as_file(forgetful):
    _wisdom.file().mkdir(parents=True)
    with pytest.warns(WisdomWarning, match=r"cannot be read|cannot be written") as caught:
        measured()
    assert len(caught) == 1


def test_measured_plans_do_not_show_in_estimated_ones(forgetful):
    """FFTW itself would take the measured plan. Here the plans differ, and with them the last bits.

    The plan that FFTW estimates for the first is five times as slow as others: none will be measured to be the same.
    """
    shapes = [(256, 256), (60, 63)]
    inputs = [np.random.default_rng(1).standard_normal(shape) + 0j for shape in shapes]
    before = [core.fftn(x, backend="fftw") for x in inputs]
    with core.planning("measure"):
        others = [core.fftn(x, backend="fftw") for x in inputs]
    assert any(np.any(a != b) for a, b in zip(before, others, strict=True))
    _fftw._plans.kept.clear()
    for x, y in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(core.fftn(x, backend="fftw"), y)
    _fftw._plans.kept.clear()
    with core.planning("measure"):  # and what was measured is still known
        for x, y in zip(inputs, others, strict=True):
            np.testing.assert_array_equal(core.fftn(x, backend="fftw"), y)


def test_measuring_leaves_the_input_alone(forgetful):
    x = X.copy()
    x.flags.writeable = False
    measured(x)
    np.testing.assert_array_equal(x, X)


def test_one_measures_while_the_others_wait(forgetful):
    pytest.importorskip("fcntl")
    with _wisdom.alone():
        other = threading.Thread(target=measured)
        other.start()
        other.join(0.2)
        assert other.is_alive()
    other.join(60)
    assert not other.is_alive()


def test_lock_that_another_process_keeps(forgetful, monkeypatch):
    pytest.importorskip("fcntl")
    monkeypatch.setattr(_wisdom, "_PATIENCE", 0.05)
    with _wisdom.alone(), warnings.catch_warnings():
        warnings.simplefilter("error")
        measured()
    assert file().exists()
