"""Compressed samples in slots, and the file of HDF5 that is made of them."""

import os
import zlib
from dataclasses import replace

import h5py
import numpy as np
import pytest
from zlib_ng import zlib_ng

from opforge.core import Grid
from opforge.datasets.files.columns import checksums, empty_columns
from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import SLOTS_MAGIC, chunk_shape
from opforge.datasets.files.outputs import identity
from opforge.datasets.files.slots import Slots, assemble, identity_of_slots
from opforge.datasets.files.targets import SlotTarget

FLOAT = np.dtype(np.float32)
HEADER = Header(("a",), ("u",), Grid((5, 4)), 4, None, {"tolerance": 1e-8}, times=(0.0, 0.1, 0.2, 0.3), evolving=("u",))


def columns(dtype=FLOAT, noise=True, header=HEADER):
    """Samples of numbers that cannot be compressed, or of zeros."""
    rng = np.random.default_rng(0)
    arrays = empty_columns(header, dtype, header.samples)
    for name in header.names:
        octets = (
            rng.integers(0, 256, arrays[name].nbytes, np.uint8) if noise else np.zeros(arrays[name].nbytes, np.uint8)
        )
        arrays[name][...] = octets.view(dtype).reshape(arrays[name].shape)
    arrays["solver_residual"][...] = rng.random(header.samples)
    arrays["seed"][...] = np.arange(header.samples)
    for name in header.drawn:
        arrays[name][...] = rng.standard_normal(header.samples)
    arrays["checksum"] = checksums(arrays)
    return arrays


def fill(path, slots, arrays, order=(2, 0, 3, 1)):
    with open(path, "x+b", buffering=0) as file:
        file.write(slots.preamble())
        file.truncate(slots.first + slots.header.samples * slots.size)
    for index in order:
        SlotTarget(path, slots).write(index, {name: values[index : index + 1] for name, values in arrays.items()})


@pytest.fixture(params=[2**24, 2 * 80], ids=["a chunk", "chunks of two frames"])
def room(request, monkeypatch):
    monkeypatch.setattr("opforge.datasets.files.layout._CHUNK_BYTES", request.param)


@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("level", [1, 6, 9])
def test_samples_come_out_of_hdf5_as_they_went_in(tmp_path, room, level, dtype, noise):
    kind = np.dtype(dtype)
    arrays, slots = columns(kind, noise), Slots(HEADER, kind, level)
    fill(tmp_path / "slots", slots, arrays)
    with open(tmp_path / "slots", "rb") as source, open(tmp_path / "d.nc", "x+b", buffering=0) as file:
        assemble(file, source.fileno(), slots)
    with h5py.File(tmp_path / "d.nc") as hdf5:
        for name, values in arrays.items():
            assert hdf5[name][...].tobytes() == values.tobytes(), name
        assert (hdf5["u"].compression, hdf5["u"].compression_opts, hdf5["u"].shuffle) == ("gzip", level, True)
        assert hdf5["seed"].compression is None


@pytest.mark.parametrize("level", [1, 9])
def test_chunks_are_the_bytes_that_hdf5_makes_itself(tmp_path, room, level):
    """The shuffle and the compression are HDF5's own, so that every reader of HDF5 has them."""
    arrays, slots = columns(noise=False), Slots(HEADER, FLOAT, level)
    arrays["u"][...] = np.linspace(0, 1, arrays["u"].size).reshape(arrays["u"].shape)
    with h5py.File(tmp_path / "own.h5", "w") as file:
        for name in HEADER.names:
            chunks = chunk_shape(HEADER, name, FLOAT, compressed=True)
            options = {"chunks": chunks, "compression": "gzip", "compression_opts": level, "shuffle": True}
            file.create_dataset(name, data=arrays[name], **options)
        made = list(slots.chunks(slots.pack(arrays, 1)[12:])[1])
        assert len(made) == 1 + 4 // chunks[1]
        for name, place, data in made:
            mask, own = file[name].id.read_direct_chunk((1, *place))
            assert (mask, zlib.decompress(own)) == (0, zlib.decompress(data))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("level", [1, 9])
