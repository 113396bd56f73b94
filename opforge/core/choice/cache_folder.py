"""Where opforge keeps what it has learnt about this machine: FFTW's plans, and which back end was fastest."""

from __future__ import annotations

import getpass
import os
import sys
import tempfile
from pathlib import Path

from opforge.errors import InputError


def user_cache() -> Path:
    """The folder for what can be lost without harm; it need not exist yet, nor be writable.

    ``$OPFORGE_CACHE`` where it is set, else ``$XDG_CACHE_HOME/opforge``, else the platform's usual place:
    ``~/.cache/opforge``, on macOS ``~/Library/Caches/opforge``, on Windows ``%LOCALAPPDATA%\\opforge\\Cache``. A user
    without a home gets a folder in the system's temporary one. The variables are read at each call. A relative
    ``$XDG_CACHE_HOME`` is passed over, as the XDG base directory specification asks.

    Raises:
        InputError: ``OPFORGE_CACHE`` begins with the ``~`` of a user who does not exist.

    Example:
        >>> user_cache().is_absolute()
        True
    """
    chosen = os.environ.get("OPFORGE_CACHE")
    if chosen:
        try:
            return Path(chosen).expanduser().absolute()
        except RuntimeError as error:
            raise InputError(
                f"OPFORGE_CACHE must name a folder, got {chosen!r}, whose home is unknown; write the path out"
            ) from error
    common = os.environ.get("XDG_CACHE_HOME", "")
    if common and Path(common).is_absolute():
        return Path(common) / "opforge"
    try:
        home = Path.home()
    except RuntimeError:  # a container may run under a user number that no file knows
        return Path(tempfile.gettempdir()) / f"opforge-{_user()}"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "opforge" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "opforge"
    return home / ".cache" / "opforge"


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
