import h5py
import numpy as np
import pytest
import xarray

from opforge.datasets import generate, open_dataset
from opforge.datasets.reading.lazy import lazy_dataset
from opforge.datasets.reading.source import ArraySource
from opforge.errors import InputError
from tests.datasets.reading.examples import HEADER, columns

ARRAYS = columns()
KINDS = {name: ARRAYS[name].dtype for name in HEADER.names}


class Logged(ArraySource):
    """Keeps what it is asked for."""

    def __init__(self):
        super().__init__(HEADER, {name: ARRAYS[name] for name in HEADER.names})
        self.asked = []

    def read(self, samples, frames):
        self.asked.append((samples, frames))
        return super().read(samples, frames)


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"sample": 3},
        {"sample": -1, "time": 0},
        {"sample": slice(1, 4), "time": slice(None, None, -2), "x": slice(5, 1, -1)},
        {"sample": [4, 0, 4], "y": 2},
        {"time": [5, 1], "x": [3, 0], "y": slice(1, 2)},
        {"sample": slice(0, 0)},
        {"sample": 1, "time": 2, "x": 3, "y": 0},
        {"sample": [False, True, False, False, True]},
    ],
)
@pytest.mark.parametrize("name", HEADER.names)
def test_any_part_is_that_of_the_array(name, key):
    data = lazy_dataset(HEADER, Logged(), KINDS)
    whole = xarray.DataArray(ARRAYS[name], dims=tuple(HEADER.dimensions(name)))
    key = {axis: part for axis, part in key.items() if axis in whole.dims}
    found, expected = data[name].isel(key), whole.isel(key)
    assert (found.dims, found.shape, found.dtype) == (expected.dims, expected.shape, np.float32)
    np.testing.assert_array_equal(found, expected)
    twice = {axis: slice(None, None, -1) for axis in found.dims}
    np.testing.assert_array_equal(data[name].isel(key).isel(twice), expected.isel(twice))


def test_nothing_but_the_samples_and_frames_asked_for_is_read():
    source = Logged()
    data = lazy_dataset(HEADER, source, KINDS)
    part = data.isel(sample=[4, 1], time=slice(2, 4))
    assert source.asked == [], "nothing before it is needed"
    part.u.values  # noqa: B018 -- loads it
    ((samples, frames),) = source.asked
    assert sorted(samples) == [1, 4] and frames.keys() == {"u"}
    assert np.asarray(frames["u"]).tolist() == [[2, 3], [2, 3]]
    part.a.values  # noqa: B018 -- loads it
    assert source.asked[1][1] == {"a": None}


def test_coordinates_and_attributes_are_those_of_the_header():
    others = {"seed": (ARRAYS["seed"], {"long_name": "seed of the sample"})}
    data = lazy_dataset(HEADER, Logged(), KINDS, others)
    in_memory = ArraySource(HEADER, {name: ARRAYS[name] for name in HEADER.names}, others).to_xarray(HEADER)
    xarray.testing.assert_identical(data.load(), in_memory)
    assert data.u.attrs == {"long_name": "the field u", "units": "m"}


@pytest.mark.parametrize("compression", [None, 3])
def test_damaged_samples_of_a_file_are_refused(tmp_path, compression):
    made = generate("advection", 6, 32, frames=6, out=tmp_path / "d.nc", compression=compression)
    expected = made.arrays(range(6))["u"]
    whole = made.to_xarray()
    np.testing.assert_array_equal(whole.u, expected)
    assert whole.u.attrs["long_name"] == "advected quantity"
    with h5py.File(tmp_path / "d.nc") as file:
        place = file["u"].id.get_chunk_info_by_coord((3, 0, 0))
    content = bytearray((tmp_path / "d.nc").read_bytes())
    content[place.byte_offset + place.size // 2] ^= 1
    (tmp_path / "damaged.nc").write_bytes(content)
    found = open_dataset(tmp_path / "damaged.nc").to_xarray()
    for part in (found, found.isel(sample=3, time=2), found.isel(sample=[3, 1])):
        with pytest.raises(InputError, match=r"damaged\.nc is damaged: .*sample 3"):
            part.u.load()
    np.testing.assert_array_equal(found.u[[4, 1], ::2], expected[[4, 1], ::2])
