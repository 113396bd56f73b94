"""Earlier directions of an iteration, to which new ones are made A-orthogonal."""

from __future__ import annotations

from typing import Any

from opforge.solvers.krylov._vectors import Vectors


class Directions:
    """The latest directions d_k with A d_k and d_kᴴA d_k, of every system.

    Args:
        vectors: the layout.
    """

    def __init__(self, vectors: Vectors):
        self._vectors = vectors
        self._kept: list[tuple[Any, Any, Any]] = []

    def keep(self, d: Any, Ad: Any, curvature: Any, most: int) -> None:
        """Add the latest direction; keep the ``most`` latest ones."""
        self._kept = [*self._kept, (d, Ad, curvature)][-most:]

    def orthogonal(self, d: Any, Ad: Any) -> tuple[Any, Any]:
        """d − Σ_k d_k (d_kᴴA d) / (d_kᴴA d_k), and A times that: two sweeps of Gram and Schmidt would give the same.

        The products of the kept directions with each other are 0, so the order does not matter.
        """
        v = self._vectors
        for earlier, A_earlier, curvature in self._kept:
            part = v.ratio(v.dot(A_earlier, d), curvature, curvature > 0)
            d, Ad = d - part * earlier, Ad - part * A_earlier
        return d, Ad
