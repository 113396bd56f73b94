"""Measure the fused kernels for GPUs against plain torch.fft and the other back ends.

    python benchmarks/gpu_core.py

on a machine with a GPU and Triton (``pip install 'opforge[gpu]'``); it writes benchmarks/results/gpu_core.csv with the
machine's description. All answers, gradients included, are compared with float64 first. Then the contestants take
turns, timed with CUDA events, each called from Python and, for the kernels alone, as a replayed CUDA graph. Block sizes
are tuned in the first calls, which are not counted. Figures are medians with quartiles.

``TF32`` and ``bfloat16`` are the same kernels after ``torch.set_float32_matmul_precision("high")`` and ``"medium"``:
less exact, and said so in the column ``error``.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from opforge.benchmarks import contest
from opforge.benchmarks.results import write_csv
from opforge.benchmarks.torch_peers import bmm_weight, padded_convolution, spectral_bmm, spectral_by_axis
from opforge.core import mode_shape, monarch, spectral_conv
from opforge.core.triton_kernels import install_command, long_conv
from opforge.core.triton_kernels import spectral as kernels
from opforge.errors import WorkError

PASSES = ("forward", "forward+backward")
PRECISIONS = {"TF32": "high", "bfloat16": "medium"}
LARGEST_ERROR = {"TF32": 1e-2, "bfloat16": 6e-2}  # relative, L2; the others compute in float32
FLOAT32_ERROR = 1e-5

Function = Callable[..., Tensor]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Case:
    """An operation at one size: its inputs in float64 and those who compute it, by name."""

    op: str
    label: str
    inputs: Callable[[], list[Tensor]]
    exact: Function
    contestants: Mapping[str, Function]


def spectral_case(points: int, channels: int, modes: int, batch: int) -> Case:
    """A 2-D spectral convolution on a square grid; ``modes`` is the highest kept \\|k\\|."""
    kept = (modes, modes)

    def inputs() -> list[Tensor]:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(batch, channels, points, points, generator=generator, dtype=torch.float64)
        weight = torch.randn(*mode_shape(kept), channels, channels, 2, generator=generator, dtype=torch.float64)
        # What cuFFT makes of modes with k = 0 on the last axis that are not conjugate to their opposites depends on the
        # size (off by 14 % at 128²), so that plain torch.fft computes the same as opforge only for weights that are.
        plane = torch.view_as_complex(weight[:, 0])
        weight[:, 0] = torch.view_as_real((plane + plane.flip(0).conj()) / 2)
        return [x, weight / channels]

    def fused(x: Tensor, weight: Tensor) -> Tensor:
        rows = kernels.analyse(x, kept, 0.0, False)
        mixed = kernels.product(rows.flatten(0, 1), weight.flatten(0, 1)).unflatten(0, rows.shape[:2])
        return kernels.synthesise(mixed, kept, x.shape[2:], 0.0, False)

    def peer(function: Function, x: Tensor, weight: Tensor) -> Tensor:
        return function(x, bmm_weight(weight), x.new_zeros(channels), kept)

    others = {
        "gemm": partial(spectral_conv, modes=kept, backend="gemm"),
        "torch.fft": partial(peer, spectral_bmm),
        "torch.fft by axis": partial(peer, spectral_by_axis),
    }
    label = f"{points}x{points}, {modes} modes, {channels} channels, batch {batch}"
    exact = partial(spectral_conv, modes=kept, backend="torch")
    return Case("spectral_conv", label, inputs, exact, _at_all_precisions(fused) | others)


def convolution_case(points: int, channels: int, batch: int) -> Case:
    """A causal convolution with a kernel as long as the signal."""

    def inputs() -> list[Tensor]:
        generator = torch.Generator().manual_seed(0)
        u = torch.randn(batch, channels, points, generator=generator, dtype=torch.float64)
        return [u, torch.randn(channels, points, generator=generator, dtype=torch.float64) / math.sqrt(points)]

    fused = partial(long_conv, length=2 * points, n_out=points)
    padded = partial(padded_convolution, size=2 * points)
    others = {"monarch": partial(monarch.conv, length=2 * points, n_out=points), "torch.fft": padded}
    label = f"N = {points}, {channels} channels, batch {batch}"
    return Case("fft_conv", label, inputs, padded, _at_all_precisions(fused) | others)


def cases() -> list[Case]:
    """The sizes of the comparison on a CPU, with the batches that a GPU is given."""
    fields = [(64, 32, 8, 32), (64, 64, 8, 32), (128, 32, 12, 16), (128, 64, 16, 16), (256, 32, 16, 8)]
    return [spectral_case(*sizes) for sizes in fields] + [
        convolution_case(1024 * 2**i, 64, batch) for i in range(5) for batch in (8, 64)
    ]


def _at_all_precisions(fused: Function) -> dict[str, Function]:
    return {contest.REFERENCE: fused} | {f"{contest.REFERENCE}, {name}": fused for name in PRECISIONS}


def call(name: str, function: Function, inputs: list[Tensor], way: str) -> list[Tensor]:
    """The result, and in the second of `PASSES` the gradients with respect to all inputs for the result as gradient."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(PRECISIONS.get(_precision(name), "highest"))
    try:
        if way == PASSES[0]:
            with torch.no_grad():
                return [function(*inputs)]
        y = function(*inputs)
        return [y.detach(), *torch.autograd.grad(y, inputs, y.detach())]
    finally:
        torch.set_float32_matmul_precision(before)


