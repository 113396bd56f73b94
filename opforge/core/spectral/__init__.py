"""Spectral convolutions: the truncated Fourier transform, mixing of channels mode by mode, and the way back."""

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CPWeight": "weights",
        "TuckerWeight": "weights",
        "fourier_layer": "layer",
        "mode_shape": "weights",
        "question": "engines",
        "spectral_conv": "convolution",
    },
)
