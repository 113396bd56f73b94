"""Parameters that are drawn for every sample, through workers, shards, interrupts and failures."""

import h5py
import numpy as np
import pytest

from opforge.datasets import generate, merge, open_dataset
from opforge.datasets.files.writer import FileWriter
from opforge.datasets.generating.sampling import sample_seed
from opforge.errors import InputError
from opforge.pdes import Field
from tests.datasets.drawn import NAMES, Loaded, expected
from tests.datasets.generating.compared import assert_same, contents


@pytest.mark.parametrize("compression", [None, 4])
@pytest.mark.parametrize("together", [1, 3])
def test_drawn_parameters_are_kept_with_the_samples(tmp_path, loaded, compression, together):
    options = {"seed": 3, "together": together}
    file = generate(loaded, 7, 16, out=tmp_path / "d.nc", compression=compression, workers=1, **options)
    memory = generate(loaded, 7, 16, **options)
    assert_same(contents(memory), contents(file))
    assert memory.to_xarray().attrs == dict(file.to_xarray().attrs) and file.header.drawn == NAMES
    values = expected(sample_seed(3, i) for i in range(7))
    u = file.arrays(range(7))["u"]
    for data in (memory, file, open_dataset(file.path)):
        assert data.drawn.keys() == values.keys()
        for name, each in values.items():
            np.testing.assert_array_equal(data.drawn[name], each)
            assert data.drawn[name].dtype == np.float64
    x = file.grid.coordinates()[0]
    np.testing.assert_allclose(u, file.drawn["forcing"][:, None] * x * (1 - x) / 2, rtol=1e-6)
    with h5py.File(file.path) as hdf5:
        assert hdf5["forcing"].attrs["units"] == "Pa m-2" and hdf5["forcing"].shape == (7,)


@pytest.mark.parametrize("compression", [None, 4])
def test_workers_shards_and_interrupts_leave_the_drawn_parameters_as_they_are(
    tmp_path, monkeypatch, loaded, compression
):
    options = {"seed": 3, "compression": compression}
    whole = generate(loaded, 9, 16, out=tmp_path / "whole.nc", workers=1, **options).path.read_bytes()
    assert generate(loaded, 9, 16, out=tmp_path / "two.nc", workers=2, **options).path.read_bytes() == whole
    for i in (1, 2):
        generate(loaded, 9, 16, out=tmp_path / f"shard-{i}.nc", shard=(i, 2), workers=1, **options)
    values = expected(sample_seed(3, i) for i in range(9))
    parts = open_dataset(tmp_path / "shard-*.nc")
    np.testing.assert_array_equal(parts.drawn["shift"], values["shift"])
    np.testing.assert_array_equal(parts.subset([8, 1]).drawn["shift"], values["shift"][[8, 1]])
    np.testing.assert_array_equal(parts.to_xarray()["shift"], values["shift"])
    assert merge(tmp_path / "shard-*.nc", tmp_path / "merged.nc").path.read_bytes() == whole

    wrote = FileWriter.wrote

    def interrupted(self, start, count, failed):
        wrote(self, start, count, failed)
        if start >= 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("opforge.datasets.generating.pace.Pace._size", lambda self: 1)
    arguments = {"out": tmp_path / "d.nc", "workers": 1, **options}
    with monkeypatch.context() as patch, pytest.warns(UserWarning, match="4 of 9"), pytest.raises(KeyboardInterrupt):
        patch.setattr(FileWriter, "wrote", interrupted)
        generate(loaded, 9, 16, **arguments)
    assert generate(loaded, 9, 16, resume=True, **arguments).path.read_bytes() == whole


@pytest.mark.parametrize("compression", [None, 4])
def test_drawn_parameters_of_skipped_samples_are_left_out(tmp_path, loaded, compression):
    options = {"on_error": "skip", "most": 1.5, "seed": 4}
    with pytest.warns(UserWarning, match="samples failed"):
        data = generate(loaded, 9, 16, out=tmp_path / "d.nc", compression=compression, workers=1, **options)
    values = expected(sample_seed(4, i) for i in range(9))
    good = values["forcing"] <= 1.5
    assert 0 < good.sum() < 9
    for name in NAMES:
        np.testing.assert_array_equal(data.drawn[name], values[name][good])
        with h5py.File(data.path) as file:
            np.testing.assert_array_equal(file[name][...], np.where(good, values[name], np.nan))


def test_a_drawn_parameter_needs_a_name_of_its_own(loaded, monkeypatch):
    monkeypatch.setattr(Loaded, "drawn", (Field("u", "what is a field"),))
    with pytest.raises(InputError, match="drawn must name parameters by names of their own, got 'u'"):
        generate(loaded, 2, 16)
