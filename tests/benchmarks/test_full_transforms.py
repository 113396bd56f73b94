import pytest

from opforge.benchmarks.contest import REFERENCE, compare
from opforge.benchmarks.full_transforms import KINDS, NUMPY, TORCH, Problem, cases, contestants


@pytest.mark.parametrize("group", [NUMPY, TORCH])
@pytest.mark.parametrize("kind", KINDS[:2])
def test_fourier_contestants_agree(kind, group):
    problem = Problem(group, kind, (2, 6, 9))
    made = {name: factory() for name, factory in contestants(problem, "transform").items()}
    assert set(made) == {REFERENCE, "torch.fft"} | ({"scipy.fft"} if group == NUMPY else set())
    compare(made, "test")


@pytest.mark.parametrize("kind", KINDS[2:])
def test_cosine_and_sine_contestants_agree(kind):
    made = {name: factory() for name, factory in contestants(Problem(NUMPY, kind, (2, 6, 9)), "transform").items()}
    assert set(made) == {REFERENCE, "scipy.fft"}
    compare(made, "test")
    assert all(t.isfinite().all() for t in made[REFERENCE].result())


def test_data_is_single_precision_throughout():
    for kind in KINDS:
        for factory in contestants(Problem(NUMPY, kind, (2, 6, 8)), "transform").values():
            assert factory().result()[0].element_size() == (8 if kind == "rfftn" else 4)


def test_labels_tell_the_cases_apart():
    labels = [(case.group, case.label) for case in cases()]
    assert len(set(labels)) == len(labels)
    assert {(case.group, case.label) for case in cases(quick=True)} < set(labels)
