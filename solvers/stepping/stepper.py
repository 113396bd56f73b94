"""Time steppers: objects that take a state one step further; many steps, and the frames on the way."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError, WorkError
from opforge.pdes._arrays import check_array, concatenate


class Stepper(ABC):
    """Takes a state (samples, components, *space), numpy or torch, over one time step: ``stepper(state) -> state``.

    A stepper may work on states in a form of its own, such as Fourier coefficients: `prepare` gives it, `advance` takes
    a step, `finish` gives the state back. Many steps in a row then cost no detour. None of them changes what it is
    given, and gradients flow through all of them in torch.

    Attributes:
        dt: the time of a step.
        recordable: whether a step is the same work whatever the state holds, so that `Recorded` can replay it.
        limited: whether slopes are limited, where the state has extrema and jumps. Limiters switch from step to step,
            and the errors of steps are noise, which adds up by its squares.
    """

    dt: float
    recordable: bool = False
    limited: bool = False

    def halved(self) -> Stepper | None:
        """The same steps, each in twice as many parts; None where a stepper does not choose its parts itself."""
        return None

    def check_start(self, state: Any) -> None:  # noqa: B027 -- a stepper without a limit that depends on the state
        """Refuse, before a run starts from a state, a time step that it does not bear; gradients are not looked at.

        Raises:
            StepTooLong: such a step, with the limit.
        """

    def prepare(self, state: Any) -> Any:
        """A state in the form that `advance` takes."""
        return state

    @abstractmethod
    def advance(self, inner: Any) -> Any:
        """One step."""

    def advance_by(self, inner: Any, steps: int) -> Any:
        """Several steps."""
        for _ in range(steps):
            inner = self.advance(inner)
        return inner

    def finish(self, inner: Any) -> Any:
        """The state that `prepare` or `advance` gave a form of its own."""
        return inner

    def joined(self, steppers: Sequence[Stepper]) -> Stepper | None:
        """One stepper that does what these do, each for a sample, this one the first; None where there is none."""
        return None

    def separated(self, inner: Any) -> Any:
        """The same with nothing shared between samples, so that what becomes of one does not touch another."""
        return inner

    def __call__(self, state: Any) -> Any:
        return self.finish(self.advance(self.prepare(state)))


class EachSample(Stepper):
    """A stepper of its own for every sample.

    Samples whose stepper is one and the same object are stepped together. So are all of them if the steppers can be
    joined: those of `ETDRK4` can if their equations differ in the linear part or the source alone.

    Args:
        steppers: as many as states have samples, all with the same time step.

    Raises:
        InputError: none of them, or different time steps.
    """

    def __init__(self, steppers: Sequence[Stepper]):
        if not steppers or len({stepper.dt for stepper in steppers}) > 1:
            raise InputError(f"steppers must share a time step, got {[stepper.dt for stepper in steppers]}")
        self.steppers, self.dt = steppers, steppers[0].dt
        self.limited = any(stepper.limited for stepper in steppers)
        members: dict[int, list[int]] = {}
        for i, stepper in enumerate(steppers):
            members.setdefault(id(stepper), []).append(i)
        whole = steppers[0].joined(steppers) if len(members) > 1 else None
        if whole is not None:
            members = {id(whole): list(range(len(steppers)))}
        self._groups = [(whole or steppers[rows[0]], rows) for rows in members.values()]
        order = [i for _, rows in self._groups for i in rows]
        self._back = None if order == sorted(order) else np.argsort(order).tolist()

    def halved(self) -> Stepper | None:
        again = {key: stepper.halved() for key, stepper in {id(one): one for one in self.steppers}.items()}
        whole = [again[id(stepper)] for stepper in self.steppers]
        return None if any(stepper is None for stepper in whole) else EachSample(cast("list[Stepper]", whole))

    def check_start(self, state: Any) -> None:
        if len(state) != len(self.steppers):
            return  # `prepare` refuses it
        for one in {id(stepper): stepper for stepper in self.steppers}.values():
            one.check_start(state[[i for i, stepper in enumerate(self.steppers) if stepper is one]])

    def prepare(self, state: Any) -> list[Any]:
        if len(state) != len(self.steppers):
            raise InputError(f"state must have {len(self.steppers)} samples, one for each stepper, got {len(state)}")
        if len(self._groups) == 1:
            return [self._groups[0][0].prepare(state)]
        return [stepper.prepare(state[rows]) for stepper, rows in self._groups]

    def advance(self, inner: list[Any]) -> list[Any]:
        return self.advance_by(inner, 1)

    def advance_by(self, inner: list[Any], steps: int) -> list[Any]:
        return [stepper.advance_by(part, steps) for (stepper, _), part in zip(self._groups, inner, strict=True)]

    def separated(self, inner: list[Any]) -> list[Any]:
        return [stepper.separated(part) for (stepper, _), part in zip(self._groups, inner, strict=True)]

    def finish(self, inner: list[Any]) -> Any:
        parts = [stepper.finish(part) for (stepper, _), part in zip(self._groups, inner, strict=True)]
        whole = concatenate(parts, 0)
        return whole if self._back is None else whole[self._back]


class BlowUp(WorkError):
    """A run that left the numbers.

    Attributes:
        time: of the first state that is not finite, from the start of the run.
        state: the one before it.
        samples: positions of the samples that are not finite.
    """

    def __init__(self, time: float, state: Any, samples: list[int]):
        self.time, self.state, self.samples = time, state, samples
        which = f" (sample {', '.join(map(str, samples[:8]))})" if samples != [0] else ""
        super().__init__(
            f"the solution is not finite any more at time {time:.6g}{which}; take a smaller time step, a finer grid or "
            "a milder initial state"
        )


def repeat(stepper: Stepper, steps: int, *, checked: bool = True) -> Callable[[Any], Any]:
    """``steps`` steps as one function of the state.

    Args:
        stepper: what takes a step.
        steps: how many.
        checked: see `rollout`.

    Raises:
        InputError: a negative number of steps. The function: `StepTooLong`, `BlowUp`.

    Example:
        >>> from opforge.core import Grid
        >>> from opforge.pdes import KuramotoSivashinsky
        >>> from opforge.solvers import ETDRK4
        >>> stepper = ETDRK4(KuramotoSivashinsky(), Grid((64,), (32.0,), "periodic"), dt=0.1)
        >>> u = np.cos(np.arange(64) / 64 * 2 * np.pi)[None, None]
        >>> np.allclose(repeat(stepper, 2)(u), stepper(stepper(u)), atol=1e-12)
        True
    """
    _check_steps(steps)

    def run(state: Any) -> Any:
        return rollout(stepper, state, frames=1, steps=steps, checked=checked)[-1] if steps else state

    return run


def rollout(
    stepper: Stepper, state: Any, *, frames: int, steps: int = 1, start: bool = False, checked: bool = True
) -> Any:
    """The states after every ``steps`` steps.

    Args:
        stepper: what takes a step.
        state: the first one, (samples, components, *space).
        frames: how many to give back, at least 1, or 0 with ``start``.
        steps: from one to the next, at least 1.
        start: whether ``state`` itself comes first, as a frame more.
        checked: whether a time step that the state does not bear is refused before the start; see
            `Stepper.check_start`.

    Returns:
        An array ([1 +] frames, samples, components, *space) of the state's kind.

    Raises:
        StepTooLong: a time step that the state does not bear, an InputError.
        InputError: numbers out of range, a state that is not finite.
        BlowUp: the first state that is not finite, which is found to the step, of the samples that are at fault.

    Example:
        >>> from opforge.core import Grid
        >>> from opforge.pdes import KuramotoSivashinsky
        >>> from opforge.solvers import ETDRK4
        >>> stepper = ETDRK4(KuramotoSivashinsky(), Grid((64,), (32.0,), "periodic"), dt=0.1)
        >>> u = np.cos(np.arange(64) / 64 * 2 * np.pi)[None, None]
        >>> rollout(stepper, u, frames=3, steps=10, start=True).shape
        (4, 1, 1, 64)
    """
    check_array("state", state)
    _check_steps(frames, least=0 if start else 1)
    _check_steps(steps, least=1)
    if _not_finite(state):
        raise InputError("state must be finite, got NaN or infinity in it; correct the initial state")
    if checked:
        stepper.check_start(state)
    found = [state] if start else []
    inner = stepper.prepare(state)
    for frame in range(frames):
        before = inner
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            inner = stepper.advance_by(inner, steps)
            state = stepper.finish(inner)
        if _not_finite(state):
            inner = _apart(stepper, before, frame * steps, steps)
            state = stepper.finish(inner)
        found.append(state)
    if is_torch(state):
        import torch

        return torch.stack(found)
    return np.stack(found)


def steps_between(interval: float, dt: float) -> tuple[int, float]:
    """How many steps of at most ``dt`` make an interval, and how long each of them is.

    Example:
        >>> steps_between(1.0, 0.3)
        (4, 0.25)
    """
    steps = max(1, math.ceil(interval / dt * (1 - 1e-9)))
    return steps, interval / steps


def _apart(stepper: Stepper, inner: Any, done: int, steps: int) -> Any:
    """The same steps again by samples that share nothing, looked at one by one.

    Raises:
        BlowUp: as a rule. Steps that are rounded in another way may just not leave the numbers; they are given back.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        inner = stepper.separated(inner)
        for number in range(done + 1, done + steps + 1):
            before, inner = inner, stepper.advance(inner)
            if samples := _not_finite(stepper.finish(inner)):
                raise BlowUp(number * stepper.dt, stepper.finish(before), samples)
    return inner


def _not_finite(state: Any) -> list[int]:
    """Positions of the samples that hold a value that is not finite."""
    whole = state.sum()  # one pass, and no array of truth values, where all is well
    if is_torch(state):
        if bool(whole.isfinite()):
            return []
        bad = ~state.detach().isfinite().flatten(1).all(1)
        return bad.nonzero().flatten().tolist()
    if np.isfinite(whole):
        return []
    return np.flatnonzero(~np.isfinite(state).reshape(len(state), -1).all(1)).tolist()


def _check_steps(count: int, least: int = 0) -> None:
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < least:
        raise InputError(f"steps and frames must be whole numbers of at least {least}, got {count!r}")
