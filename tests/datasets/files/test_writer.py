import errno
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace

import h5py
import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.files.columns import checksums
from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import FAILURES, places
from opforge.datasets.files.outputs import is_done
from opforge.datasets.files.slots import Slots
from opforge.datasets.files.targets import clipped
from opforge.datasets.files.whole import partial_of
from opforge.datasets.files.writer import Arrays, FileWriter
from opforge.errors import InputError
from opforge.pdes import Darcy

HEADER = Header(("a",), ("u",), Grid((3, 4)), 5, Darcy(), {"recipe": "darcy", "seed": 1, "samples": 5})
FLOAT = np.dtype(np.float32)


def some(indices):
    """The first position and the arrays of neighbouring samples whose values tell which they are."""
    numbers = np.array(indices)
    arrays = {
        "a": np.broadcast_to(1.0 + numbers[:, None, None], (len(numbers), 3, 4)).astype(FLOAT),
        "u": np.broadcast_to(-1.0 - numbers[:, None, None], (len(numbers), 3, 4)).astype(FLOAT),
        "solver_residual": 10.0 ** -(numbers + 1.0),
        "seed": numbers.astype(np.uint64) + np.uint64(2**63),
    }
    return indices[0], {**arrays, "checksum": checksums(arrays)}


def fill(writer, stop=None):
    """Give a writer what it lacks."""
    for index in writer.missing[:stop]:
        writer.put(*some([int(index)]))


def write(path, header=HEADER, dtype=FLOAT, **options):
    with FileWriter(path, header, dtype, **options) as writer:
        for indices in ([0, 1], [2, 3, 4]):
            start, arrays = some(indices)
            arrays = {name: values.astype(dtype) if name in "au" else values for name, values in arrays.items()}
            writer.put(start, {**arrays, "checksum": checksums({k: v for k, v in arrays.items() if k != "checksum"})})


