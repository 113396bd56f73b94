import gc
import io
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from opforge import generate, open_dataset
from opforge.core import Grid
from opforge.datasets.files.columns import checksums, empty_columns
from opforge.datasets.files.header import Header
from opforge.datasets.files.writer import FileWriter
from opforge.datasets.formats.described import Asked
from opforge.datasets.formats.netcdf import describe
from opforge.datasets.reading.hdf5_source import HDF5Source
from opforge.datasets.reading.reach import Reach
from opforge.datasets.reading.source import ArraySource
from opforge.datasets.reading.stored import Stored
from opforge.datasets.reading.values import picked
from opforge.errors import InputError
from tests.datasets.reading.examples import HEADER, columns, write


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "darcy.nc"
    generate("darcy", 9, 8, out=path)
    return path


@pytest.fixture
def path(original, tmp_path):
    return shutil.copy(original, tmp_path / "darcy.nc")


def source(path, kept=True, monkeypatch=None):
    if not kept:
        monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 100)
    found = describe(Path(path), Asked())
    return HDF5Source(Path(path), found.header, found.fields)


STATIC = {"a": None, "u": None}


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("indices", [[0], [8, 0, 3, 4, 5, 3], list(range(9)), []])
def test_reads_what_the_file_has(path, monkeypatch, kept, indices):
    fields = source(path, kept, monkeypatch).read(np.array(indices, dtype=int), STATIC)
    with h5py.File(path) as file:
        for name, values in fields.items():
            np.testing.assert_array_equal(values, file[name][...][indices])


@pytest.mark.parametrize(
    ("compression", "kept", "expected"),
    [
        (1, True, [[1, 2], [3]]),
        (1, False, [[2, 1], [3, 2, 1, 1], [1]]),
        (None, True, [[2, 1], [3, 2, 1, 1], [1]]),  # the system keeps what was read
    ],
)
def test_small_files_are_read_once_and_large_ones_every_time(tmp_path, monkeypatch, compression, kept, expected):
    path = tmp_path / "c.nc"
    generate("darcy", 9, 8, out=path, compression=compression)
    loaded, load = [], HDF5Source._whole
    monkeypatch.setattr(
        HDF5Source, "_whole", lambda self, names, indices: loaded.append(list(indices)) or load(self, names, indices)
    )
    reader = source(path, kept, monkeypatch)
    for indices in ([2, 1], [3, 2, 1, 1], [1]):
        reader.read(np.array(indices), STATIC)
    assert loaded == expected


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_named(path, monkeypatch, kept, value):
    with h5py.File(path, "r+") as file:
        file["u"][4, 2, 3] = value
    reader = source(path, kept, monkeypatch)
    reader.read(np.array([0, 3, 8]), STATIC)
    with pytest.raises(
        InputError, match=r"darcy\.nc: variable 'u' has a value that is not finite .* in sample 4;"
    ) as raised:
        reader.read(np.array([8, 4, 0]), STATIC)
    assert "\n" not in str(raised.value)
    with pytest.raises(InputError, match="sample 4"):  # also the second time
        reader.read(np.array([4]), STATIC)


@pytest.mark.parametrize(
    ("stored", "given"), [("float64", "float64"), ("int32", "float64"), ("int16", "float32"), (">f4", "float32")]
)
def test_other_number_formats(path, stored, given):
    with h5py.File(path, "r+") as file:
        values = file["a"][...]
        del file["a"], file["checksum"]
        file["a"] = values.astype(stored)
    a = source(path).read(np.array([2, 1]), STATIC)["a"]
    assert a.dtype == np.dtype(given)
    np.testing.assert_array_equal(a, values[[2, 1]])


@pytest.mark.parametrize("options", [{"chunks": (2, 8, 8)}, {"chunks": (3, 4, 8), "compression": "gzip"}])
def test_other_layouts(path, options):
    with h5py.File(path, "r+") as file:
        values = file["a"][...]
        del file["a"]
        file.create_dataset("a", data=values, **options)
    np.testing.assert_array_equal(source(path).read(np.array([7, 2, 3]), STATIC)["a"], values[[7, 2, 3]])