def test_no_sample_is_larger_than_its_slot(monkeypatch, room, level, dtype):
    arrays, slots = columns(np.dtype(dtype)), Slots(HEADER, np.dtype(dtype), level)
    assert all(len(slots.pack(arrays, i)) <= slots.size for i in range(4))
    assert slots.size % 4096 == 0 and slots.first % 512 == 0
    compress = zlib_ng.compress

    def swollen(data, level):
        """As some builds of zlib do at low levels: noise becomes larger."""
        return compress(data, level) + bytes(level * len(data))

    monkeypatch.setattr("opforge.datasets.files.slots.zlib_ng.compress", swollen)
    for i in range(4):
        packed = slots.pack(arrays, i)
        assert len(packed) <= slots.size
        for _, _, chunk in slots.chunks(packed[12:])[1]:
            zlib.decompress(chunk)


@pytest.mark.parametrize("position", [0, 3, 4, 11, 12, 20, 40, -1])
def test_a_slot_with_any_wrong_byte_is_not_whole(tmp_path, position):
    arrays, slots = columns(), Slots(HEADER, FLOAT, 4)
    fill(tmp_path / "slots", slots, arrays, range(4))
    size = len(slots.pack(arrays, 2))
    with open(tmp_path / "slots", "r+b", buffering=0) as file:
        body = slots.whole(file.fileno(), 2)
        assert body is not None and slots.chunks(body)[0] == (arrays["solver_residual"][2], 2, arrays["checksum"][2])
        at = slots.first + 2 * slots.size + position % size
        (byte,) = os.pread(file.fileno(), 1, at)
        os.pwrite(file.fileno(), bytes([byte ^ 1]), at)
        assert slots.whole(file.fileno(), 2) is None
        assert all(slots.whole(file.fileno(), i) is not None for i in (0, 1, 3))
        with pytest.raises(OSError, match="sample 2 was lost"), open(tmp_path / "d.nc", "x+b", buffering=0) as into:
            assemble(into, file.fileno(), slots)


def test_slots_that_were_never_written_or_cut_off(tmp_path):
    arrays, slots = columns(), Slots(HEADER, FLOAT, 4)
    fill(tmp_path / "slots", slots, arrays, [0])
    size = len(slots.pack(arrays, 0))
    with open(tmp_path / "slots", "r+b", buffering=0) as file:
        assert [slots.whole(file.fileno(), i) is not None for i in range(4)] == [True, False, False, False]
        for cut in range(0, size, 7):
            file.truncate(slots.first + cut)
            assert slots.whole(file.fileno(), 0) is None


def test_the_preamble_tells_whose_slots_they_are(tmp_path):
    slots = Slots(HEADER, FLOAT, 4)
    whole = slots.preamble()
    for size in range(len(SLOTS_MAGIC), len(whole) + 1):
        (tmp_path / "slots").write_bytes(whole[:size])
        with open(tmp_path / "slots", "rb") as file:
            found = identity_of_slots(file.fileno())
        assert found == (identity(HEADER, FLOAT, 4) if size == len(whole) else None)
    (tmp_path / "slots").write_bytes(whole[:40] + bytes(len(whole)))  # room that was set aside before it was written
    with open(tmp_path / "slots", "rb") as file:
        assert identity_of_slots(file.fileno()) is None
    assert whole.startswith(SLOTS_MAGIC) and len(whole) <= slots.room


def test_drawn_parameters_are_in_the_slot(tmp_path):
    header = replace(HEADER, drawn=("nu", "k"))
    arrays, slots = columns(header=header), Slots(header, FLOAT, 4)
    assert slots.row == ("solver_residual", "seed", "checksum", "nu", "k")
    assert all(len(slots.pack(arrays, i)) <= slots.size for i in range(4))
    assert slots.chunks(slots.pack(arrays, 2)[12:])[0][3:] == (arrays["nu"][2], arrays["k"][2])
    fill(tmp_path / "slots", slots, arrays)
    with open(tmp_path / "slots", "rb") as source, open(tmp_path / "d.nc", "x+b", buffering=0) as file:
        assemble(file, source.fileno(), slots)
    with h5py.File(tmp_path / "d.nc") as hdf5:
        for name, values in arrays.items():
            assert hdf5[name][...].tobytes() == values.tobytes(), name