def _precision(name: str) -> str:
    return name.rpartition(", ")[2]


def check(case: Case, device: str) -> dict[str, float]:
    """The largest relative error in L2 of each contestant's answers and gradients.

    Raises:
        WorkError: one is larger than it may be, or not a number.
    """
    exact = [t.to(device).requires_grad_() for t in case.inputs()]
    single = [t.detach().float().requires_grad_() for t in exact]
    expected = call("exact", case.exact, exact, PASSES[1])
    found = {}
    for name, function in case.contestants.items():
        pairs = zip(call(name, function, single, PASSES[1]), expected, strict=True)
        found[name] = max(float((a - b).norm() / b.norm()) for a, b in pairs)
        most = LARGEST_ERROR.get(_precision(name), FLOAT32_ERROR)
        if not found[name] <= most:
            raise WorkError(f"{case.op}, {case.label}: {name} is off by {found[name]:.2g}, allowed are {most:.0e}")
    return found


def event_clock() -> Clock:
    """Seconds on the GPU since now: reading it waits for what has been launched."""
    start = torch.cuda.Event(enable_timing=True)
    start.record()

    def clock() -> float:
        now = torch.cuda.Event(enable_timing=True)
        now.record()
        now.synchronize()
        return start.elapsed_time(now) / 1e3

    return clock


def as_graph(run: Callable[[], object]) -> Callable[[], object]:
    """The kernels of a call, recorded once and replayed without Python."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):  # tune, plan and allocate before the recording
            run()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def measure(case: Case, device: str, effort: contest.Effort, clock: Clock, *, graphs: bool) -> list[dict[str, Any]]:
    """A row for each contestant of each pass, called from Python and, with ``graphs``, as a replayed graph.

    Raises:
        WorkError: answers that are wrong.
    """
    errors = check(case, device)
    inputs = [t.to(device, torch.float32).requires_grad_() for t in case.inputs()]
    found = []
    for way in PASSES:
        runs: dict[str, Callable[[], object]] = {
            name: partial(call, name, function, inputs, way) for name, function in case.contestants.items()
        }
        launches = {"python": runs}
        if graphs:
            launches["graph"] = {name: as_graph(run) for name, run in runs.items()}
        for launch, contestants in launches.items():
            for row in contest.rows(contest.take_turns(contestants, effort, clock=clock)):
                names = {"op": case.op, "case": case.label, "pass": way, "launch": launch}
                found.append(names | row | {"error": errors[row["contestant"]]})
    return found


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each case, pass and launch (default 2)")
    parser.add_argument("--only", choices=("spectral_conv", "fft_conv"), help="leave the other operation out")
    options = parser.parse_args(words)
    if not torch.cuda.is_available():
        print("torch sees no GPU here; run this on a machine that has one", file=sys.stderr)
        return 1
    if install_command():
        print(f"Triton is not installed; run: {install_command()}", file=sys.stderr)
        return 1
    rows = []
    for case in cases():
        if options.only in (None, case.op):
            effort = contest.Effort(seconds=options.seconds)
            rows += measure(case, "cuda", effort, event_clock(), graphs=True)
            for row in rows[-4 * len(case.contestants) :]:
                place = f"{row['op']}, {row['case']}, {row['pass']}, {row['launch']}"
                times = f"{row['median_ms']:.4f} ms, {row['ratio']:.2f}, {row['error']:.1e}"
                print(f"{place}: {row['contestant']} {times}", flush=True)
            _write(rows)  # what is there stays, should the time on the machine run out
    return 0


def _write(rows: list[dict[str, Any]]) -> None:
    rounded = [{k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    gpu = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}, triton {version('triton')}"
    path = write_csv("gpu_core.csv", rounded, f"{gpu}; float32, CUDA events, medians and quartiles, ratio to opforge")
    print(f"wrote {path}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
