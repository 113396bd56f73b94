"""Orders of pairs, and how often they have each chunk read."""

import warnings
from itertools import chain

import h5py
import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torch.utils.data import DataLoader

from opforge import open_dataset
from opforge.core import Grid
from opforge.datasets.files.header import Header
from opforge.datasets.reading.dataset import OperatorDataset
from opforge.datasets.reading.hdf5_source import HDF5Source
from opforge.datasets.reading.joined import JoinedSource
from opforge.datasets.reading.shuffling import Places, ShuffledBatches, generator_of, shuffled
from opforge.datasets.reading.stored import Stored
from opforge.errors import InputError
from tests.datasets.formats.examples import mat_v73, well
from tests.datasets.reading.counting import counting, in_worker
from tests.datasets.reading.examples import columns, in_memory

# --- orders --------------------------------------------------------------------------------------------------------


def grid_of_places(columns, steps, each, lanes):
    """``each`` pairs at every step of every column."""
    numbers = np.arange(columns * steps * each)
    return Places(numbers // (steps * each), numbers // each % steps, lanes)


@pytest.mark.parametrize("lanes", [1, 3, 100])
@pytest.mark.parametrize("steps", [1, 5])
def test_every_pair_once_and_columns_from_their_first_step_to_their_last(lanes, steps):
    places = grid_of_places(7, steps, 4, lanes)
    order = shuffled(28 * steps, places, torch.Generator().manual_seed(0))
    assert sorted(order.tolist()) == list(range(28 * steps))
    column, step = places.columns[order], places.steps[order]
    open_at = np.zeros(len(order), int)
    for number in range(7):
        rows = np.flatnonzero(column == number)
        assert (np.diff(step[rows]) >= 0).all()
        open_at[rows[0] : rows[-1] + 1] += 1
    assert open_at.max() <= min(lanes, 7) + (0 if steps > 1 else lanes)
    assert order.tolist() == shuffled(28 * steps, places, torch.Generator().manual_seed(0)).tolist()
    assert order.tolist() != shuffled(28 * steps, places, torch.Generator().manual_seed(1)).tolist()


def test_columns_begin_at_different_times_so_that_steps_are_mixed():
    places = grid_of_places(8, 20, 5, 8)
    order = shuffled(800, places, torch.Generator().manual_seed(0)).numpy()
    middle = places.steps[order][300:500].reshape(-1, 20)
    assert (middle.max(axis=1) - middle.min(axis=1)).mean() > 5


def test_steps_that_no_pair_is_at_cost_no_mixing():
    """The first and the last frame of long samples: all pairs are at the last step."""
    places = Places(np.repeat(np.arange(6), 5), np.full(30, 9), lanes=6)
    order = shuffled(30, places, torch.Generator().manual_seed(0))
    assert len(set(places.columns[order][:10].tolist())) > 3


def test_without_places_it_is_a_permutation():
    expected = torch.randperm(9, generator=torch.Generator().manual_seed(5))
    assert_close(shuffled(9, None, torch.Generator().manual_seed(5)), expected)
    assert shuffled(0, Places(np.array([], int), np.array([], int), 3)).tolist() == []


def test_epochs_have_random_numbers_of_their_own():
    first = [torch.rand(1, generator=generator_of(seed, epoch)).item() for seed in range(3) for epoch in range(3)]
    assert len(set(first)) == 9 and first[4] == torch.rand(1, generator=generator_of(1, 1)).item()


@pytest.mark.parametrize(
    ("options", "match"),
    [({"size": 0}, "size"), ({"size": 2, "workers": -1}, "workers"), ({"size": 2, "seed": 0.5}, "seed")],
)
def test_numbers_that_are_none(options, match):
    with pytest.raises(InputError, match=match):
        ShuffledBatches(range(3), **options)


# --- how often chunks are read -------------------------------------------------------------------------------------

N, T = 12, 20
HEADER = Header(
    ("k", "u"),
    ("u", "v"),
    Grid.cube(2, 4),
    N,
    times=tuple(map(float, range(T))),
    evolving=("u", "v"),
)
RNG = np.random.default_rng(0)
VALUES = {"k": RNG.standard_normal((N, 4, 4)), "uv": RNG.standard_normal((N, T, 4, 4, 2))}
VALUES = {name: values.astype(np.float32) for name, values in VALUES.items()}
ARRAYS = {"k": VALUES["k"], "u": VALUES["uv"][..., 0], "v": VALUES["uv"][..., 1]}
SAMPLE = 16 * 4 + T * 16 * 2 * 4  # bytes
PACK = {"compression": "gzip", "compression_opts": 1}


def components(folder, samples=4, frames=5):
    """Several samples, frames and components to a chunk, as The Well and PDEBench's flows may have them."""
    with h5py.File(folder / "c.h5", "w") as file:
        file.create_dataset("k", data=VALUES["k"], chunks=(samples, 4, 4), **PACK)
        file.create_dataset("uv", data=VALUES["uv"], chunks=(samples, frames, 4, 2, 2), **PACK)
    axes = ("sample", "time", "x", "y")
    return {
        "k": Stored(("k",), ("sample", "x", "y")),
        "u": Stored(("uv",), (*axes, 0)),
        "v": Stored(("uv",), (*axes, 1)),
    }


def one_chunk(folder):
    return components(folder, N, T)


def of_other_sizes(folder):
    """Chunks of different sizes in each array, the samples last in one of them."""
    with h5py.File(folder / "c.h5", "w") as file:
        file.create_dataset("k", data=VALUES["k"], chunks=(2, 4, 4), **PACK)
        file.create_dataset("u", data=ARRAYS["u"].transpose(3, 2, 1, 0), chunks=(4, 4, 4, 6), **PACK)
        file.create_dataset("v", data=ARRAYS["v"], chunks=(3, 2, 4, 4), **PACK)
    return {
        "k": Stored(("k",), ("sample", "x", "y")),
        "u": Stored(("u",), ("y", "x", "time", "sample")),
        "v": Stored(("v",), ("sample", "time", "x", "y")),
    }


def by_sample(folder):
    """An array for each sample, as in PDEBench's groups, and a field that all samples have in common."""
    with h5py.File(folder / "c.h5", "w") as file:
        for i in range(N):
            file.create_dataset(f"{i}/data", data=VALUES["uv"][i], chunks=(7, 4, 4, 2), **PACK)
        file.create_dataset("k", data=VALUES["k"][0], chunks=(2, 4), **PACK)
    paths = tuple(f"{i}/data" for i in range(N))
    axes = ("time", "x", "y")
    return {"k": Stored(("k",), ("x", "y")), "u": Stored(paths, (*axes, 0)), "v": Stored(paths, (*axes, 1))}


LAYOUTS = {make.__name__: make for make in (components, one_chunk, of_other_sizes, by_sample)}


def chunks_in(path):
    found = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: found.append(item))
        arrays = [item for item in found if isinstance(item, h5py.Dataset) and item.chunks and item.ndim > 1]
        return sum(array.id.get_num_chunks() for array in arrays)


