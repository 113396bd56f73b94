import h5py
import numpy as np
import pytest

from opforge.datasets.reading.checksums import Checksums
from tests.datasets.reading.examples import HEADER, columns, write


@pytest.fixture(scope="module")
def arrays():
    return columns()


@pytest.fixture
def path(tmp_path, arrays):
    return write(tmp_path / "d.nc", arrays)


def sums(path, header=HEADER):
    with h5py.File(path) as file:
        return Checksums.of(file, header)


def stored(arrays, samples):
    return {name: arrays[name][samples] for name in HEADER.names}


def test_samples_as_they_were_written_agree_in_any_order_of_fields(path, arrays):
    some = sums(path)
    assert set(some.names) == set(HEADER.names)
    samples = np.array([1, 4])
    assert some.agree(dict(reversed(stored(arrays, samples).items())), samples).tolist() == [True, True]


@pytest.mark.parametrize("name", HEADER.names)
def test_samples_that_do_not_agree_are_told(path, arrays, name):
    some, samples = sums(path), np.array([0, 1, 3, 4])
    changed = stored(arrays, samples)
    for row in (2, 3):
        changed[name].reshape(4, -1)[row, -1] += 1e-3
    assert some.agree(changed, samples).tolist() == [True, True, False, False]
    assert some.agree(stored(arrays, samples), samples).all(), "a damaged reading is not remembered"


@pytest.mark.parametrize("name", ["seed", "solver_residual", "checksum"])
def test_what_goes_with_a_sample_is_summed_too(path, arrays, name):
    with h5py.File(path, "r+") as file:
        file[name][2] = 7
    samples = np.arange(5)
    assert np.flatnonzero(~sums(path).agree(stored(arrays, samples), samples)).tolist() == [2]


def test_each_is_compared_once(path, arrays):
    some, samples = sums(path), np.arange(5)
    assert some.new(samples).tolist() == [0, 1, 2, 3, 4]
    assert some.agree(stored(arrays, samples[1:3]), samples[1:3]).all()
    assert some.new(samples).tolist() == [0, 3, 4]
    nothing = {name: np.zeros_like(values) for name, values in stored(arrays, samples[1:3]).items()}
    assert some.agree(nothing, samples[1:3]).all(), "they were compared before"


def test_numbers_of_another_byte_order_are_the_same_numbers(path, arrays):
    samples = np.arange(5)
    other = {name: values.astype(values.dtype.newbyteorder(">")) for name, values in stored(arrays, samples).items()}
    assert sums(path).agree(other, samples).all()


@pytest.mark.parametrize("name", ["seed", "solver_residual", "checksum", "inputs"])
def test_files_without_them_have_none(path, name):
    with h5py.File(path, "r+") as file:
        del (file.attrs if name == "inputs" else file)[name]
    assert sums(path) is None


def test_only_some_of_the_fields_are_not_compared(path):
    from dataclasses import replace

    assert sums(path, replace(HEADER, outputs=("u",))) is None
    assert sums(path, replace(HEADER, samples=4)) is None
    assert sums(path, replace(HEADER, inputs=("v",), outputs=("u", "a", "w"))) is not None
