"""opforge: neural operators and learned solvers, trained on PDE data that the package generates itself."""

from pathlib import Path

from opforge._lazy import attach

__version__ = "0.1.0"

# In a checkout, pdes/, solvers/, datasets/ and benchmarks/ stand beside this folder and import as opforge.pdes, ...
_checkout = Path(__file__).resolve().parent.parent
if (_checkout / "setup.cfg").is_file():
    __path__.append(str(_checkout))

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "fit": "training",
        "generate": "datasets",
        "load": "training",
        "open_dataset": "datasets",
        "solve": "precond",
    },
    modules=("core", "datasets", "layers", "models", "pdes", "plotting", "precond", "solvers", "training"),
)
