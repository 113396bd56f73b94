"""Block sizes: the first of the list in the interpreter, the fastest on a GPU, and none that an H200 cannot hold."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources import ROOT

SHARED_MEMORY = 227 * 1024  # bytes that one program may take on an H100 or H200


@pytest.mark.parametrize(("n", "least", "expected"), [(1, 16, 16), (17, 16, 32), (32, 16, 32), (9, 8, 16), (3, 8, 8)])
def test_powers_of_two(triton_device, n, least, expected):
    from opforge.core.triton_kernels._launching import power_of_two

    assert power_of_two(n, least) == expected


def test_the_interpreter_takes_the_first_block_sizes(triton_device):
    if triton_device != "cpu":
        pytest.skip("a GPU measures")
    import triton

    from opforge.core.triton_kernels import _launching

    seen = []

    class Kernel:
        def __getitem__(self, grid):
            return lambda *arguments, **options: seen.append((grid, arguments, options))

    kernel = _launching._FirstConfig(Kernel(), triton.Config({"BLOCK": 32}))
    kernel[lambda block: (block["SIZE"] // block["BLOCK"],)](1, 2, SIZE=64)
    assert seen == [((2,), (1, 2), {"SIZE": 64, "BLOCK": 32})]


def test_long_signals_have_a_program_for_themselves(triton_device):
    from opforge.core.triton_kernels._long_kernels import _BLOCKS, _fitting

    assert _fitting(_BLOCKS, {}, N1=32, N2=1, N3=32) == _BLOCKS
    (only,) = _fitting(_BLOCKS, {}, N1=16, N2=16, N3=16)
    assert (only.num_warps, only.kwargs["GROUP"]) == (8, 1)


def test_every_kernel_compiles_for_a_gpu_and_fits_its_shared_memory(tmp_path):
    pytest.importorskip("triton")
    script = Path(__file__).with_name("compile_for_hopper.py")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    compiled = [line.split() for line in done.stdout.splitlines()]
    assert {name for name, *_ in compiled} == {
        *("analyse", "synthesise", "_kernel", "convolve", "correlate", "spectrum", "signal")
    }
    for name, dtype, size in compiled:
        assert int(size) <= SHARED_MEMORY, (name, dtype)
