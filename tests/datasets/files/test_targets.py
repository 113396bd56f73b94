import errno
import multiprocessing
import os
import pickle

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.files.columns import checksums, empty_columns
from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import failure_room, lay_out
from opforge.datasets.files.slots import Slots
from opforge.datasets.files.targets import PlainTarget, SlotTarget, WriteError, clipped

FLOAT = np.dtype(np.float32)
HEADER = Header(("a",), ("u",), Grid((3, 4)), 40, times=(0.0, 1.0), evolving=("u",))


def samples(indices, seed=0):
    """Neighbouring samples, each of its own random numbers."""
    arrays = empty_columns(HEADER, FLOAT, len(indices))
    for row, index in enumerate(indices):
        rng = np.random.default_rng((seed, index))
        for name in (*HEADER.names, "solver_residual"):
            arrays[name][row] = rng.random(arrays[name].shape[1:])
        arrays["seed"][row] = index
    arrays["checksum"] = checksums(arrays)
    return arrays


@pytest.fixture(params=["plain", "compressed"])
def make(request, tmp_path):
    """Makes a new, empty target under a name."""

    def make(name):
        with open(tmp_path / name, "x+b", buffering=0) as file:
            if request.param == "plain":
                return PlainTarget(tmp_path / name, lay_out(file, HEADER, FLOAT), HEADER.samples)
            slots = Slots(HEADER, FLOAT, 1)
            file.write(slots.preamble())
            file.truncate(slots.first + HEADER.samples * slots.size)
            return SlotTarget(tmp_path / name, slots)

    return make


def whole(target):
    with open(target.path, "rb") as file:
        return target.whole(file.fileno(), HEADER.samples)


def reasons(target):
    with open(target.path, "rb") as file:
        return target.read_failures(file.fileno())


def test_any_order_gives_the_same_bytes(make):
    one, other = make("one"), make("other")
    one.write(0, samples(range(40)))
    parts = [range(start, min(start + 3, 40)) for start in range(0, 40, 3)]
    for number in np.random.default_rng(1).permutation(len(parts)):
        other.write(parts[number].start, samples(parts[number]))
    assert one.path.read_bytes() == other.path.read_bytes()
    assert whole(one).all()


def test_only_what_was_written_is_there(make):
    target = make("one")
    assert not whole(target).any()
    target.write(7, samples(range(7, 10)))
    target.write(39, samples([39]))
    assert np.flatnonzero(whole(target)).tolist() == [7, 8, 9, 39]


def test_samples_that_failed_are_to_be_made_again(make):
    target, arrays = make("one"), samples(range(3))
    for name in (*HEADER.names, "solver_residual"):
        arrays[name][1] = np.nan
    arrays["checksum"] = checksums(arrays)
    target.write(5, arrays)
    assert np.flatnonzero(whole(target)).tolist() == [5, 7]


@pytest.mark.parametrize("at_once", [1, 300, 2**24])
def test_samples_are_compared_some_at_a_time(make, monkeypatch, at_once):
    target = make("one")
    for start in (0, 17, 30):
        target.write(start, samples(range(start, start + 5)))
    monkeypatch.setattr("opforge.datasets.files.targets._VERIFIED_AT_ONCE", at_once)
    assert np.flatnonzero(whole(target)).tolist() == [*range(5), *range(17, 22), *range(30, 35)]


@pytest.mark.parametrize("most", [1, 7, 100])
def test_short_writes_are_gone_on_with(make, monkeypatch, most):
    one, other, real = make("one"), make("other"), os.pwrite
    one.write(3, samples([3, 4]))
    one.write_failures(["sample 3: no"])
    monkeypatch.setattr("os.pwrite", lambda file, data, offset: real(file, data[:most], offset))
    other.write(3, samples([3, 4]))
    other.write_failures(["sample 3: no"])
    assert one.path.read_bytes() == other.path.read_bytes()


def test_what_the_system_refuses_can_be_told_from_other_errors(make, monkeypatch):
    target = make("one")

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", full)
        for write in (lambda: target.write(0, samples([0])), lambda: target.write_failures(["no"])):
            with pytest.raises(WriteError, match="No space left on device") as raised:
                write()
            again = pickle.loads(pickle.dumps(raised.value))  # it comes from another process
            assert (type(again), again.errno, again.strerror) == (WriteError, errno.ENOSPC, raised.value.strerror)
    target.path.unlink()
    with pytest.raises(WriteError, match="No such file"):
        target.write(0, samples([0]))
    assert not target.path.exists(), "it is not made anew"


def write_own(target, first, barrier):
    """What one of two processes does: every second sample."""
    barrier.wait()
    for index in range(first, HEADER.samples, 2):
        target.write(index, samples([index]))


def test_two_processes_write_into_one_file_at_once(make):
    one, other = make("one"), make("other")
    one.write(0, samples(range(40)))
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    barrier = context.Barrier(2)
    processes = [context.Process(target=write_own, args=(other, first, barrier)) for first in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert one.path.read_bytes() == other.path.read_bytes()


def test_reasons_come_back_as_far_as_there_is_room(make):
    target = make("one")
    assert reasons(target) == []
    for some in (["sample 3: no", "sample 4: é and ∇u"], [], [f"sample {i}: no" for i in range(60)], ["one"]):
        target.write_failures(some)
        assert reasons(target) == some[: failure_room(HEADER.samples)[0]]
    assert not whole(target).any()


@pytest.mark.parametrize("before", range(4))
def test_long_reasons_are_cut_between_letters(make, before):
    """Letters of one to four bytes, so that some of them lies across the last byte."""
    for letter in ("e", "é", "∇", "𝄞"):
        reason = "x" * before + letter * 300
        assert reason.startswith(clipped(reason))
        room = 256 - len(clipped(reason).encode())
        assert 0 <= room < len(letter.encode())
        target = make(f"{before}{ord(letter)}")
        target.write_failures([reason, "next"])
        assert reasons(target) == [clipped(reason), "next"]
    assert clipped("short") == "short"
    assert clipped("a lone \ud800 half") == "a lone ? half"


def test_targets_go_to_other_processes(make):
    target = make("one")
    pickle.loads(pickle.dumps(target)).write(2, samples([2]))
    assert np.flatnonzero(whole(target)).tolist() == [2]
