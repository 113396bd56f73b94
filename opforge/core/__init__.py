"""The shared core: grids, transforms and convolutions. Imports nothing else of the project."""

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CPWeight": "spectral",
        "FactorisedKernels": "local_conv.kernels",
        "Grid": "grid",
        "SeparableKernels": "local_conv.kernels",
        "StreamingConv": "long_conv.streaming",
        "TuckerWeight": "spectral",
        "conv_nd": "local_conv.convolution",
        "dctn": "transforms",
        "dstn": "transforms",
        "explain": "explanation",
        "fft_conv": "long_conv.convolution",
        "fftn": "transforms",
        "fourier_layer": "spectral",
        "ifftn": "transforms",
        "irfftn": "transforms",
        "irfftn_modes": "modes",
        "mode_shape": "spectral",
        "plan_cache": "remembered",
        "planning": "fft_planning",
        "resample": "modes",
        "rfftn": "transforms",
        "rfftn_modes": "modes",
        "set_backend": "backend_setting",
        "spectral_conv": "spectral",
    },
)
