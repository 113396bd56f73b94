import os
import socket
import subprocess
import sys
import textwrap
from concurrent.futures import CancelledError

import pytest

from opforge.datasets import generate
from opforge.datasets.generating.dask_cluster import cluster_error, dask_executor
from opforge.errors import InputError

# Dask starts threads and processes of its own, so a cluster lives in a process of its own; it is the main module of
# that process, which Dask's workers import.
SCRIPT = """
    import os, signal, sys, threading, time

    def main():
        from distributed import LocalCluster
        import opforge
        from opforge.datasets.generating.dask_cluster import dask_executor

        path, kill = sys.argv[1], sys.argv[2] == "kill"
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
            with dask_executor(cluster.scheduler_address) as (executor, count):
                assert count == 2, count
                pids = [worker.pid for worker in cluster.workers.values()]
                if kill:
                    def strike():
                        partial = path + ".partial"
                        while not os.path.exists(partial) or os.stat(partial).st_blocks < 400:
                            time.sleep(0.01)
                        victim = next(iter(cluster.workers.values())).process.pid
                        os.kill(victim, signal.SIGKILL)
                        print("killed", victim, flush=True)
                    threading.Thread(target=strike, daemon=True).start()
                opforge.generate("darcy", 600, 32, seed=5, out=path, workers=count, executor=executor)

    if __name__ == "__main__":
        main()
"""


def run_script(tmp_path, path, word):
    script = tmp_path / "cluster.py"
    script.write_text(textwrap.dedent(SCRIPT))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, str(script), str(path), word], capture_output=True, text=True, timeout=300, env=environment
    )


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_a_cluster_that_loses_a_worker_makes_the_same_file(tmp_path):
    done = run_script(tmp_path, tmp_path / "cluster.nc", "kill")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("killed"), "the worker was killed while samples were missing"
    generate("darcy", 600, 32, seed=5, out=tmp_path / "here.nc", workers=1)
    assert (tmp_path / "cluster.nc").read_bytes() == (tmp_path / "here.nc").read_bytes()


def test_an_address_that_is_none():
    with pytest.raises(InputError, match=r"dask must be a scheduler's address .*, got 'localhost'"):
        dask_executor("localhost").__enter__()


def test_nobody_at_the_address(tmp_path):
    """In a process of its own: Dask leaves threads behind."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"""
        from opforge.cli import main
        import sys, opforge.datasets.generating.dask_cluster as cluster
        cluster._CONNECT_SECONDS = 1
        sys.exit(main(["generate", "darcy", "-n", "2", "--dask", "tcp://127.0.0.1:{port}", "-o", "d.nc"]))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    assert f"no Dask scheduler answers at tcp://127.0.0.1:{port}; start one" in done.stderr
    assert os.listdir(tmp_path) == []


def test_errors_of_dask_are_work_that_failed():
    from distributed.scheduler import KilledWorker

    class Worker:
        address = "tcp://x"

    lost = cluster_error(KilledWorker("job", Worker(), 3))
    assert "the Dask cluster gave up: " in str(lost) and "\n" not in str(lost)
    assert "the work was cancelled: the executor was shut down, or the Dask scheduler" in str(
        cluster_error(CancelledError())
    )
    assert cluster_error(ValueError("no")) is None