def opened(folder, layout, monkeypatch, room, keep=0):
    monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", keep)
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", room)
    return OperatorDataset(HEADER, HDF5Source(folder / "c.h5", HEADER, LAYOUTS[layout](folder)))


def windows_of(data, arrays=ARRAYS):
    """The pairs of frame t, t + 1 -> t + 2 by definition, in the order of the dataset."""
    k = arrays["k"][:1].repeat(N, 0) if data._source._fields["k"].axes == ("x", "y") else arrays["k"]
    x = [np.stack([k[s], *arrays["u"][s, t : t + 2]]) for s in range(N) for t in range(T - 2)]
    return torch.from_numpy(np.stack(x))


def numbers_of(batches, expected):
    """Which pairs the inputs of batches are, by comparison."""
    keys = {row.numpy().tobytes(): number for number, row in enumerate(expected)}
    return [keys[row.numpy().tobytes()] for x, _ in batches for row in x.contiguous()]


@pytest.mark.parametrize("room", [3, 6, 100], ids=lambda samples: f"room for {samples} samples")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_epoch_reads_each_chunk_about_once_in_bounded_memory(tmp_path, monkeypatch, layout, room):
    data = opened(tmp_path, layout, monkeypatch, room * SAMPLE)
    pairs = data.windows(2, 1)
    expected, chunks = windows_of(data), chunks_in(tmp_path / "c.h5")
    with counting(tmp_path / "log") as read:
        seen = numbers_of(pairs.batches(7, shuffle=True, seed=1), expected)
        assert sorted(seen) == list(range(len(pairs))) and seen != sorted(seen)
        assert 0 < data._source._held.bytes <= room * SAMPLE
        # a chunk of all samples and frames takes more than there is room for, and is read in parts that fit
        times = {"one_chunk": {3: 4, 6: 2}.get(room, 1)}.get(layout, 1)
        if layout == "of_other_sizes" and room == 3:
            times = 2  # six samples with all chunks that they share do not fit
        assert chunks <= len(read()) <= (times + 0.1) * chunks
    again = numbers_of(pairs.batches(7, shuffle=True, seed=1), expected)
    assert again == seen != numbers_of(pairs.batches(7, shuffle=True, seed=1, epoch=1), expected)


