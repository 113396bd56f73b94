"""Learn Darcy flow: from a random permeability to the pressure, on one grid, and use it on a finer one.

−∇·(a ∇u) = 1 on the unit square, u = 0 on its boundary; a is 12 or 3, in random patches. A Fourier neural operator
learns a ↦ u from solved samples and is then asked about permeabilities that it never saw, on the training's grid and
on one that is twice as fine.

    python examples/darcy.py
"""

from pathlib import Path

import torch

import opforge
from opforge.models import FNO
from opforge.plotting import plot_prediction
from opforge.training import Optimiser


def main(
    samples: int = 300,
    resolution: int = 32,
    epochs: int = 30,
    *,
    width: int = 16,
    modes: int = 8,
    out: str | Path = "darcy.png",
    progress: bool = True,
) -> float:
    """Generate, train, measure, draw; return the relative L2 error on unseen samples on the finer grid."""
    train = opforge.generate("darcy", samples, resolution, seed=0, progress=progress)
    test = opforge.generate("darcy", 20, resolution, seed=1)
    fine = opforge.generate("darcy", 20, 2 * resolution, seed=1)  # the same 20 functions, on a finer grid
    print(f"data:     {train}")

    torch.manual_seed(0)  # the initial weights
    model = FNO.for_data(train, width=width, modes=modes)
    print(f"model:    FNO with {sum(p.numel() for p in model.parameters()):,} parameters")

    optimiser = Optimiser(learning_rate=4e-3)
    run = opforge.fit(model, train, epochs, optimiser=optimiser, batch_size=10, device="cpu", progress=progress)
    print(f"training: relative error {run.history[-1]['train_loss']:.4f} after {epochs} epochs")

    error, fine_error = run.evaluate(test).relative_l2, run.evaluate(fine).relative_l2
    print(f"test:     relative error {error:.4f} at {resolution} x {resolution}")
    print(f"          relative error {fine_error:.4f} at {2 * resolution} x {2 * resolution}, zero-shot")

    a, u = fine[0]
    figure = plot_prediction({"a": a[0]}, {"u": u[0]}, {"u": run.operator(a)[0]}, grid=fine.grid)
    figure.savefig(out)
    print(f"picture:  {out}")
    return fine_error


if __name__ == "__main__":
    main()
