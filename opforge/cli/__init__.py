"""The ``opforge`` command: what the library does, from a shell."""

from opforge.cli.app import main

__all__ = ["main"]
