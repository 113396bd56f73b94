"""The back end that the user wants."""

import asyncio
import threading

import pytest

from opforge.core import set_backend
from opforge.core.choice.backend_setting import backend_set_for
from opforge.errors import InputError

OP, OTHER = "spectral_conv", "fft_conv"


@pytest.fixture(autouse=True)
def free_again():
    yield
    for op in (OP, OTHER):
        set_backend(op, None)


def in_another_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_a_plain_call_holds_everywhere_until_it_is_cleared():
    set_backend(OP, "torch")
    assert backend_set_for(OP) == in_another_thread(lambda: backend_set_for(OP)) == "torch"
    assert backend_set_for(OTHER) is None
    set_backend(OP, None)
    assert backend_set_for(OP) is None


def test_a_block_holds_in_this_thread_alone_and_ends():
    with set_backend(OP, "torch"):
        assert backend_set_for(OP) == "torch"
        assert in_another_thread(lambda: backend_set_for(OP)) is None
    assert backend_set_for(OP) is None


def test_a_block_ends_with_an_error_too():
    with pytest.raises(ZeroDivisionError), set_backend(OP, "torch"):
        1 / 0  # noqa: B018
    assert backend_set_for(OP) is None


def test_blocks_stand_above_plain_calls_and_nest():
    set_backend(OP, "gemm")
    with set_backend(OP, "torch"):
        with set_backend(OTHER, "fftw"), set_backend(OP, None):
            assert (backend_set_for(OP), backend_set_for(OTHER)) == (None, "fftw")
        assert (backend_set_for(OP), backend_set_for(OTHER)) == ("torch", None)
    assert backend_set_for(OP) == in_another_thread(lambda: backend_set_for(OP)) == "gemm"


def test_a_plain_call_in_a_block_shows_after_it():
    with set_backend(OP, "torch"):
        set_backend(OP, "gemm")
        assert backend_set_for(OP) == "torch"
    assert backend_set_for(OP) == "gemm"


def test_a_setting_can_be_used_again():
    setting = set_backend(OP, "torch")
    with setting:
        with setting:
            assert backend_set_for(OP) == "torch"
        assert backend_set_for(OP) == "torch"
    assert backend_set_for(OP) is None, "the first block took the plain call back"
    set_backend(OP, "torch")
    with setting:
        pass
    assert backend_set_for(OP) == "torch", "and no later one takes back what another call said"


def test_tasks_do_not_see_each_others_blocks():
    async def task(name, mine, other):
        with set_backend(OP, name):
            mine.set()
            await other.wait()  # both are in their blocks
            return backend_set_for(OP)

    async def both():
        first, second = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(task("gemm", first, second), task("torch", second, first))

    assert asyncio.run(both()) == ["gemm", "torch"]
    assert backend_set_for(OP) is None


def test_it_reads_as_it_was_written():
    assert repr(set_backend(OP, "torch")) == "set_backend('spectral_conv', 'torch')"


def test_wrong_input_is_named():
    with pytest.raises(InputError, match="unknown op 'spectral_cnov'; did you mean 'spectral_conv'"):
        set_backend("spectral_cnov", "torch")
    with pytest.raises(InputError, match="name must be the name of a back end or None, got 3"):
        set_backend(OP, 3)
