"""The shared core: grids, transforms and convolutions. Imports nothing else of the project."""

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CPWeight": "spectral",
        "FactorisedKernels": "local_conv.kernels",
        "Grid": "grid",
        "SeparableKernels": "local_conv.kernels",
        "Moments": "moments",
        "StreamingConv": "long_conv.streaming",
        "TuckerWeight": "spectral",
        "conv_nd": "local_conv.convolution",
        "dctn": "full_transforms.transforms",
        "dstn": "full_transforms.transforms",
        "explain": "choice.explanation",
        "fft_conv": "long_conv.convolution",
        "fftn": "full_transforms.transforms",
        "fourier_layer": "spectral",
        "ifftn": "full_transforms.transforms",
        "irfftn": "full_transforms.transforms",
        "irfftn_modes": "modes",
        "mode_shape": "spectral",
        "plan_cache": "choice.remembered",
        "planning": "full_transforms.fft_planning",
        "resample": "modes",
        "rfftn": "full_transforms.transforms",
        "rfftn_modes": "modes",
        "set_backend": "choice.backend_setting",
        "spectral_conv": "spectral",
    },
)
