import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.files.columns import checksums
from opforge.datasets.files.header import Header
from opforge.datasets.generating.generation import make_header
from opforge.datasets.generating.sampling import Job, Plan, sample_seed
from opforge.datasets.recipe import Recipe, Sample, Samples, make_recipe
from opforge.errors import WorkError
from opforge.pdes import Darcy, Field, Invariant

RECIPE = make_recipe("darcy", {"ndim": 1})
FLOAT = np.dtype(np.float32)


def made(seed, samples, chunk, dtype=FLOAT):
    """All samples of a dataset, in order: the fields by name, and the seeds."""
    plan = Plan(RECIPE, make_header(RECIPE, RECIPE.grid(16), samples, seed), seed, dtype)
    jobs = [Job(plan, range(start, min(start + chunk, samples))) for start in range(0, samples, chunk)]
    parts = [job().arrays for job in jobs]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: arrays[name] for name in "au"}, arrays["seed"]


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
    plan = Plan(recipe, make_header(recipe, recipe.grid(32), 5, 7), 7, FLOAT)
    with pytest.raises(WorkError) as raised:
        Job(plan, range(3, 5))()
    text = str(raised.value)
    assert text.startswith(f"sample 3 (seed {sample_seed(7, 3)}) of the recipe 'darcy' at resolution 32x32")
    assert "'tolerance': 1e-16" in text
    assert "relative residual" in text
    assert "\n" not in text


class Broken(Recipe):
    """A recipe whose field a test chooses: one value for each sample, an exception that is raised."""

    name = "broken"
    times = None
    equation = Darcy(ndim=1)

    def __init__(self, *values, residual=0.0):
        self.values = list(values)
        self.residual = residual

    def parameters(self):
        return {}

    def sample(self, rng, grid):
        value = self.values.pop(0)
        if value is None:
            raise KeyError("what a recipe did not think of")
        return Sample({"u": np.full(grid.shape, value)}, self.residual)


def job(recipe, positions, **options):
    header = Header((), ("u",), Grid((8,)), 10)
    return Job(Plan(recipe, header, 0, FLOAT, **options), positions)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (np.nan, "maximum principle .* is violated by nan"),
        (np.inf, "'u' has values that are not finite"),
        (1e300, "in float32"),
        (-1.0, "the maximum principle .* is violated by 1"),
        (None, "did not think"),
    ],
)
def test_no_bad_number_and_no_nameless_error_gets_out(value, match):
    with pytest.raises(WorkError, match=f"sample 4 .*{match}"):
        job(Broken(value), range(4, 5))()


def test_a_residual_that_is_no_number_is_a_failure():
    with pytest.raises(WorkError, match=r"sample 0 .*the solver's residual is nan"):
        job(Broken(1.0, residual=np.nan), range(1))()


def test_skipped_samples_are_told_and_leave_nan():
    made = job(Broken(1.0, None, 3.0, -1.0), range(2, 6), skip=True)()
    assert [text.split(":")[0] for text in made.failures] == [f"sample {i} (seed {sample_seed(0, i)})" for i in (3, 5)]
    assert "what a recipe did not think of" in made.failures[0] and "maximum principle" in made.failures[1]
    np.testing.assert_array_equal(made.arrays["u"][:, 0], [1.0, np.nan, 3.0, np.nan])
    np.testing.assert_array_equal(made.arrays["solver_residual"], [0.0, np.nan, 0.0, np.nan])
    np.testing.assert_array_equal(made.arrays["seed"], [sample_seed(0, i) for i in range(2, 6)])


def test_samples_before_one_that_fails_are_written():
    class Target:
        written = None

        def write(self, start, arrays):
            self.written = (start, arrays)

    target = Target()
    with pytest.raises(WorkError, match="sample 4 "):
        job(Broken(1.0, 2.0, None), range(2, 5), target=target)()
    start, arrays = target.written
    assert start == 2 and arrays["u"][:, 0].tolist() == [1.0, 2.0] and len(arrays["checksum"]) == 2


def test_invariants_of_the_equation_are_checked_for_each_sample(monkeypatch):
    least = Invariant("least value", "u >= 2", lambda equation, fields, grid: 2 - fields["u"].min(-1), 0.0)
    monkeypatch.setattr(Darcy, "invariants", (least,))
    assert job(Broken(2.0, 3.0), range(2))().count == 2
    with pytest.raises(WorkError, match=r"sample 1 .*the least value \(u >= 2\) is violated by 0\.5"):
        job(Broken(2.0, 1.5), range(2))()


def test_a_shard_has_the_seeds_of_its_samples():
    header = Header((), ("u",), Grid((8,)), 10).shard(6, 3)
    made = Job(Plan(Broken(1.0, 1.0), header, 5, FLOAT), range(1, 3))()
    assert made.arrays["seed"].tolist() == [sample_seed(5, 7), sample_seed(5, 8)]


# the first random number of every sample tells which one it is
FIRST = [np.random.default_rng(sample_seed(0, index)).random() for index in range(30)]


class Together(Recipe):
    """Samples whose values tell which were made with them; some numbers of samples fail."""

    name = "together"
    times = None
    equation = Darcy(ndim=1)

    def __init__(self, *failing):
        self.failing = failing
        self.calls = []

    def parameters(self):
        return {}

    def at_once(self, grid):
        return 4

    def sample(self, rng, grid):
        raise AssertionError("samples are made by `samples`")

    def samples(self, rngs, grid):
        numbers = [FIRST.index(rng.random()) for rng in rngs]
        self.calls.append(numbers)
        if set(numbers) & set(self.failing):
            raise WorkError(f"not {numbers}")
        u = np.array([np.full(grid.shape, 1000 * min(numbers) + number) for number in numbers], float)
        return Samples({"u": u}, np.zeros(len(numbers)))


