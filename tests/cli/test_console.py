import json

import pytest

from opforge.cli.console import Report, text

COLUMNS, ROWS = ("data", "relative L2", "residual"), (("test.nc", 0.0123456, None), ("other.nc", 1.5, 2))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0123456, "0.01235"), (1000, "1000"), (None, "-"), ([64, 64], "64 x 64"), ("a", "a"), (True, "True")],
)
def test_values_in_tables(value, shown):
    assert text(value) == shown


def test_quiet_tables_are_tab_separated(capsys):
    Report(quiet=True).table(COLUMNS, ROWS, title="errors")
    assert capsys.readouterr().out == "data\trelative L2\tresidual\ntest.nc\t0.01235\t-\nother.nc\t1.5\t2\n"


def test_tables_show_every_value_and_leave_brackets_alone(capsys):
    Report().table(COLUMNS, [*ROWS, ("[bold]x[/bold]", 1.0, None)], title="errors")
    out = capsys.readouterr().out
    for shown in ("errors", *COLUMNS, "0.01235", "other.nc", "[bold]x[/bold]"):
        assert shown in out


def test_only_results_when_quiet_and_details_when_verbose(capsys):
    for report, expected in ((Report(), "say\n"), (Report(verbose=True), "say\ndetail\n"), (Report(quiet=True), "")):
        report.say("say")
        report.detail("detail")
        report.result("result")
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == ("result\n", expected)


def test_json_goes_to_a_file_or_to_stdout_or_nowhere(tmp_path, capsys):
    values = {"relative_l2": 0.1, "residual": None}
    Report().json(str(tmp_path / "m.json"), values)
    assert json.loads((tmp_path / "m.json").read_text()) == values
    Report().json("-", values)
    assert json.loads(capsys.readouterr().out) == values
    Report().json(None, values)
    assert capsys.readouterr().out == ""
