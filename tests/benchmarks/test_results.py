import csv

import numpy
import pytest

from opforge.benchmarks import results
from opforge.benchmarks.results import machine, write_csv
from opforge.errors import InputError


def test_the_machine_is_one_line_with_the_installed_libraries(monkeypatch):
    assert f"numpy {numpy.__version__}" in machine()
    monkeypatch.setattr(results, "LIBRARIES", ("numpy", "no-such-library"))
    line = machine()
    assert "no-such-library" not in line and "\n" not in line and not line.endswith(", ")


def test_a_csv_reads_back_after_its_comment(tmp_path):
    rows = [{"case": "64x64, 2 channels", "ms": "1.5"}, {"case": 'a "b"', "ms": "2"}]
    path = write_csv("x.csv", rows, "two rounds", folder=tmp_path)
    comment, *lines = path.read_text().splitlines()
    assert comment.startswith("# ") and comment.endswith("; two rounds")
    assert list(csv.DictReader(lines)) == rows
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_seconds_covers_the_whole_process():
    assert results.seconds(["-c", "import time; time.sleep(0.2)"]) > 0.2


def test_what_was_written_is_read_with_its_comment(tmp_path):
    rows = [{"case": 'a, "b"', "ms": "2"}]
    write_csv("x.csv", rows, "two rounds", folder=tmp_path)
    assert results.read_csv("x.csv", folder=tmp_path) == (f"{machine()}; two rounds", rows)
    with pytest.raises(InputError, match=r"no\.csv must be there to be read; measure first"):
        results.read_csv("no.csv", folder=tmp_path)
