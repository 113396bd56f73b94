import pytest

from opforge import open_dataset
from tests.datasets.reading.examples import columns, in_memory, write


@pytest.fixture(params=["memory", "plain", "compressed", "compressed, not kept"])
def evolving(request, tmp_path, monkeypatch):
    """The samples of `columns`, from wherever they may be read."""
    if request.param == "memory":
        return in_memory(columns())
    if "," in request.param:
        monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 0)
    return open_dataset(write(tmp_path / "d.nc", columns(), compression=None if request.param == "plain" else 4))