@pytest.mark.parametrize("cut", [1, 3, 4, 10])
def test_the_same_samples_are_made_together_whatever_is_wanted(cut):
    header = Header((), ("u",), Grid((8,)), 30).shard(3, 20)
    plan = Plan(Together(), header, 0, np.dtype(np.float64))
    jobs = [Job(plan, range(start, min(start + cut, 10))) for start in range(0, 10, cut)]
    values = np.concatenate([job().arrays["u"][:, 0] for job in jobs])
    assert values.tolist() == [1000 * (number // 4 * 4) + number for number in range(3, 13)]


def test_where_making_them_together_fails_they_are_made_one_by_one():
    recipe = Together(5)
    made = Job(Plan(recipe, Header((), ("u",), Grid((8,)), 10), 0, np.dtype(np.float64), skip=True), range(3, 8))()
    assert made.arrays["u"][:, 0].tolist()[:2] == [3.0, 4004.0]
    np.testing.assert_array_equal(made.arrays["u"][:, 0], [3.0, 4004.0, np.nan, 6006.0, 7007.0])
    assert made.failures == [f"sample 5 (seed {sample_seed(0, 5)}): not [5]"]
    assert recipe.calls == [[0, 1, 2, 3], [4, 5, 6, 7], [4], [5], [6], [7]]


class Drawing(Together):
    """Samples whose drawn parameter tells their number, or is what a test says."""

    name = "drawing"
    drawn = (Field("nu", "viscosity", "m2 s-1"),)

    def __init__(self, change=lambda drawn: drawn, together=4):
        super().__init__()
        self.change = change
        self.together = together

    def at_once(self, grid):
        return self.together

    def samples(self, rngs, grid):
        numbers = np.array([FIRST.index(rng.random()) for rng in rngs], float)
        u = np.ones((len(rngs), *grid.shape))
        return Samples({"u": u}, np.zeros(len(rngs)), self.change({"nu": numbers}))


def drawing(recipe, positions, **options):
    header = Header((), ("u",), Grid((8,)), 30, drawn=("nu",)).shard(3, 20)
    return Job(Plan(recipe, header, 0, FLOAT, **options), positions)()


@pytest.mark.parametrize("together", [1, 4])
def test_drawn_parameters_are_those_of_their_samples(together):
    made = drawing(Drawing(together=together), range(1, 9))
    assert made.arrays["nu"].tolist() == list(range(4, 12)) and made.arrays["nu"].dtype == np.float64
    assert list(made.arrays) == ["u", "nu", "solver_residual", "seed", "checksum"]
    np.testing.assert_array_equal(made.arrays["checksum"], checksums(made.arrays))


@pytest.mark.parametrize("together", [1, 4])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda drawn: {}, "sample 4 .*drawn parameter 'nu' is missing; the recipe must return"),
        (lambda drawn: {"nu": np.where(drawn["nu"] == 6, np.nan, 1.0)}, "sample 6 .*'nu' is nan, which is not finite"),
        (lambda drawn: {"nu": np.where(drawn["nu"] == 5, np.inf, 1.0)}, "sample 5 .*'nu' is inf, which is not finite"),
        (lambda drawn: {"nu": drawn["nu"][:, None]}, r"sample 4 .*'nu' must have the shape \(1,\).*got shape \(1, 1\)"),
        (lambda drawn: {"nu": 0.5}, r"sample 4 .*'nu' must have the shape .*got shape \(\)"),
    ],
)
def test_drawn_parameters_that_are_missing_or_no_numbers_are_failures(change, match, together):
    with pytest.raises(WorkError, match=match) as raised:
        drawing(Drawing(change, together), range(1, 5))
    assert "\n" not in str(raised.value)


def test_a_sample_by_itself_must_have_its_drawn_parameters():
    class Forgetful(Broken):
        drawn = (Field("nu", "viscosity"),)

    header = Header((), ("u",), Grid((8,)), 10, drawn=("nu",))
    with pytest.raises(WorkError, match=r"sample 2 .*'nu' is missing; .*in Sample\.drawn"):
        Job(Plan(Forgetful(1.0), header, 0, FLOAT), range(2, 3))()


def test_skipped_samples_have_no_drawn_parameters():
    made = drawing(Drawing(lambda drawn: {"nu": np.where(drawn["nu"] == 6, np.nan, 1.0)}), range(1, 5), skip=True)
    np.testing.assert_array_equal(made.arrays["nu"], [1.0, 1.0, np.nan, 1.0])
    assert np.isnan(made.arrays["solver_residual"]).tolist() == [False, False, True, False]
    assert made.failures[0].startswith(f"sample 6 (seed {sample_seed(0, 6)}): the drawn parameter 'nu' is nan")


def test_invariants_are_given_the_drawn_parameters(monkeypatch):
    bound = Invariant("bound", "u <= nu", lambda equation, fields, grid: fields["u"].max(-1) - fields["nu"], 0.0)
    monkeypatch.setattr(Darcy, "invariants", (bound,))
    assert drawing(Drawing(), range(3)).count == 3
    with pytest.raises(WorkError, match=r"sample 4 .*the bound \(u <= nu\) is violated by 0\.5"):
        drawing(Drawing(lambda drawn: {"nu": np.where(drawn["nu"] == 4, 0.5, 1.0)}), range(3))
