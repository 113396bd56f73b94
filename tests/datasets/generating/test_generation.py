import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import ClassVar

import h5py
import numpy as np
import pytest
import torch

import opforge
from opforge.datasets import EvolutionRecipe, generate, open_dataset, registry
from opforge.datasets.files.writer import FileWriter
from opforge.datasets.recipe import make_recipe
from opforge.errors import InputError, UnknownNameError, WorkError
from tests.datasets.generating.compared import assert_same, contents


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_writes_the_same_bytes(tmp_path, workers, reference):
    one = generate("darcy", 6, 12, seed=3, workers=1, out=tmp_path / "one.nc")
    many = generate("darcy", 6, 12, seed=3, workers=workers, out=tmp_path / "many.nc")
    assert one.path.read_bytes() == many.path.read_bytes()
    assert_same(contents(many), reference)


@pytest.mark.slow
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


def cases():
    """Every recipe in every number of dimensions that it has, with little time to evolve, on a grid that it takes."""
    for name in sorted(registry()):
        usual = make_recipe(name, {})
        brief = {"frames": 3, "end_time": usual.end_time / 20} if isinstance(usual, EvolutionRecipe) else {}
        brief |= {"side": 0.3} if name == "gray_scott" else {}  # which few points resolve
        # three dimensions take long where something evolves, and are no other file
        axes = (1, 2) if brief else (1, 2, 3)
        for more in [{"ndim": ndim} for ndim in axes] if "ndim" in usual.parameters() else [{}]:
            try:
                recipe = make_recipe(name, {**brief, **more})
            except InputError:
                continue
            yield name, {**brief, **more}, coarsest(recipe)


def coarsest(recipe):
    resolution = max(8, recipe.least_resolution)
    while True:
        try:
            recipe.check(recipe.grid(resolution))
            return resolution
        except InputError:
            resolution *= 2


@pytest.mark.parametrize("compression", [None, 1])
@pytest.mark.parametrize(("name", "parameters", "resolution"), list(cases()))
def test_file_and_memory_are_the_same(tmp_path, name, parameters, resolution, compression):
    memory = generate(name, 3, resolution, **parameters)
    file = generate(name, 3, resolution, out=tmp_path / "d.nc", compression=compression, **parameters)
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


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_workers_that_live_on_do_not_hold_the_file(tmp_path, reference):
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as executor:
        made = generate("darcy", 6, 12, seed=3, out=tmp_path / "d.nc", executor=executor)
        assert_same(contents(made), reference)


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
    assert len(generate("darcy", 4, 8, seed=1, out=path, resume=True, overwrite=True)) == 4, "it is replaced"


def test_a_run_that_replaces_a_file_is_gone_on_with(tmp_path, monkeypatch):
    """What was there stays until the new file is whole, and the interrupt names what goes on."""
    monkeypatch.setattr("opforge.datasets.generating.pace.Pace._size", lambda self: 1)
    path, partial = tmp_path / "d.nc", tmp_path / "d.nc.partial"
    generate("darcy", 3, 8, out=path, workers=1)
    old = path.read_bytes()
    put = FileWriter.wrote

    def interrupted(self, start, count, failed):
        put(self, start, count, failed)
        if start == 3:
            raise KeyboardInterrupt

    for seed in (0, 1):
        arguments = {"seed": seed, "out": path, "workers": 1}
        with (
            monkeypatch.context() as patch,
            pytest.warns(UserWarning, match=r"4 of 6 samples are in .*; go on with overwrite=True, resume=True"),
            pytest.raises(KeyboardInterrupt),
        ):
            patch.setattr(FileWriter, "wrote", interrupted)
            generate("darcy", 6, 8, overwrite=True, **arguments)
        assert path.read_bytes() == old and partial.exists()
        with pytest.raises(InputError, match="is of another dataset"):
            generate("darcy", 6, 8, resume=True, **arguments)
        whole = partial.stat().st_size
        assert len(generate("darcy", 6, 8, overwrite=True, resume=True, **arguments)) == 6
        assert not partial.exists() and path.stat().st_size >= whole
        generate("darcy", 3, 8, out=path, workers=1, overwrite=True)


def test_samples_beside_a_whole_file_are_told_of(tmp_path):
    path = tmp_path / "d.nc"
    generate("darcy", 3, 8, out=path)
    (tmp_path / "d.nc.partial").write_bytes(b"samples of a run that was to replace it")
    with pytest.warns(UserWarning, match=r"d\.nc is whole, and .*d\.nc\.partial holds samples"):
        generate("darcy", 3, 8, out=path, resume=True)


def test_folder_that_is_missing(tmp_path):
    with pytest.raises(InputError, match="out lies in the folder"):
        generate("darcy", 1, 8, out=tmp_path / "none" / "d.nc")


