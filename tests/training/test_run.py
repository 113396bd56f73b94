import pytest

from opforge.training import evaluate, fit


def test_evaluates_its_operator(fakes):
    data = fakes.Doubled(5, seed=2)
    run = fit(fakes.tiny(), fakes.Doubled(), 2, progress=False)
    ours, theirs = run.evaluate(data, batch_size=2).to_dict(), evaluate(run.operator, data).to_dict()
    assert {k: v for k, v in ours.items() if k != "seconds"} == {
        k: pytest.approx(v) for k, v in theirs.items() if k != "seconds"
    }
