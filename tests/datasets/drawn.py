"""A recipe of which every sample has parameters of its own: what tests of such parameters generate."""

from dataclasses import dataclass
from typing import ClassVar

import h5py
import numpy as np

from opforge.datasets import Recipe, Sample
from opforge.errors import WorkError
from opforge.pdes import Darcy, Field

NAMES = ("forcing", "shift")


@dataclass(frozen=True)
class Loaded(Recipe):
    """Darcy's equation on the interval with a = 1: u = forcing · x (1 − x) / 2.

    Args:
        most: samples whose forcing, which lies between 1 and 2, is greater fail.
        together: samples that are made at once.
    """

    most: float = 2.0
    together: int = 1
    tolerance: float = 1e-8

    name: ClassVar[str] = "loaded"
    summary: ClassVar[str] = "loads of random strength"
    inputs: ClassVar[tuple[str, ...]] = ("a",)
    outputs: ClassVar[tuple[str, ...]] = ("u",)
    drawn: ClassVar[tuple[Field, ...]] = (
        Field("forcing", "strength of the load", "Pa m-2"),
        Field("shift", "a number that changes nothing"),
    )
    solver: ClassVar[str] = "none"
    bytes_per_point: ClassVar[int] = 8

    @property
    def equation(self):
        return Darcy(ndim=1)

    def at_once(self, grid):
        return self.together

    def sample(self, rng, grid):
        drawn = {"forcing": rng.uniform(1, 2), "shift": rng.standard_normal()}
        if drawn["forcing"] > self.most:
            raise WorkError("the load is too strong")
        x = grid.coordinates()[0]
        return Sample({"a": np.ones(grid.shape), "u": drawn["forcing"] * x * (1 - x) / 2}, 0.0, drawn)


def expected(seeds):
    """The drawn parameters of the samples with these seeds."""
    grid = Loaded().grid(8)
    made = [Loaded().sample(np.random.default_rng(seed), grid).drawn for seed in seeds]
    return {name: np.array([one[name] for one in made]) for name in NAMES}


def changed(path, change):
    """The file with ``change`` applied to it by h5py, as another program would."""
    with h5py.File(path, "r+") as file:
        change(file)
    return path