@pytest.mark.parametrize(
    "see",
    [
        lambda data: data.every(time=3).windows(),
        lambda data: data.every((2, 1)).windows(3, 1, step=2),
        lambda data: data.subset([1, 4, 5, 9, 11]).windows(1, 4, stride=2),
        lambda data: data,
    ],
    ids=["every third frame", "every second point", "a part", "first and last frame"],
)
def test_thinned_data_and_parts_read_chunks_about_once(tmp_path, monkeypatch, see):
    pairs = see(opened(tmp_path, "components", monkeypatch, 6 * SAMPLE))
    with counting(tmp_path / "log") as read:
        count = sum(len(x) for x, _ in pairs.batches(4, shuffle=True))
        assert count == len(pairs) and len(read()) <= 1.1 * len(set(read()))


def test_a_plain_permutation_would_read_many_times_as_often(tmp_path, monkeypatch):
    """What the orders are for: the same pairs in any order."""
    pairs = opened(tmp_path, "components", monkeypatch, 3 * SAMPLE).windows(2, 1)
    with counting(tmp_path / "log") as read:
        for _ in pairs.read_ahead(torch.randperm(len(pairs), generator=torch.Generator().manual_seed(0)).split(7)):
            pass
        assert len(read()) > 5 * chunks_in(tmp_path / "c.h5")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_that_stay_in_memory_are_read_once_in_any_order(tmp_path, monkeypatch, layout):
    pairs = opened(tmp_path, layout, monkeypatch, SAMPLE, keep=2**30).windows(2, 1)
    plain = torch.randperm(len(pairs), generator=generator_of(1, 0))
    assert_close(pairs.order(generator=generator_of(1, 0)), plain)
    with counting(tmp_path / "log") as read:
        for epoch in range(2):
            seen = numbers_of(pairs.batches(7, shuffle=True, epoch=epoch), windows_of(pairs))
            assert sorted(seen) == list(range(len(pairs)))
        assert len(read()) == len(set(read())) == chunks_in(tmp_path / "c.h5")