def test_damage_that_hides_a_variable_is_named(path):
    reader = source(path)
    with h5py.File(path, "r+") as file:
        del file["u"]
    reader._state = reader._now()  # as where it was so before
    with pytest.raises(InputError, match=r"is damaged: variable 'u' is missing; copy or generate the file again"):
        reader.read(np.array([0]), STATIC)


def test_damage_inside_is_named(path):
    with h5py.File(path, "r+") as file:
        values = file["a"][...]
        del file["a"]
        file.create_dataset("a", data=values, chunks=(1, 8, 8), compression="gzip", fletcher32=True)
        offset = file["a"].id.get_chunk_info(5).byte_offset
    with open(path, "r+b") as raw:
        raw.seek(offset)
        raw.write(b"\0" * 40)
    reader = source(path)
    reader.read(np.array([0, 4]), STATIC)
    with pytest.raises(InputError, match="is damaged: variable 'a' cannot be read at sample 5"):
        reader.read(np.array([5]), STATIC)


@pytest.mark.parametrize("name", ["a", "u", "seed", "solver_residual", "checksum"])
def test_a_flipped_bit_is_noticed(tmp_path, name):
    dataset = generate("darcy", 4, 8, out=tmp_path / "d.nc")
    with h5py.File(tmp_path / "d.nc") as file:
        variable = file[name]
        size = variable[0].nbytes
        start = variable.id.get_offset() or variable.id.get_chunk_info(0).byte_offset
    with open(tmp_path / "d.nc", "r+b") as file:
        file.seek(start + 2 * size)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    if name not in ("a", "u"):  # of the rest, all is compared at once
        with pytest.raises(InputError, match=r"d\.nc is cut off or damaged"):
            open_dataset(tmp_path / "d.nc")
        return
    dataset = open_dataset(tmp_path / "d.nc")
    dataset.batch([0, 1, 3])
    with pytest.raises(InputError, match=r"d\.nc is damaged: sample 2 does not agree with its checksum; copy or"):
        dataset.batch([0, 2])


def test_a_part_of_the_fields_is_read_without_checksums(tmp_path):
    generate("darcy", 4, 8, out=tmp_path / "d.nc")
    assert open_dataset(tmp_path / "d.nc", inputs=("a",), outputs=("a",)).batch([0])[0].shape == (1, 1, 8, 8)


# --- fields that evolve --------------------------------------------------------------------------------------------

ARRAYS = columns()


def some_frames(rng, header=HEADER):
    """Samples in any order, also twice, and which frames of each: now together, now apart, now twice."""
    samples = rng.integers(0, header.samples, rng.integers(0, 8))
    kinds = [[2, 3, 4], [0], [6, 2, 3], [5, 5]]
    frames = {}
    for name in header.names:
        width = rng.integers(1, 4)
        rows = [
            rng.permutation(7)[:width] if rng.random() < 0.5 else np.resize(kinds[rng.integers(4)], width)
            for _ in samples
        ]
        frames[name] = np.reshape(rows, (len(samples), width)).astype(int) if name in header.evolving else None
    return samples, frames


def assert_reads(reader, arrays, header=HEADER, seed=0, times=40):
    """Random reads are what numpy takes of the arrays, and belong to the caller."""
    rng = np.random.default_rng(seed)
    for _ in range(times):
        samples, frames = some_frames(rng, header)
        for name, values in reader.read(samples, frames).items():
            np.testing.assert_array_equal(values, picked(arrays[name], samples, frames[name]))
            values[...] = 0.0  # is not read again


@pytest.fixture(params=["memory", "plain", "compressed", "compressed, not kept", "compressed, few blocks"])
def evolving(request, tmp_path, monkeypatch):
    """A source whose fields evolve."""
    if request.param == "memory":
        return ArraySource(HEADER, {name: ARRAYS[name].copy() for name in HEADER.names})
    if "," in request.param:
        monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 0)
    if "few" in request.param:
        monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", 500)
    path = write(tmp_path / "d.nc", ARRAYS, compression=None if request.param == "plain" else 4)
    return source(path)


