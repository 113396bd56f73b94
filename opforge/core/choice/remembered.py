"""What was measured about back ends on this machine: kept in a small JSON file, shared by all processes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from opforge.core.choice import _choices_file as files
from opforge.core.choice._choices_file import Choices, Machine, RememberedChoice
from opforge.core.choice.cache_folder import user_cache
from opforge.core.choice.machine import description


class PlanCacheWarning(UserWarning):
    """The file of remembered choices is damaged or cannot be kept; results do not depend on it."""


class PlanCache:
    """The remembered choices among back ends: which were measured on this machine, and how long they took.

    The file is text that a person can read. It keeps machines apart that share a home folder, by processor, graphics
    cards, torch's and opforge's version, and holds the latest 10,000 choices of all of them. Several processes may
    write it: each adds to what the others wrote. A damaged file is replaced, with one warning. Where the folder
    cannot be written, one warning says so, and choices last as long as the process.

    Example:
        >>> plan_cache.path.name
        'choices-1.json'
        >>> plan_cache.find("spectral_conv", "no calls of this kind") is None
        True
    """

    def __init__(self) -> None:
        self._unsaved: Choices = {}
        self._read: tuple[object, dict[Machine, Choices]] = (None, {})
        self._warned: set[Path] = set()
        self._to_forget: list[Callable[[], object]] = []

    @property
    def path(self) -> Path:
        """The file, in the folder that ``OPFORGE_CACHE`` names or the user's cache folder; it need not exist."""
        return user_cache() / files.NAME

    def entries(self) -> list[RememberedChoice]:
        """What is remembered for this machine, the latest last; each has ``op``, ``key``, ``backend``, ``medians``."""
        return list(self._here().values())

    def find(self, op: str, key: str) -> RememberedChoice | None:
        """What is remembered for this machine and such calls."""
        return self._here().get((op, key))

    def remember(self, choice: RememberedChoice) -> None:
        """Add a choice to the file, in place of an earlier one for such calls."""
        place = (choice.op, choice.key)

        def add(choices: Choices) -> None:
            choices.pop(place, None)
            choices[place] = choice

        try:
            self._change(lambda machines: add(machines.setdefault(_here(), {})))
            self._unsaved.pop(place, None)
        except OSError as error:
            add(self._unsaved)
            self._warn_unwritable(error)

    def forget(self, op: str) -> None:
        """Forget what is remembered of ``op`` for this machine, in the file and in this process.

        Raises:
            OSError: the file cannot be written.
        """
        self._unsaved = _without(op, self._unsaved)
        self._forgotten()
        if any(entry.op == op for entry in self.entries()):
            self._change(lambda machines: machines.update({_here(): _without(op, machines.get(_here(), {}))}))

    def clear(self) -> None:
        """Forget everything, for every machine, in the file and in this process.

        Raises:
            OSError: the file cannot be removed.
        """
        self._unsaved = {}
        self._forgotten()
        if self.path.exists():
            with files.alone(self.path):  # another process may be about to add to what it has read
                self.path.unlink(missing_ok=True)

    def when_forgotten(self, action: Callable[[], object]) -> None:
        """Call ``action`` whenever something is forgotten."""
        self._to_forget.append(action)

    def __repr__(self) -> str:
        entries = self.entries()
        ops = ", ".join(f"{sum(e.op == op for e in entries)} of {op}" for op in sorted({e.op for e in entries}))
        return f"<plan cache {self.path}: {ops or 'nothing'} for this machine>"

    def _forgotten(self) -> None:
        for action in self._to_forget:
            action()

    def _here(self) -> Choices:
        return self._content().get(_here(), {}) | self._unsaved

    def _content(self) -> dict[Machine, Choices]:
        """The file's content, read again when the file is another than the one that was read."""
        path = self.path
        try:
            state = path.stat()
            seen = (path, state.st_mtime_ns, state.st_size, state.st_ino)
            if self._read[0] != seen:
                self._read = (seen, files.parsed(path.read_text(encoding="utf-8")))
            return self._read[1]
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            self._warn(f"cannot be read ({error.strerror})")
        except ValueError as error:
            self._warn_damaged(error)
            self._make_anew()
        return {}

    def _make_anew(self) -> None:
        try:
            self._change(lambda machines: None)
        except OSError as error:
            self._warn_unwritable(error)

    def _change(self, change: Callable[[dict[Machine, Choices]], object]) -> None:
        """Apply ``change`` to what the file holds by now."""
        path = self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.alone(path):
            try:
                machines = files.parsed(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                machines = {}
            except ValueError as error:
                self._warn_damaged(error)
                machines = {}
            change(machines)
            if _here() in machines:  # the machine in use comes last: what is left out first is the oldest
                machines[_here()] = machines.pop(_here())
            files.write(path, files.rendered(machines))

    def _warn_damaged(self, error: ValueError) -> None:
        self._warn(f"is damaged ({error}) and is made anew")

    def _warn_unwritable(self, error: OSError) -> None:
        self._warn(
            f"cannot be written ({error.strerror}); set OPFORGE_CACHE to a folder that you may write, "
            "or OPFORGE_TUNE=off to choose back ends without measuring"
        )

    def _warn(self, what: str) -> None:
        path = self.path
        if path not in self._warned:
            self._warned.add(path)
            warnings.warn(f"the file of remembered back ends {path} {what}", PlanCacheWarning, stacklevel=2)


def _without(op: str, choices: Choices) -> Choices:
    return {place: choice for place, choice in choices.items() if place[0] != op}


def _here() -> Machine:
    return files.machine(description())


plan_cache = PlanCache()