def test_file_has_what_was_written(tmp_path):
    write(tmp_path / "d.nc")
    assert os.listdir(tmp_path) == ["d.nc"]
    with h5py.File(tmp_path / "d.nc") as file:
        for index in range(5):
            np.testing.assert_array_equal(file["a"][index], 1.0 + index)
            np.testing.assert_array_equal(file["u"][index], -1.0 - index)
        np.testing.assert_allclose(file["solver_residual"][:], [1e-1, 1e-2, 1e-3, 1e-4, 1e-5])
        np.testing.assert_array_equal(file["seed"][:], np.arange(5, dtype=np.uint64) + 2**63)
        np.testing.assert_array_equal(file["y"][:], HEADER.grid.coordinates()[1])
        assert (file["a"].dtype, file["seed"].dtype, file["solver_residual"].dtype) == (FLOAT, np.uint64, np.float64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_xarray_reads_it_with_nothing_of_opforge_imported(tmp_path, dtype):
    write(tmp_path / "d.nc", dtype=np.dtype(dtype))
    code = """
        import sys, json, warnings
        warnings.simplefilter("error")
        import xarray
        data = xarray.open_dataset(sys.argv[1])
        assert dict(data.sizes) == {"sample": 5, "x": 3, "y": 4}
        assert data.a.dims == ("sample", "x", "y") and data.a.attrs == {"long_name": "permeability", "units": "1"}
        assert list(data.coords) == ["x", "y"] and float(data.x[0]) == 0.5 / 3 and data.x.attrs["units"] == "1"
        assert float(data.u.sel(sample=3).mean()) == -4.0
        assert str(data.a.dtype) == sys.argv[2] and str(data.seed.dtype) == "uint64"
        assert int(data.seed[0]) == 2**63 and float(data.solver_residual[1]) == 0.01
        assert data.attrs["equation"] == "darcy" and data.attrs["inputs"] == "a" and data.attrs["outputs"] == "u"
        assert json.loads(data.attrs["equation_parameters"]) == {"ndim": 2, "forcing": 1.0}
        assert "opforge" not in sys.modules
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "d.nc"), dtype]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("ncdump") is None, reason="ncdump is not installed")
def test_ncdump_reads_it(tmp_path):
    write(tmp_path / "d.nc")
    text = subprocess.run(["ncdump", "-h", str(tmp_path / "d.nc")], capture_output=True, text=True, check=True).stdout
    assert "float a(sample, x, y)" in text


def test_same_samples_give_the_same_bytes(tmp_path):
    write(tmp_path / "one.nc")
    write(tmp_path / "two.nc")
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "two.nc").read_bytes()


def test_file_appears_when_it_is_whole(tmp_path):
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT) as writer:
        fill(writer)
        assert os.listdir(tmp_path) == ["d.nc.partial"]
    assert os.listdir(tmp_path) == ["d.nc"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_ends_it_early_leaves_the_samples_to_go_on_with(tmp_path, error):
    write(tmp_path / "whole.nc")
    (tmp_path / "d.nc").write_text("what was there")
    with (
        pytest.warns(
            UserWarning, match=r"2 of 5 samples are in .*d\.nc\.partial; go on with overwrite=True, resume=True"
        ),
        pytest.raises(error),
        FileWriter(tmp_path / "d.nc", HEADER, FLOAT) as writer,
    ):
        writer.put(*some([0, 1]))
        raise error
    assert sorted(os.listdir(tmp_path)) == ["d.nc", "d.nc.partial", "whole.nc"]
    assert (tmp_path / "d.nc").read_text() == "what was there"
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, resume=True) as writer:
        assert writer.count == 2
        writer.put(*some([2, 3, 4]))
    assert sorted(os.listdir(tmp_path)) == ["d.nc", "whole.nc"]
    assert (tmp_path / "d.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_without_a_sample_nothing_is_left(tmp_path, error):
    with pytest.raises(error), FileWriter(tmp_path / "d.nc", HEADER, FLOAT):
        raise error
    assert os.listdir(tmp_path) == []


def interrupted(path, count, header=HEADER, **options):
    """A partial file with so many samples."""
    with (
        pytest.warns(UserWarning, match="samples are in"),
        pytest.raises(KeyboardInterrupt),
        FileWriter(path, header, FLOAT, **options) as writer,
    ):
        fill(writer, count)
        raise KeyboardInterrupt
    return partial_of(path)


@pytest.mark.parametrize("name", ["a", "u", "solver_residual", "seed", "checksum"])
@pytest.mark.parametrize("sample", [0, 2, 3])
def test_a_sample_that_was_not_written_whole_is_made_again(tmp_path, name, sample):
    write(tmp_path / "whole.nc")
    partial = interrupted(tmp_path / "d.nc", 4)
    with h5py.File(partial, "r") as file:
        place = places(file, HEADER, FLOAT)[name]
    with open(partial, "r+b") as file:
        file.seek(place.offset + sample * place.size)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, resume=True) as writer:
        assert (writer.count, writer.missing.tolist()) == (3, [sample, 4])
        fill(writer)
    assert (tmp_path / "d.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()


@pytest.mark.slow
def test_a_plain_file_cut_anywhere_is_gone_on_with(tmp_path):
    write(tmp_path / "whole.nc")
    whole = (tmp_path / "whole.nc").read_bytes()
    for size in range(0, len(whole), 389):
        (tmp_path / "d.nc.partial").write_bytes(whole[:size])
        with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, resume=True) as writer:
            fill(writer)
        assert (tmp_path / "d.nc").read_bytes() == whole
        os.remove(tmp_path / "d.nc")


def test_samples_of_another_dataset_are_not_gone_on_with(tmp_path):
    partial = interrupted(tmp_path / "d.nc", 2)
    kept = partial.read_bytes()
    others = [replace(HEADER, provenance={**HEADER.provenance, "seed": 2}), replace(HEADER, samples=6)]
    for header, expected in zip(others, ("seed is 1 there and 2 here", "samples is 5 there and 6 here"), strict=True):
        with (
            pytest.raises(InputError, match=rf"d\.nc\.partial is of another dataset: {expected}; give the same"),
            FileWriter(tmp_path / "d.nc", header, FLOAT, resume=True),
        ):
            pass
    assert partial.read_bytes() == kept


def test_left_samples_are_not_thrown_away_unasked(tmp_path):
    partial = interrupted(tmp_path / "d.nc", 2)
    with (
        pytest.raises(InputError, match=r"holds the samples of a run that was interrupted; go on with resume=True"),
        FileWriter(tmp_path / "d.nc", HEADER, FLOAT),
    ):
        pass
    assert partial.exists()
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, overwrite=True) as writer:
        assert writer.count == 0
        fill(writer)
    assert os.listdir(tmp_path) == ["d.nc"]


def test_resuming_nothing_starts_from_nothing(tmp_path):
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, resume=True) as writer:
        assert writer.count == 0
        fill(writer)
    assert is_done(tmp_path / "d.nc", HEADER, FLOAT)
    whole = (tmp_path / "d.nc").read_bytes()
    for size in range(1, len(whole), 997):  # cut off anywhere
        (tmp_path / "cut.nc").write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"cut\.nc is "):
            is_done(tmp_path / "cut.nc", HEADER, FLOAT)
    with pytest.raises(InputError, match=r"d\.nc is of another dataset: tolerance is None there and 0\.1 here"):
        is_done(tmp_path / "d.nc", replace(HEADER, provenance={**HEADER.provenance, "tolerance": 0.1}), FLOAT)


class Full:
    """A disk that takes so many bytes."""

    def __init__(self, room):
        self.room = room

    def take(self, data):
        taken = min(len(data), self.room)
        if taken == 0 and len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= taken
        return data[:taken]


@pytest.mark.parametrize("compression", [None, 4])
@pytest.mark.parametrize("room", [0, 100, 3000, 5000, 5300])
def test_full_disk(tmp_path, monkeypatch, room, compression):
    """Wherever it strikes: the first bytes, the samples, the file that is put together at the end."""
    write(tmp_path / "d.nc", compression=compression)
    whole = (tmp_path / "d.nc").read_bytes()
    disk, real, real_pwrite = Full(room), open, os.pwrite
    (tmp_path / "d.nc").write_text("what was there")

    class File:
        def __init__(self, *arguments, **options):
            self._file = real(*arguments, **options)

        def write(self, data):
            return self._file.write(disk.take(data))

        def __getattr__(self, name):
            return getattr(self._file, name)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self._file.close()

    monkeypatch.setattr("opforge.datasets.files.writer.open", File, raising=False)
    monkeypatch.setattr("os.pwrite", lambda file, data, offset: real_pwrite(file, disk.take(data), offset))
    with pytest.raises(
        InputError, match=r"writing .*d\.nc failed after .* of 5 samples: No space left on device"
    ) as raised:
        write(tmp_path / "d.nc", compression=compression)
    assert "\n" not in str(raised.value)
    assert (tmp_path / "d.nc").read_text() == "what was there"
    assert set(os.listdir(tmp_path)) <= {"d.nc", "d.nc.partial"}
    monkeypatch.undo()
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, compression=compression, resume=True) as writer:
        fill(writer)
    assert os.listdir(tmp_path) == ["d.nc"]
    assert (tmp_path / "d.nc").read_bytes() == whole


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX's")
def test_writes_that_the_system_refuses(tmp_path):
    """A real failing write, in a process of its own: one line, nothing left, no crash when the process ends."""
    code = """
        import resource, signal, sys
        import opforge
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
        try:
            opforge.generate("darcy", 20, 32, out=sys.argv[1], workers=1)
        except opforge.errors.InputError as error:
            print(error)
    """
    for limit in (1000, 60_000, 168_000):
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(tmp_path / "d.nc"), str(limit)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "d.nc failed after" in done.stdout and "File too large; raise the limit on the size" in done.stdout
        assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="files are locked by POSIX means")
def test_two_writers_of_one_file(tmp_path):
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT) as first:
        with (
            pytest.raises(InputError, match="is being written by another process"),
            FileWriter(tmp_path / "d.nc", HEADER, FLOAT),
        ):
            pass
        fill(first)
    assert os.listdir(tmp_path) == ["d.nc"]


def test_folder_that_may_not_be_written(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("opforge.datasets.files.writer.open", refuse, raising=False)
    with pytest.raises(InputError, match=r"cannot write .*: Permission denied; choose another output"):
        write(tmp_path / "d.nc")


def test_arrays_take_samples_in_any_order():
    arrays = Arrays(HEADER, FLOAT)
    arrays.put(*some([3, 4]))
    arrays.put(*some([0, 1, 2]))
    np.testing.assert_array_equal(arrays.values["a"][:, 0, 0], [1, 2, 3, 4, 5])
    np.testing.assert_allclose(arrays.values["solver_residual"], [1e-1, 1e-2, 1e-3, 1e-4, 1e-5])
    np.testing.assert_array_equal(arrays.values["seed"], np.arange(5, dtype=np.uint64) + 2**63)


# --- compressed, and what was left by other arguments ----------------------------------------------------------------


def test_compressed_and_plain_files_hold_the_same(tmp_path):
    write(tmp_path / "p.nc")
    write(tmp_path / "c.nc", compression=9)
    write(tmp_path / "again.nc", compression=9)
    assert (tmp_path / "c.nc").read_bytes() == (tmp_path / "again.nc").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["again.nc", "c.nc", "p.nc"]
    with h5py.File(tmp_path / "p.nc") as plain, h5py.File(tmp_path / "c.nc") as compressed:
        assert list(plain) == list(compressed) and dict(plain.attrs) == dict(compressed.attrs)
        for name in ("a", "u", "seed", "solver_residual", "checksum", "x", "y"):
            np.testing.assert_array_equal(plain[name][...], compressed[name][...])
            assert dict(plain[name].attrs).keys() == dict(compressed[name].attrs).keys()
        assert compressed["a"].compression_opts == 9 and plain["a"].compression is None


def test_a_compressed_file_cut_anywhere_is_gone_on_with(tmp_path):
    """In what says whose samples they are (every byte of it: test_slots), and around the borders of all slots."""
    write(tmp_path / "whole.nc", compression=4)
    whole = (tmp_path / "whole.nc").read_bytes()
    partial = interrupted(tmp_path / "d.nc", 5, compression=4).read_bytes()
    slots = Slots(HEADER, FLOAT, 4)
    borders = [len(slots.preamble()), slots.room, slots.first, *(slots.first + i * slots.size for i in range(1, 6))]
    sizes = {*range(0, len(slots.preamble()), 9), *range(14, 23), *range(slots.first, len(partial), 1009)}
    for size in sorted(sizes | {border + off for border in borders for off in (-1, 0, 1, 11, 13, 100)}):
        (tmp_path / "d.nc.partial").write_bytes(partial[:size])
        with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, compression=4, resume=True) as writer:
            complete = max(0, size - slots.first) // slots.size
            assert complete <= writer.count <= complete + 1
            fill(writer)
        assert (tmp_path / "d.nc").read_bytes() == whole, size
        assert sorted(os.listdir(tmp_path)) == ["d.nc", "whole.nc"]
        os.remove(tmp_path / "d.nc")


@pytest.mark.parametrize("compression", [None, 4])
def test_whatever_order_the_samples_came_in(tmp_path, compression):
    write(tmp_path / "whole.nc", compression=compression)
    partial = partial_of(tmp_path / "d.nc")
    for sample in (3, 0, 4, 2):
        with pytest.warns(UserWarning, match="samples are in"), pytest.raises(KeyboardInterrupt):  # noqa: SIM117
            with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, compression=compression, resume=True) as writer:
                assert sample in writer.missing
                writer.put(*some([sample]))
                raise KeyboardInterrupt
    assert partial.exists()
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, compression=compression, resume=True) as writer:
        assert writer.missing.tolist() == [1]
        fill(writer)
    assert (tmp_path / "d.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()


@pytest.mark.parametrize("before", [None, 1, 4])
@pytest.mark.parametrize("after", [None, 1, 4])
def test_resuming_with_another_compression_or_type_is_refused(tmp_path, before, after):
    partial = interrupted(tmp_path / "d.nc", 2, compression=before)
    kept = partial.read_bytes()
    cases = [(np.dtype(np.float64), after, "dtype is 'float32' there and 'float64' here")]
    if before != after:
        cases.append((FLOAT, after, f"compression is {before} there and {after} here"))
    for dtype, level, match in cases:
        with (
            pytest.raises(InputError, match=rf"d\.nc\.partial is of another dataset: {match}; give the same") as raised,
            FileWriter(tmp_path / "d.nc", HEADER, dtype, compression=level, resume=True),
        ):
            pass
        assert "\n" not in str(raised.value)
    other = replace(HEADER, provenance={**HEADER.provenance, "seed": 2})
    with (
        pytest.raises(InputError, match="seed is 1 there and 2 here"),
        FileWriter(tmp_path / "d.nc", other, FLOAT, compression=before, resume=True),
    ):
        pass
    assert partial.read_bytes() == kept
    assert os.listdir(tmp_path) == ["d.nc.partial"]


@pytest.mark.parametrize("compression", [None, 4])
def test_a_done_file_of_another_type_or_compression_is_another(tmp_path, compression):
    write(tmp_path / "d.nc", compression=compression)
    assert is_done(tmp_path / "d.nc", HEADER, FLOAT, compression)
    with pytest.raises(InputError, match="dtype is 'float32' there and 'float64' here"):
        is_done(tmp_path / "d.nc", HEADER, np.dtype(np.float64), compression)
    with pytest.raises(InputError, match=f"compression is {compression} there and 7 here"):
        is_done(tmp_path / "d.nc", HEADER, FLOAT, 7)
    assert not is_done(tmp_path / "none.nc", HEADER, FLOAT)


@pytest.mark.parametrize("compression", [None, 4])
def test_a_file_that_lacks_samples_gets_no_name(tmp_path, compression):
    with (
        pytest.warns(UserWarning, match="3 of 5 samples are in"),
        FileWriter(tmp_path / "d.nc", HEADER, FLOAT, compression=compression) as writer,
    ):
        fill(writer, 3)
    assert os.listdir(tmp_path) == ["d.nc.partial"]


@pytest.mark.parametrize("compression", [None, 4])
def test_what_a_killed_end_left_is_thrown_away(tmp_path, compression):
    """The process was killed while the compressed samples were put together."""
    write(tmp_path / "whole.nc", compression=compression)
    interrupted(tmp_path / "d.nc", 4, compression=compression)
    (tmp_path / "d.nc.assembled.partial").write_text("half a file")
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, compression=compression, resume=True) as writer:
        fill(writer)
    assert (tmp_path / "d.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["d.nc", "whole.nc"]


def test_a_disk_too_full_for_putting_together_is_seen_before(tmp_path, monkeypatch):
    """The samples are there, and stay."""
    monkeypatch.setattr("opforge.datasets.files.writer.assemble", lambda *arguments: pytest.fail("it was tried"))
    usage, free = shutil.disk_usage(tmp_path), iter([2**40, 100])
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=next(free)))
    with pytest.raises(InputError, match=r"failed after 5 of 5 samples: No space left on device; .*go on with resume="):
        write(tmp_path / "d.nc", compression=4)
    assert os.listdir(tmp_path) == ["d.nc.partial"]
    monkeypatch.undo()
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, compression=4, resume=True) as writer:
        assert writer.missing.size == 0
    assert os.listdir(tmp_path) == ["d.nc"]


@pytest.mark.parametrize("size", [2**57, 2**62])
def test_room_that_the_disk_does_not_give(tmp_path, monkeypatch, size):
    """A file of slots is sparse, and may be larger than a file system takes: ext4 takes 16 TB."""
    monkeypatch.setattr(Slots, "size", size)
    with pytest.raises(InputError, match=r"d\.nc\.partial must have room for what does not compress, .* TB, .*--shard"):
        write(tmp_path / "d.nc", compression=4)
    assert os.listdir(tmp_path) == []


def test_an_interrupt_while_left_samples_are_counted_leaves_them(tmp_path, monkeypatch):
    interrupted(tmp_path / "d.nc", 4)
    content = (tmp_path / "d.nc.partial").read_bytes()

    def interrupt(*arguments):
        raise KeyboardInterrupt

    for place in ("targets.PlainTarget.whole", "writer.probe", "writer.identity_of"):
        with monkeypatch.context() as patch:
            patch.setattr(f"opforge.datasets.files.{place}", interrupt)
            told = pytest.warns(UserWarning, match=r"the earlier run are in .*d\.nc\.partial, .*go on with resume=True")
            with told, pytest.raises(KeyboardInterrupt):
                FileWriter(tmp_path / "d.nc", HEADER, FLOAT, resume=True).__enter__()
        assert (tmp_path / "d.nc.partial").read_bytes() == content


@pytest.mark.parametrize("compression", [None, 4])
def test_samples_that_others_wrote_and_did_not_tell_of_stay(tmp_path, compression):
    with (
        pytest.warns(UserWarning, match="2 of 5 samples are in"),
        pytest.raises(KeyboardInterrupt),
        FileWriter(tmp_path / "d.nc", HEADER, FLOAT, compression=compression) as writer,
    ):
        writer.target.write(*some([1, 2]))
        raise KeyboardInterrupt
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, compression=compression, resume=True) as writer:
        assert writer.missing.tolist() == [0, 3, 4]
        fill(writer)


def failing(index):
    """A sample that failed."""
    start, arrays = some([index])
    for name in ("a", "u", "solver_residual"):
        arrays[name][...] = np.nan
    return start, {**arrays, "checksum": checksums({k: v for k, v in arrays.items() if k != "checksum"})}


def fill_but(writer, failed, reason="no"):
    """Give a writer what it lacks, of which some samples fail."""
    told = []
    for index in writer.missing.tolist():
        writer.put(*(failing(index) if index in failed else some([index])))
        if index in failed:
            told.append(f"sample {index} (seed 1): {reason}")
            writer.fail(told)


@pytest.mark.parametrize("reason", ["no", "é" * 400])
@pytest.mark.parametrize("compression", [None, 4])
def test_failed_samples_are_tried_again_and_the_file_tells_them_once(tmp_path, compression, reason):
    with FileWriter(tmp_path / "whole.nc", HEADER, FLOAT, compression=compression) as writer:
        fill_but(writer, (1, 3), reason)
    with (
        pytest.warns(UserWarning, match="2 of 5 samples are in"),
        FileWriter(tmp_path / "d.nc", HEADER, FLOAT, compression=compression) as writer,
    ):
        writer.missing = writer.missing[:-1]
        fill_but(writer, (1, 3), reason)
    with FileWriter(tmp_path / "d.nc", HEADER, FLOAT, compression=compression, resume=True) as writer:
        assert writer.missing.tolist() == [1, 3, 4]
        fill_but(writer, (1, 3), reason)
    assert (tmp_path / "d.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()
    with h5py.File(tmp_path / "d.nc") as file:
        texts = [row.tobytes().rstrip(b"\0").decode() for row in file[FAILURES][...]]
        assert [text for text in texts if text] == [clipped(f"sample {i} (seed 1): {reason}") for i in (1, 3)]
        assert np.flatnonzero(np.isnan(file["solver_residual"][...])).tolist() == [1, 3]


def test_reasons_are_kept_in_the_order_of_the_samples(tmp_path):
    header = replace(HEADER, samples=50)
    with FileWriter(tmp_path / "d.nc", header, FLOAT) as writer:
        for index in (49, 3, 10):
            writer.put(*failing(index))
            writer.fail([f"sample {index} (seed 1): no"])
        writer.missing = np.setdiff1d(writer.missing, [49, 3, 10])
        fill_but(writer, range(11, 49))
    with h5py.File(tmp_path / "d.nc") as file:
        texts = [row.tobytes().rstrip(b"\0").decode() for row in file[FAILURES][...]]
    assert [int(text.split()[1]) for text in texts[:40]] == [3, 10, *range(11, 49), 49][:40] and texts[41] == ""


@pytest.mark.parametrize("compression", [None, 4])
def test_a_drawn_parameter_that_was_not_written_whole_is_made_again(tmp_path, compression):
    header = replace(HEADER, drawn=("nu",))

    def put(writer, indices):
        for index in indices:
            start, arrays = some([int(index)])
            del arrays["checksum"]
            fields = {name: arrays.pop(name) for name in "au"}
            arrays = {**fields, "nu": np.array([0.1 + index]), **arrays}
            writer.put(start, {**arrays, "checksum": checksums(arrays)})

    with FileWriter(tmp_path / "whole.nc", header, FLOAT, compression=compression) as writer:
        put(writer, range(5))
    with (
        pytest.warns(UserWarning, match="4 of 5 samples are in"),
        pytest.raises(KeyboardInterrupt),
        FileWriter(tmp_path / "d.nc", header, FLOAT, compression=compression) as writer,
    ):
        put(writer, [4, 1, 2, 0])
        raise KeyboardInterrupt
    content = bytearray(partial_of(tmp_path / "d.nc").read_bytes())
    at = content.index(np.array(2.1).tobytes())
    content[at] ^= 1
    partial_of(tmp_path / "d.nc").write_bytes(content)
    with FileWriter(tmp_path / "d.nc", header, FLOAT, compression=compression, resume=True) as writer:
        assert writer.missing.tolist() == [2, 3]
        put(writer, writer.missing)
    assert (tmp_path / "d.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()
    with h5py.File(tmp_path / "d.nc") as file:
        assert file["nu"][...].tolist() == [0.1, 1.1, 2.1, 3.1, 4.1] and file["nu"].dtype == np.float64
