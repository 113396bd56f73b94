"""The files that a path stands for: one, or the shards of a dataset."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from opforge.errors import InputError

# Endings of files that may be shards.
ENDINGS = (".nc", ".h5", ".hdf5")


def members(path: str | os.PathLike | Sequence[str | os.PathLike]) -> list[Path]:
    """The files of a path, a pattern, a folder or a sequence of paths.

    Raises:
        InputError: nothing fits; in a folder, a symbolic link that leads out of it, or a shard that is not finished.

    Example:
        >>> members(["b.nc", "a.nc"])
        [PosixPath('b.nc'), PosixPath('a.nc')]
    """
    if not isinstance(path, str | os.PathLike):
        if not path:
            raise InputError("path must name at least one file, got an empty sequence")
        return [Path(part) for part in path]
    place = Path(path)
    if place.is_dir():
        return _in_folder(place, sorted(entry for entry in place.iterdir() if entry.suffix in ENDINGS))
    if not place.exists() and glob.has_magic(str(path)):
        found = sorted(map(Path, glob.glob(str(path))))
        if not found:
            raise InputError(f"no file fits the pattern {path}; check it (the current folder is {Path.cwd()})")
        return [
            part
            for folder in dict.fromkeys(p.parent for p in found)
            for part in _in_folder(folder, [p for p in found if p.parent == folder])
        ]
    return [place]


def _in_folder(folder: Path, files: list[Path]) -> list[Path]:
    if not files:
        raise InputError(f"{folder} is a folder without files that end in {', '.join(ENDINGS)}; name the file")
    home = folder.resolve()
    for file in files:
        if file.is_symlink() and home not in file.resolve().parents:
            raise InputError(
                f"{file} is a symbolic link out of its folder, to {file.resolve()}, which is not followed; "
                "name that file itself or copy it"
            )
    return files