def test_shards_are_read_about_once(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    opened(tmp_path / "a", "components", monkeypatch, 5 * SAMPLE)
    fields = components(tmp_path / "b", 3, 20)
    parts = [HDF5Source(tmp_path / name / "c.h5", HEADER, fields) for name in "ab"]
    whole = Header(**{**HEADER.__dict__, "samples": 2 * N})
    pairs = OperatorDataset(whole, JoinedSource(parts, [N, N])).windows(2, 1)
    chunks = sum(chunks_in(tmp_path / name / "c.h5") for name in "ab")
    with counting(tmp_path / "log") as read:
        assert sum(len(x) for x, _ in pairs.batches(7, shuffle=True)) == 2 * N * (T - 2)
        assert chunks <= len(read()) <= 1.1 * chunks


def pdebench(path):
    u = VALUES["uv"][..., 0, 0]
    with h5py.File(path, "w") as file:
        file.create_dataset("tensor", data=u, chunks=(4, 5, 2), **PACK)
        file["x-coordinate"], file["t-coordinate"] = np.arange(4.0), np.arange(T + 1.0)
    return {}


def netcdf(path):
    with h5py.File(path, "w") as file:
        u = file.create_dataset("u", data=ARRAYS["u"], chunks=(5, 4, 4, 4), **PACK)
        for axis, (name, size) in enumerate(zip(("sample", "time", "x", "y"), u.shape, strict=True)):
            file[name] = np.arange(float(size))
            file[name].make_scale(name)
            u.dims[axis].attach_scale(file[name])
    return {"inputs": ["u"], "outputs": ["u"]}


def matlab(path):
    mat_v73(path, {"a": VALUES["k"], "u": ARRAYS["u"].transpose(0, 2, 3, 1), "t": np.arange(float(T))[None]})
    repacked(path)
    return {}


def the_well(path):
    well(path)
    repacked(path)
    return {}


def repacked(path):
    """Write the arrays of a file again, compressed, with two entries along every axis in a chunk."""
    names = []
    with h5py.File(path, "r+") as file:
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in names:
            values, attributes = file[name][...], dict(file[name].attrs)
            if values.ndim > 2:
                del file[name]
                array = file.create_dataset(name, data=values, chunks=tuple(min(2, n) for n in values.shape), **PACK)
                plain = {key: value for key, value in attributes.items() if "DIMENSION" not in key}
                array.attrs.update(plain)


@pytest.mark.parametrize("make", [pdebench, netcdf, matlab, the_well])
def test_foreign_formats_are_read_about_once(tmp_path, monkeypatch, make):
    monkeypatch.setattr("opforge.datasets.reading.hdf5_source.KEEP_BYTES", 0)
    monkeypatch.setattr("opforge.datasets.reading.held.KEPT_BYTES", 6 * SAMPLE)
    path = tmp_path / {"matlab": "f.mat", "netcdf": "f.nc"}.get(make.__name__, "f.hdf5")
    options = make(path)
    pairs = open_dataset(path, **options).windows(2, 1)
    with counting(tmp_path / "log") as read:
        assert sum(len(x) for x, _ in pairs.batches(5, shuffle=True)) == len(pairs)
        assert 0 < len(read()) <= 1.1 * len(set(read()))


# --- workers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1, 3, 30])
@pytest.mark.parametrize("keep", [0, 2**30])
def test_batches_of_workers_are_of_different_chunks(tmp_path, monkeypatch, workers, keep):
    pairs = opened(tmp_path, "components", monkeypatch, 5 * SAMPLE, keep).windows(2, 1)
    sampler = pairs.batch_sampler(7, seed=3, workers=workers)
    batches = list(sampler)
    assert len(batches) == len(sampler) and batches == list(sampler)
    assert [len(batch) for batch in batches] == [7] * (len(pairs) // 7) + [len(pairs) % 7] * (len(pairs) % 7 > 0)
    assert sorted(chain(*batches)) == list(range(len(pairs)))
    sampler.set_epoch(1)
    assert list(sampler) != batches
    if workers == 0:
        sampler.set_epoch(2)
        expected = pairs.order(generator=generator_of(3, 2))
        assert list(chain(*sampler)) == expected.tolist()
    if workers == 3:
        shares = [{pair // (T - 2) // 4 for pair in chain(*batches[worker::3])} for worker in range(3)]
        assert sum(map(len, shares)) <= 3 + 2, "three columns, two of which go on in another worker"


def test_batches_of_data_in_memory_are_a_permutation():
    pairs = in_memory(columns()).windows()
    assert sorted(chain(*pairs.batch_sampler(4, workers=2))) == list(range(30))


@pytest.mark.parametrize(("context", "keep"), [("fork", 0), ("fork", 2**30), ("spawn", 2**30)])
def test_workers_read_each_chunk_about_once_between_them(tmp_path, monkeypatch, context, keep):
    # what is patched here does not reach workers that are spawned: for them the file is one that stays in memory
    data = opened(tmp_path, "components", monkeypatch, 5 * SAMPLE, keep)
    pairs, log, chunks = data.windows(2, 1), tmp_path / "log", chunks_in(tmp_path / "c.h5")
    log.write_text("")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*multi-threaded.*fork")
        batches = DataLoader(
            pairs,
            batch_sampler=pairs.batch_sampler(6, seed=2, workers=2),
            num_workers=2,
            multiprocessing_context=context,
            worker_init_fn=in_worker(log),
        )
        seen = numbers_of(batches, windows_of(data))
    assert seen == list(chain(*pairs.batch_sampler(6, seed=2, workers=2)))
    # three columns of four samples: the second is shared
    assert chunks <= len(log.read_text().splitlines()) <= 4 / 3 * chunks * 1.1
