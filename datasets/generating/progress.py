"""A bar that tells how far a generation is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(title: str | None, samples: int, done: int) -> Iterator[Callable[[int], None]]:
    """A function that moves the bar on by a number of samples; no bar without a title.

    Args:
        title: before the bar.
        samples: how many there will be.
        done: how many there are already.

    Example:
        >>> with progress_bar(None, 10, 0) as advance:
        ...     advance(3)
    """
    if title is None:
        yield lambda count: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=samples, completed=done)
        yield lambda count: bar.advance(task, count)
