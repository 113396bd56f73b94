"""Datasets: recipes that join an equation, an input distribution and a solver; files; readers."""

if __name__ == "datasets":
    raise ImportError("this folder is opforge's: use `import opforge.datasets`, not `import datasets`")

from opforge._lazy import attach

# Every recipe and the file it stands in: a new recipe is a file and a line here.
RECIPES = {
    "AdvectionRecipe": "advection",
    "AllenCahnRecipe": "phase_fields",
    "BurgersRecipe": "burgers",
    "CahnHilliardRecipe": "phase_fields",
    "CompressibleFlowRecipe": "compressible_flow",
    "DarcyRecipe": "darcy",
    "DiffusionSorptionRecipe": "diffusion_sorption",
    "ElasticRecipe": "elastic",
    "FisherRecipe": "fisher",
    "FitzHughNagumoRecipe": "fitzhugh_nagumo",
    "GrayScottRecipe": "gray_scott",
    "HeatRecipe": "heat",
    "HelmholtzRecipe": "helmholtz",
    "IncompressibleFlowRecipe": "incompressible_flow",
    "KortewegDeVriesRecipe": "korteweg_de_vries",
    "KuramotoSivashinskyRecipe": "kuramoto_sivashinsky",
    "NavierStokesRecipe": "navier_stokes",
    "PoissonRecipe": "poisson",
    "ShallowWaterRecipe": "shallow_water",
    "WaveRecipe": "wave",
}

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        **RECIPES,
        "Bumps": "random_bumps",
        "Drops": "random_drops",
        "EvolutionRecipe": "evolution",
        "FourierSeries": "random_series",
        "GaussianField": "random_fields",
        "Obstacles": "random_obstacles",
        "OperatorDataset": "reading.dataset",
        "Recipe": "recipe",
        "Sample": "recipe",
        "Steps": "random_steps",
        "generate": "generating.generation",
        "merge": "generating.merging",
        "open_dataset": "formats.opening",
        "registry": "recipe",
        "threshold": "random_fields",
    },
)
