"""The ``opforge`` command: what the library does, from a shell."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, see `opforge.cli.app.main`; Ctrl-C is one line while that is still being loaded, too.

    Example:
        >>> main(["--version"])  # doctest: +ELLIPSIS
        opforge ...
        0
    """
    try:
        from opforge.cli import app
    except KeyboardInterrupt:
        sys.stderr.write("opforge: interrupted\n")
        return 130
    return app.main(arguments)


__all__ = ["main"]
