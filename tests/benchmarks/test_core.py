"""The run as a whole, with measuring processes that answer at once."""

import csv
import json

import pytest

from opforge.benchmarks import core
from opforge.benchmarks.core import Settings, measurable, run
from opforge.errors import InputError, WorkError


def times(family, case, way, ratio):
    shared = {"family": family, "group": "usual modes", "case": case, "pass": way}
    numbers = {"median_ms": 2.0, "q1_ms": 1.0, "q3_ms": 3.0, "ratio_q1": 1.0, "ratio_q3": 1.0, "rounds": 5}
    end = {"difference": 1e-7, "backend": "gemm", "note": ""}
    return [
        shared | {"contestant": name, "ratio": r} | numbers | end for name, r in (("opforge", 1.0), ("peer", ratio))
    ]


@pytest.fixture
def told(monkeypatch):
    """What measuring processes were told; they answer from one case of two passes."""
    tasks = []

    def findings(task):
        tasks.append(task)
        if task["measure"] == "plan":
            passes = ["forward", "forward+backward"]
            yield {"case": 0, "group": "usual modes", "label": "small", "passes": passes, "memory": ["opforge", "peer"]}
        elif task["measure"] == "times":
            if task["family"] == "fft_conv":
                raise WorkError("contestants disagree")
            yield from ({"rows": times(task["family"], "small", way, 3.0)} for way in ("forward", "forward+backward"))
        else:
            yield {"allocated": 3 * 2**20, "resident": None, "standing": 2**20}

    monkeypatch.setattr(core, "findings", findings)
    return tasks


@pytest.fixture
def peers(monkeypatch):
    """Sets whether neuraloperator is installed."""
    return lambda there: monkeypatch.setattr(core, "find_spec", lambda name: object() if there else None)


def test_a_run_writes_times_memory_and_picture(told, peers, tmp_path):
    peers(True)
    said = []
    results = run(Settings(families=("spectral",), threads=3), tmp_path / "out", said.append)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["core.csv", "core.png", "core_memory.csv"]
    comment, *lines = (tmp_path / "out" / "core.csv").read_text().splitlines()
    assert "3 threads" in comment
    assert [row["ratio"] for row in csv.DictReader(lines)] == ["1", "3", "1", "3"]
    assert [row["allocated_mb"] for row in results.memory] == [3.0, 3.0]
    assert said[0] == "spectral 1/2: usual modes, small, forward: 2 ms (gemm); peer 3.00x; answers agree to 1e-07"
    assert json.loads(json.dumps(results.to_dict()))["settings"]["threads"] == 3
    assert all(task["threads"] == 3 for task in told)


def test_quick_measures_no_memory(told, peers, tmp_path):
    peers(True)
    results = run(Settings(families=("transforms",), quick=True), tmp_path, lambda text: None)
    assert results.memory == [] and {task["measure"] for task in told} == {"plan", "times"}


def test_what_was_measured_before_a_failure_is_saved(told, peers, tmp_path):
    peers(True)
    with pytest.raises(WorkError, match="contestants disagree"):
        run(Settings(families=("spectral", "fft_conv", "transforms")), tmp_path, lambda text: None)
    assert (tmp_path / "core.csv").is_file()


def test_without_neuraloperator_the_rest_is_measured(peers):
    peers(False)
    said = []
    left = measurable(Settings(), said.append)
    assert left.families == ("spectral", "fft_conv", "transforms")
    assert len(said) == 1 and "pip install 'opforge[bench]'" in said[0]
    said.clear()
    assert measurable(Settings(families=("transforms",)), said.append).families == ("transforms",) and said == []


def test_without_neuraloperator_there_is_no_training_step_to_measure(peers):
    peers(False)
    with pytest.raises(
        InputError, match=r"neuraloperator, which is not installed; run: pip install 'opforge\[bench\]'"
    ):
        measurable(Settings(families=("fno",)), print)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"families": ("fftconv",)}, "unknown family 'fftconv'; did you mean 'fft_conv'"),
        ({"families": ()}, "families must name at least one"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"seconds": -1.0}, "seconds must be a number from 0, got -1"),
        ({"seconds": float("nan")}, "seconds must be a number from 0, got nan"),
    ],
)
def test_wrong_settings_are_refused(wrong, expected):
    with pytest.raises(InputError, match=expected):
        Settings(**wrong)
