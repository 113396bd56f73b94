"""Settings for all tests."""

import atexit
import os
import shutil
import tempfile

import pytest

# Before torch and numpy are loaded: the tests' arrays are small, and threads that wait for each other on a busy
# machine make them many times slower. Processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Back ends are chosen by the cost model alone, and nothing is read from or written to the user's cache.
os.environ["OPFORGE_TUNE"] = "off"
os.environ["OPFORGE_CACHE"] = tempfile.mkdtemp(prefix="opforge-tests-")
atexit.register(shutil.rmtree, os.environ["OPFORGE_CACHE"], ignore_errors=True)


@pytest.fixture
def tuned(tmp_path, monkeypatch):
    """Back ends may be measured, and the choices are kept in a new folder, which is returned; nothing is known yet."""
    from opforge.core import plan_cache

    folder = tmp_path / "cache"
    monkeypatch.setenv("OPFORGE_TUNE", "auto")
    monkeypatch.setenv("OPFORGE_CACHE", str(folder))
    plan_cache.clear()
    yield folder
    plan_cache.clear()


@pytest.fixture
def loaded(monkeypatch):
    """The name of a recipe of which every sample has parameters of its own, as if it was one of opforge's."""
    from opforge import datasets
    from tests.datasets.drawn import Loaded

    monkeypatch.setitem(datasets.RECIPES, "Loaded", "drawn")
    monkeypatch.setattr(datasets, "Loaded", Loaded, raising=False)
    return Loaded.name
