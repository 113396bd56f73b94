"""`StreamingConv` against the convolution of the whole signal, however it is cut."""

import pytest
import torch

from opforge.core import StreamingConv, fft_conv
from opforge.errors import InputError
from tests.core.long_conv import dense


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def cut(n, pattern):
    """The ends of pieces whose lengths follow a pattern again and again, up to n."""
    lengths, start = [], 0
    while start < n:
        lengths.append(min(pattern[len(lengths) % len(pattern)], n - start))
        start += lengths[-1]
    return lengths


def whole(u, k):
    """The convolution by definition, for kernels longer than the signal too."""
    longer = torch.nn.functional.pad(u, (0, max(0, k.shape[1] - u.shape[-1])))
    return dense.convolution(longer, k)[..., : u.shape[-1]]


def streamed(stream, u, pattern):
    return torch.cat([stream(piece) for piece in u.split(cut(u.shape[-1], pattern), -1)], -1)


PATTERNS = [(1,), (3, 1, 7), (64,), (63, 65), (100, 1, 300, 28), (128, 64, 32), (700,), (5, 600)]


@pytest.mark.parametrize("taps", [1, 2, 63, 64, 65, 127, 128, 129, 300, 1000])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_equals_the_whole(taps, pattern):
    u, k = random(2, 2, 700), random(2, taps, seed=1)
    expected = whole(u, k)
    scale = expected.abs().max().item()
    stream = StreamingConv(k)
    torch.testing.assert_close(streamed(stream, u, pattern), expected, rtol=0, atol=1e-12 * scale)
    single = streamed(StreamingConv(k.float()), u.float(), pattern)
    torch.testing.assert_close(single.double(), expected, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("pattern", [(1000, 1), (257, 3000), (4096,)])
def test_equals_fft_conv_for_long_signals(pattern, monkeypatch):
    monkeypatch.setenv("OPFORGE_TUNE", "off")
    u, k = random(2, 3, 20000), random(3, 500, seed=1)
    expected = fft_conv(u, k)
    y = streamed(StreamingConv(k), u, pattern)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-12 * expected.abs().max().item())


def test_results_do_not_wait_for_later_samples():
    u, k = random(1, 2, 50), random(2, 200, seed=1)
    stream = StreamingConv(k)
    expected = whole(u, k)
    for n in range(50):
        torch.testing.assert_close(stream(u[..., n : n + 1]), expected[..., n : n + 1], rtol=1e-12, atol=1e-12)


