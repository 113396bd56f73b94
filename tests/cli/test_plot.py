import errno

import pytest
from matplotlib import image
from matplotlib.figure import Figure

from opforge.cli.plot import prediction_figure, sample_fields
from opforge.errors import InputError


@pytest.mark.parametrize(
    ("words", "name", "least_width"),
    [
        (("{data}", "-i", "2"), "data-2.png", 600),
        (("{run}",), "run-history.png", 500),
        (("{run}", "--data", "{fine}", "-i", "1"), "run-fine-1.png", 1200),
    ],
)
def test_pictures_by_name(opforge, made, tmp_path, words, name, least_width):
    done = opforge("plot", *(word.format(**vars(made)) for word in words))
    assert done.status == 0 and name in done.err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert image.imread(tmp_path / name).shape[1] >= least_width
    assert (tmp_path / name).stat().st_size < 150_000


@pytest.mark.parametrize("name", ["x.pdf", "x.svg", "x.PNG"])
def test_formats(opforge, made, tmp_path, name):
    assert opforge("plot", made.data, "-o", name).status == 0
    start = (tmp_path / name).read_bytes()[:5]
    assert start in (b"%PDF-", b"<?xml", b"\x89PNG\r")


@pytest.mark.parametrize(("named", "name"), [("shards", "shards-1.png"), ("shards/d-*.nc", "d-1.png")])
def test_sets_of_shards(opforge, refused, made, tmp_path, named, name):
    from opforge import generate

    (tmp_path / "shards").mkdir()
    for i in (1, 2):
        generate("darcy", 3, 8, shard=(i, 2), out=tmp_path / "shards" / f"d-{i}.nc")
    done = opforge("plot", named, "-i", "1")
    assert done.status == 0 and (tmp_path / name).is_file()
    assert "--index must lie in 0 .. 2, got 3" in refused("plot", named, "-i", "3")


def test_worst_is_the_sample_with_the_largest_error(made):
    import opforge

    errors = opforge.training.evaluate(opforge.load(made.run), opforge.open_dataset(made.fine)).per_sample[
        "relative_l2"
    ]
    figure, index = prediction_figure(made.run, made.fine, None)
    assert errors[index] == errors.max()
    assert f"error: {100 * errors.max():.2f} % in L2" in [axes.get_title() for axes in figure.axes]


def test_fields_of_a_sample(made):
    import opforge

    data = opforge.open_dataset(made.data)
    inputs, outputs = sample_fields(data, 11)
    assert (list(inputs), list(outputs)) == (["a"], ["u"])
    with pytest.raises(InputError, match=r"--index must lie in 0 .. 11, got 12"):
        sample_fields(data, 12)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("{data}", "-i", "12"), "--index must lie in 0 .. 11"),
        (("{data}", "-i", "-1"), "--index must lie in 0 .. 11"),
        (("{data}", "--data", "{fine}"), "--data goes with a run folder"),
        (("{run}", "--worst"), "--worst needs --data"),
        (("{data}", "-o", "x.gif"), "must end in one of .png, .pdf, .svg"),
        (("{run}", "--data", "none.nc"), "data file 'none.nc' does not exist"),
        (("none",), "does not exist"),
        ((".",), "checkpoint"),
        (("{data}", "-o", "."), "is a folder"),
    ],
)
def test_bad_input_is_refused(refused, made, words, expected):
    assert expected in refused("plot", *(word.format(**vars(made)) for word in words))


def test_existing_picture_is_kept_unless_forced(opforge, refused, made, tmp_path):
    (tmp_path / "data-0.png").write_text("precious")
    assert "picture 'data-0.png' exists; use --force" in refused("plot", made.data)
    assert opforge("plot", made.data, "--force").status == 0


def test_full_disk_leaves_nothing(opforge, made, tmp_path, monkeypatch):
    def full(self, path, **options):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    done = opforge("plot", made.data)
    assert done.status == 2
    assert done.err == "opforge: No space left on device: data-0.png; free some space or write elsewhere\n"
    assert list(tmp_path.iterdir()) == []
