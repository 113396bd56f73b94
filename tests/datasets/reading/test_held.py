import threading

import numpy as np
import pytest

from opforge.datasets.reading.held import Held


class Reader:
    def __init__(self):
        self.asked = []

    def __call__(self, held, block, name="u", size=10):
        def read():
            self.asked.append((block, name))
            return np.full(size, block, np.uint8)

        values = held.array(block, name, read)
        np.testing.assert_array_equal(values, np.full(size, block))


def test_what_was_not_used_longest_makes_room(monkeypatch):
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", 25)
    held, read = Held(), Reader()
    for block in (0, 3, 0, 6, 0, 3):
        read(held, block)
    assert [block for block, _ in read.asked] == [0, 3, 6, 3] and held.bytes == 20
    held.touch(0)
    held.touch(99)
    read(held, 9)
    read(held, 0)
    assert len(read.asked) == 5, "what was touched stayed"


def test_arrays_of_a_block_stay_and_go_together(monkeypatch):
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", 25)
    held, read = Held(), Reader()
    read(held, 0, "u")
    read(held, 0, "v")
    read(held, 1, "u")
    assert held.bytes == 10
    read(held, 0, "u")
    assert len(read.asked) == 4


def test_one_block_stays_however_large(monkeypatch):
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", 5)
    held, read = Held(), Reader()
    for _ in range(3):
        read(held, 7)
    assert len(read.asked) == 1 and held.bytes == 10


def test_what_cannot_be_read_is_not_held():
    held = Held()
    with pytest.raises(ZeroDivisionError):
        held.array(1, "u", lambda: 1 / 0)
    assert held.bytes == 0
    Reader()(held, 1)


def test_one_thread_at_a_time_and_a_forked_process_for_itself(monkeypatch):
    held, inside = Held(), []

    def work():
        for _ in range(50):
            with held.guard(), held.guard():
                inside.append(1)
                assert len(inside) == 1
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    before = held.guard()
    monkeypatch.setattr("opforge.datasets.reading.held.os.getpid", lambda: -2)
    assert held.guard() is not before and held.guard() is held.guard()
