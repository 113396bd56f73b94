"""The benchmark of steps on a GPU, run on the CPU: its checks and its rows."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch

from opforge.benchmarks import gpu_stepping
from opforge.benchmarks.contest import Effort
from opforge.errors import WorkError

SHORT = Effort(seconds=0.0, least=2, most=2, turn=0.0)


@pytest.mark.parametrize("number", range(3))
def test_contestants_agree(number: int) -> None:
    problem = replace(gpu_stepping.PROBLEMS[number], samples=2)
    rows = gpu_stepping.measure(problem, "cpu", SHORT, time.perf_counter)
    assert {"opforge", "opforge from Python", "torch.fft from Python"} <= {row["contestant"] for row in rows}
    assert all(row["difference"] <= 1e-4 and row["steps_per_second"] > 0 for row in rows)


def test_wrong_answers_are_not_timed() -> None:
    problem = gpu_stepping.PROBLEMS[0]
    right = torch.ones(2, 1, 256)
    with pytest.raises(WorkError, match="other and opforge differ by 1"):
        gpu_stepping.compare(problem, {"opforge": lambda: right, "other": lambda: 2 * right})


@pytest.mark.parametrize(("name", "shape"), gpu_stepping.RECIPES.items())
def test_steppers_of_recipes_in_single_precision(name: str, shape: tuple[int, ...]) -> None:
    coarse = tuple(max(48, n // 4) for n in shape)
    rows = gpu_stepping.measure_recipe(name, coarse, "cpu", SHORT, time.perf_counter, samples=4)
    assert {row["steps"] for row in rows} == {gpu_stepping.RECIPE_STEPS}
    assert all(0 < row["difference"] < 1e-3 for row in rows)


def test_samples_that_fill_a_gpu() -> None:
    labels = [problem.label for problem in gpu_stepping.problems()]
    assert len(set(labels)) == 6 and "Navier–Stokes 512 x 64²" in labels


@pytest.mark.skipif(torch.cuda.is_available(), reason="is for machines without a GPU")
def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu_stepping.main([]) == 1
    assert "sees no GPU" in capsys.readouterr().err
