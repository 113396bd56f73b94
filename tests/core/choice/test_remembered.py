"""The file of remembered choices: what is put in comes out, whatever happens to the file."""

import json
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings

import pytest

from opforge.core import plan_cache
from opforge.core.choice import _choices_file as files
from opforge.core.choice import remembered
from opforge.core.choice.remembered import PlanCache, PlanCacheWarning, RememberedChoice


def choice(key="64x64", op="made_up", **medians):
    medians = medians or {"gemm": 1.5, "torch": 2.25}
    return RememberedChoice(op, key, min(medians, key=medians.get), medians)


def test_what_is_remembered_is_found_by_another_process(tuned):
    plan_cache.remember(choice(gemm=1.23456, torch=7.0))
    code = "from opforge.core import plan_cache; print(plan_cache.find('made_up', '64x64'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == repr(choice(gemm=1.235, torch=7.0))


def test_the_file_can_be_read_by_a_person(tuned):
    plan_cache.remember(choice("128x128"))
    plan_cache.remember(choice("64x64"))
    content = json.loads(plan_cache.path.read_text())
    assert content["schema"] == files.SCHEMA
    (machine,) = content["machines"]
    assert set(machine) == {"processor", "graphics", "torch", "opforge", "choices"}
    expected = {"op": "made_up", "key": "128x128", "backend": "gemm", "medians_ms": {"gemm": 1.5, "torch": 2.25}}
    assert machine["choices"][0] == expected
    assert len([line for line in plan_cache.path.read_text().splitlines() if '"op"' in line]) == 2


def test_a_later_choice_replaces_the_earlier(tuned):
    for entry in (choice("a"), choice("b"), choice("a", gemm=3.0, torch=2.0)):
        plan_cache.remember(entry)
    assert plan_cache.entries() == [choice("b"), choice("a", gemm=3.0, torch=2.0)]


def test_forgetting(tuned):
    asked_anew = []
    cache = PlanCache()
    cache.when_forgotten(lambda: asked_anew.append(True))
    cache.forget("made_up")
    for entry in (choice(op="a"), choice(op="b")):
        cache.remember(entry)
    cache.forget("a")
    assert cache.entries() == PlanCache().entries() == [choice(op="b")]
    cache.clear()
    assert cache.entries() == [] and not cache.path.exists()
    cache.clear()
    assert len(asked_anew) == 4


def test_a_file_that_cannot_be_removed_is_an_error(tuned, monkeypatch):
    def refuse(path, missing_ok):
        raise PermissionError(13, "Permission denied")

    plan_cache.remember(choice())
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", refuse)
        with pytest.raises(PermissionError):
            plan_cache.clear()
    assert plan_cache.entries() == [choice()]


def test_it_says_what_it_holds(tuned):
    assert repr(plan_cache) == f"<plan cache {tuned / files.NAME}: nothing for this machine>"
    plan_cache.remember(choice(op="b"))
    plan_cache.remember(choice(op="a"))
    plan_cache.remember(choice("2", op="a"))
    assert repr(plan_cache).endswith(": 2 of a, 1 of b for this machine>")


def test_machines_that_share_a_folder_are_kept_apart(tuned, monkeypatch):
    plan_cache.remember(choice())
    with monkeypatch.context() as patch:
        patch.setattr(remembered, "description", lambda: {"processor": "another", "torch": "9.9"})
        assert plan_cache.entries() == []
        plan_cache.remember(choice(gemm=9.0, torch=8.0))
        assert plan_cache.find("made_up", "64x64").backend == "torch"
        plan_cache.forget("made_up")
    assert plan_cache.entries() == [choice()]


def test_the_oldest_are_dropped(tuned, monkeypatch):
    monkeypatch.setattr(files, "MOST", 3)
    with monkeypatch.context() as patch:
        patch.setattr(remembered, "description", lambda: {"processor": "another"})
        for key in "abc":
            plan_cache.remember(choice(key))
    for key in "de":
        plan_cache.remember(choice(key))
    content = json.loads(plan_cache.path.read_text())
    assert [[line["key"] for line in group["choices"]] for group in content["machines"]] == [["c"], ["d", "e"]]
    for key in "fg":
        plan_cache.remember(choice(key))
    assert [entry.key for entry in plan_cache.entries()] == ["e", "f", "g"]


