"""Pieces of work are each done once, and errors come through."""

import threading

import pytest
import torch

from opforge.core.long_conv._threads import share


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_every_piece_is_done_once(threads):
    done = []
    share(done.append, range(100))
    assert sorted(done) == list(range(100))
    share(done.append, [])
    assert len(done) == 100


def test_as_many_threads_as_torch_has(threads):
    seen, together = set(), threading.Barrier(threads)

    def work(piece):
        seen.add(threading.current_thread())
        together.wait(timeout=30)  # nobody goes on before all are here

    share(work, range(threads))
    assert len(seen) == threads
    assert threading.current_thread() in seen


def test_the_first_error_is_raised_and_the_rest_left(threads):
    done = []

    def work(piece):
        done.append(piece)
        raise ValueError(f"piece {piece}")

    with pytest.raises(ValueError, match="piece"):
        share(work, range(100))
    assert len(done) <= threads
    share(done.append, [7])
    assert done[-1] == 7
