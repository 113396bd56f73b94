"""Vectors of linear systems as numpy or torch arrays: products, norms and choices, for every system on its own."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import numpy as np

from opforge.core.full_transforms.transforms import is_torch

Layout = Literal["vector", "columns", "batch"]


class Vectors:
    """How systems lie in arrays: one vector (n,), columns (n, k), or a batch (batch, *space).

    Numbers of which every system has one (inner products, step lengths) keep their axes, (1,), (1, k), (batch, 1, …):
    they multiply vectors as they are.

    Args:
        like: an array of the kind, shape, precision and device of all vectors.
        layout: where the systems are.
    """

    def __init__(self, like: Any, layout: Layout):
        self.torch = is_torch(like)
        self.layout: Layout = layout
        self.device: Any = like.device if self.torch else None
        shape = tuple(like.shape)
        ones = (1,) * (len(shape) - 1)
        self.numbers: tuple[int, ...] = {"vector": (1,), "columns": (1, *shape[1:]), "batch": (shape[0], *ones)}[layout]
        self.systems = int(np.prod(self.numbers))
        self.size = int(np.prod(shape)) // max(self.systems, 1)

    def dot(self, x: Any, y: Any) -> Any:
        """xᴴy of every system."""
        if self.torch:
            import torch

            if self.systems == 1 and self.layout != "columns":
                return torch.vdot(x.reshape(-1), y.reshape(-1)).reshape(self.numbers)
            if self.layout == "batch":
                x, y = x.reshape(self.systems, -1), y.reshape(self.systems, -1)
            return torch.linalg.vecdot(x, y, dim=0 if self.layout == "columns" else 1).reshape(self.numbers)
        if self.layout == "vector":
            return np.vdot(x, y).reshape(1)
        if self.layout == "columns":
            return np.einsum("ij,ij->j", x.conj(), y).reshape(self.numbers)
        x, y = x.reshape(self.systems, -1), y.reshape(self.systems, -1)
        return np.einsum("ij,ij->i", x.conj(), y).reshape(self.numbers)

    def norm(self, x: Any) -> Any:
        """‖x‖ of every system."""
        return self.dot(x, x).real ** 0.5

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        if self.torch:
            import torch

            return torch.where(condition, x, y)
        return np.where(condition, x, y)

    def ratio(self, above: Any, below: Any, wanted: Any) -> Any:
        """``above / below`` where ``wanted``, 0 elsewhere, whatever stands there."""
        return self.where(wanted, above / self.where(wanted, below, 1.0), 0.0)

    def add(self, x: Any, alpha: Any, p: Any) -> Any:
        """x + α p, in place; systems with α = 0 stay as they are, even where p is not finite."""
        if self.torch and self.device.type != "cpu":
            x += self.where(alpha != 0, alpha * p, 0.0)  # asking whether there are any would wait for the device
        elif bool((alpha != 0).all()):
            if self.torch and alpha.dtype == x.dtype:
                x.addcmul_(alpha, p)
            else:
                x += alpha * p
        elif bool((alpha != 0).any()):
            x += self.where(alpha != 0, alpha * p, 0.0)
        return x

    def turned(self, p: Any, beta: Any, z: Any) -> Any:
        """z + β p, in place of p."""
        p *= beta
        p += z
        return p

    def host(self, *numbers: Any) -> list[np.ndarray]:
        """Real numbers of the systems as numpy arrays (systems,), fetched from a device at once."""
        if not self.torch:
            return [np.array(x, dtype=np.float64).reshape(-1) for x in numbers]
        import torch

        return list(torch.stack([x.reshape(-1) for x in numbers]).detach().cpu().double().numpy())

    def mask(self, chosen: np.ndarray) -> Any:
        """Which systems are chosen (systems,), as an array that multiplies and chooses vectors."""
        if not self.torch:
            return chosen.reshape(self.numbers)
        import torch

        return torch.from_numpy(chosen.copy()).to(self.device).reshape(self.numbers)

    def without_gradients(self) -> AbstractContextManager[Any]:
        if not self.torch:
            return nullcontext()
        import torch

        return torch.no_grad()


def copied(x: Any) -> Any:
    return x.clone() if is_torch(x) else x.copy()


def all_finite(x: Any) -> bool:
    if is_torch(x):
        import torch

        return bool(torch.isfinite(x).all())
    return bool(np.isfinite(x).all())


def ones_like(x: Any) -> Any:
    return x.new_ones(x.shape) if is_torch(x) else np.ones_like(x)


def zeros_like(x: Any) -> Any:
    return x.new_zeros(x.shape) if is_torch(x) else np.zeros_like(x)


def with_precision(x: Any, dtype: Any) -> Any:
    """The array with another type of its numbers, a copy only where it has to be."""
    return x.to(dtype) if is_torch(x) else x.astype(dtype, copy=False)


def epsilon(x: Any) -> float:
    """The distance from 1 to the next number of the array's precision."""
    return 2.0**-23 if str(x.dtype).endswith(("float32", "complex64")) else 2.0**-52