def test_work_per_sample_is_bounded_by_squared_logarithm(monkeypatch):
    """Counted in the points of transforms, of single samples streamed one by one."""
    points = []
    rfft = torch.fft.rfft

    def counted(x, n):
        points.append(n)
        return rfft(x, n=n)

    for taps in (256, 1024, 4096):
        stream = StreamingConv(random(1, taps))
        streamed(stream, random(1, 1, 2 * taps), (1,))  # every spectrum of the kernel is known by now
        points.clear()
        monkeypatch.setattr(torch.fft, "rfft", counted)
        streamed(stream, random(1, 1, 2 * taps), (1,))
        monkeypatch.undo()
        stages = (taps // 64).bit_length() - 1
        assert 0 < sum(points) / (2 * taps) <= 2 * stages


def test_memory_is_bounded():
    stream = StreamingConv(random(3, 300))
    sizes = set()
    for piece in random(2, 3, 5000).split(97, -1):
        stream(piece)
        sizes.add(sum(x.numel() for x in stream.state().values()))
    assert sizes == {1 + 2 * 3 * 3 * 512}


def test_reset_starts_a_new_signal():
    u, k = random(2, 2, 300), random(2, 100, seed=1)
    stream = StreamingConv(k)
    first = stream(u)
    stream.reset()
    assert torch.equal(stream(u), first)
    stream.reset()
    assert stream(u[:1]).shape == (1, 2, 300)


def test_state_goes_on_elsewhere(tmp_path):
    u, k = random(2, 2, 500), random(2, 150, seed=1)
    stream = StreamingConv(k)
    stream(u[..., :210])
    torch.save(stream.state(), tmp_path / "state.pt")
    expected = stream(u[..., 210:])
    other = StreamingConv(k)
    other.load_state(torch.load(tmp_path / "state.pt"))
    assert torch.equal(other(u[..., 210:]), expected)
    stream.load_state(StreamingConv(k).state())  # before the first piece
    torch.testing.assert_close(stream(u[:1]), whole(u[:1], k), rtol=0, atol=1e-12)


def test_state_is_a_copy():
    stream = StreamingConv(random(2, 70))
    stream(random(1, 2, 10))
    state = stream.state()
    before = {name: x.clone() for name, x in state.items()}
    stream(random(1, 2, 10))
    assert all(torch.equal(state[name], x) for name, x in before.items())
    stream.load_state(state)
    stream(random(1, 2, 10))
    assert all(torch.equal(state[name], x) for name, x in before.items())


def test_kernel_and_results_are_the_callers_own():
    u, k = random(1, 2, 30), random(2, 10, seed=1)
    stream = StreamingConv(k.requires_grad_())
    first = stream(u[..., :20])
    kept = first.clone()
    first.mul_(0)
    with torch.no_grad():
        k.mul_(0)
    expected = whole(u, random(2, 10, seed=1))
    torch.testing.assert_close(torch.cat([kept, stream(u[..., 20:])], -1), expected, rtol=0, atol=1e-12)


def test_nan_stays_in_its_sample():
    u, k = random(2, 2, 200), random(2, 100, seed=1)
    expected = whole(u, k)
    u[0, 0, 3] = float("nan")
    y = streamed(StreamingConv(k), u, (7,))
    assert y[0, 0, 3:103].isnan().all()
    torch.testing.assert_close(y[1], expected[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        (torch.zeros(2, 4, 5), "piece must have the shape .batch, 3, n. .* got .2, 4, 5."),
        (torch.zeros(2, 3), "piece must have the shape"),
        (torch.zeros(2, 3, 0), "piece must have the shape .* at least 1"),
        (torch.zeros(1, 3, 5), "piece must hold 2 samples as the pieces before, got 1; call reset"),
        (torch.zeros(2, 3, 5, dtype=torch.float64), "piece must be of the kernel's type and device, torch.float32"),
        (torch.zeros(2, 3, 5, dtype=torch.int64), "piece must be of float32 or float64"),
        (torch.zeros(2, 3, 5, requires_grad=True), "piece must not require a gradient"),
    ],
)
def test_wrong_pieces_are_named(piece, message):
    stream = StreamingConv(torch.ones(3, 10))
    stream(torch.zeros(2, 3, 5))
    with pytest.raises(InputError, match=message):
        stream(piece)
    stream(torch.zeros(2, 3, 5))


def test_wrong_kernels_and_states_are_named():
    with pytest.raises(InputError, match=r"k must have the shape .channels, taps."):
        StreamingConv(torch.ones(3))
    with pytest.raises(InputError, match="k must be of float32 or float64"):
        StreamingConv(torch.ones(3, 4, dtype=torch.int64))
    stream = StreamingConv(torch.ones(3, 10))
    with pytest.raises(InputError, match="state must hold position, recent and due, got NoneType"):
        StreamingConv(random(3, 64)).load_state(None)
    with pytest.raises(InputError, match="state must hold position, recent and due"):
        stream.load_state({"position": torch.tensor(0)})
    with pytest.raises(InputError, match=r"state's recent must be of shape .0, 3, 64."):
        stream.load_state(StreamingConv(torch.ones(3, 100)).state())
    with pytest.raises(InputError, match=r"state's recent must be .* torch.float32"):
        stream.load_state(StreamingConv(torch.ones(3, 10, dtype=torch.float64)).state())
