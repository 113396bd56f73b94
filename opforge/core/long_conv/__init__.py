"""Long convolutions, as long as the signal or shorter: all at once or piece by piece."""

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "StreamingConv": "streaming",
        "fft_conv": "convolution",
        "question": "engines",
    },
)