def test_any_frames_of_any_samples(evolving):
    assert_reads(evolving, ARRAYS)


def test_a_part_of_the_fields(evolving):
    samples, frames = np.array([3, 0]), {"v": np.array([[1, 2], [6, 5]]), "a": None}
    found = evolving.read(samples, frames)
    assert found.keys() == {"v", "a"}
    np.testing.assert_array_equal(found["v"], [ARRAYS["v"][3, 1:3], ARRAYS["v"][0, [6, 5]]])


def test_pickled_sources_read_for_themselves(evolving):
    evolving.read(np.array([1]), {"a": None})
    assert_reads(pickle.loads(pickle.dumps(evolving)), ARRAYS, times=5)


@pytest.mark.parametrize("compression", [None, 4])
def test_a_process_that_was_forked_opens_the_file_for_itself(tmp_path, monkeypatch, compression):
    reader = source(write(tmp_path / "d.nc", ARRAYS, compression=compression), False, monkeypatch)
    reader.read(np.array([1]), {"a": None})
    before = reader._file
    reader.read(np.array([1]), {"a": None})
    assert reader._file is before
    with monkeypatch.context() as patch:
        patch.setattr("opforge.datasets.reading.hdf5_source.os.getpid", lambda: -2)
        assert_reads(reader, ARRAYS, times=3)
        assert reader._file is not before


def test_threads_may_read_at_once(evolving):
    failures = []

    def work(seed):
        try:
            assert_reads(evolving, ARRAYS, seed=seed, times=15)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("name", ["a", "u"])
@pytest.mark.parametrize("compression", [None, 4])
@pytest.mark.parametrize("kept", [True, False])
def test_a_flipped_bit_in_a_frame_that_is_not_asked_for_is_found_at_first_touch(
    tmp_path, monkeypatch, name, compression, kept
):
    if not kept:
        monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 0)
    path = write(tmp_path / "d.nc", ARRAYS, compression=compression)
    with h5py.File(path, "r+") as file:  # through HDF5, so that compressed chunks are whole
        changed = file[name][2]
        changed[-1] += 1e-3
        file[name][2] = changed
    reader, first = source(path), np.array([[0]])
    for sample in (0, 1, 3, 4):
        reader.read(np.array([sample]), {"w": first})
    for _ in range(2):  # also the second time
        with pytest.raises(InputError, match=r"d\.nc is damaged: sample 2 does not agree with its checksum"):
            reader.read(np.array([2]), {"w": first})


@pytest.mark.parametrize("compression", [None, 4])
def test_checksums_are_compared_once_for_all_frames(tmp_path, monkeypatch, compression):
    monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 0)
    reader, whole = source(write(tmp_path / "d.nc", ARRAYS, compression=compression)), []
    real = HDF5Source._values

    def log(self, samples, frames, reach=None):
        if frames.keys() == set(HEADER.names):
            whole.extend(samples.tolist())
        return real(self, samples, frames, reach)

    monkeypatch.setattr(HDF5Source, "_values", log)
    for frame in range(7):
        reader.read(np.array([3, 1]), {"u": np.array([[frame], [frame]])})
    assert sorted(whole) == [1, 3]


def test_values_that_are_not_finite_are_named_with_their_sample(tmp_path, monkeypatch):
    path = write(tmp_path / "d.nc", ARRAYS)
    with h5py.File(path, "r+") as file:
        del file["checksum"]
        file["v"][3, 5, 0, 0] = np.nan
    reader = source(path)
    reader.read(np.array([3]), {"v": np.array([[4]])})
    with pytest.raises(InputError, match=r"variable 'v' has a value that is not finite .* in sample 3"):
        reader.read(np.array([0, 3]), {"v": np.array([[5], [5]])})


def test_a_plain_file_that_was_cut_off_since_is_damaged(tmp_path):
    path = write(tmp_path / "d.nc", ARRAYS)
    reader = source(path)
    reader.read(np.array([0]), {"a": None})
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(InputError, match=r"d\.nc is damaged"):
        reader.read(np.array([4]), {"v": np.array([[6]])})


