"""A bar that tells how far long work is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(title: str | None, samples: int, done: int) -> Iterator[Callable[..., None]]:
    """A function that moves the bar on by a number of samples and may put a note behind it; no bar without a title.

    Args:
        title: before the bar.
        samples: how many there will be, or steps.
        done: how many there are already.

    Example:
        >>> with progress_bar(None, 10, 0) as advance:
        ...     advance(3, "half as large as at the start")
    """
    if title is None:
        yield lambda count, note="": None
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
        progress.TextColumn("{task.fields[note]}"),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=samples, completed=done, note="")
        yield lambda count, note="": bar.update(task, advance=count, note=note)
