"""How the effort of planning and the number of threads are set."""

import threading

import numpy as np
import pytest
import scipy.fft
import torch

from opforge import core
from opforge.core.full_transforms import fft_planning
from opforge.core.full_transforms.fft_planning import Planning, planning, planning_for
from opforge.errors import InputError

LARGE = 2**20


@pytest.fixture
def environment(monkeypatch):
    """Set the environment variable for a process that has not read it."""

    def set_to(value):
        monkeypatch.setenv(fft_planning.VARIABLE, value)
        fft_planning._usual_effort.cache_clear()

    yield set_to
    fft_planning._usual_effort.cache_clear()


def test_blocks_nest_and_set_what_they_name():
    assert planning_for(LARGE, 4) == Planning("estimate", 4)
    with planning("measure"):
        assert planning_for(LARGE, 4) == Planning("measure", 4)
        with planning(threads=2):
            assert planning_for(LARGE, 4) == Planning("measure", 2)
            with planning("estimate", threads=3):
                assert planning_for(LARGE, 4) == Planning("estimate", 3)
            assert planning_for(LARGE, 4) == Planning("measure", 2)
    assert planning_for(LARGE) == Planning("estimate", 1)


def test_a_block_ends_with_an_error_too():
    with pytest.raises(ZeroDivisionError), planning("patient", threads=2):
        raise ZeroDivisionError
    assert planning_for(LARGE) == Planning("estimate", 1)


def test_small_transforms_use_one_thread():
    with planning(threads=8):
        assert planning_for(2**15).threads == 1
        assert planning_for(2**16).threads == 8


def test_a_block_governs_its_own_thread():
    seen = []
    with planning("patient", threads=5):
        other = threading.Thread(target=lambda: seen.append(planning_for(LARGE)))
        other.start()
        other.join()
    assert seen == [Planning("estimate", 1)]


def test_environment_sets_the_usual_effort(environment):
    environment("measure")
    assert planning_for(LARGE).effort == "measure"
    with planning("estimate"):
        assert planning_for(LARGE).effort == "estimate"
    environment("")
    assert planning_for(LARGE).effort == "estimate"


def test_wrong_environment_is_named(environment):
    environment("fast")
    with pytest.raises(InputError, match="OPFORGE_FFTW must be one of estimate, measure, patient, got 'fast'"):
        core.rfftn(np.ones(4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effort": "mesure"}, "unknown planning effort 'mesure'; did you mean 'measure'"),
        ({"threads": 0}, "threads must be a whole number from 1, got 0"),
        ({"threads": 1.5}, "threads must be a whole number from 1, got 1.5"),
        ({"threads": True}, "threads must be a whole number from 1, got True"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(InputError, match=message), planning(**options):
        pass


@pytest.mark.parametrize("effort", fft_planning.EFFORTS)
def test_every_effort_computes_the_same(effort):
    x = np.random.default_rng(0).standard_normal((3, 12, 10))
    with planning(effort):
        np.testing.assert_allclose(core.rfftn(x, (1, 2)), scipy.fft.rfftn(x, axes=(1, 2)), rtol=0, atol=1e-13)
        np.testing.assert_allclose(core.dctn(x, backend="fftw"), scipy.fft.dctn(x), rtol=0, atol=1e-11)
        spectrum = core.fftn(torch.from_numpy(x), (1, 2), backend="fftw")
        torch.testing.assert_close(spectrum, torch.fft.fftn(torch.from_numpy(x), dim=(1, 2)))
