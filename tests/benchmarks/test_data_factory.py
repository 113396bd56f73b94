import numpy as np
import pytest

import opforge
from opforge.benchmarks.data_factory import (
    compressed,
    fields_file,
    figure,
    generation,
    memory,
    rate_of_batches,
    reading,
)


def rows(found):
    return {row["what"]: float(row["median"]) for row in found}


def test_figures_are_medians():
    row = figure("part", "what", [3.0, 1.0, 2.0], "s")
    assert (row["median"], row["min"], row["max"], row["runs"]) == ("2", "1", "3", 3)


def test_the_file_holds_what_opforge_reads(tmp_path):
    fields_file(tmp_path / "f.nc", 3)
    x, y = opforge.open_dataset(tmp_path / "f.nc").batch([2, 0])
    assert x.shape == y.shape == (2, 1, 64, 64)


def test_every_sample_is_read_once():
    seen = []
    rate_of_batches(seen.append, 70, 0)
    assert sorted(np.concatenate(seen).tolist()) == sorted(set(np.concatenate(seen).tolist())) and len(seen) == 2


def test_each_part_measures(tmp_path):
    found = rows(reading(tmp_path, 1, 320))
    assert len(found) == 6 and min(found.values()) > 0
    found = rows(compressed(tmp_path, 1, 160))
    assert found["bytes read for it from its chunks"] == found["bytes of one sample's chunks"]


@pytest.mark.slow
def test_generation_and_memory(tmp_path):
    found = rows(generation(tmp_path, 1, 200))
    assert all(value > 0 for value in found.values())
    found = rows(memory(tmp_path, 1, 0.05))
    assert 0.1 < found["peak of resident memory, one epoch over 244 samples"] < 1.5
