import pytest

from opforge.cli.settings import checked, literal, parsed
from opforge.errors import InputError, UnknownNameError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("32", 32),
        ("1e-3", 1e-3),
        ("(12, 8)", (12, 8)),
        ("12,8", (12, 8)),
        ("[1, 2]", [1, 2]),
        ("true", True),
        ("False", False),
        ("null", None),
        ("none", None),
        ("'32'", "32"),
        ("lognormal", "lognormal"),
        ("a b", "a b"),
        ("", ""),
    ],
)
def test_literals(text, value):
    assert literal(text) == value
    assert type(literal(text)) is type(value)


def test_a_value_may_hold_equals_signs_and_a_name_dashes():
    assert parsed(["note=a=b", "skip-mode=none"]) == {"note": "a=b", "skip_mode": None}


@pytest.mark.parametrize("setting", ["width", "=3", "2x=3", "a b=3", ""])
def test_what_is_no_setting_is_refused(setting):
    with pytest.raises(InputError, match="--set expects name=value"):
        parsed([setting])


def test_a_setting_given_twice_is_refused():
    with pytest.raises(InputError, match="--set width is given twice"):
        parsed(["width=3", "width=4"])


def test_unknown_settings_are_refused_with_the_closest():
    class Model:
        def __init__(self, in_channels, *, width=32, modes=12): ...

    assert checked({"width": 3}, Model.__init__, kind="setting of fno") == {"width": 3}
    with pytest.raises(UnknownNameError, match="unknown setting of fno 'widht'; did you mean 'width'"):
        checked({"widht": 3}, Model.__init__, kind="setting of fno")
    with pytest.raises(UnknownNameError, match="'in_channels'"):
        checked({"in_channels": 3}, Model.__init__, kind="setting of fno", taken=["in_channels"])
