"""Recipes of equations that evolve: initial states, drawn at random, and a time stepper."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from opforge.core import Grid
from opforge.core.grid import Points
from opforge.datasets.drawing import DrawingRecipe
from opforge.datasets.recipe import Sample, Samples
from opforge.errors import InputError, WorkError
from opforge.pdes._numbers import not_negative, positive
from opforge.pdes.evolution import EvolutionEquation
from opforge.solvers.stepping.limits import StepTooLong, below
from opforge.solvers.stepping.stepper import BlowUp, EachSample, Stepper, rollout, steps_between

# Frames beyond which a mistake is more likely than a purpose.
_MOST_FRAMES = 100_000

# Steps beyond which a run would take days on the smallest of grids, and refinements of either kind.
_MOST_STEPS, _MOST_TIMES = 10_000_000, 1024

# Of all states that are worked on together: they stay in the caches, and calls are cheap.
_AT_ONCE_BYTES = 2**19
_MOST_AT_ONCE = 32

# Frames from which the error of steps is measured, and steps from each, at most: enough for the errors of stiff modes,
# which die out at once and add up to nothing.
_MEASURED_FRAMES = 4
_MEASURED_STEPS = 16


@dataclass(frozen=True)
class EvolutionRecipe(DrawingRecipe):
    """How samples of an equation that evolves are made; the members here are those that all such recipes have.

    A sample's residual is an estimate of the relative error that its time steps add up to: some steps from some of its
    frames are compared with twice as many of half the length; the differences, relative to the state, are taken as many
    times as the run has such pieces. Their mean adds up where the errors of steps are alike, as those of waves, whose
    phases drift; where limited slopes make them noise, their squares do. It says nothing of the grid's error, and
    nothing of how errors grow where the equation is chaotic; where it is dissipative, errors die out, and fewer are
    left than that.

    Args:
        draw: see `DrawingRecipe`.
        frames: how many times are kept, at equal distances from 0, the initial state, to ``end_time``; 2 to 100000.
        end_time: of the last frame, greater than 0.
        time_step: the longest step that the solver takes; the recipe chooses one for the grid unless given.
        tolerance: bound of a sample's residual.
        refinement: steps that are taken for one of the above; 1 unless given.
        settling: time that passes, in whole steps, before the first frame, at least 0.
        oversampling: how many times finer the grid is on which the equation is solved: of periodic points every so
            many-th is kept, of cells their mean; 1 unless given.

    Raises:
        InputError: a parameter out of range.

    Example:
        >>> from opforge.datasets import KuramotoSivashinskyRecipe
        >>> recipe = KuramotoSivashinskyRecipe(frames=11, end_time=5.0)
        >>> isinstance(recipe, EvolutionRecipe), recipe.times[:3].tolist()
        (True, [0.0, 0.5, 1.0])
    """

    frames: int = 50
    end_time: float = 1.0
    time_step: float | None = None
    tolerance: float = 1e-4
    refinement: int | None = None
    settling: float = 0.0
    oversampling: int | None = None

    points: ClassVar[Points] = "periodic"

    # What is lost on a coarser grid than that of the solution, where something is that samples are checked for.
    lost_by_coarsening: ClassVar[str] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.frames, bool) or not isinstance(self.frames, int) or not 2 <= self.frames <= _MOST_FRAMES:
            raise InputError(f"frames must be a whole number from 2 to {_MOST_FRAMES}, got {self.frames!r}")
        for name in ("end_time", "tolerance", *(() if self.time_step is None else ("time_step",))):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        if self.tolerance >= 1:
            raise InputError(f"tolerance must lie between 0 and 1, got {self.tolerance!r}")
        for name in ("refinement", "oversampling"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
            if value is not None and value > _MOST_TIMES:
                raise InputError(f"{name} must be at most {_MOST_TIMES}, got {value!r}")
        if (self.oversampling or 1) > 1 and self.lost_by_coarsening:
            raise InputError(
                f"oversampling must be left out: fields on a coarser grid do not keep {self.lost_by_coarsening}, got "
                f"{self.oversampling}; take a higher resolution and leave points out when reading"
            )
        object.__setattr__(self, "settling", not_negative("settling", self.settling))

    @property
    @abstractmethod
    def equation(self) -> EvolutionEquation: ...

    @abstractmethod
    def initial_states(self, rngs: Sequence[np.random.Generator], grid: Grid) -> np.ndarray:
        """The states at time 0: float64 (samples, components, *space), one sample from each generator.

        A generator stands for the same functions on every grid.
        """

    @abstractmethod
    def stepper(self, grid: Grid, dt: float) -> Stepper:
        """What takes steps of time ``dt`` on a grid.

        Raises:
            InputError: a step beyond the limit of stability, with the limit.
        """

    def media(self, rngs: Sequence[np.random.Generator], grid: Grid) -> dict[str, np.ndarray]:
        """Fields that do not change with time, (samples, *space), one sample from each generator; none as a rule.

        A recipe that has some says by `stepper_in` what they do, and names those that are kept in ``inputs``.
        """
        return {}

    def stepper_in(self, media: Mapping[str, np.ndarray], grid: Grid, dt: float) -> Stepper:
        """`stepper` for samples in their media, (samples, *space), with `numbers` of their own, (samples,).

        Samples with the same numbers share a stepper; recipes whose steppers take numbers of their own say so.
        """
        if not self.drawn:
            return self.stepper(grid, dt)
        names = [known.name for known in self.drawn]
        rows = list(zip(*(media[name].tolist() for name in names), strict=True))
        made = {
            row: self.with_numbers(dict(zip(names, row, strict=True))).stepper(grid, dt) for row in dict.fromkeys(rows)
        }
        return EachSample([made[row] for row in rows])

    def first_states(self, stepper: Stepper, states: np.ndarray) -> np.ndarray:
        """The first frames of samples from their initial states, where the media change these; as a rule the same."""
        return states

    def derived(self, stepper: Stepper, states: np.ndarray) -> dict[str, np.ndarray]:
        """Other fields in ``evolving``, (frames, samples, *space), of states (frames, samples, components, *space)."""
        return {}

    @property
    def timed(self) -> bool:
        """Whether what drives the equation changes with time.

        Then `stepper_in` is given the times of the states that are stepped from, ``"start"`` (samples,), if not 0.
        """
        return False

    @property
    def has_media(self) -> bool:
        """Whether samples have fields of their own that do not change with time."""
        return len(self.inputs) > len(self.outputs)

    @abstractmethod
    def usual_step(self, grid: Grid) -> float:
        """The time step on a grid where none is given."""

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.equation.unknowns

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.equation.unknowns

    @property
    def evolving(self) -> tuple[str, ...]:
        return self.equation.unknowns

    @property
    def times(self) -> np.ndarray:
        return np.linspace(0.0, self.end_time, self.frames)

    @property
    def bytes_per_point(self) -> int:
        """Of memory for a sample: all frames, twice, and what the steps work on, three steppers of its own among it."""
        times_finer = (self.oversampling or 1) ** self.equation.ndim
        steppers = 3 * 500 if self.drawn else 0
        return len(self.equation.unknowns) * (16 * self.frames + 240 + steppers) * times_finer

    def solved_on(self, grid: Grid) -> Grid:
        """The grid on which the samples of a grid are solved."""
        return grid if self.oversampling is None else grid.with_shape([self.oversampling * n for n in grid.shape])

    def steps(self, grid: Grid) -> tuple[int, float]:
        """How many steps are taken from frame to frame, and how long each is, on a grid that is solved on."""
        longest = (self.time_step or self.usual_step(grid)) / (self.refinement or 1)
        return steps_between(self.end_time / (self.frames - 1), longest)

    def check(self, grid: Grid) -> None:
        """Refuse what the stepper refuses: a grid, and a time step beyond the limit of stability, with the limit.

        Runs of more than ten million steps are refused too.

        Raises:
            InputError: such a grid, such a step, such a run.
        """
        fine = self.solved_on(grid)
        self._check_length(fine)
        with self._told_of_time_step(fine):
            self.stepper(fine, self.steps(fine)[1])
        self.check_step(grid)

    def _check_length(self, fine: Grid) -> None:
        steps, dt = self.steps(fine)
        count = steps * (self.frames - 1) + self.settling / dt
        if count > _MOST_STEPS:
            until, settling = self.end_time + self.settling, f" and settling={self.settling:g}"
            raise InputError(
                f"end_time={self.end_time:g}{settling * bool(self.settling)} take {count:.3g} "
                f"steps of {dt:.3g}, at most {_MOST_STEPS:g} are taken: shorten the run, or take steps of at least "
                f"{until / _MOST_STEPS:.3g} (time_step, a coarser grid)"
            )

    def refined(self) -> Self:
        """The same recipe with time steps of half the length."""
        return replace(self, refinement=2 * (self.refinement or 1))

    def at_once(self, grid: Grid) -> int:
        """As many as stay in a processor's caches; an even number, for some steppers work on pairs."""
        fitting = _AT_ONCE_BYTES // (8 * len(self.equation.unknowns) * self.solved_on(grid).size)
        return max(2, min(_MOST_AT_ONCE, fitting // 2 * 2))

    def sample(self, rng: np.random.Generator, grid: Grid) -> Sample:
        """Draw the initial state and let it evolve; see `samples`."""
        made = self.samples([rng], grid)
        fields, drawn = ({name: values[0] for name, values in each.items()} for each in (made.fields, made.drawn))
        return Sample(fields, float(made.residuals[0]), drawn)

    def samples(self, rngs: Sequence[np.random.Generator], grid: Grid) -> Samples:
        """Draw initial states and let them evolve.

        Raises:
            WorkError: a solution that leaves the numbers, or whose residual is beyond the tolerance.
        """
        grid = self.solved_on(grid)
        steps, dt = self.steps(grid)
        with self._told_of_time_step(grid):
            media, numbers, stepper, start = self._start(rngs, grid, dt)
            if self.time_step is not None:
                stepper.check_start(start)
            if self.settling > 0:
                start = self._settled(stepper, start, dt)
            states = _run(stepper, start, self.frames - 1, steps, start=True)
            residuals = self._error_of_steps(stepper, states, {**media, **numbers}, grid)
        worst = float(residuals.max())
        if not worst <= self.tolerance:
            raise WorkError(
                f"the error of its time steps is estimated at {worst:.1e}, the tolerance is {self.tolerance:.1e}; "
                f"lower time_step, which is {self._told_step(grid, dt)}, or raise the tolerance"
            )
        evolving = {name: states[:, :, i] for i, name in enumerate(self.equation.unknowns)}
        evolving |= self.derived(stepper, states)
        kept = {name: values for name, values in media.items() if name in self.inputs}
        fields = {**kept, **{name: values.swapaxes(0, 1) for name, values in evolving.items()}}
        if self.oversampling:
            fields = {name: self.coarser(name, u, grid, self.oversampling) for name, u in fields.items()}
        return Samples(fields, residuals, numbers)

    def _settled(self, stepper: Stepper, start: np.ndarray, dt: float) -> np.ndarray:
        """The states after the time that passes before the first frame."""
        try:
            return _run(stepper, start, 1, steps_between(self.settling, dt)[0])[0]
        except BlowUp as error:
            error.args = (f"while the flow settled, before the first frame, {error}",)
            raise

    def _told_step(self, grid: Grid, dt: float) -> str:
        """The time step as the user knows it, as it is, and as it would be."""
        if self.time_step is None:
            return f"{dt:.3g}"
        same = math.isclose(self.time_step, dt, rel_tol=1e-3)
        taken = "" if same else f"steps of {dt:.3g} are taken, of one length from frame to frame; "
        return f"{self.time_step:.3g} ({taken}usual are {self._usual(grid)})"

    def _start(
        self, rngs: Sequence[np.random.Generator], grid: Grid, dt: float
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], Stepper, np.ndarray]:
        """The media, the drawn parameters, the stepper and the first states of samples on a grid that is solved on."""
        media: dict[str, np.ndarray] = {}
        numbers: dict[str, np.ndarray] = {}
        if self.drawn:
            for_numbers, rngs = zip(*(rng.spawn(2) for rng in rngs), strict=True)
            numbers = self.numbers(for_numbers)
        if self.has_media:  # a finer grid draws more numbers for a field, and none of the others'
            for_media, rngs = zip(*(rng.spawn(2) for rng in rngs), strict=True)
            media = self.media(for_media, grid)
        stepper = self.stepper_in({**media, **numbers}, grid, dt)
        return media, numbers, stepper, self.first_states(stepper, self.initial_states(rngs, grid))

    def check_step(self, grid: Grid) -> None:
        """Refuse a ``time_step`` that some sample does not bear; for steppers whose limit depends on media and states.

        Raises:
            InputError: such a step, with the limit.
        """
        if self.time_step is None:
            return
        fine = self.solved_on(grid)
        with self._told_of_time_step(fine):
            _, _, stepper, start = self._start([np.random.default_rng(0)], fine, self.steps(fine)[1])
            stepper.check_start(self.busy(start, fine))
            stepper.prepare(start)

    def busy(self, states: np.ndarray, grid: Grid) -> np.ndarray:
        """First states (samples, components, *space) with as much going on as later on: ``time_step`` must bear both.

        As a rule they are the same; what is driven from rest is said to be on its way.
        """
        return states

    @contextmanager
    def _told_of_time_step(self, grid: Grid) -> Iterator[None]:
        """A block whose errors name ``time_step``, which is what the user gave, where it is to blame.

        Steps may be shorter: of one length from frame to frame, or refined.
        """
        try:
            yield
        except StepTooLong as error:
            if self.time_step is None:
                raise
            raise InputError(
                f"time_step must be at most {below(error.limit * (self.refinement or 1))}, {error.why}, got "
                f"{self.time_step:g}; take a shorter one or a coarser grid, or leave it out for {self._usual(grid)}"
            ) from error
        except BlowUp as error:
            if self.time_step is None:
                raise
            raise WorkError(f"{error}; time_step is {self.time_step:g}, usual are {self._usual(grid)}") from error

    def _usual(self, grid: Grid) -> str:
        return f"steps of {self.usual_step(grid):.3g}"

    def _error_of_steps(
        self, stepper: Stepper, states: np.ndarray, media: Mapping[str, np.ndarray], grid: Grid
    ) -> np.ndarray:
        """Of states (frames, samples, components, *space): the residual of every sample."""
        count, samples = len(states) - 1, states.shape[1]
        numbers = np.unique(np.linspace(0, count - 1, min(count, _MEASURED_FRAMES)).astype(int))
        chosen = states[numbers]
        # the samples of a frame stay neighbours: those that were paired are again
        start = chosen.reshape(-1, *chosen.shape[2:])
        steps = min(round(self.end_time / count / stepper.dt), _MEASURED_STEPS)
        again = {name: np.concatenate([values] * len(chosen)) for name, values in media.items()}
        if self.timed:
            again["start"] = np.repeat(self.times[numbers], samples)
        stepper = self.stepper_in(again, grid, stepper.dt) if media else stepper
        usual = _run(stepper, start, 1, steps)[0]
        halved = stepper.halved()
        if halved is None:
            finer = _run(self.stepper_in(again, grid, stepper.dt / 2), start, 1, 2 * steps)[0]
        else:  # steps that are taken in parts would be as long with half the time
            finer = _run(halved, start, 1, steps)[0]
        change, size = (_norms(x, len(chosen), samples) for x in (usual - finer, finer))
        found = change / np.where(size > 0, size, 1.0)
        pieces = self.end_time / (steps * stepper.dt)
        return np.sqrt(pieces * (found**2).mean(0)) if stepper.limited else pieces * found.mean(0)


def _run(stepper: Stepper, state: np.ndarray, frames: int, steps: int, start: bool = False) -> np.ndarray:
    """`rollout` of states whose time step was looked at before the start."""
    return rollout(stepper, state, frames=frames, steps=steps, start=start, checked=False)


def _norms(states: np.ndarray, frames: int, samples: int) -> np.ndarray:
    """Euclidean norms (frames, samples) of states (frames · samples, components, *space)."""
    return np.linalg.norm(states.reshape(frames, samples, -1), axis=2)
