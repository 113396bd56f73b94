from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from opforge.datasets.generating import arguments
from opforge.datasets.generating.arguments import (
    checked_dtype,
    checked_level,
    checked_path,
    checked_shard,
    checked_workers,
    total_memory,
)
from opforge.datasets.recipe import make_recipe
from opforge.errors import InputError

RECIPE = make_recipe("darcy", {})
NEEDED = RECIPE.bytes_per_point * 64 * 64


@pytest.mark.parametrize("samples", [1, 2, 7, 10, 64, 1001])
def test_shards_are_all_samples_each_once_in_order_and_of_equal_size(samples):
    for count in {1, 2, 3, 5, samples - 1, samples} & set(range(1, samples + 1)):
        parts = [checked_shard((i, count), samples) for i in range(1, count + 1)]
        assert [index for first, stop in parts for index in range(first, stop)] == list(range(samples))
        sizes = {stop - first for first, stop in parts}
        assert min(sizes) >= 1 and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("shard", "match"),
    [
        ((0, 3), "i from 1 to n, got 0/3; shards count from 1"),
        ((4, 3), "i from 1 to n, got 4/3"),
        ((-1, 3), "got -1/3"),
        ((1, 0), "got 1/0"),
        ((1, 11), "one of at most 10 parts, a sample each, got 1/11"),
        ((1,), r"two whole numbers \(i, n\).* got \(1,\)"),
        ((1, 2, 3), "two whole numbers"),
        ((1.0, 2), "two whole numbers"),
        ("12", "two whole numbers .* got '12'"),
        (3, "two whole numbers"),
    ],
)
def test_what_is_no_shard(shard, match):
    with pytest.raises(InputError, match=f"shard must be .*{match}"):
        checked_shard(shard, 10)


@pytest.mark.parametrize("level", [1, 9, np.int64(4)])
def test_levels(level):
    assert checked_level(level) == level and type(checked_level(level)) is int
    assert checked_level(None) is None


@pytest.mark.parametrize("level", [0, 10, -1, True, False, 2.5, "4"])
def test_what_is_no_level(level):
    with pytest.raises(InputError, match="compression must"):
        checked_level(level)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_types(name):
    assert checked_dtype(name) == np.dtype(name)


@pytest.mark.parametrize("name", ["float16", "f4", np.float32, None])
def test_what_is_no_type(name):
    with pytest.raises(InputError, match="dtype must be 'float32' or 'float64'"):
        checked_dtype(name)


def test_workers_are_no_more_than_samples_cores_or_memory(monkeypatch):
    grid = RECIPE.grid(64)
    monkeypatch.setattr(arguments, "available_cpus", lambda: 6)
    monkeypatch.setattr(arguments, "total_memory", lambda: 100 * NEEDED)
    assert checked_workers(RECIPE, grid, 1000, None, None) == 6
    assert checked_workers(RECIPE, grid, 1000, 8, None) == 8
    assert checked_workers(RECIPE, grid, 3, 8, None) == 3
    assert checked_workers(RECIPE, grid, 10, None, None) == 1, "processes cost more than they save"
    monkeypatch.setattr(arguments, "total_memory", lambda: 4 * NEEDED + 1)
    assert checked_workers(RECIPE, grid, 1000, None, None) == 4
    with pytest.raises(InputError, match=r"workers must be at most 4 at this resolution .*, got 8"):
        checked_workers(RECIPE, grid, 1000, 8, None)
    monkeypatch.setattr(arguments, "total_memory", lambda: NEEDED - 1)
    with pytest.raises(InputError, match=r"resolution 64x64 is .* lower the resolution"):
        checked_workers(RECIPE, grid, 1, 1, None)


def test_an_executor_may_have_other_machines(monkeypatch):
    monkeypatch.setattr(arguments, "total_memory", lambda: 4 * NEEDED)
    with ThreadPoolExecutor(1) as executor:
        assert checked_workers(RECIPE, RECIPE.grid(64), 1000, 50, executor) == 50
        assert checked_workers(RECIPE, RECIPE.grid(64), 1000, None, executor) >= 1


@pytest.mark.parametrize("workers", [0, -2, 1.5, "two"])
def test_what_is_no_number_of_workers(workers):
    with pytest.raises(InputError, match="workers must"):
        checked_workers(RECIPE, RECIPE.grid(8), 10, workers, None)


def test_memory_is_told_or_guessed(monkeypatch):
    assert total_memory() > 2**28
    monkeypatch.delattr("os.sysconf")
    assert total_memory() == 16 * 2**30


def test_what_is_no_executor_and_no_path():
    with pytest.raises(InputError, match=r"executor must be a concurrent\.futures\.Executor, got 5; for processes"):
        checked_workers(RECIPE, RECIPE.grid(64), 10, None, 5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="out must be a path, got 5"):
        checked_path("out", 5)
    assert checked_path("out", "d.nc").name == "d.nc"
