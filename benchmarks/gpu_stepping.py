"""Measure time steps on a GPU: against exponax and plain `torch.fft`, and how many each equation's stepper takes.

    python benchmarks/gpu_stepping.py

on a machine with a GPU; exponax takes part where it and a JAX that sees the GPU are installed. It writes
benchmarks/results/gpu_stepping.csv with the machine's description. All in single precision.

First the problems of `time_stepping`, at its sizes and at ones that fill a GPU, 100 steps of ETDRK4 each. All states at
the end are compared before anything is timed; they agree to 1e-4. The contestants take turns:

- opforge: `opforge.solvers.repeat(Recorded(ETDRK4(...)), 100)`, whose steps are replayed from a CUDA graph;
- opforge from Python: the same without `Recorded`;
- exponax: `jax.jit(jax.vmap(exponax.repeat(...)))`;
- torch.fft: real transforms of each quantity in inference mode, from Python, and the 100 steps as one CUDA graph.

Then steppers of the package's recipes, from Python and recorded where that is possible, with their difference from the
same steps in double precision on the CPU.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from opforge.benchmarks import contest
from opforge.benchmarks.gpu_core import as_graph, event_clock
from opforge.benchmarks.results import write_csv
from opforge.benchmarks.time_stepping import PROBLEMS, STEPS, Problem, by_exponax, steps_by_torch
from opforge.datasets import registry
from opforge.datasets.evolution import EvolutionRecipe
from opforge.errors import WorkError
from opforge.solvers import ETDRK4, Recorded, Stepper, repeat

FULL = {"Kuramoto–Sivashinsky": 8192, "Burgers": 2048, "Navier–Stokes": 512}
SINGLE_ERROR = 1e-3  # relative, L2, after the steps below; most are below 1e-5
RECIPES = {
    "korteweg_de_vries": (256,), "burgers": (1024,), "heat": (64, 64), "wave": (64, 64), "shallow_water": (64, 64),
    "compressible_flow": (64, 64), "gray_scott": (64, 64), "allen_cahn": (64, 64), "incompressible_flow": (64, 64),
}  # fmt: skip
RECIPE_STEPS, RECIPE_SAMPLES = 20, 256


def problems() -> list[Problem]:
    """Those of the comparison on a CPU, and the same with as many samples as fill a GPU."""
    full = []
    for problem in PROBLEMS:
        name = problem.label.split(" ")[0]
        label = problem.label.replace(f"{problem.samples} x", f"{FULL[name]} x", 1)
        full.append(replace(problem, label=label, samples=FULL[name]))
    return [*PROBLEMS, *full]


def contestants(problem: Problem, device: str) -> dict[str, Callable[[], Any]]:
    """Name -> what gives the states after `STEPS` steps."""
    start = torch.from_numpy(problem.start()).to(device)
    stepper = ETDRK4(problem.equation, problem.grid, problem.dt)
    recorded, from_python = (repeat(one, STEPS) for one in (Recorded(stepper), stepper))
    plain = steps_by_torch(problem, start)
    found: dict[str, Callable[[], Any]] = {
        contest.REFERENCE: partial(recorded, start),
        "opforge from Python": partial(from_python, start),
        "torch.fft from Python": plain,
    }
    if device == "cuda":
        found["torch.fft, graph"] = as_graph_with_result(plain)
    if find_spec("exponax"):
        found["exponax"] = by_exponax(problem).run
    return found


def as_graph_with_result(run: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    kept: list[torch.Tensor] = []

    def keeping() -> None:
        kept[:] = [run()]

    replay = as_graph(keeping)

    def replayed() -> torch.Tensor:
        replay()
        return kept[0]

    return replayed


def compare(problem: Problem, made: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """The relative L2 difference of everyone's states from opforge's.

    Raises:
        WorkError: one is larger than single precision explains.
    """
    reference = made[contest.REFERENCE]().double().cpu()
    found = {}
    for name, run in made.items():
        state = run()
        if not isinstance(state, torch.Tensor):  # its vorticity turns the other way round, see `time_stepping`
            state = np.asarray(state).swapaxes(-1, -2) if problem.grid.ndim == 2 else np.asarray(state)
            state = torch.from_numpy(np.array(state))
        found[name] = float((state.double().cpu() - reference).norm() / reference.norm())
        if not found[name] <= contest.TOLERANCE:
            raise WorkError(f"{problem.label}: {name} and {contest.REFERENCE} differ by {found[name]:.2g}")
    return found


def measure(problem: Problem, device: str, effort: contest.Effort, clock: Callable[[], float]) -> list[dict[str, Any]]:
    made = contestants(problem, device)
    differences = compare(problem, made)
    found = []
    for row in contest.rows(contest.take_turns(made, effort, clock=clock)):
        rate = problem.samples * STEPS / (float(row["median_ms"]) / 1e3)
        more = {"steps_per_second": rate, "difference": differences[row["contestant"]]}
        found.append({"case": problem.label, "steps": STEPS} | row | more)
    return found


def of_recipe(name: str, shape: tuple[int, ...], samples: int) -> tuple[Stepper, Any]:
    """A recipe's stepper in double precision on the CPU, and states to start from."""
    recipe: Any = registry()[name](**({"ndim": len(shape)} if len(shape) == 2 else {}))
    assert isinstance(recipe, EvolutionRecipe)
    grid = recipe.solved_on(recipe.grid(shape))
    few = [np.random.default_rng([0, i]) for i in range(4)]
    states = np.concatenate([recipe.initial_states(few, grid)] * (samples // 4))
    return recipe.stepper(grid, recipe.steps(grid)[1]), states


def measure_recipe(
    name: str,
    shape: tuple[int, ...],
    device: str,
    effort: contest.Effort,
    clock: Callable[[], float],
    samples: int = RECIPE_SAMPLES,
) -> list[dict[str, Any]]:
    """Rows of a recipe's stepper, from Python and recorded.

    Raises:
        WorkError: states that are not those in double precision on the CPU.
    """
    stepper, states = of_recipe(name, shape, samples)
    start = torch.from_numpy(states).to(device, torch.float32)
    exact = torch.from_numpy(np.asarray(repeat(stepper, RECIPE_STEPS)(states[:4])))
    runs = {"from Python": partial(repeat(stepper, RECIPE_STEPS), start)}
    if stepper.recordable:
        runs[contest.REFERENCE] = partial(repeat(Recorded(stepper), RECIPE_STEPS), start)
    else:
        runs = {contest.REFERENCE: runs["from Python"]}
    differences = {}
    for which, run in runs.items():
        differences[which] = float((run()[:4].double().cpu() - exact).norm() / exact.norm())
        if not differences[which] <= SINGLE_ERROR:
            raise WorkError(f"{name}: {which} is off by {differences[which]:.2g} from double precision")
    label = f"{name}: {type(stepper).__name__}, {len(states)} x {'x'.join(map(str, shape))}"
    found = []
    for row in contest.rows(contest.take_turns(runs, effort, clock=clock)):
        rate = len(states) * RECIPE_STEPS / (float(row["median_ms"]) / 1e3)
        more = {"steps_per_second": rate, "difference": differences[row["contestant"]]}
        found.append({"case": label, "steps": RECIPE_STEPS} | row | more)
    return found


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each case (default 3)")
    seconds = parser.parse_args(words).seconds
    if not torch.cuda.is_available():
        print("torch sees no GPU here; run this on a machine that has one", file=sys.stderr)
        return 1
    effort, rows = contest.Effort(seconds=seconds, least=5), []
    jobs = [partial(measure, problem) for problem in problems()]
    jobs += [partial(measure_recipe, name, shape) for name, shape in RECIPES.items()]
    for job in jobs:
        found = job(device="cuda", effort=effort, clock=event_clock())
        rows += found
        for row in found:
            rate = f"{row['steps_per_second']:.3g} steps/s"
            ratio, difference = f"{row['ratio']:.2f}", f"{row['difference']:.1e}"
            print(
                f"{row['case']}: {row['contestant']} {row['median_ms']:.3f} ms, {rate}, {ratio}, {difference}",
                flush=True,
            )
        _write(rows)  # what is there stays, should the time on the machine run out
    return 0


def _write(rows: list[dict[str, Any]]) -> None:
    rounded = [{k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    others = f", exponax {version('exponax')}, jax {version('jax')}" if find_spec("exponax") else ""
    gpu = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}{others}"
    how = "float32, CUDA events, medians and quartiles, ratio to opforge"
    print(f"wrote {write_csv('gpu_stepping.csv', rounded, f'{gpu}; {how}')}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
