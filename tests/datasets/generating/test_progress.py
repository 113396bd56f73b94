import pytest

from opforge.datasets.generating.progress import progress_bar


def test_the_bar_is_on_stderr_and_counts_from_what_is_done(capfd):
    with progress_bar("darcy 8x8", 10, 4) as advance:
        advance(1)
        advance(5, "half as large")
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "darcy 8x8" in shown.err and "10/10" in shown.err and "half as large" in shown.err


def test_a_bar_that_is_left_early_tells_how_far_it_came(capfd):
    with pytest.raises(ValueError, match="stop"), progress_bar("title", 10, 0) as advance:
        advance(3)
        raise ValueError("stop")
    assert "3/10" in capfd.readouterr().err


def test_no_bar_without_a_title(capfd):
    with progress_bar(None, 10, 0) as advance:
        advance(3)
    assert capfd.readouterr() == ("", "")
