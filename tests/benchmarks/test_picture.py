import pytest
from PIL import Image

from opforge.benchmarks.picture import draw, save

BOTH = "forward+backward"


def row(family, group, case, way, contestant, ratio):
    names = {"family": family, "group": group, "case": case, "pass": way, "contestant": contestant}
    return names | {"ratio": ratio, "ratio_q1": 0.9 * ratio, "ratio_q3": 1.2 * ratio}


ROWS = [
    row("spectral", "usual modes", "64x64", BOTH, "torch.fft einsum", 3.0),
    row("spectral", "usual modes", "64x64", BOTH, "torch.fft bmm", 2.0),
    row("spectral", "usual modes", "64x64", "forward", "torch.fft bmm", 9.0),
    row("spectral", "all modes", "32x32", BOTH, "neuraloperator", 0.7),
    row("fno", "same layers", "64x64, batch 16", "training step", "neuraloperator", 4.0),
    *(row("fft_conv", "full kernel", f"N = {n}K, 64 channels", BOTH, "torch.fft", 1.5) for n in (1, 4, 64)),
    row("transforms", "numpy arrays", "rfftn 64x64, batch 1", "transform", "scipy.fft", 1.2),
]
PEAKS = [
    {"family": "fno", "group": "same layers", "case": "64x64", "contestant": name, "allocated_mb": megabytes}
    for name, megabytes in (("opforge", 4.0), ("neuraloperator", 10.0), ("torch.fft bmm", 6.0))
]


def axes_of(figure):
    return {axes.get_title().split(",")[0]: axes for axes in figure.axes}


def test_every_family_has_a_panel():
    panels = axes_of(draw(ROWS, PEAKS))
    assert set(panels) == {
        "spectral_conv",
        "FNO training step",
        "fft_conv",
        "full transforms",
        "peak memory",
    }
    assert panels["peak memory"].lines[0].get_xdata().tolist() == [2.5]


def test_the_fastest_way_of_a_peer_is_drawn_with_its_quartiles():
    axes = axes_of(draw(ROWS))["spectral_conv"]
    points = {bars.get_label(): bars.lines for bars in axes.containers}
    assert set(points) == {"neuraloperator", "torch.fft"}
    dots, _, (spread,) = points["torch.fft"]
    assert (dots.get_xdata().tolist(), dots.get_ydata().tolist()) == ([2.0], [0])
    (((left, _), (right, _)),) = spread.get_segments()
    assert (left, right) == (pytest.approx(1.8), pytest.approx(2.4))
    assert points["neuraloperator"][0].get_ydata().tolist() == [1]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["64x64", "32x32"]


def test_lengths_are_numbers_on_a_logarithmic_axis():
    axes = axes_of(draw(ROWS))["fft_conv"]
    solid = next(line for line in axes.lines if line.get_label() == "full kernel")
    assert (list(solid.get_xdata()), axes.get_xscale()) == ([1, 4, 64], "log")


def test_one_family_alone_has_one_panel():
    assert len(draw([r for r in ROWS if r["family"] == "transforms"]).axes) == 1


def test_the_line_of_equal_speed_is_always_seen():
    for axes in draw(ROWS).axes:
        low, high = axes.get_ylim() if axes.get_yscale() == "log" else axes.get_xlim()
        assert low < 1.0 < high


def test_the_file_is_small(tmp_path):
    path = save(draw(ROWS), tmp_path / "x.png")
    with Image.open(path) as image:
        assert image.format == "PNG" and image.width > 600
    assert path.stat().st_size < 100_000
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]
