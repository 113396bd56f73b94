"""The shared core: grids, transforms and convolutions. Imports nothing else of the project."""

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CPWeight": "spectral",
        "Grid": "grid",
        "TuckerWeight": "spectral",
        "dctn": "transforms",
        "dstn": "transforms",
        "explain": "explanation",
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
