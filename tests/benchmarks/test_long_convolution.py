import pytest

from opforge.benchmarks.contest import REFERENCE, compare
from opforge.benchmarks.long_convolution import CLOSE, FULL, PEER, SHORT, SPARSE, Problem, cases, contestants


@pytest.mark.parametrize("way", ["forward", "forward+backward"])
@pytest.mark.parametrize("group", [FULL, SHORT, SPARSE])
def test_contestants_agree(group, way):
    made = {name: factory() for name, factory in contestants(Problem(group, 256), way).items()}
    assert set(made) == {REFERENCE, PEER} | ({CLOSE} if group == SHORT else set())
    compare(made, "test")
    assert len(made[REFERENCE].result()) == (3 if way == "forward+backward" else 1)


def test_every_kind_at_every_length_from_1k_to_64k():
    found = {(case.group, case.label) for case in cases()}
    assert len(found) == 3 * 7
    assert {label.split(",")[0] for _, label in found} == {f"N = {2**i}K" for i in range(7)}
    assert {(case.group, case.label) for case in cases(quick=True)} < found
