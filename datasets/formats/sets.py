"""The files that a path stands for: one, or the shards of a dataset."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from opforge.datasets.files.names import home_hint
from opforge.errors import InputError

# Endings of files that may be shards.
ENDINGS = (".nc", ".h5", ".hdf5")


def members(path: str | os.PathLike | Sequence[str | os.PathLike]) -> list[Path]:
    """The files of a path, a pattern, a folder or a sequence of paths.

    Raises:
        InputError: nothing fits; something that is no path; in a folder, a symbolic link that leads out of it.

    Example:
        >>> members(["b.nc", "a.nc"])
        [PosixPath('b.nc'), PosixPath('a.nc')]
    """
    if not isinstance(path, str | os.PathLike):
        if not path:
            raise InputError("path must name at least one file, got an empty sequence")
        wrong = [part for part in path if not isinstance(part, str | os.PathLike)]
        if wrong:
            raise InputError(f"path must be a path or several paths, got {type(wrong[0]).__name__} {wrong[0]!r:.80}")
        return [Path(part) for part in path]
    place = Path(path)
    if os.path.isdir(place):
        return _in_folder(place, [entry for entry in _entries(place) if entry.suffix in ENDINGS])
    if not os.path.lexists(place) and glob.has_magic(str(path)):
        found = sorted(map(Path, glob.glob(str(path))))
        if not found:
            remedy = home_hint(path) or f"check it (the current folder is {Path.cwd()})"
            raise InputError(f"no file fits the pattern {path}; {remedy}")
        return [
            part
            for folder in dict.fromkeys(p.parent for p in found)
            for part in _in_folder(folder, [p for p in found if p.parent == folder])
        ]
    return [place]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"the folder {folder} may not be read; change its permissions or name the files") from error


def _in_folder(folder: Path, files: list[Path]) -> list[Path]:
    if not files:
        raise InputError(f"{folder} is a folder without files that end in {', '.join(ENDINGS)}; name the file")
    home = Path(os.path.realpath(folder))
    for file in files:
        target = Path(os.path.realpath(file))
        if file.is_symlink() and home not in target.parents:
            raise InputError(
                f"{file} is a symbolic link out of its folder, to {target}, which is not followed; "
                "name that file itself or copy it"
            )
    return files
