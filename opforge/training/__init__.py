"""Training operators: losses, normalisation, metrics, the fit loop, checkpoints, and the callable that comes out."""

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Cosine": "options",
        "Metrics": "metrics",
        "Normaliser": "normalisation",
        "OneCycle": "options",
        "Operator": "operator",
        "Optimiser": "options",
        "RelativeH1": "norms",
        "RelativeLp": "norms",
        "Run": "run",
        "evaluate": "metrics",
        "fit": "fitting",
        "load": "checkpoint",
        "losses": "norms",
    },
)
