"""Files that appear whole or not at all, and what a process that was killed left of them."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# How files end that are being written.
PARTIAL = ".partial"
_ASSEMBLED = ".assembled"

# No name of a file or a folder is longer by more while a file is written.
LONGEST_ENDING = _ASSEMBLED + PARTIAL

# The note at an interrupt, see `samples_left`.
_SAID = "the samples that were made are kept"

# What `tempfile` puts between the file's name and the ending.
_RANDOM = re.compile(r"[a-z0-9_]{8}")


def partial_of(path: Path) -> Path:
    """Where the samples of ``path`` are while they are generated or joined, to be gone on with."""
    return path.parent / (path.name + PARTIAL)  # a folder such as "." has no name


def assembled_of(path: Path) -> Path:
    """Where compressed samples are put together at the end; a process that is killed meanwhile leaves it."""
    return path.with_name(path.name + _ASSEMBLED + PARTIAL)


def whole_of(partial: Path) -> Path:
    """The file that `partial_of` or `assembled_of` was asked about."""
    return partial.with_name(partial.name.removesuffix(PARTIAL).removesuffix(_ASSEMBLED))


@contextmanager
def samples_left(path: Path) -> Iterator[None]:
    """A block in which an interrupt says that an earlier run's samples for ``path``, if there are any, are safe.

    A block within, or a writer, that has said where the samples are leaves a note at the interrupt: it is said once.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if os.path.exists(partial_of(path)) and not said(interrupt):
            where = f"the samples of the earlier run are in {partial_of(path)}, as they were"
            note_said(interrupt)
            warnings.warn(f"stopped before it went on; {where}: go on with resume=True (--resume)", stacklevel=3)
        raise


def said(interrupt: BaseException) -> bool:
    """Whether it was said where the samples are."""
    return _SAID in getattr(interrupt, "__notes__", ())


def note_said(interrupt: BaseException) -> None:
    """Have `samples_left` not say again where the samples are."""
    interrupt.add_note(_SAID)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path to write to; it becomes ``path`` when the block ends, and is removed when the block fails.

    It lies in a folder of its own beside ``path``. A process that is killed leaves that folder; whoever writes ``path``
    on the same machine next removes it. A lock tells whether its writer still lives; where the system has none, as on
    Windows, nothing is removed.

    Raises:
        OSError: writing failed; it names ``path``.

    Example:
        >>> folder = tempfile.TemporaryDirectory()
        >>> with written_whole(Path(folder.name, "a.txt")) as partial:
        ...     _ = partial.write_text("all of it")
        >>> os.listdir(folder.name)
        ['a.txt']
    """
    try:
        _remove_remains(path)
        with _own_folder(path) as folder:
            partial = folder / path.name
            yield partial
            os.replace(partial, path)
    except OSError as error:
        error.filename = str(path)  # a failing write does not say which file it was
        raise


@contextmanager
def _own_folder(path: Path) -> Iterator[Path]:
    """A new folder beside ``path``, locked until the block ends and then removed."""
    while True:
        folder = Path(tempfile.mkdtemp(PARTIAL, f"{path.name}.", path.parent))
        with suppress(FileNotFoundError):  # another writer took it for a remain before it was locked
            file = open(_lock(folder, path), "xb", buffering=0)  # noqa: SIM115 -- closed below
            file.write(_host())
            if _locked(file) is not False and _lock(folder, path).exists():
                break
            file.close()
    try:
        yield folder
    finally:
        file.close()
        shutil.rmtree(folder, ignore_errors=True)


def _remove_remains(path: Path) -> None:
    """Remove the folders in which processes wrote ``path`` that are gone; nothing else, whatever its name is."""
    with suppress(OSError):  # a folder that may not be listed
        for folder in os.scandir(path.parent):
            middle = folder.name.removeprefix(f"{path.name}.").removesuffix(PARTIAL)
            named = folder.name == f"{path.name}.{middle}{PARTIAL}" and _RANDOM.fullmatch(middle)
            if named and folder.is_dir(follow_symlinks=False):
                with suppress(OSError):  # it went meanwhile, or belongs to another user
                    _remove_if_left(Path(folder.path), path)


def _remove_if_left(folder: Path, path: Path) -> None:
    lock, found = _lock(folder, path), set(os.listdir(folder))
    if not found:
        folder.rmdir()  # its writer died, or makes another one
    elif lock.name in found and found <= {lock.name, path.name}:
        with open(lock, "r+b") as file:
            # disks that machines share do not always share their locks
            if file.read() != _host() or not _locked(file):
                return
            (folder / path.name).unlink(missing_ok=True)
            lock.unlink()
        folder.rmdir()


def _lock(folder: Path, path: Path) -> Path:
    """What is locked as long as somebody writes ``path`` in a folder; it names the machine."""
    return folder / f"{path.name}.lock"


def _host() -> bytes:
    return platform.node().encode()


def _locked(file: Any) -> bool | None:
    """Whether nobody else has the file, which is then this process's while it is open; None where that is not known."""
    try:
        import fcntl
    except ImportError:  # on Windows
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True