# --- one sample touches its own chunks -----------------------------------------------------------------------------


class LoggedFile(io.BytesIO):
    """A file that HDF5 reads through Python, and the ranges of bytes that it took."""

    def __init__(self, path):
        super().__init__(path.read_bytes())
        self.ranges = []

    def readinto(self, buffer):
        start = self.tell()
        count = super().readinto(buffer)
        self.ranges.append((start, start + count))
        return count


def numbers_of(path):
    """The bytes of the file that hold fields: name, sample -> (start, stop) of its chunks."""
    with h5py.File(path) as file:
        found = {}
        for name in HEADER.names:
            for i in range(file[name].id.get_num_chunks()):
                chunk = file[name].id.get_chunk_info(i)
                span = (chunk.byte_offset, chunk.byte_offset + chunk.size)
                found.setdefault((name, chunk.chunk_offset[0]), []).append(span)
        return found


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("room", [2**24, 3 * 24 * 4], ids=["a chunk", "chunks of a frame"])
def test_reading_one_sample_of_a_compressed_file_touches_its_chunks_alone(tmp_path, monkeypatch, kept, room):
    monkeypatch.setattr("opforge.datasets.files.layout._CHUNK_BYTES", room)
    path = write(tmp_path / "d.nc", ARRAYS, compression=4)
    spans, logs = numbers_of(path), []

    def logged(path):
        logs.append(LoggedFile(path))
        return h5py.File(logs[-1], "r")

    monkeypatch.setattr("opforge.datasets.reading.hdf5_source.open_hdf5", logged)
    for sample in (3, 0, 4):
        reader = source(path, kept, monkeypatch)
        reader.read(np.array([sample]), {"a": None, "u": np.array([[2]])})
        touched = {
            owner
            for owner, parts in spans.items()
            if any(start < end and begin < stop for start, stop in parts for begin, end in logs[-1].ranges)
        }
        assert touched == {(name, sample) for name in HEADER.names}, "all of its fields, for its checksum"
    assert len(logs) == 3


# --- chunks as others make them ------------------------------------------------------------------------------------


def foreign(folder, layout):
    """A file whose arrays are laid out as other programs do: its fields, and how many chunks each array has."""
    fields = {}
    with h5py.File(folder / "f.h5", "w") as file:
        for name in HEADER.names:
            own, values = tuple(HEADER.dimensions(name)), ARRAYS[name]
            axes, chunks = layout(name, own)
            if axes == "by sample":
                for i in range(5):
                    file[f"{i}/{name}"] = values[i]
                fields[name] = Stored(tuple(f"{i}/{name}" for i in range(5)), own[1:])
                continue
            if "sample" not in axes:
                values = values[0]
            there = tuple(axis for axis in axes if isinstance(axis, str))
            values = values.transpose([[axis for axis in own if axis in there].index(axis) for axis in there])
            for axis, part in enumerate(axes):
                if not isinstance(part, str):  # the field is one component of several
                    values = np.stack([values if i == part else values + i + 1 for i in range(3)], axis)
            file.create_dataset(name, data=values, chunks=chunks, compression="gzip" if chunks else None)
            fields[name] = Stored((name,), axes)
    return fields


