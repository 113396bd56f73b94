"""Time 100 steps of ETDRK4 against exponax and against what people write with plain `torch.fft`.

    pip install -c constraints.txt -e '.[bench]'
    python -m opforge.benchmarks.time_stepping             # a minute
    python -m opforge.benchmarks.time_stepping --quick     # fewer rounds, nothing is written

Kuramoto–Sivashinsky, 64 samples of 256 points; Burgers, 64 of 1024; Navier–Stokes in vorticity, 16 of 64 x 64. All in
single precision, with the same time step and the 2/3 rule. Before anything is timed, all contestants' states after 100
steps are compared; they agree to 1e-4. The contestants take turns in one process, in random order:

- opforge: `opforge.solvers.repeat(ETDRK4(..., compiled=True), 100)` on numpy arrays, inside
  `opforge.core.planning(threads=2)`; and the same without numba;
- exponax: its stepper of order 4, repeated, vectorised and compiled (`jax.jit(jax.vmap(exponax.repeat(...)))`), with as
  many threads as XLA takes;
- torch.fft: real transforms of each quantity in inference mode, on two threads and on one.

Writes benchmarks/results/time_stepping.csv: medians and quartiles, and ratios to opforge's time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from opforge.benchmarks.contest import REFERENCE, Case, Contestant, Effort, Factory, measure
from opforge.benchmarks.results import write_csv
from opforge.core import Grid, planning
from opforge.pdes import Burgers, KuramotoSivashinsky, NavierStokes, SemilinearEquation
from opforge.solvers import ETDRK4, repeat

STEPS, THREADS = 100, 2
Transform = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Problem:
    """An equation, its grid and time step, and how many samples."""

    label: str
    equation: SemilinearEquation
    grid: Grid
    dt: float
    samples: int

    def start(self) -> np.ndarray:
        """Random waves with wavenumbers up to 3, (samples, 1, *space), of size about 1."""
        rng = np.random.default_rng(0)
        angles = [2 * np.pi * x / length for x, length in zip(self.grid.mesh(), self.grid.lengths, strict=True)]
        u = np.zeros((self.samples, *self.grid.shape))
        for _ in range(8):
            k = rng.integers(-3, 4, (self.samples, self.grid.ndim))
            k[~k.any(1)] = 1
            total = sum(k[:, i].reshape(-1, *(1,) * self.grid.ndim) * angle for i, angle in enumerate(angles))
            u += np.cos(total + rng.uniform(0, 2 * np.pi, (self.samples, *(1,) * self.grid.ndim))) / 3
        return u[:, None].astype(np.float32)


PROBLEMS = (
    Problem("Kuramoto–Sivashinsky 64 x 256", KuramotoSivashinsky(), Grid((256,), (60.0,), "periodic"), 0.1, 64),
    Problem("Burgers 64 x 1024", Burgers(1, 0.01), Grid((1024,), (1.0,), "periodic"), 2e-4, 64),
    Problem("Navier–Stokes 16 x 64²", NavierStokes(viscosity=0.01), Grid((64, 64), (6.28, 6.28), "periodic"), 0.01, 16),
)


def cases() -> list[Case]:
    return [Case("time stepping", "ETDRK4", p.label, (f"{STEPS} steps",), partial(contestants, p)) for p in PROBLEMS]


def contestants(problem: Problem, way: str) -> Mapping[str, Factory]:
    """Name -> what makes the contestant."""
    del way  # there is one
    return {
        REFERENCE: partial(ours, problem, compiled=True),
        "opforge without numba": partial(ours, problem, compiled=False),
        "exponax": partial(by_exponax, problem),
        "torch.fft, 2 threads": partial(by_torch, problem, 2),
        "torch.fft, 1 thread": partial(by_torch, problem, 1),
    }


def ours(problem: Problem, *, compiled: bool) -> Contestant:
    steps = repeat(ETDRK4(problem.equation, problem.grid, problem.dt, compiled=compiled), STEPS)
    start = problem.start()

    def run() -> np.ndarray:
        with planning(threads=THREADS):
            return steps(start)

    return Contestant(run, lambda: [torch.from_numpy(run())], note=f"{THREADS} threads")


def by_exponax(problem: Problem) -> Contestant:
    import exponax
    import jax

    (length, *_), (n, *_) = problem.grid.lengths, problem.grid.shape
    if isinstance(problem.equation, KuramotoSivashinsky):
        stepper: Any = exponax.stepper.KuramotoSivashinskyConservative(1, length, n, problem.dt, order=4)
    elif isinstance(problem.equation, Burgers):
        viscosity = problem.equation.viscosity
        stepper = exponax.stepper.Burgers(1, length, n, problem.dt, diffusivity=viscosity, order=4, conservative=True)
    else:
        viscosity = problem.equation.viscosity
        stepper = exponax.stepper.NavierStokesVorticity(2, length, n, problem.dt, diffusivity=viscosity, order=4)
    steps = jax.jit(jax.vmap(exponax.repeat(stepper, STEPS)))
    # its vorticity turns the other way round: the mirror image along the diagonal is the same flow
    turned = (lambda u: u.swapaxes(-1, -2)) if problem.grid.ndim == 2 else (lambda u: u)
    start = jax.numpy.asarray(turned(problem.start()))

    def run() -> Any:
        return steps(start).block_until_ready()

    return Contestant(run, lambda: [torch.from_numpy(np.array(turned(np.asarray(run()))))], note="XLA's threads")


def by_torch(problem: Problem, threads: int) -> Contestant:
    steps = steps_by_torch(problem, torch.from_numpy(problem.start()))

    def run() -> torch.Tensor:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return steps()
        finally:
            torch.set_num_threads(before)

    return Contestant(run, lambda: [run().clone()], note=f"{threads} threads" if threads > 1 else "1 thread")


def steps_by_torch(problem: Problem, start: torch.Tensor) -> Callable[[], torch.Tensor]:
    """What takes `STEPS` steps from a state (samples, 1, *space), on its device, to one like it."""
    step, axes = _torch_step(problem, start.device), tuple(range(-problem.grid.ndim, 0))

    def run() -> torch.Tensor:
        with torch.inference_mode():
            state = torch.fft.rfftn(start[:, 0], dim=axes)
            for _ in range(STEPS):
                state = step(state)
            return torch.fft.irfftn(state, s=problem.grid.shape, dim=axes)[:, None]

    return run


def _torch_step(problem: Problem, device: torch.device) -> Transform:
    """ETDRK4 as its formula reads, with the real transforms of every quantity."""
    from opforge.solvers.stepping.exponential import coefficients

    grid = problem.grid
    *first, last = grid.wavenumbers()
    k = list(np.meshgrid(*first, np.abs(last[: grid.shape[-1] // 2 + 1]), indexing="ij"))
    kept = np.ones(k[0].shape, bool)
    for values, n, length in zip(k, grid.shape, grid.lengths, strict=True):
        kept &= np.abs(values) * length / (2 * np.pi) <= (n - 1) // 3 + 1e-6
    linear = problem.equation.spectral(tuple(k)).linear[0]
    factors = coefficients(linear, problem.dt)
    c = {name: torch.from_numpy(np.asarray(x, np.float32)).to(device) for name, x in factors.items()}
    rest = _rest_in_2d(k, kept, grid, device) if grid.ndim == 2 else _rest_in_1d(k[0], kept, grid, device)

    def step(v: torch.Tensor) -> torch.Tensor:
        n1 = rest(v)
        a = c["half"] * v + c["q"] * n1
        n2 = rest(a)
        b = c["half"] * v + c["q"] * n2
        n3 = rest(b)
        n4 = rest(c["half"] * a + c["q"] * (2 * n3 - n1))
        return c["whole"] * v + n1 * c["f1"] + (n2 + n3) * c["f2"] + n4 * c["f3"]

    return step


def _rest_in_1d(k: np.ndarray, kept: np.ndarray, grid: Grid, device: torch.device) -> Transform:
    outer = torch.from_numpy((-0.5j * k * kept).astype(np.complex64)).to(device)
    mask = torch.from_numpy(kept.astype(np.float32)).to(device)
    return lambda v: outer * torch.fft.rfft(torch.fft.irfft(mask * v, n=grid.shape[0]) ** 2)


def _rest_in_2d(k: list[np.ndarray], kept: np.ndarray, grid: Grid, device: torch.device) -> Transform:
    """−u·∇w: four transforms back, one forth."""
    square = k[0] ** 2 + k[1] ** 2
    inverse = kept / np.where(square > 0, square, 1.0)
    symbols = [1j * k[1] * inverse, -1j * k[0] * inverse, 1j * k[0] * kept, 1j * k[1] * kept]
    u_of, v_of, x_of, y_of = (torch.from_numpy(symbol.astype(np.complex64)).to(device) for symbol in symbols)
    mask = torch.from_numpy(-kept.astype(np.float32)).to(device)

    def rest(w: torch.Tensor) -> torch.Tensor:
        u, v, wx, wy = (torch.fft.irfft2(symbol * w, s=grid.shape) for symbol in (u_of, v_of, x_of, y_of))
        return mask * torch.fft.rfft2(u * wx + v * wy)

    return rest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds; nothing is written")
    quick = parser.parse_args().quick
    torch.set_num_threads(THREADS)
    effort = Effort(seconds=5.0, turn=0.0) if quick else Effort(seconds=25.0, least=15, most=101, spread=0.01, turn=0.0)
    found = []
    for case in cases():
        for row in measure(case, case.passes[0], effort):
            found.append({key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()})
            print(found[-1], flush=True)
    if not quick:
        write_csv(
            "time_stepping.csv", found, "python -m opforge.benchmarks.time_stepping; float32, contestants in turns"
        )


if __name__ == "__main__":
    main()
