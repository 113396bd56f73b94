import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch

import opforge
from opforge.datasets import generate, registry
from opforge.errors import InputError, UnknownNameError, WorkError


def contents(dataset):
    """Everything that a dataset holds, by name."""
    return {name: values.values for name, values in dataset.to_xarray().variables.items()}


def assert_same(one, other, samples=slice(None)):
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name][samples] if name not in "xyz" else other[name])


@pytest.fixture(scope="module")
def reference():
    return contents(generate("darcy", 6, 12, seed=3, workers=1))


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_writes_the_same_bytes(tmp_path, workers, reference):
    one = generate("darcy", 6, 12, seed=3, workers=1, out=tmp_path / "one.nc")
    many = generate("darcy", 6, 12, seed=3, workers=workers, out=tmp_path / "many.nc")
    assert one.path.read_bytes() == many.path.read_bytes()
    assert_same(contents(many), reference)


def test_threads_of_libraries_change_nothing(tmp_path):
    """A fresh process with many BLAS threads, where nothing is loaded yet that could be limited."""
    code = "import sys, opforge; opforge.generate('darcy', 6, 24, seed=3, out=sys.argv[1], workers=int(sys.argv[2]))"
    for threads, workers in (("4", "1"), ("1", "1"), ("4", "2")):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        path = tmp_path / f"{threads}{workers}.nc"
        subprocess.run([sys.executable, "-c", code, str(path), workers], env=environment, check=True)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_any_chunks_give_the_same(monkeypatch, chunk, reference):
    monkeypatch.setattr("opforge.datasets.generating.pace.Pace._size", lambda self: chunk)
    assert_same(contents(generate("darcy", 6, 12, seed=3, workers=1)), reference)


def test_fewer_samples_are_the_first_of_more(reference):
    assert_same(contents(generate("darcy", 2, 12, seed=3)), reference, slice(2))


def test_another_seed_gives_other_samples(reference):
    other = contents(generate("darcy", 6, 12, seed=4))
    assert not set(other["seed"]) & set(reference["seed"])
    assert all((other["u"][i] != reference["u"][i]).any() for i in range(6))


@pytest.mark.parametrize(
    "make", [ThreadPoolExecutor, lambda n: ProcessPoolExecutor(n, mp_context=get_context("spawn"))]
)
def test_any_executor_does(make, reference):
    with make(2) as executor:
        assert_same(contents(generate("darcy", 6, 12, seed=3, executor=executor)), reference)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("name", sorted(registry()))
def test_file_and_memory_are_the_same(tmp_path, name, ndim):
    memory = generate(name, 3, 8, ndim=ndim)
    file = generate(name, 3, 8, out=tmp_path / "d.nc", ndim=ndim)
    assert (memory.path, file.path) == (None, tmp_path / "d.nc")
    assert_same(contents(memory), contents(file))
    assert memory.to_xarray().attrs == {key: value for key, value in file.to_xarray().attrs.items()}
    assert (memory.inputs, memory.outputs, memory.grid) == (file.inputs, file.outputs, file.grid)
    assert (memory.equation, memory.provenance) == (file.equation, file.provenance)
    for x, y in zip(memory.batch([2, 0]), file.batch([2, 0]), strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=0)


def test_provenance_makes_the_dataset_again():
    dataset = generate("darcy", 3, (8, 10), seed=5, coefficient="lognormal", sigma=2.0, forcing=3.0)
    told = dataset.provenance
    again = generate(told["recipe"], told["samples"], dataset.grid.shape, told["seed"], **told["recipe_parameters"])
    assert_same(contents(again), contents(dataset))
    assert told["opforge_version"] == opforge.__version__
    assert told["tolerance"] == 1e-8
    assert dataset.to_xarray().solver_residual.max() <= told["tolerance"]


def test_double_precision_keeps_what_single_rounds():
    single, double = generate("darcy", 2, 8), generate("darcy", 2, 8, dtype="float64")
    u = double.to_xarray().u
    assert u.dtype == np.float64
    np.testing.assert_array_equal(single.to_xarray().u, u.astype(np.float32))


def test_numpy_integers_do():
    assert len(generate("darcy", np.int64(2), np.int32(8), seed=np.uint8(3))) == 2


