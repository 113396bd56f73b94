"""Building blocks of operators, as torch modules."""

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "FourierBlock": "fourier_block",
        "SpectralConv": "spectral_conv",
        "append_coordinates": "coordinates",
        "pointwise": "pointwise_linear",
    },
)
