"""Equations: what is solved. Each is a frozen dataclass with a residual, an operator and closed-form solutions."""

if __name__ == "pdes":
    raise ImportError("this folder is opforge's: use `import opforge.pdes`, not `import pdes`")

from opforge._lazy import attach

# Every equation and the file it stands in: a new equation is a file and a line here.
EQUATIONS = {
    "Advection": "advection",
    "Darcy": "darcy",
}

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        **EQUATIONS,
        "Equation": "equation",
        "Field": "equation",
        "Invariant": "invariant",
        "LinearEquation": "equation",
        "Reflection": "symmetry",
        "Shift": "symmetry",
        "Symmetry": "symmetry",
        "Transposition": "symmetry",
        "registry": "equation",
    },
)
