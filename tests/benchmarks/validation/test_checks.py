"""Every equation's validation holds."""

import pytest

from opforge.benchmarks.validation.checks import Check, checks_of, validated

# Those whose checks take longer than some seconds.
SLOW = {"incompressible_flow", "shallow_water", "compressible_flow"}


@pytest.mark.parametrize(
    "equation", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in validated()]
)
def test_all_checks_hold(equation):
    checks = list(checks_of(equation))
    for check in checks:
        print(f"{equation}: {check.what}: {check.value:.4g}, between {check.low:.4g} and {check.high:.4g}")
    assert len(checks) >= 3
    assert [check.what for check in checks if not check.holds] == []


def test_a_number_out_of_bounds_does_not_hold():
    assert Check("order", 2.0, 1.9, 2.1, "").holds
    assert not Check("order", 2.2, 1.9, 2.1, "").holds
    assert not Check("order", float("nan"), 1.9, 2.1, "").holds
