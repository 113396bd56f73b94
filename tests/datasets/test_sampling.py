import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.recipe import Sample, make_recipe
from opforge.datasets.sampling import Job, chunk_size, jobs, sample_seed
from opforge.errors import WorkError

RECIPE = make_recipe("darcy", {"ndim": 1})
FLOAT = np.dtype(np.float32)


def made(seed, samples, chunk, dtype=FLOAT):
    """All samples of a dataset, in order: the fields by name, the residuals, the seeds."""
    results = [job() for job in jobs(RECIPE, RECIPE.grid(16), seed, range(samples), dtype, chunk)]
    fields = [sample.fields for samples, _ in results for sample in samples]
    return {name: np.stack([f[name] for f in fields]) for name in fields[0]}, np.concatenate([s for _, s in results])


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_chunks_change_nothing(chunk):
    expected, seeds = made(5, 7, 2)
    fields, same = made(5, 7, chunk)
    np.testing.assert_array_equal(same, seeds)
    for name, values in expected.items():
        np.testing.assert_array_equal(fields[name], values)


def test_more_samples_begin_with_the_same():
    few, many = made(5, 3, 2)[0], made(5, 6, 2)[0]
    for name, values in few.items():
        np.testing.assert_array_equal(many[name][:3], values)
        assert (many[name][3:] != values).any()


def test_a_stored_seed_makes_its_sample_again():
    fields, seeds = made(5, 4, 4, np.dtype(np.float64))
    again = RECIPE.sample(np.random.default_rng(seeds[2]), RECIPE.grid(16))
    np.testing.assert_array_equal(again.fields["u"], fields["u"][2])


def test_seeds_are_all_different():
    assert len({sample_seed(seed, index) for seed in range(20) for index in range(200)}) == 20 * 200


def test_fields_come_in_the_type_asked_for():
    assert made(0, 1, 1)[0]["u"].dtype == np.float32
    assert made(0, 1, 1, np.dtype(np.float64))[0]["u"].dtype == np.float64


def test_failing_sample_is_named():
    recipe = make_recipe("darcy", {"tolerance": 1e-16})
    job = Job(recipe, recipe.grid(32), 7, range(3, 5), FLOAT)
    with pytest.raises(WorkError) as raised:
        job()
    text = str(raised.value)
    assert text.startswith(f"sample 3 (seed {sample_seed(7, 3)}) of the recipe 'darcy' at resolution 32x32")
    assert "'tolerance': 1e-16" in text
    assert "relative residual" in text
    assert "\n" not in text


class Broken:
    """A recipe whose field a test chooses."""

    name = "broken"

    def __init__(self, value):
        self.value = value

    def parameters(self):
        return {}

    def sample(self, rng, grid):
        if self.value is None:
            raise KeyError("what a recipe did not think of")
        return Sample({"u": np.full(grid.shape, self.value)}, 0.0)


@pytest.mark.parametrize(
    ("value", "match"), [(np.nan, "'u' has values that are not finite"), (1e300, "in float32"), (None, "did not think")]
)
def test_no_bad_number_and_no_nameless_error_gets_out(value, match):
    with pytest.raises(WorkError, match=f"sample 4 .*{match}"):
        Job(Broken(value), Grid((8,)), 0, range(4, 5), FLOAT)()  # type: ignore[arg-type]


def test_chunks_are_bounded_by_work_and_shared_by_workers():
    assert chunk_size(Grid.cube(2, 512), 1000, 2) == 1
    assert chunk_size(Grid.cube(1, 16), 1000, 1) <= 100
    assert chunk_size(Grid.cube(1, 16), 8, 2) == 1
    assert 1 < chunk_size(Grid.cube(2, 64), 1000, 2) < 50
