"""Trying a file in a process of its own: damaged structures make HDF5's code go round for ever, or crash.

No exception tells of either, and nothing in this process could end it. opforge's own files are checked otherwise, see
`opforge.datasets.files.seal`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing import parent_process
from pathlib import Path

import h5py
import numpy as np

from opforge.datasets.files import walk
from opforge.errors import InputError

# Seconds for going through a file. HDF5 is held to hang when it has not answered after several times as long, with so
# many bytes of the file for every further second.
_SECONDS = 5.0
_PATIENCE = 20.0
_BYTES_PER_SECOND = 50e6


def probe(path: Path) -> None:
    """Let another process go through the structure of an HDF5 file, which takes about as long as importing h5py.

    Only the process that the user started does so: its workers open what it has opened. Where no other process can be
    started, nothing is known of the file, and nothing is said.

    Raises:
        InputError: HDF5 hangs or crashes.
    """
    command = _command(path)
    if command is None:
        return
    folders = {str(Path(str(package.__file__)).parents[1]): None for package in (h5py, np)}
    seconds = _PATIENCE + path.stat().st_size / _BYTES_PER_SECOND
    quiet = subprocess.DEVNULL
    try:
        done = subprocess.run(
            command,
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            timeout=seconds,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"{path} is damaged: HDF5 does not come to an end with it; copy or generate it again"
        ) from error
    except OSError:  # no more processes, no more memory
        return
    if done.returncode < 0 or done.returncode >= _CRASHED:
        raise InputError(f"{path} is damaged: HDF5 crashes on it; copy or generate it again")


# How Windows reports a crash: the status codes of errors begin here.
_CRASHED = 0xC0000000


def _command(path: Path) -> list[str] | None:
    """What to start; None in a process that should not, or where no Python is known that could."""
    program = Path(sys.executable or "").name.lower()
    if parent_process() is not None or getattr(sys, "frozen", False) or not program.startswith("python"):
        return None
    # without the user's site and start-up files, which take time, and without the script's own folder
    return [sys.executable, "-S", "-P", str(walk.__file__), str(path), str(_SECONDS)]
