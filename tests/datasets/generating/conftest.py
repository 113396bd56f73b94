import pytest

from opforge.datasets import generate
from tests.datasets.generating.compared import contents


@pytest.fixture(scope="package")
def reference():
    """Six samples of Darcy flow, made by one process in memory."""
    return contents(generate("darcy", 6, 12, seed=3, workers=1))