LAYOUTS = {
    "whole": lambda name, own: (own, None),
    "several samples": lambda name, own: (own, (2, *(3,) * (len(own) - 1))),
    "all samples, a frame": lambda name, own: (own, (5, *(1,) * (len(own) - 3), 6, 4)),
    "other numbers of samples": lambda name, own: (own, (dict(a=2, w=3, u=1, v=5)[name], *(4,) * (len(own) - 1))),
    "samples last": lambda name, own: ((*own[1:], "sample"), (*(3,) * (len(own) - 1), 4)),
    "time last, space turned": lambda name, own: (
        ("sample", "y", "x", *(("time",) if "time" in own else ())), (2, 2, 2, *((4,) if "time" in own else ())),
    ),
    "components": lambda name, own: ((1, *own, 2), (3, 2, *(2,) * (len(own) - 1), 3)),
    "components, plain": lambda name, own: ((*own, 0), None),
    "an array for each sample": lambda name, own: ("by sample", None),
    "a without samples": lambda name, own: (own[1:] if name == "a" else own, None),
    "a without samples, others in chunks": lambda name, own: (
        (own[1:], (6, 4)) if name == "a" else (own, (2, 2, 6, 4))
    ),
}  # fmt: skip


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_foreign_layouts_are_read_as_numpy_reads_them(tmp_path, monkeypatch, layout, kept):
    monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 2**30 if kept else 0)
    fields = foreign(tmp_path, LAYOUTS[layout])
    arrays = dict(ARRAYS)
    if "without" in layout:
        arrays["a"] = np.broadcast_to(ARRAYS["a"][0], ARRAYS["a"].shape)
    assert_reads(HDF5Source(tmp_path / "f.h5", HEADER, fields), arrays)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_foreign_layouts_as_xarray(tmp_path, layout):
    fields = foreign(tmp_path, LAYOUTS[layout])
    data = HDF5Source(tmp_path / "f.h5", HEADER, fields).to_xarray(HEADER)
    np.testing.assert_array_equal(data.w.isel(sample=[4, 1], time=3, x=slice(1, 5, 2)), ARRAYS["w"][[4, 1], 3, 1:5:2])


def test_places_are_those_of_compressed_frames(tmp_path, monkeypatch):
    path, lasts, reach = write(tmp_path / "d.nc", ARRAYS, compression=1), np.array([6, 6]), Reach(np.array([[0, 6]]))
    assert source(path).keeps and not source(path, False, monkeypatch).keeps
    found = source(path).places(np.array([4, 0]), lasts, reach)
    assert found.columns.tolist() == [4, 0] and found.steps.tolist() == [0, 0] and found.lanes > 5
    assert source(write(tmp_path / "p.nc", ARRAYS)).places(np.array([4, 0]), lasts, reach) is None


def several(folder):
    """A file of opforge that another program wrote again with two samples to a chunk."""
    path = write(folder / "d.nc", ARRAYS, compression=1)
    with h5py.File(path, "r+") as file:
        for name in HEADER.names:
            values = file[name][...]
            scales = [axis[0].name for axis in file[name].dims]
            del file[name]
            file.create_dataset(name, data=values, chunks=(2, *values.shape[1:]), compression="gzip")
            for axis, scale in zip(file[name].dims, scales, strict=True):
                axis.attach_scale(file[scale])
    return path


@pytest.mark.parametrize("kept", [True, False])
def test_a_sample_that_shares_chunks_with_a_wrong_one_is_read(tmp_path, monkeypatch, kept):
    path = several(tmp_path)
    with h5py.File(path, "r+") as file:
        file["u"][2, 6] += 1e-3
        file["v"][0, 3] = np.nan
    reader, one = source(path, kept, monkeypatch), np.array([[3]])
    for sample in (3, 1, 4):
        found = reader.read(np.array([sample]), {"u": one})["u"]
        np.testing.assert_array_equal(found, ARRAYS["u"][[sample], 3:4])
    for _ in range(2):
        with pytest.raises(InputError, match="sample 2 does not agree with its checksum"):
            reader.read(np.array([3, 2]), {"u": np.array([[3], [3]])})
        with pytest.raises(InputError, match="sample 0"):
            reader.read(np.array([0]), {"u": one})


# --- drawn parameters ----------------------------------------------------------------------------------------------


def with_viscosity(folder, compression=None):
    header = replace(HEADER, drawn=("nu",), labels=HEADER.labels | {"nu": {"long_name": "viscosity", "units": "1"}})
    arrays = columns(header)
    arrays["nu"][...] = np.linspace(0.1, 0.5, 5)
    arrays["checksum"] = checksums(arrays)
    return write(folder / "d.nc", arrays, header, compression), arrays["nu"]


@pytest.mark.parametrize("compression", [None, 1])
def test_drawn_parameters_of_a_sealed_file_are_read_without_fields(tmp_path, monkeypatch, compression):
    path, expected = with_viscosity(tmp_path, compression)
    dataset = open_dataset(path)
    monkeypatch.setattr(HDF5Source, "_values", lambda *what: pytest.fail("fields were read"))
    np.testing.assert_array_equal(dataset.drawn["nu"], expected)


