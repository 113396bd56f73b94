"""How long each back end takes for a call, measured without a trace in the caller's state."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

BUDGET = 0.3  # seconds of timed calls, all back ends together
_SAMPLE = 2e-3  # seconds that one back end's turn lasts at least, as far as so many calls reach
_MOST_IN_A_ROW = 20
_FEWEST, _MOST = 3, 100  # rounds


def medians(
    trial: Callable[[str], Callable[[], object]], names: Sequence[str], *, budget: float = BUDGET
) -> dict[str, float]:
    """The median time of a call with each back end, in milliseconds; the back ends take turns.

    Each is called twice to warm up: the first call makes plans and starts threads. Rounds in which each has its turn
    follow until ``budget`` is used up, three at least. Nothing that the caller has set for torch holds for the calls
    or is changed by them; see `undisturbed`.

    Args:
        trial: given a name, makes the call, with its data.
        names: the back ends.
        budget: seconds.

    Raises:
        Exception: whatever a call raises.

    Example:
        >>> times = medians(lambda name: lambda: sum(range(1000 if name == "slow" else 10)), ["slow", "fast"])
        >>> times["slow"] > times["fast"]
        True
    """
    with undisturbed():
        calls = {name: trial(name) for name in names}
        repeats = {name: _repeats(call) for name, call in calls.items()}
        times: dict[str, list[float]] = {name: [] for name in names}
        deadline = time.perf_counter() + budget
        for turn in range(_MOST):
            for name, call in calls.items():
                times[name].append(_seconds(call, repeats[name]))
            if turn + 1 >= _FEWEST and time.perf_counter() > deadline:
                break
    return {name: 1e3 * statistics.median(seen) for name, seen in times.items()}


@contextmanager
def undisturbed() -> Iterator[None]:
    """A block in which torch is as after its import, and which leaves the caller's state as it was.

    Gradients are on; inference mode, autocast and the default device are off; hooks on saved tensors are not called
    (activation checkpointing counts what they see); random numbers are drawn from generators that are set back. The
    default number type and the number of threads stay the caller's: they hold for all threads.

    A thread of its own would have most of this for nothing, but measure something else: it has OpenMP threads of its
    own, with the caller's more of them are alive than there are cores, and GNU's OpenMP then puts threads to sleep at
    every barrier. A call of 0.2 ms took 0.5 ms there.

    Example:
        >>> import torch
        >>> with torch.no_grad(), undisturbed():
        ...     torch.is_grad_enabled()
        True
    """
    import torch

    with ExitStack() as stack:
        cards = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
        stack.enter_context(torch.random.fork_rng(devices=cards))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(torch.autograd.graph.saved_tensors_hooks(_as_it_is, _as_it_is))
        yield


def _as_it_is(tensor: Any) -> Any:
    return tensor


def _repeats(call: Callable[[], object]) -> int:
    """Warm up; how often to call in a row, so that the clock, and waiting for a graphics card, do not count."""
    _seconds(call, 1)
    return max(1, min(_MOST_IN_A_ROW, int(_SAMPLE / max(_seconds(call, 1), 1e-9))))


def _seconds(call: Callable[[], object], repeats: int) -> float:
    _wait_for_graphics()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    _wait_for_graphics()
    return (time.perf_counter() - start) / repeats


def _wait_for_graphics() -> None:
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
