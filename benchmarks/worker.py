"""The process that measures: it is told what as JSON, and answers with one line of JSON for every finding.

A process of its own lets the settings of threads and memory be made before torch is loaded, starts every family from
the same state, and keeps what peers print away from the results.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from subprocess import PIPE, Popen
from tempfile import TemporaryFile
from typing import Any

from opforge.benchmarks.memory import ENVIRONMENT
from opforge.errors import WorkError

FAMILIES = {
    "spectral": "spectral",
    "fft_conv": "long_convolution",
    "fno": "fno_step",
    "transforms": "full_transforms",
}


def findings(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give a task to a fresh process, and yield what it finds as it comes.

    Args:
        task: ``measure`` (``"times"`` or ``"memory"``), ``family``, ``threads``; see `times` and `memory`.

    Raises:
        WorkError: the process failed, with the last line it said.
    """
    environment = os.environ | {"OMP_NUM_THREADS": str(task["threads"])}
    if task["measure"] == "memory":
        environment |= ENVIRONMENT
    if not task["tuned"]:
        environment.pop("GOMP_SPINCOUNT", None)  # the command has set it for its own process
    words = [sys.executable, "-m", "opforge.benchmarks.worker", json.dumps(task)]
    with TemporaryFile("w+") as said, Popen(words, stdout=PIPE, stderr=said, text=True, env=environment) as process:
        try:
            assert process.stdout is not None  # it is a pipe
            for line in process.stdout:
                yield json.loads(line)
        except BaseException:
            process.kill()
            raise
        if process.wait():
            said.seek(0)
            lines = [line.strip() for line in said if line.strip()]
            why = lines[-1] if lines else "it said nothing; perhaps the system ended it for want of memory"
            raise WorkError(f"measuring {task['family']} failed (status {process.returncode}): {why}")


def times(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of every case and pass of ``family``, case by case; ``effort`` as in `contest.Effort`."""
    from opforge.benchmarks.contest import Effort, measure

    effort = Effort(**task["effort"])
    for case in _cases(task):
        for way in case.passes:
            yield {"rows": measure(case, way, effort)}


def memory(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The peak of one ``contestant`` of the case at index ``case`` of ``family``, in the last pass, warmed up."""
    from opforge.benchmarks.memory import allocated, resident

    case = _cases(task)[task["case"]]
    one = case.contestants(case.passes[-1])[task["contestant"]]()
    one.run()
    one.run()
    yield {"resident": resident(one.run), "allocated": allocated(one.run), "standing": one.standing}


def plan(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The cases of ``family``, and whose memory is to be measured."""
    for index, case in enumerate(_cases(task)):
        installed = case.contestants(case.passes[-1])
        names = [name for name in case.memory if name in installed]
        yield {"case": index, "group": case.group, "label": case.label, "passes": case.passes, "memory": names}


def _cases(task: Mapping[str, Any]) -> Sequence[Any]:
    family = import_module(f"opforge.benchmarks.{FAMILIES[task['family']]}")
    return family.cases(quick=task["quick"], backends=task["backends"])


def main(task: Mapping[str, Any]) -> None:
    """Do what the task says; findings go to stdout, all else that is printed to stderr."""
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if task["tuned"]:
        from opforge.cli.process import tune

        tune()
    import torch

    torch.set_num_threads(task["threads"])
    for found in {"times": times, "memory": memory, "plan": plan}[task["measure"]](task):
        print(json.dumps(found), file=results, flush=True)


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except WorkError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:  # the parent was interrupted too, and says so
        sys.exit(130)
