"""Where opforge keeps what can be lost."""

import sys
from pathlib import Path

import pytest

from opforge.core.choice.cache_folder import user_cache
from opforge.errors import InputError

HOME = Path("/somewhere/home")


@pytest.fixture
def place(monkeypatch):
    """`user_cache()` with these variables, and a home."""

    def found(platform="linux", **variables):
        for name in ("OPFORGE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(Path, "home", lambda: HOME)
        return user_cache()

    return found


def test_the_variables_come_first(place):
    assert place(OPFORGE_CACHE="/a/b", XDG_CACHE_HOME="/c") == Path("/a/b")
    assert place(OPFORGE_CACHE="", XDG_CACHE_HOME="/c") == Path("/c/opforge")
    assert place(XDG_CACHE_HOME="relative") == HOME / ".cache" / "opforge"


def test_the_platforms_usual_folders(place):
    assert place() == HOME / ".cache" / "opforge"
    assert place("darwin") == HOME / "Library" / "Caches" / "opforge"
    assert place("win32") == HOME / "AppData" / "Local" / "opforge" / "Cache"
    assert place("win32", LOCALAPPDATA="/local") == Path("/local/opforge/Cache")


def test_a_relative_folder_is_counted_from_the_current_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPFORGE_CACHE", "cache")
    assert user_cache() == tmp_path / "cache"


def test_without_a_home_it_is_a_temporary_folder_of_this_user(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("OPFORGE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert user_cache().name.startswith("opforge-") and user_cache().parent.is_dir()


def test_an_unknown_home_is_named(monkeypatch):
    monkeypatch.setenv("OPFORGE_CACHE", "~nobody-of-this-name/cache")
    with pytest.raises(InputError, match="OPFORGE_CACHE must name a folder, got '~nobody-of-this-name/cache'"):
        user_cache()


def test_nothing_is_made(monkeypatch, tmp_path):
    monkeypatch.setenv("OPFORGE_CACHE", str(tmp_path / "cache"))
    user_cache()
    assert list(tmp_path.iterdir()) == []