def test_progress_is_shown_on_stderr(capfd):
    generate("darcy", 3, 8, progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "darcy 8x8" in shown.err and "3/3" in shown.err
    generate("darcy", 3, 8)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("workers", [1, 2])
def test_failing_sample_is_named_and_nothing_is_left(tmp_path, workers):
    with pytest.raises(
        WorkError, match=r"sample 0 \(seed \d+\) of the recipe 'darcy' at resolution 16x16 .*100000"
    ) as raised:
        generate("darcy", 6, 16, coefficient="lognormal", sigma=1e5, out=tmp_path / "d.nc", workers=workers)
    assert "\n" not in str(raised.value)
    assert os.listdir(tmp_path) == []


def test_fine_line_in_one_dimension():
    assert generate("darcy", 1, 4096, ndim=1).to_xarray().solver_residual.max() <= 1e-8


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_interrupt_leaves_samples_to_go_on_with(tmp_path, workers):
    """Ctrl-C as a terminal sends it, to all processes of the group."""
    code = """
        import signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        import opforge
        try:
            opforge.generate("darcy", 100_000, 64, out=sys.argv[1], workers=int(sys.argv[2]), progress=True)
        except KeyboardInterrupt:
            print("interrupted")
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "d.nc"), workers]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        partial, deadline = tmp_path / "d.nc.partial", time.monotonic() + 60
        while not (partial.exists() and partial.stat().st_blocks > 1000) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert os.listdir(tmp_path) == ["d.nc.partial"]
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "interrupted\n")
    assert "Traceback" not in err
    assert "of 100000 samples are in" in err and "go on with resume=True" in err
    assert os.listdir(tmp_path) == ["d.nc.partial"]


def test_unknown_recipe():
    with pytest.raises(UnknownNameError, match="did you mean 'darcy'"):
        generate("Darcy", 1, 8)


def test_unknown_parameter():
    with pytest.raises(UnknownNameError, match=r"'coeficient'; did you mean 'coefficient'\?"):
        generate("darcy", 1, 8, coeficient="lognormal")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"samples": 0}, "samples must lie between 1 and"),
        ({"samples": -5}, "samples must lie between 1 and"),
        ({"samples": 2.5}, "samples must be an integer, got 2.5"),
        ({"resolution": 0}, "resolution must be at least 4"),
        (
            {"resolution": 10**6},
            r"resolution 1000000x1000000 is 1e\+12 points, which take about 1,000,000 GB .* lower the resolution",
        ),
        ({"resolution": (8, 10**12)}, "lower the resolution"),
        ({"resolution": (8, 8, 8)}, "resolution must be an integer or 2 of them"),
        ({"seed": -1}, "seed must lie between 0 and"),
        ({"seed": 2**63}, "seed must lie between 0 and"),
        ({"seed": "zero"}, "seed must be an integer, got 'zero'"),
        ({"workers": 0}, "workers must lie between 1 and"),
        ({"workers": 10**9}, "workers must be at most .* at this resolution"),
        ({"dtype": "float16"}, "dtype must be 'float32' or 'float64', got 'float16'"),
        ({"samples": 10**12}, "samples=1000000000000 need .* GB of memory.*; give out="),
        ({"high": -1.0}, "high must be positive"),
        (
            {"resolution": 10**6, "ndim": 1},
            r"resolution 1000000 is too high for tolerance=1e-08, .* lower the resolution to at most \d+ .*or raise",
        ),
        ({"tolerance": 1e-16}, r"resolution 8x8 is too high for tolerance=1e-16, .*; raise the tolerance to"),
        ({"tolerance": 1e-16, "ndim": 3}, "resolution 8x8x8 is too high"),
        ({"coefficient": {}}, "coefficient must be one of"),
        ({"forcing": 1e300}, "forcing must be of magnitude"),
    ],
)
def test_wrong_input_is_refused_in_one_line(arguments, match):
    with pytest.raises(InputError, match=match) as raised:
        generate(**{"name": "darcy", "samples": 2, "resolution": 8, **arguments})
    assert "\n" not in str(raised.value)


def test_output_that_exists_is_kept_unless_told(tmp_path):
    path = tmp_path / "d.nc"
    path.write_text("what was there")
    with pytest.raises(InputError, match=r"out names .*, which exists"):
        generate("darcy", 1, 8, out=path)
    assert path.read_text() == "what was there"
    assert len(generate("darcy", 1, 8, out=str(path), overwrite=True)) == 1
    assert os.listdir(tmp_path) == ["d.nc"]


def test_resume_of_what_is_done_or_not_there(tmp_path):
    path = tmp_path / "d.nc"
    made = generate("darcy", 3, 8, out=path, resume=True)
    before = path.stat().st_mtime_ns
    assert len(generate("darcy", 3, 8, out=path, resume=True)) == len(made) == 3
    assert path.stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"d\.nc is of another dataset: seed is 0 there and 1 here"):
        generate("darcy", 3, 8, seed=1, out=path, resume=True)
    with pytest.raises(InputError, match="resume needs out"):
        generate("darcy", 3, 8, resume=True)
    with pytest.raises(InputError, match="give one of them"):
        generate("darcy", 3, 8, out=path, resume=True, overwrite=True)


def test_folder_that_is_missing(tmp_path):
    with pytest.raises(InputError, match="out lies in the folder"):
        generate("darcy", 1, 8, out=tmp_path / "none" / "d.nc")


def test_too_many_samples_for_the_disk(tmp_path):
    with pytest.raises(InputError, match=r"MB and the disk has .* MB free"):
        generate("darcy", 10**12, 8, out=tmp_path / "d.nc")
    assert os.listdir(tmp_path) == []


def test_equal_functions_on_different_grids():
    """The same seed is the same medium at every resolution, so that finer data can judge coarser ones."""
    coarse, fine = (
        generate("darcy", 3, n, seed=2, coefficient="lognormal", dtype="float64").to_xarray() for n in (24, 72)
    )
    np.testing.assert_array_equal(coarse.seed, fine.seed)
    np.testing.assert_allclose(fine.a[:, 1::3, 1::3], coarse.a, rtol=0.2)
    difference = np.abs(fine.u[:, 1::3, 1::3].values - coarse.u.values).max() / coarse.u.values.max()
    assert 0 < difference < 0.02


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_killed_at_any_moment_it_goes_on_to_the_same_file(tmp_path):
    """Twenty times SIGKILL, anywhere from the first import to the last sample."""
    code = """
        import sys, opforge
        opforge.generate("darcy", 800, 32, seed=5, out=sys.argv[1], workers=int(sys.argv[2]), resume=True)
    """

    def start(name, workers):
        command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / name), str(workers)]
        return subprocess.Popen(command, start_new_session=True)

    began = time.monotonic()
    assert start("whole.nc", 1).wait() == 0
    longest = time.monotonic() - began
    moments = np.random.default_rng(0).uniform(0.1, 0.25, 20) * longest
    for number, moment in enumerate(moments):
        with start("d.nc", 1 + number % 2) as process:
            time.sleep(moment)
            os.killpg(process.pid, signal.SIGKILL)
    assert start("d.nc", 1).wait() == 0
    assert sorted(os.listdir(tmp_path)) == ["d.nc", "whole.nc"]
    assert (tmp_path / "d.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()
