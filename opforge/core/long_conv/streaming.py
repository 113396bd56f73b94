"""The causal long convolution of a signal that arrives in pieces."""

from __future__ import annotations

import torch
from torch.nn.functional import conv1d

from opforge.core._arguments import check_real
from opforge.core.long_conv.convolution import fft_conv
from opforge.errors import InputError

_SHORTEST = 64  # samples that are not worth a transform


class StreamingConv:
    """`fft_conv` of a signal along its last axis, in pieces of any lengths: what it returns for them, put together, is
    what ``fft_conv(signal, k)`` returns for the whole, y[n] = Σ_{m ≤ n} k[m] u[n − m].

    Nothing is delayed: each piece's results come at once. With M taps, a sample takes O(log² M) operations on average,
    however short the pieces are, and what is remembered of the past takes 3 T numbers per sample and channel, T the
    power of two from M on.

    The kernel is cut into taps 0 … S − 1 and then S … 2S − 1, 2S … 4S − 1 and so on. Samples meet the first of these as
    they come. Whenever a multiple of 2ʲS samples has come, the last 2ʲS of them meet the taps 2ʲS … 2ʲ⁺¹S − 1, by one
    Fourier transform: what follows from that is due now or later. Every sample so meets every tap once. Long pieces
    are taken in long steps, in which more taps count as first.

    Gradients are not computed: for training there is `fft_conv`.

    Args:
        k: (channels, taps), float32 or float64; copied.

    Raises:
        InputError: another shape or type.

    Example:
        >>> stream = StreamingConv(torch.tensor([[1.0, 10.0]]))
        >>> stream(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist(), stream(torch.tensor([[[4.0]]])).tolist()
        ([[[1.0, 12.0, 23.0]]], [[[34.0]]])

    Source: partitions of doubling length as in Efficient Convolution without Input-Output Delay (Gardner); meeting each
    part when a block of its own length is complete, as relaxed multiplication does (van der Hoeven).
    """

    def __init__(self, k: torch.Tensor):
        check_real("k", k)
        if k.ndim != 2 or 0 in k.shape:
            raise InputError(f"k must have the shape (channels, taps) with sizes of at least 1, got {tuple(k.shape)}")
        self._k = k.detach().clone()
        self.channels, self.taps = self._k.shape
        self._span = max(_SHORTEST, 1 << (self.taps - 1).bit_length())  # T
        self._spectra: dict[tuple[int, int], torch.Tensor] = {}
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next piece is a signal's first, of any batch size."""
        self._position = 0  # samples so far, modulo 2 T
        self._recent = self._k.new_zeros(0, self.channels, self._span)  # sample i at i mod T
        self._due = self._k.new_zeros(0, self.channels, 2 * self._span)  # what is known of result i, at i mod 2 T

    def state(self) -> dict[str, torch.Tensor]:
        """What is remembered of the past, as tensors to be saved; their batch size is 0 before the first piece."""
        return {
            "position": torch.tensor(self._position),
            "recent": self._recent.clone(),
            "due": self._due.clone(),
        }

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """Go on where `state` was taken from a stream with the same kernel.

        Raises:
            InputError: it is no state of a stream with as many channels and taps, of this type.
        """
        if not isinstance(state, dict) or set(state) != {"position", "recent", "due"}:
            given = sorted(map(str, state)) if isinstance(state, dict) else type(state).__name__
            raise InputError(f"state must hold position, recent and due, got {given}; take it from state()")
        batch = state["recent"].shape[0]
        for name, length in (("recent", self._span), ("due", 2 * self._span)):
            shape, given = (batch, self.channels, length), state[name]
            if tuple(given.shape) != shape or given.dtype != self._k.dtype:
                raise InputError(
                    f"state's {name} must be of shape {shape} and {self._k.dtype} for this kernel, "
                    f"got {tuple(given.shape)} and {given.dtype}; take it from a stream with the same kernel"
                )
        self._position = int(state["position"]) % (2 * self._span)
        self._recent = state["recent"].detach().to(self._k.device, copy=True)
        self._due = state["due"].detach().to(self._k.device, copy=True)

    def __call__(self, piece: torch.Tensor) -> torch.Tensor:
        """The next results.

        Args:
            piece: (batch, channels, n), the next n samples, n from 1; the batch as in earlier pieces.

        Returns:
            (batch, channels, n).

        Raises:
            InputError: another number of channels or samples than before, another type than the kernel's, a piece that
                requires a gradient.
        """
        self._check(piece)
        results = []
        with torch.no_grad():
            if not len(self._recent):
                self._recent = self._recent.new_zeros(len(piece), *self._recent.shape[1:])
                self._due = self._due.new_zeros(len(piece), *self._due.shape[1:])
            while piece.shape[-1]:
                step = self._step(piece.shape[-1])
                results.append(self._advanced(piece[..., :step]))
                piece = piece[..., step:]
        return torch.cat(results, -1)

    def _check(self, piece: torch.Tensor) -> None:
        check_real("piece", piece)
        if piece.ndim != 3 or 0 in piece.shape or piece.shape[1] != self.channels:
            raise InputError(
                f"piece must have the shape (batch, {self.channels}, n) with sizes of at least 1, "
                f"got {tuple(piece.shape)}"
            )
        if len(self._recent) not in (0, len(piece)):
            raise InputError(
                f"piece must hold {len(self._recent)} samples as the pieces before, got {len(piece)}; "
                "call reset() before another signal"
            )
        if piece.dtype != self._k.dtype or piece.device != self._k.device:
            raise InputError(
                f"piece must be of the kernel's type and device, {self._k.dtype} on {self._k.device}, "
                f"got {piece.dtype} on {piece.device}"
            )
        if piece.requires_grad and torch.is_grad_enabled():
            raise InputError("piece must not require a gradient, got one that does; detach it, or use fft_conv")

    def _step(self, left: int) -> int:
        """How many samples to take at once: up to the next multiple of `_SHORTEST`, or from one on a power of two that
        divides the position, or several times T."""
        offset = self._position % self._span
        if offset % _SHORTEST or left < _SHORTEST:
            return min(left, _SHORTEST - offset % _SHORTEST)
        if offset == 0 and left >= self._span:
            return left // self._span * self._span
        return min(offset & -offset or self._span, 1 << (left.bit_length() - 1))

    def _advanced(self, block: torch.Tensor) -> torch.Tensor:
        """Take a step."""
        size = block.shape[-1]
        follows = self._met_at_once(block)
        result = follows[..., :size]
        known = min(size, 2 * self._span)
        for here, there in self._places(self._position, known):
            result[..., there] += self._due[..., here]
            self._due[..., here] = 0
        self._position = (self._position + size) % (2 * self._span)
        self._add(follows[..., size:])
        self._remember(block[..., -self._span :])
        length = max(size, _SHORTEST)
        while length < self.taps and self._position % length == 0:
            self._add(self._met_late(length))
            length *= 2
        return result

    def _met_at_once(self, block: torch.Tensor) -> torch.Tensor:
        """What follows from a block's samples and the first taps."""
        size = block.shape[-1]
        if size <= _SHORTEST:
            k = self._k[:, :_SHORTEST]
            beyond = k.shape[1] - 1
            return conv1d(block, k.flip(-1)[:, None], padding=beyond, groups=self.channels)
        if size >= self._span:
            padded = torch.cat([block, block.new_zeros(*block.shape[:-1], self._span)], -1)
            # by name: pieces of ever new lengths must not set off measurements
            return fft_conv(padded, self._k, backend="blocks" if block.device.type == "cpu" else "fft")
        return self._transformed(block, 0, size)

    def _met_late(self, length: int) -> torch.Tensor:
        """What follows from the last ``length`` samples and as many taps from that one on."""
        start = (self._position - length) % self._span
        return self._transformed(self._recent[..., start : start + length], length, 2 * length)

    def _transformed(self, block: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """The whole convolution of a block with the taps from ``start`` to before ``stop``."""
        size = 2 * block.shape[-1]
        if (start, stop) not in self._spectra:
            self._spectra[start, stop] = torch.fft.rfft(self._k[:, start:stop], n=size)
        return torch.fft.irfft(torch.fft.rfft(block, n=size) * self._spectra[start, stop], n=size)

    def _add(self, follows: torch.Tensor) -> None:
        """Note what is due from now on."""
        for here, there in self._places(self._position, follows.shape[-1]):
            self._due[..., here] += follows[..., there]

    def _remember(self, block: torch.Tensor) -> None:
        size = block.shape[-1]
        start = (self._position - size) % self._span
        first = min(size, self._span - start)
        self._recent[..., start : start + first] = block[..., :first]
        self._recent[..., : size - first] = block[..., first:]

    def _places(self, start: int, count: int) -> list[tuple[slice, slice]]:
        """Where ``count`` results from ``start`` on stand in what is due, with which of them stand there."""
        first = min(count, 2 * self._span - start)
        found = [(slice(start, start + first), slice(0, first))]
        return found if first == count else [*found, (slice(0, count - first), slice(first, count))]
