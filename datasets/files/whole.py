"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path to write to; it becomes ``path`` when the block ends, and is removed when the block fails.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> with written_whole(Path(folder.name, "a.txt")) as partial:
        ...     _ = partial.write_text("all of it")
        >>> os.listdir(folder.name)
        ['a.txt']
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        error.filename = str(path)  # a failing write does not say which file it was
        raise
    finally:
        partial.unlink(missing_ok=True)
