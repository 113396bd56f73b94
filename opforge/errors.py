"""What opforge raises when it is given something that it cannot use, or when work fails.

This module imports nothing of the project, so that any part of the project may use it.
"""

import errno
from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something that the caller gave is wrong. The text says the name, what was expected, what came, the remedy."""


class UnknownNameError(InputError):
    """A name that is in no registry; the text names the closest that is.

    Example:
        >>> raise UnknownNameError("recipe", "drcy", ["burgers", "darcy"])
        Traceback (most recent call last):
        ...
        opforge.errors.UnknownNameError: unknown recipe 'drcy'; did you mean 'darcy'? Known: burgers, darcy
    """

    def __init__(self, kind: str, name: object, known: Iterable[str]):
        known = sorted(known)
        close = get_close_matches(name, known, n=1) if isinstance(name, str) else []
        hint = f"did you mean {close[0]!r}? " if close else ""
        super().__init__(f"unknown {kind} {name!r}; {hint}Known: {', '.join(known)}")


class WorkError(RuntimeError):
    """The input was fine and the work failed: a solver that did not converge, a loss that became NaN."""


def no_room(error: OSError) -> bool:
    """Whether a write failed because the disk, the quota or the file is full: the place was the caller's choice.

    Example:
        >>> no_room(OSError(errno.ENOSPC, "No space left on device"))
        True
    """
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def make_room(error: OSError) -> str:
    """What helps where there was no room.

    Example:
        >>> make_room(OSError(errno.ENOSPC, "No space left on device"))
        'free some space'
    """
    return "raise the limit on the size of a file (ulimit -f)" if error.errno == errno.EFBIG else "free some space"
