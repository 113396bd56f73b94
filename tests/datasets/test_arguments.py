import numpy as np
import pytest

from opforge.datasets.arguments import whole_number
from opforge.errors import InputError


def test_whole_numbers():
    assert whole_number("n", np.uint8(3), 1) == 3 == whole_number("n", 3, 3)
    assert whole_number("n", 2**63 - 1, 0) == 2**63 - 1
    for value, match in (
        (2, "lie between 3 and"),
        (2**63, "lie between"),
        (3.0, "an integer, got 3.0"),
        ("3", "an int"),
    ):
        with pytest.raises(InputError, match=f"n must (be )?{match}"):
            whole_number("n", value, 3)
