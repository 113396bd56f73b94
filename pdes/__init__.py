"""Equations: what is solved. Each is a frozen dataclass with a residual, an operator and closed-form solutions."""

if __name__ == "pdes":
    raise ImportError("this folder is opforge's: use `import opforge.pdes`, not `import pdes`")

from opforge._lazy import attach

# Every equation and the file it stands in: a new equation is a file and a line here.
EQUATIONS = {
    "Advection": "advection",
    "AllenCahn": "allen_cahn",
    "Burgers": "burgers",
    "CahnHilliard": "cahn_hilliard",
    "CompressibleFlow": "compressible_flow",
    "Darcy": "darcy",
    "DiffusionSorption": "diffusion_sorption",
    "Elastic": "elastic",
    "Fisher": "fisher",
    "FitzHughNagumo": "fitzhugh_nagumo",
    "GrayScott": "gray_scott",
    "Heat": "heat",
    "Helmholtz": "helmholtz",
    "IncompressibleFlow": "incompressible_flow",
    "KortewegDeVries": "korteweg_de_vries",
    "KuramotoSivashinsky": "kuramoto_sivashinsky",
    "NavierStokes": "navier_stokes",
    "Poisson": "poisson",
    "ShallowWater": "shallow_water",
    "Wave": "wave",
}

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        **EQUATIONS,
        "Composed": "symmetry",
        "Equation": "equation",
        "EvolutionEquation": "evolution",
        "Field": "equation",
        "Invariant": "invariant",
        "LinearEquation": "equation",
        "PeriodicReflection": "symmetry",
        "Reflection": "symmetry",
        "SemilinearEquation": "semilinear",
        "Shift": "symmetry",
        "SignChange": "symmetry",
        "SpectralForm": "semilinear",
        "Symmetry": "symmetry",
        "Transposition": "symmetry",
        "registry": "equation",
    },
)
