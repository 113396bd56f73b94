from opforge.core import Grid
from opforge.datasets.files.header import Header
from opforge.datasets.formats.described import Asked, Described
from opforge.datasets.reading.stored import Stored


def test_nothing_is_asked_unless_it_is_said():
    assert (Asked().inputs, Asked().outputs, Asked().points, Asked().rename) == ((), (), None, {})
    asked = Asked(rename={"lon": "x"})
    assert asked.rename == {"lon": "x"} and Asked().rename == {}, "no two share what is renamed"


def test_a_file_is_left_to_opforge_s_own_reading_unless_it_is_netcdf():
    header = Header(("a",), ("u",), Grid((4,)), 2)
    assert not Described(header, {"a": Stored(("a",), ("sample", "x"))}).netcdf
