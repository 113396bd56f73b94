from opforge.benchmarks import process_settings


def test_a_step_runs_in_a_process_without_the_callers_settings(monkeypatch):
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.setattr(
        process_settings, "STEP", "import os, sys; print(len(sys.argv[1]) + ('GOMP_SPINCOUNT' in os.environ))"
    )
    assert process_settings.step("tuned") == 5.0
