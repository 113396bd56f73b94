import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from opforge.datasets.files.whole import note_said, partial_of, samples_left, written_whole


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.txt"
    with written_whole(path) as partial:
        partial.write_text("first")
        assert not path.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]
    with pytest.raises(OSError, match="full"), written_whole(path) as partial:
        partial.write_text("sec")
        raise OSError(errno.ENOSPC, "disk full")
    assert path.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


# Writes half of a file, says so, and waits to be killed.
WRITER = """
import sys, time
from pathlib import Path
from opforge.datasets.files.whole import note_said, partial_of, samples_left, written_whole

with written_whole(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    print("half", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    """A process in the middle of writing ``out.txt``."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "out.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "half\n"
        yield process
        process.kill()


def write(path, text="all of it"):
    with written_whole(path) as partial:
        partial.write_text(text)


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path, writer):
    (left,) = tmp_path.iterdir()
    write(tmp_path / "out.txt", "theirs")
    assert left.is_dir() and (left / "out.txt").read_text() == "half", "its writer is alive"
    writer.kill()
    writer.wait()
    write(tmp_path / "other.txt")
    assert left.is_dir(), "it is of another file"
    write(tmp_path / "out.txt")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.txt", "out.txt"]
    assert (tmp_path / "out.txt").read_text() == "all of it"


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_what_another_machine_writes_is_left_alone(tmp_path, writer):
    """Where machines do not share their locks, its writer would seem to be gone."""
    writer.kill()
    writer.wait()
    (left,) = tmp_path.iterdir()
    (left / "out.txt.lock").write_text("another machine")
    write(tmp_path / "out.txt")
    assert left.is_dir()


def test_folders_of_the_user_are_left_alone(tmp_path):
    for name in ("out.txt.partial", "out.txt.12345678.partial", "out.txt.notes.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "precious").write_text("mine")
    (tmp_path / "out.txt.abcdefgh.partial").write_text("a file of mine")
    (tmp_path / "out.txt.87654321.partial").mkdir()  # as a writer leaves it that is killed at once
    write(tmp_path / "out.txt")
    assert len(list(tmp_path.rglob("precious"))) == 3
    assert (tmp_path / "out.txt.abcdefgh.partial").exists() and not (tmp_path / "out.txt.87654321.partial").exists()


def test_names_like_those_in_the_folder(tmp_path):
    for name in ("lock", "out.txt.lock", "out.txt.partial"):
        write(tmp_path / name, name)
        assert (tmp_path / name).read_text() == name
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_that_is_missing_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        write(tmp_path / "none" / "out.txt")
    assert raised.value.filename == str(tmp_path / "none" / "out.txt")


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_many_writers_of_one_file(tmp_path):
    """None takes another's folder for a remain, however they interleave."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: write(tmp_path / "out.txt", str(number)), range(400)))
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def test_an_interrupt_says_once_where_earlier_samples_are(tmp_path):
    path = tmp_path / "d.nc"
    with pytest.raises(KeyboardInterrupt), samples_left(path):  # no warning: there are none
        raise KeyboardInterrupt
    partial_of(path).touch()
    where = (
        r"stopped before it went on; the samples of the earlier run are in .*d\.nc\.partial, as they were: go on with "
    )
    with (
        pytest.warns(UserWarning, match=where) as told,
        pytest.raises(KeyboardInterrupt),
        samples_left(path),
        samples_left(path),
    ):
        raise KeyboardInterrupt
    assert len(told) == 1
    with pytest.raises(KeyboardInterrupt), samples_left(path):
        interrupt = KeyboardInterrupt()
        note_said(interrupt)
        raise interrupt
