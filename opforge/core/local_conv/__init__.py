"""Direct convolutions with short kernels: dense, factorised kernel by kernel, or separable with shared filters."""

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "FactorisedKernels": "kernels",
        "SeparableKernels": "kernels",
        "conv_nd": "convolution",
        "question": "engines",
    },
)
