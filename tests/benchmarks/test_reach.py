import pytest

from opforge.benchmarks.reach import BOTH, geometric_mean, judge, memory_shares, peer_ratios


def row(case, contestant, ratio, family="spectral", group="usual modes", way=BOTH):
    names = {"family": family, "group": group, "case": case, "pass": way}
    return names | {"contestant": contestant, "ratio": ratio}


def peak(case, contestant, megabytes, family="spectral", group="usual modes"):
    return {"family": family, "group": group, "case": case, "contestant": contestant, "allocated_mb": megabytes}


def verdicts(lines):
    return {(line["family"], line["group"], line["what"]): line["verdict"] for line in lines}


def test_geometric_mean_of_ratios_is_symmetric():
    assert geometric_mean([2.0, 0.5]) == pytest.approx(1.0, rel=1e-15)


def test_the_fastest_of_several_peers_counts():
    rows = [row("a", "torch.fft einsum", 3.0), row("a", "torch.fft bmm", 2.0), row("b", "torch.fft einsum", 4.0)]
    assert peer_ratios(rows, ("torch.fft einsum", "torch.fft bmm")) == {"a": 2.0, "b": 4.0}


def test_goals_of_the_usual_modes():
    rows = [row("a", "neuraloperator", 1.9), row("b", "neuraloperator", 16.0), row("a", "opforge", 1.0)]
    lines = judge(rows, [])
    assert [(line["reached"], line["verdict"]) for line in lines] == [
        (pytest.approx((1.9 * 16) ** 0.5), "pass"),
        (1.9, "FAIL"),
    ]
    assert [line["goal"] for line in lines] == ["at least 4", "at least 2"]
    assert [line["cases"] for line in lines] == [2, 2]


def test_a_goal_counts_its_own_rows_alone():
    far = [row("a", "neuraloperator", 9.0, group="one axis"), row("a", "neuraloperator", 9.0, way="forward")]
    assert judge(far, []) == []


def test_all_modes_may_lose_five_in_a_hundred():
    lines = judge([row("a", "torch.fft by axis", 0.96, group="all modes")], [])
    assert [line["verdict"] for line in lines] == ["pass"]
    lines = judge([row("a", "torch.fft by axis", 0.94, group="all modes")], [])
    assert [line["verdict"] for line in lines] == ["FAIL"]


def test_long_convolutions_are_judged_by_kind_and_pass():
    rows = [row("a", "torch.fft", 2.5, "fft_conv", group) for group in ("full kernel", "N/16 taps", "1/8 of the modes")]
    assert list(verdicts(judge(rows, [])).values()) == ["pass", "FAIL", "pass"]


def test_memory_counts_the_greatest_share():
    memory = [peak("a", "opforge", 4.0), peak("a", "neuraloperator", 10.0)]
    memory += [peak("b", "opforge", 6.0), peak("b", "neuraloperator", 10.0), peak("b", "opforge, channels last", 1.0)]
    assert memory_shares(memory, "neuraloperator") == {"a": 0.4, "b": 0.6}
    (line,) = judge([], memory)
    assert (line["reached"], line["goal"], line["verdict"]) == (0.6, "at most 0.5", "FAIL")
    (line,) = judge([], memory[:2])
    assert line["verdict"] == "pass"
