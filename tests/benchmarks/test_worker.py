"""What the measuring process is told, and what it answers."""

import pytest

from opforge.benchmarks import worker
from opforge.benchmarks.worker import findings
from opforge.errors import WorkError

TASK = {"family": "transforms", "threads": 1, "quick": True, "backends": False, "tuned": True}


def test_a_plan_names_the_cases():
    found = list(worker.plan(TASK | {"measure": "plan"}))
    assert [case["case"] for case in found] == list(range(len(found)))
    assert all(case["passes"] == ("transform",) and case["memory"] == [] for case in found)


def test_a_plan_asks_for_the_memory_of_installed_contestants():
    found = next(worker.plan(TASK | {"family": "spectral"}))
    assert {"opforge", "torch.fft einsum"} <= set(found["memory"])


def test_a_fresh_process_measures_and_answers_line_by_line():
    effort = {"seconds": 0.0, "least": 2, "turn": 0.0}
    found = [one["rows"] for one in findings(TASK | {"measure": "times", "effort": effort})]
    assert len(found) == len(list(worker.plan(TASK)))
    for rows in found:
        assert rows[0]["contestant"] == "opforge" and rows[0]["rounds"] == 2
        assert all(row["difference"] < 1e-5 for row in rows)


def test_the_commands_settings_reach_no_untuned_process(monkeypatch):
    seen = []

    def popen(words, *, env, **options):
        seen.append(env)
        raise OSError("not started")

    monkeypatch.setattr(worker, "Popen", popen)
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    for task in (TASK, TASK | {"tuned": False}):
        with pytest.raises(OSError, match="not started"):
            list(findings(task | {"measure": "plan"}))
    assert [env.get("GOMP_SPINCOUNT") for env in seen] == ["1000", None]
    assert all(env["OMP_NUM_THREADS"] == "1" for env in seen)


def test_a_process_that_fails_says_why():
    with pytest.raises(WorkError, match=r"measuring nothing failed \(status 1\): KeyError: 'nothing'"):
        list(findings(TASK | {"measure": "plan", "family": "nothing"}))


def test_families_name_modules_with_cases():
    for family in worker.FAMILIES:
        assert list(worker.plan(TASK | {"family": family}))
