"""Learned preconditioners: networks that know an operator by its stencil, for the Krylov methods of opforge.solvers."""

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "ConjugateDirections": "dcdm",
        "Directions": "dcdm",
        "LearnedMultigrid": "multigrid",
        "LinearProblem": "problem",
        "Solution": "solving",
        "load": "saving",
        "make_shipped": "shipped",
        "pretrained": "saving",
        "random_system": "problems",
        "residual_loss": "dcdm_training",
        "ritz_vectors": "ritz",
        "solve": "solving",
        "train_directions": "dcdm_training",
        "train_multigrid": "multigrid_training",
    },
)