@pytest.mark.parametrize("compression", [None, 1])
def test_drawn_parameters_that_were_changed_are_noticed_when_they_are_read_alone(tmp_path, monkeypatch, compression):
    path, expected = with_viscosity(tmp_path, compression)
    with h5py.File(path, "r+") as file:  # which cuts off the seal
        file["nu"][3] += 1e-9
    dataset, compared = open_dataset(path), []
    real = HDF5Source._values
    monkeypatch.setattr(
        HDF5Source,
        "_values",
        lambda self, samples, *what: compared.extend(samples.tolist()) or real(self, samples, *what),
    )
    for _ in range(2):
        np.testing.assert_array_equal(dataset.subset([1, 4]).drawn["nu"], expected[[1, 4]])
        assert compared == [1, 4], "once, and no others"
    for _ in range(2):
        with pytest.raises(InputError, match="sample 3 does not agree with its checksum"):
            _ = dataset.drawn


def test_drawn_parameters_of_a_file_without_checksums_are_read(tmp_path):
    path, expected = with_viscosity(tmp_path)
    with h5py.File(path, "r+") as file:
        del file["checksum"]
    np.testing.assert_array_equal(open_dataset(path).drawn["nu"], expected)


def test_a_header_of_fewer_frames_is_not_needed(tmp_path):
    """A file of one field that stays and none that evolves."""
    header = replace(HEADER, inputs=("a",), outputs=("a",), evolving=(), times=())
    path = write(tmp_path / "d.nc", columns(header), header)
    found = source(path).read(np.array([4, 0, 4]), {"a": None})
    np.testing.assert_array_equal(found["a"], columns(header)["a"][[4, 0, 4]])


def test_files_are_closed_with_their_source(tmp_path):
    path = write(tmp_path / "d.nc", ARRAYS, compression=1)
    reader = source(path)
    reader.read(np.array([0]), {"a": None})
    handle = reader._file
    assert handle
    del reader
    del handle
    gc.collect()
    with h5py.File(path, "r+"):  # HDF5 refuses a file that is still open for reading
        pass


def test_a_file_that_was_replaced_is_not_read(path, tmp_path):
    """A copy of a reader opens the file by its path, which may meanwhile be another one with the same fields."""
    reader = source(path)
    before = reader.read(np.array([0]), STATIC)["a"]
    copied = pickle.dumps(reader)
    shutil.copy(path, tmp_path / "other.nc")
    os.utime(tmp_path / "other.nc", ns=(0, 10**18))
    os.replace(tmp_path / "other.nc", path)
    np.testing.assert_array_equal(reader.read(np.array([0]), STATIC)["a"], before, "it is open")
    with pytest.raises(InputError, match="was replaced or changed after it was opened; open it again"):
        pickle.loads(copied).read(np.array([0]), STATIC)


MEMORY = """
    import resource, sys
    import opforge
    from opforge.benchmarks.memory import peak_resident
    from opforge.datasets.quality.summary import summarise
    data = opforge.open_dataset(sys.argv[1])
    data.batch([0])
    before = peak_resident()
    summarise(data, [data.path])
    print(peak_resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for memory")
def test_one_pass_over_a_compressed_file_keeps_none_of_it(tmp_path):
    """500 MB of numbers that compress well, of which a pass over all holds a few samples at a time."""
    header = Header(("a",), ("u",), Grid.cube(2, 256), 1000)
    with FileWriter(tmp_path / "d.nc", header, np.dtype("f4"), compression=1) as writer:
        for start in range(0, 1000, 50):
            arrays = empty_columns(header, np.dtype("f4"), 50)
            for values in arrays.values():
                values[...] = start
            writer.put(start, {**arrays, "checksum": checksums(arrays)})
    command = [sys.executable, "-c", textwrap.dedent(MEMORY), str(tmp_path / "d.nc")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 0 <= int(done.stdout) < 300e6
