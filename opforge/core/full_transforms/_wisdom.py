"""FFTW's measured plans ("wisdom"), kept in a file of the user's cache folder for all processes on this machine.

There is one file per processor and build of FFTW. It is read when a process first measures, and again when another
process has added to it. Whoever lacks a plan measures it while holding the file's lock, so that processes which meet
the same new size at once end with the same plan. Losing the file costs time only. The functions here must not run
while another thread plans; `opforge.core.full_transforms._fftw` sees to that.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from opforge.core.choice._choices_file import write
from opforge.core.choice.cache_folder import user_cache
from opforge.core.choice.machine import processor
from opforge.core.full_transforms._pyfftw import pyfftw

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_PATIENCE = 60.0  # seconds to wait for another process that measures, before measuring all the same


class WisdomWarning(UserWarning):
    """The file of FFTW's plans is damaged or cannot be kept; transforms work all the same."""


_complaints: deque[str] = deque()
_complained: set[Path] = set()
_read: tuple[object, ...] = ()  # which file was read last, and in which state


def file() -> Path:
    """Where the wisdom is kept; it need not exist."""
    return user_cache() / f"fftw-{_build()}.json"


def refresh() -> None:
    """Add what the file holds to FFTW's wisdom, if that has not been done."""
    global _read
    path = file()
    try:
        state = path.stat()
        seen = (path, state.st_mtime_ns, state.st_size, state.st_ino)
        if seen != _read:
            _learn(path.read_text(encoding="utf-8"))
            _read = seen
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        _complain(path, f"cannot be read ({error.strerror})")
    except (ValueError, RecursionError) as error:
        _complain(path, f"is damaged ({error}) and is made anew")


def save() -> None:
    """Put all of FFTW's wisdom into the file; call it with the file's lock held and the file just read."""
    global _read
    path = file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, _content())
        state = path.stat()
        _read = (path, state.st_mtime_ns, state.st_size, state.st_ino)
    except OSError as error:
        advice = "set OPFORGE_CACHE to a folder that you may write"
        _complain(path, f"cannot be written ({error.strerror}); {advice}")


@contextmanager
def alone() -> Iterator[None]:
    """Keep other processes from measuring in the block; on systems without file locks, do nothing."""
    lock = _opened_lock()
    if fcntl is None or lock is None:
        yield
        return
    held = _take(lock)
    try:
        yield
    finally:
        if held:  # closing alone would leave it to a process that inherited the open file
            fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


@contextmanager
def set_aside() -> Iterator[None]:
    """Have FFTW plan in the block as if it had measured nothing."""
    kept = pyfftw.export_wisdom()
    pyfftw.forget_wisdom()
    try:
        yield
    finally:
        pyfftw.forget_wisdom()
        pyfftw.import_wisdom(kept)


def warn() -> None:
    """Say what went wrong with the file, once per file and process. Apart from the rest, to be called without locks."""
    while True:
        try:
            text = _complaints.popleft()
        except IndexError:  # another thread may have taken it
            return
        warnings.warn(text, WisdomWarning, stacklevel=2)


def _learn(text: str) -> None:
    content: Any = json.loads(text)
    if not isinstance(content, dict) or set(content) != {"what", "double", "single", "sha256"}:
        raise ValueError("it does not hold what it should")
    double, single = content["double"], content["single"]
    if not (isinstance(double, str) and isinstance(single, str) and _digest(double, single) == content["sha256"]):
        raise ValueError("its checksum is wrong")
    # the third is long double's, which opforge has no use for
    if pyfftw.import_wisdom((double.encode(), single.encode(), b""))[:2] != (True, True):
        raise ValueError("FFTW refuses it")


def _content() -> str:
    double, single = (wisdom.decode() for wisdom in pyfftw.export_wisdom()[:2])
    what = "plans that FFTW measured for opforge; may be deleted"
    return json.dumps({"what": what, "double": double, "single": single, "sha256": _digest(double, single)}, indent=1)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


@cache
def _build() -> str:
    """A word for this processor with this build of FFTW: the head of FFTW's wisdom names its version and algorithms."""
    heads = [wisdom.decode().partition("\n")[0] for wisdom in pyfftw.export_wisdom()]
    return f"{pyfftw.fftw_version}-{_digest(processor(), *heads)[:12]}"


def _complain(path: Path, what: str) -> None:
    if path not in _complained:
        _complained.add(path)
        _complaints.append(f"the file of FFTW's measured plans {path} {what}")


def _opened_lock() -> int | None:
    if fcntl is None:
        return None
    path = file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:  # a folder that may not be written, of which `save` will tell
        return None


def _take(lock: int) -> bool:
    assert fcntl is not None  # there is no lock without it
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.005)
        except OSError:  # a file system without locks
            return False
    return False
