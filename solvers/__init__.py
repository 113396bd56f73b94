"""Classical numerical methods: how an equation is solved. Plain functions without state from earlier matrices."""

if __name__ == "solvers":
    raise ImportError("this folder is opforge's: use `import opforge.solvers`, not `import solvers`")

from opforge._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "ARS232": "stepping.imex",
        "ARS443": "stepping.imex",
        "BDF": "stepping.stiff",
        "BlowUp": "stepping.stepper",
        "BurgersFV": "stepping.burgers",
        "ConvergenceWarning": "result",
        "CrankNicolson": "stepping.diffusion",
        "ETDRK4": "stepping.exponential",
        "EachSample": "stepping.stepper",
        "ElasticLeapfrog": "stepping.elastic",
        "ExactDiffusion": "stepping.diffusion",
        "ExactWave": "stepping.waves",
        "FiniteVolumes": "stepping.conservation",
        "IMEXRK": "stepping.imex",
        "IMEXTable": "stepping.imex",
        "Leapfrog": "stepping.waves",
        "PressureSolver": "pressure",
        "ProjectionStepper": "stepping.projection",
        "RK4": "stepping.runge_kutta",
        "Recorded": "stepping.recorded",
        "SSPRK3": "stepping.runge_kutta",
        "SingularWarning": "result",
        "SolveResult": "result",
        "Stepper": "stepping.stepper",
        "StrangSplitting": "stepping.runge_kutta",
        "advect": "advection",
        "cg": "krylov.cg",
        "dcdm": "krylov.dcdm",
        "fast_poisson": "poisson",
        "fcg": "krylov.fcg",
        "minres": "krylov.minres",
        "pressure_system": "pressure",
        "pressure_systems": "stepping.projection",
        "repeat": "stepping.stepper",
        "rollout": "stepping.stepper",
        "solve_elliptic": "elliptic",
        "solve_helmholtz": "helmholtz",
        "solve_poisson": "poisson",
        "symmetry_error": "krylov.symmetry",
        "transform_preconditioner": "pressure",
    },
)
