"""The shared core: grids, transforms and convolutions. Imports nothing else of the project."""

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Grid": "grid",
        "dctn": "transforms",
        "dstn": "transforms",
        "explain": "dispatch",
        "fftn": "transforms",
        "ifftn": "transforms",
        "irfftn": "transforms",
        "irfftn_modes": "modes",
        "mode_shape": "spectral",
        "resample": "modes",
        "rfftn": "transforms",
        "rfftn_modes": "modes",
        "spectral_conv": "spectral",
    },
)
