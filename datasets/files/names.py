"""Paths of files to write that the system does not take, and ~, which is a home folder for a shell alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from opforge.datasets.files.whole import LONGEST_ENDING
from opforge.errors import InputError


def check_place(path: Path, what: str) -> None:
    """Refuse a file to write whose path the system does not take, or would not while it is written.

    Args:
        path: the file.
        what: what it is, for the error.

    Raises:
        InputError: a name or a path that is too long, a folder that may not be entered.
    """
    size, added = len(os.fsencode(path.name)), len(LONGEST_ENDING)
    try:
        most = os.pathconf(path.parent, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # not a POSIX system, no such folder
        most = 255
    if size + added > most:
        raise InputError(
            f"{what} must have a name of at most {most - added} bytes, got {size}: the file system takes {most}, and "
            f"the name is longer by {added} while the file is written; choose a shorter one"
        )
    try:
        os.stat(path.parent / (path.name + LONGEST_ENDING) / path.name)  # no path is longer while it is written
    except PermissionError as error:
        raise InputError(
            f"{what} lies in {path.parent}, a folder that may not be entered; change its permissions or choose another"
        ) from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            size = len(os.fsencode(path.parent))
            raise InputError(
                f"{what} lies in a folder whose name or path is too long for this system, {size} bytes; choose another"
            ) from error


def home_hint(path: str | os.PathLike) -> str:
    """What to give instead of a path that begins with a ~ that no shell has replaced; nothing for other paths.

    Example:
        >>> home_hint("darcy.nc")
        ''
    """
    given = os.fspath(path)
    meant = os.path.expanduser(given)
    return "" if meant == given else f"~ is no home folder in quotes or in Python: give {meant!r}"