def test_too_many_samples_for_the_disk(tmp_path):
    with pytest.raises(InputError, match=r"d\.nc needs 5\d\d\.\d TB and the disk has .* free"):
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
@pytest.mark.parametrize("compression", [None, pytest.param(4, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_goes_on_to_the_same_file(tmp_path, compression):
    """Twenty times SIGKILL, anywhere from the first import to the last sample."""
    code = f"""
        import sys, opforge
        options = {{"compression": {compression}, "resume": True}}
        opforge.generate("darcy", 800, 32, seed=5, out=sys.argv[1], workers=int(sys.argv[2]), **options)
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


# --- shards and compression ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_shards_are_parts_of_the_whole(tmp_path, reference, count):
    parts = [generate("darcy", 6, 12, seed=3, out=tmp_path / f"{i}.nc", shard=(i, count)) for i in range(1, count + 1)]
    assert sum(len(part) for part in parts) == 6
    first = 0
    for part in parts:
        assert (part.header.first, part.header.total) == (first, 6)
        assert_same(contents(part), reference, slice(first, first + len(part)))
        first += len(part)
    assert_same(contents(open_dataset(tmp_path)), reference)


def test_a_shard_goes_on_where_it_was_interrupted(tmp_path):
    options = {"seed": 3, "shard": (2, 3), "workers": 1}
    whole = generate("darcy", 6, 12, out=tmp_path / "whole.nc", **options)
    before = whole.path.stat().st_mtime_ns
    assert len(generate("darcy", 6, 12, out=tmp_path / "whole.nc", resume=True, **options)) == 2
    assert whole.path.stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"whole\.nc is of another dataset: samples is 2 there and 6 here"):
        generate("darcy", 6, 12, seed=3, out=tmp_path / "whole.nc", resume=True)
    with pytest.raises(InputError, match=r"whole\.nc is of another dataset: first_sample is 2 there and 4 here"):
        generate("darcy", 6, 12, seed=3, out=tmp_path / "whole.nc", resume=True, shard=(3, 3))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("level", [1, 9])
def test_compression_loses_nothing(tmp_path, reference, workers, level):
    options = {"seed": 3, "compression": level}
    files = [
        generate("darcy", 6, 12, out=tmp_path / f"{i}.nc", workers=n, **options) for i, n in enumerate((1, workers))
    ]
    assert_same(contents(files[1]), reference)
    assert files[0].path.read_bytes() == files[1].path.read_bytes()
    with h5py.File(files[1].path) as file:
        assert (file["a"].compression, file["a"].compression_opts) == ("gzip", level)


@pytest.mark.parametrize("compression", [None, 4])
@pytest.mark.parametrize(
    "make", [ThreadPoolExecutor, lambda n: ProcessPoolExecutor(n, mp_context=get_context("spawn"))]
)
def test_any_executor_writes_the_same_file(tmp_path, make, compression):
    generate("darcy", 6, 12, seed=3, out=tmp_path / "one.nc", workers=1, compression=compression)
    with make(2) as executor:
        generate("darcy", 6, 12, seed=3, out=tmp_path / "two.nc", executor=executor, compression=compression)
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "two.nc").read_bytes()


def test_an_executor_that_was_shut_down_is_refused(tmp_path):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(InputError, match=r"executor must take jobs, got one that does not: .* after shutdown"):
        generate("darcy", 3, 8, out=tmp_path / "d.nc", executor=executor)


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_tell_how_many_jobs_an_executor_does_at_once(monkeypatch, workers):
    """It gets three times as many: those that it does, and the next ones."""
    monkeypatch.setattr("opforge.datasets.generating.pace.Pace._size", lambda self: 1)

    class Waiting(Future):
        def result(self, timeout=None):
            under_way.remove(self)
            return super().result(timeout)

    class Counting(Executor):
        def submit(self, job):
            under_way.append(Waiting())
            under_way[-1].set_result(job())
            most.append(len(under_way))
            return under_way[-1]

    under_way, most = [], []
    assert len(generate("darcy", 20, 8, workers=workers, executor=Counting())) == 20
    assert len(most) == 20 and max(most) == 3 * workers and not under_way


def test_an_executor_hands_samples_back(tmp_path):
    """Its workers may have other disks."""

    class Seen(ThreadPoolExecutor):
        targets: ClassVar = []

        def submit(self, job):
            self.targets.append(job.plan.target)
            return super().submit(job)

    with Seen(1) as executor:
        generate("darcy", 3, 8, out=tmp_path / "d.nc", executor=executor)
    assert Seen.targets and set(Seen.targets) == {None}


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"shard": (1, 2)}, "shard needs out, the file to write"),
        ({"compression": 4}, "compression needs out, the file to write"),
        ({"shard": (3, 2), "out": "d.nc"}, "shard must be .* got 3/2"),
        ({"shard": "1/2", "out": "d.nc"}, "shard must be two whole numbers"),
        ({"compression": 11, "out": "d.nc"}, "compression must be a level from 1"),
        ({"on_error": "ignore"}, "on_error must be 'stop' or 'skip', got 'ignore'"),
    ],
)
def test_wrong_shards_levels_and_words(tmp_path, monkeypatch, arguments, match):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=match) as raised:
        generate("darcy", 4, 8, **arguments)
    assert "\n" not in str(raised.value) and os.listdir(tmp_path) == []


def test_resuming_with_another_type_or_compression_is_refused(tmp_path):
    generate("darcy", 3, 8, out=tmp_path / "d.nc")
    for options, match in (
        ({"dtype": "float64"}, "dtype is 'float32' there"),
        ({"compression": 2}, "compression is None"),
    ):
        with pytest.raises(InputError, match=rf"d\.nc is of another dataset: {match}"):
            generate("darcy", 3, 8, out=tmp_path / "d.nc", resume=True, **options)
