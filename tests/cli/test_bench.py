import csv
import json

import pytest

from opforge.benchmarks import core


def row(case, contestant, ratio, milliseconds):
    names = {"family": "spectral", "group": "usual modes", "case": case, "pass": "forward+backward"}
    quartiles = {"q1_ms": 1.0, "q3_ms": 2.0, "ratio": ratio, "ratio_q1": ratio, "ratio_q3": ratio}
    return (
        names
        | {"contestant": contestant, "median_ms": milliseconds}
        | quartiles
        | {
            "rounds": 7,
            "difference": 1e-7,
            "backend": "gemm" if contestant == "opforge" else "",
            "note": "of its own" if contestant != "opforge" else "",
        }
    )


def peak(contestant, megabytes):
    names = {"family": "spectral", "group": "usual modes", "case": "a", "pass": "forward+backward"}
    return names | {"contestant": contestant, "allocated_mb": megabytes, "resident_mb": None, "standing_mb": 1.0}


@pytest.fixture
def answered(monkeypatch):
    """The settings and folders of runs, which find two rows and two peaks each without measuring."""
    asked = []

    def run(settings, folder, say):
        asked.append((settings, folder))
        folder.mkdir(exist_ok=True)
        rows = [row("a", "opforge", 1.0, 10.0), row("a", "neuraloperator", 5.0, 50.0)]
        return core.Results(settings, rows, [peak("opforge", 4.0), peak("neuraloperator", 12.0)])

    monkeypatch.setattr(core, "run", run)
    return asked


def test_it_prints_the_ratios_and_what_is_reached(opforge, answered, tmp_path):
    done = opforge("bench", "core", "--json", "x.json")
    assert done.status == 0, done.err
    assert "10 gemm" in done.out and "50 (5.00)" in done.out and "12 (3.00)" in done.out
    assert "neuraloperator: of its own\n" in done.err
    assert done.out.count("pass\n") + done.out.count("pass ") >= 3 and "FAIL" not in done.out
    assert {p.name for p in (tmp_path / "bench-core").iterdir()} == {"core.csv", "core_memory.csv", "core.png"}
    values = json.loads((tmp_path / "x.json").read_text())
    assert set(values) == {"machine", "settings", "reach", "times", "memory"}
    assert [line["verdict"] for line in values["reach"]] == ["pass"] * 3


def test_options_become_settings(opforge, answered, tmp_path):
    words = ["--only", "fno, transforms", "--threads", "1", "--seconds", "2", "--out", "o", "--backends", "--untuned"]
    assert opforge("bench", "core", *words).status == 0
    ((settings, folder),) = answered
    assert settings == core.Settings(("fno", "transforms"), 1, 2.0, False, True, False)
    assert str(folder) == "o"


def test_quick_takes_less_time(opforge, answered):
    assert opforge("bench", "core", "--quick").status == 0
    (settings, _), _ = answered[0], None
    assert settings.quick and settings.seconds < core.Settings().seconds
    assert settings.threads == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cores"], "unknown benchmark 'cores'; did you mean 'core'?"),
        (["core", "--only", "spectral,fftconv"], "unknown family 'fftconv'"),
        (["core", "--threads", "0"], "threads must be at least 1"),
        (["core", "--json", "no/x.json"], "does not exist"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_measured(refused, answered, words, expected):
    assert expected in refused("bench", *words)
    assert answered == []


def test_results_are_kept_unless_forced(opforge, refused, answered, tmp_path):
    assert opforge("bench", "core").status == 0
    assert "output folder 'bench-core' exists" in refused("bench", "core")
    assert opforge("bench", "core", "--force").status == 0
    (tmp_path / "file").touch()
    assert "'file' is a file" in refused("bench", "core", "--out", "file")


def test_a_measurement_from_end_to_end(opforge, tmp_path):
    done = opforge("--quiet", "bench", "core", "--quick", "--only", "transforms", "--seconds", "0", "--threads", "1")
    assert (done.status, done.err) == (0, ""), done.err
    with (tmp_path / "bench-core" / "core.csv").open() as file:
        assert next(file).startswith("# ")
        rows = list(csv.DictReader(file))
    assert {row["contestant"] for row in rows} == {"opforge", "scipy.fft", "torch.fft"}
    assert all(float(row["median_ms"]) > 0 and float(row["difference"]) < 1e-5 for row in rows)
    printed = done.out.splitlines()
    assert printed[0].split("\t") == ["case", "opforge", "scipy.fft", "torch.fft"]
