import pytest

from opforge.errors import InputError, UnknownNameError, WorkError


def test_unknown_name_gives_the_closest_and_all():
    with pytest.raises(InputError, match="unknown recipe 'drcy'; did you mean 'darcy'\\? Known: burgers, darcy"):
        raise UnknownNameError("recipe", "drcy", {"darcy": 1, "burgers": 2})


def test_unknown_name_without_a_close_one_gives_all():
    assert str(UnknownNameError("loss", "xyz", ["l2", "h1"])) == "unknown loss 'xyz'; Known: h1, l2"


def test_a_name_that_is_none_at_all():
    assert str(UnknownNameError("loss", None, ["l2", "h1"])) == "unknown loss None; Known: h1, l2"


def test_wrong_input_and_failed_work_are_told_apart():
    assert issubclass(InputError, ValueError) and issubclass(WorkError, RuntimeError)
    assert not issubclass(WorkError, InputError)