DAMAGED = {
    "cut off": '{"schema": 1, "machines": [',
    "empty": "",
    "binary": b"\xff\xfe\x00",
    "a list": "[]",
    "another schema": '{"schema": 2, "machines": []}',
    "no machines": '{"schema": 1}',
    "a machine without choices": '{"schema": 1, "machines": [{"processor": "x"}]}',
    "a choice that lacks its key": '{"schema": 1, "machines": [{"choices": [{"op": "a"}]}]}',
    "a winner that did not take part": json.dumps(
        {"schema": 1, "machines": [{"choices": [{"op": "a", "key": "b", "backend": "c", "medians_ms": {"d": 1.0}}]}]}
    ),
    "a time that is no number": (
        '{"schema": 1, "machines": [{"choices": [{"op": "a", "key": "b", "backend": "c", "medians_ms": {"c": NaN}}]}]}'
    ),
    "a time of 400 digits": (
        '{"schema": 1, "machines": [{"choices": [{"op": "a", "key": "b", "backend": "c", "medians_ms": {"c": '
        f"{'9' * 400}"
        "}}]}]}"
    ),
    "brackets without end": "[" * 200_000,
    "half a surrogate pair": (
        '{"schema": 1, "machines": [{"processor": "\\ud800", "choices": '
        '[{"op": "a", "key": "b", "backend": "c", "medians_ms": {"c": 1.0}}]}]}'
    ),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
@pytest.mark.parametrize("first", ["find", "remember"])
def test_a_damaged_file_is_made_anew_with_one_warning(tuned, content, first):
    tuned.mkdir()
    cache = PlanCache()
    cache.path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.warns(PlanCacheWarning, match=r"choices-1\.json is damaged") as caught:
        if first == "find":
            assert cache.find("a", "b") is None
        cache.remember(choice())
        assert cache.entries() == [choice()]
    assert len(caught) == 1
    assert PlanCache().entries() == [choice()], "no warning: the file is whole again"


def test_looking_alone_makes_a_damaged_file_anew(tuned):
    tuned.mkdir()
    plan_cache.path.write_text("{")
    with pytest.warns(PlanCacheWarning, match="is damaged"):
        assert PlanCache().entries() == []
    assert PlanCache().entries() == []


def test_where_nothing_can_be_written_one_warning_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("OPFORGE_CACHE", str(tmp_path / "file" / "folder"))
    cache = PlanCache()
    assert cache.find("made_up", "64x64") is None
    with pytest.warns(PlanCacheWarning, match="cannot be written .*set OPFORGE_CACHE to a folder") as caught:
        cache.remember(choice())
        cache.remember(choice("2"))
    assert len(caught) == 1
    assert cache.entries() == [choice(), choice("2")], "for as long as the process lasts"
    cache.forget("made_up")
    assert cache.entries() == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder(tuned):
    tuned.mkdir(mode=0o500)
    cache = PlanCache()
    with pytest.warns(PlanCacheWarning, match=r"cannot be written \(Permission denied\)"):
        cache.remember(choice())
    assert cache.entries() == [choice()]


def test_a_file_that_cannot_be_read_is_said_once(tuned):
    plan_cache.path.mkdir(parents=True)
    cache = PlanCache()
    with pytest.warns(PlanCacheWarning, match="cannot be read") as caught:
        assert cache.entries() == []
        cache.remember(choice())
    assert len(caught) == 1
    assert cache.entries() == [choice()]
    cache.path.rmdir()


def test_a_write_that_fails_leaves_the_file_as_it_was(tuned, monkeypatch):
    def fail(source, target):
        raise OSError(28, "No space left on device")

    plan_cache.remember(choice())
    monkeypatch.setattr(os, "replace", fail)
    with pytest.warns(PlanCacheWarning, match="No space left on device"):
        PlanCache().remember(choice("2"))
    assert PlanCache().entries() == [choice()]
    assert [path.name for path in tuned.iterdir() if path.name.endswith(".partial")] == []


def _remember_many(name):
    for number in range(15):
        PlanCache().remember(choice(f"{name} {number}"))


def _remember_many_without_a_warning(name):
    warnings.simplefilter("error")
    _remember_many(name)


# newer Pythons warn of forking where any thread has run
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_add_to_what_the_others_wrote(tuned, method):
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=_remember_many_without_a_warning, args=(name,)) for name in "abc"]
    for process in processes:
        process.start()
    _remember_many("here")
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    written = {f"{name} {number}" for name in ("a", "b", "c", "here") for number in range(15)}
    assert {entry.key for entry in plan_cache.entries()} == written


def test_threads_add_to_what_the_others_wrote(tuned):
    threads = [threading.Thread(target=_remember_many, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(plan_cache.entries()) == 45


@pytest.mark.skipif(files.fcntl is None, reason="no locks between processes here")
def test_a_lock_that_is_never_given_back_holds_nobody_up(tuned, monkeypatch):
    monkeypatch.setattr(files, "_PATIENCE", 0.02)
    tuned.mkdir()
    with files.alone(plan_cache.path):
        plan_cache.remember(choice())
    assert plan_cache.entries() == [choice()]


@pytest.mark.skipif(files.fcntl is None, reason="no locks between processes here")
def test_a_process_forked_in_the_middle_of_a_write_holds_nobody_up(tuned, monkeypatch):
    tuned.mkdir()
    open_, opened = os.open, []
    monkeypatch.setattr(os, "open", lambda *words: opened.append(open_(*words)) or opened[-1])
    with files.alone(plan_cache.path):
        copy = os.dup(opened[0])  # what a fork does with every open file
    with open(f"{plan_cache.path}.lock") as lock:
        files.fcntl.flock(lock, files.fcntl.LOCK_EX | files.fcntl.LOCK_NB)  # an error where it is held
    os.close(copy)


def test_without_locks_the_file_is_whole_all_the_same(tuned, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    for key in "ab":
        plan_cache.remember(choice(key))
    assert PlanCache().entries() == [choice("a"), choice("b")]
