"""Whether a file can be read at all: damaged structures make HDF5's code go round for ever, or crash, and scipy's too.

No exception tells of either, and nothing in this process could end it. So a file that opforge wrote is compared with
its seal before, and any other one is tried in a process of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from multiprocessing import parent_process
from pathlib import Path

import h5py

from opforge.datasets.files import walk
from opforge.datasets.files.seal import is_sealed
from opforge.errors import InputError

# Seconds for going through a file. It is held to hang when there is no answer after several times as long, with so many
# bytes of the file for every further second.
_SECONDS = 5.0
_PATIENCE = 20.0
_BYTES_PER_SECOND = 50e6

# How Windows reports a crash: the status codes of errors begin here. Elsewhere it is a negative number, of the signal.
_CRASHED = 0xC0000000

# Signals that tell a process to end, as a batch system sends them.
_ENDED = (signal.SIGINT, signal.SIGTERM)

# The state of every file that was examined: device, number, size and time of its last change. What changed a moment ago
# may change again within the same tick of the file system's clock.
_examined: dict[str, tuple[int, ...]] = {}
_TICK = 50_000_000  # nanoseconds


def examine(path: Path) -> None:
    """Refuse a file that HDF5 or scipy could stumble over, once for each of its states.

    Raises:
        InputError: see `opforge.datasets.files.seal.is_sealed` and `probe`.
        OSError: it cannot be read.
    """
    status = path.stat()
    state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    if _examined.get(str(path)) == state:
        return
    if not is_sealed(path):
        probe(path)
    if time.time_ns() - status.st_mtime_ns > _TICK:
        _examined[str(path)] = state


def probe(path: Path) -> None:
    """Let another process go through a file of HDF5 or MATLAB, which takes little longer than importing h5py or scipy.

    Only the process that the user started does so: its workers open what it has opened. Where no other process can be
    started, nothing is known of the file, and nothing is said.

    Raises:
        InputError: reading it hangs or crashes.
        OSError: it cannot be read.
    """
    if not (h5py.is_hdf5(path) or walk.is_matlab(str(path))) or not _may_start():
        return
    # without the user's site and start-up files, which take time, and without the script's own folder
    command = [sys.executable, "-S", "-P", str(walk.__file__), str(path), str(_SECONDS)]
    specs = (find_spec(name) for name in ("h5py", "numpy", "scipy"))
    folders = dict.fromkeys(str(Path(spec.origin).parents[1]) for spec in specs if spec and spec.origin)
    quiet = subprocess.DEVNULL
    try:
        done = subprocess.run(
            command,
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            timeout=_PATIENCE + path.stat().st_size / _BYTES_PER_SECOND,
            start_new_session=True,  # Ctrl-C is for this process alone
            # a file that this process is writing is locked
            env={**os.environ, "PYTHONPATH": os.pathsep.join(folders), "HDF5_USE_FILE_LOCKING": "FALSE"},
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{path} is damaged: reading it does not come to an end; copy or generate it again") from error
    except OSError:  # no more processes, no more memory
        return
    if -done.returncode in _ENDED:  # by somebody, not by the file
        return
    if done.returncode < 0 or done.returncode >= _CRASHED:
        raise InputError(f"{path} is damaged: reading it crashes; copy or generate it again")


def _may_start() -> bool:
    """Whether this is a process that should start another, and one whose Python is known."""
    program = Path(sys.executable or "").name.lower()
    return parent_process() is None and not getattr(sys, "frozen", False) and program.startswith("python")
