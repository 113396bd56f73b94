"""Time the back ends of `opforge.core.spectral_conv` side by side, forward and forward with backward.

    python benchmarks/spectral_conv.py

The contestants take turns in one process; figures are medians over the rounds with the quartiles beside them. Writes
benchmarks/results/spectral_conv.csv with the machine's description in its first lines.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from results import write_csv

from opforge.core import mode_shape, spectral_conv
from opforge.core.dispatch import BACKENDS, choose

CASES = [  # (batch, channels, grid, highest kept mode per axis)
    (20, 32, (64, 64), (12, 12)),
    (16, 32, (64, 64), (8, 8)),
    (8, 64, (128, 128), (16, 16)),
    (4, 32, (256, 256), (16, 16)),
    (8, 32, (97, 97), (12, 12)),
    (4, 32, (241, 121), (12, 12)),
    (8, 32, (64, 64), (31, 31)),
    (2, 16, (64, 64, 64), (8, 8, 8)),
    (16, 64, (1024,), (16,)),
    (16, 64, (1024,), (256,)),
    (16, 64, (8192,), (1024,)),
]


def contestant(case, backend, backward):
    batch, channels, grid, modes = case
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, channels, *grid, generator=generator, requires_grad=backward)
    weight = torch.randn(*mode_shape(modes), channels, channels, 2, generator=generator, requires_grad=backward)
    gradient = torch.randn(batch, channels, *grid, generator=generator)

    def run():
        y = spectral_conv(x, weight, modes, backend=backend)
        if backward:
            torch.autograd.grad(y, (x, weight), gradient)

    return run


def measure(case, rounds):
    rows = []
    for backward in (False, True):
        contestants = {backend: contestant(case, backend, backward) for backend in BACKENDS}
        times = {backend: [] for backend in BACKENDS}
        for turn in range(rounds + 2):  # two rounds to warm up
            for backend, run in contestants.items():
                start = time.perf_counter()
                run()
                if turn >= 2:
                    times[backend].append(time.perf_counter() - start)
        quartiles = {backend: statistics.quantiles(t, n=4) for backend, t in times.items()}
        batch, channels, grid, modes = case
        rows.append(
            {
                "grid": "x".join(map(str, grid)),
                "modes": "x".join(map(str, modes)),
                "batch": batch,
                "channels": channels,
                "pass": "forward+backward" if backward else "forward",
                **{f"{b}_ms": "{1:.2f} ({0:.2f}-{2:.2f})".format(*(1e3 * q for q in quartiles[b])) for b in BACKENDS},
                "torch_over_gemm": f"{quartiles['torch'][1] / quartiles['gemm'][1]:.2f}",
                "chosen": choose(grid, modes).backend,
            }
        )
        print(*rows[-1].values(), flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="torch threads (default 2)")
    parser.add_argument("--rounds", type=int, default=15, help="counted rounds per case (default 15)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [row for case in CASES for row in measure(case, options.rounds)]
    write_csv(
        "spectral_conv.csv", rows, f"{options.threads} threads, float32, median (quartiles) of {options.rounds} rounds"
    )


if __name__ == "__main__":
    main()
