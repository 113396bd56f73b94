"""Learned multigrid: a symmetric positive definite V-cycle that a small network sets up from the coefficients."""

from __future__ import annotations

import math
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from opforge.core import Grid
from opforge.errors import InputError
from opforge.pdes._finite_volumes import BOUNDARIES
from opforge.precond._coarsening import Couplings, axes_of_levels, join
from opforge.precond._cycle import DENSE, Cycle
from opforge.precond._network import MultigridNet
from opforge.precond._threads import Threads
from opforge.precond.saving import load_weights, save_weights
from opforge.solvers import Preconditioner, Stencil

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

KIND = "multigrid"


class LearnedMultigrid:
    """A network that sets up a V-cycle for any matrix of its dimension; ``on(A)`` is the preconditioner of A.

    Args:
        net: the network.
        boundaries: what it was trained for.
        about: what else is written beside the weights, plain values.

    Example:
        >>> from opforge.solvers import cg
        >>> A = Stencil(Grid((64, 64)))
        >>> learned = LearnedMultigrid(MultigridNet())
        >>> b = torch.ones(64, 64, dtype=torch.float64)
        >>> 5 <= cg(A, b, rtol=1e-8, M=learned.on(A)).iterations <= 9
        True
        >>> learned.aspreconditioner(A.matrix(), grid=A.grid).shape
        (4096, 4096)
    """

    def __init__(
        self, net: MultigridNet, boundaries: tuple[str, ...] = BOUNDARIES, about: dict[str, Any] | None = None
    ):
        self.net, self.boundaries, self.about = net, tuple(boundaries), dict(about or {})

    def __repr__(self) -> str:
        numbers = sum(p.numel() for p in self.net.parameters())
        return f"LearnedMultigrid({self.net.ndim}-D, {numbers} numbers, {', '.join(self.boundaries)})"

    def on(self, A: Any, *, grid: Grid | None = None, compiled: bool | None = None) -> MultigridCycle:
        """The preconditioner of A: the network is evaluated, the levels are set up.

        Args:
            A: a `Stencil`, also one with coefficients of a batch; or a matrix that is one.
            grid: where the unknowns of a matrix are.
            compiled: whether numba compiles the passes of the cycle, on the CPU alone; unless given, where numba is
                installed (``pip install 'opforge[compiled]'``).

        Raises:
            InputError: another dimension or boundary than trained for; no `Stencil`; ``compiled`` on another device.
            ImportError: ``compiled`` without numba.
        """
        A = self._checked(A, grid)
        on_cpu = torch.device(A.device).type == "cpu"
        if compiled and not on_cpu:
            raise InputError(f"compiled must be False for a stencil on {A.device}: compiled passes run on the CPU")
        compiled = on_cpu and find_spec("numba") is not None if compiled is None else compiled
        return (CompiledMultigridCycle if compiled else MultigridCycle)(A, self.net)

    def aspreconditioner(self, A: Any, *, grid: Grid | None = None, compiled: bool | None = None) -> LinearOperator:
        """The preconditioner of A as scipy's ``LinearOperator``, for cg of scipy and of pyamg."""
        return self.on(A, grid=grid, compiled=compiled).aspreconditioner()

    def _checked(self, A: Any, grid: Grid | None) -> Stencil:
        if not isinstance(A, Stencil):
            if not isinstance(grid, Grid):
                raise InputError(
                    f"grid must say where the unknowns of a matrix are, an opforge.core.Grid, got {grid!r}"
                )
            A = Stencil.of_matrix(A, grid)
        if A.grid.ndim != self.net.ndim:
            raise InputError(
                f"A must have {self.net.ndim} dimensions, for which the preconditioner was trained, got {A.grid.ndim}; "
                f"load one for {A.grid.ndim} dimensions"
            )
        unknown = sorted({end for ends in A.boundary for end in ends} - set(self.boundaries))
        if unknown:
            raise InputError(
                f"boundary of A must be of {', '.join(self.boundaries)}, for which the preconditioner was trained, "
                f"got {', '.join(unknown)}; load or train another one"
            )
        return A

    def save(self, path: str | Path) -> Path:
        """Write ``path``.safetensors and ``path``.json; `opforge.precond.load` reads them."""
        config = {"hidden": self.net.hidden, "ndim": self.net.ndim}
        about = {"kind": KIND, "network": config, "boundaries": list(self.boundaries), **self.about}
        return save_weights(self.net, path, about)

    @classmethod
    def from_files(cls, path: Path, about: dict[str, Any]) -> LearnedMultigrid:
        """What `save` wrote, whose JSON is ``about``."""
        rest = {key: value for key, value in about.items() if key not in ("kind", "network", "boundaries")}
        try:
            net = MultigridNet(**about["network"])
            boundaries = tuple(about["boundaries"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}.json is damaged ({type(error).__name__}: {error}); copy it again") from error
        load_weights(net, path)
        return cls(net, boundaries, rest)


class MultigridCycle(Preconditioner):
    """The V-cycle of a matrix, in float32 whatever the precision of A, in torch, on the device of A.

    Linear, symmetric and positive definite up to rounding whatever the weights of the network are: sweeps of Jacobi
    whose errors' polynomial is less than 1 in size, interpolation and its adjoint, coarse matrices that are sums of
    squares.

    Args:
        A: the operator, also one with coefficients of a batch.
        net: sets it up.
        precision: of the cycle.

    Attributes:
        levels: how many, the dense end included.
    """

    def __init__(self, A: Stencil, net: MultigridNet, precision: torch.dtype = torch.float32):
        super().__init__(A.grid.size, A.dtype, A.space)
        self.device, self._precision = A.device, precision
        net = net.to(A.device)
        self._set_up(A, net)

    def _set_up(self, A: Stencil, net: MultigridNet) -> None:
        with torch.no_grad():
            self._cycle = cycle_of(A, net, self._precision)
        self.levels = len(self._cycle.levels) + 1

    def apply(self, r: Any) -> Any:
        """M r of tensors (batch, *space)."""
        axes = tuple(range(1, r.ndim))
        size = r.abs().amax(axes, keepdim=True)
        size = torch.where(size > 0, size, 1.0)
        return self._cycle((r / size).to(self._precision)).to(r.dtype) * size


class CompiledMultigridCycle(MultigridCycle):
    """The same cycle with passes that numba compiled, on the CPU, by as many threads as torch has.

    Attributes:
        operator: A with compiled products, in place of A in `opforge.solvers.cg`.
    """

    def _set_up(self, A: Stencil, net: MultigridNet) -> None:
        from opforge.precond._fast_cycle import FastCycle, FastProduct

        threads = Threads(torch.get_num_threads())
        self._cycles, products, axes = [], [], axes_of_levels(couplings_of(A, self._precision), DENSE)
        for number in range(A.diagonal.shape[0] if A.batched else 1):
            with torch.no_grad():
                single = one_of(A, number)
                cycle = cycle_of(single, net, self._precision, threads, axes)
                self._cycles.append(FastCycle(cycle, A.space, threads))
                products.append(FastProduct(single, threads))
        self.levels = len(cycle.levels) + 1
        self.operator = CompiledStencil(A, products)

    def apply(self, r: Any) -> Any:
        r, z = r.contiguous(), torch.empty(r.shape, dtype=r.dtype)
        for number, (one, found) in enumerate(zip(r.numpy(), z.numpy(), strict=True)):
            cycle = self._cycles[number if len(self._cycles) > 1 else 0]
            cycle(one.reshape(-1), found.reshape(-1))
        return z


class CompiledStencil:
    """A of `opforge.solvers.cg`: products of tensors (batch, *space) by compiled passes."""

    def __init__(self, A: Stencil, products: list[Any]):
        self.space, self.dtype, self.device, self._products = A.space, A.dtype, A.device, products
        self._stencil = A

    @property
    def floating(self) -> Any:
        """See `Stencil.floating`."""
        return self._stencil.floating

    def __call__(self, u: Tensor) -> Tensor:
        u, found = u.detach().contiguous(), torch.empty(u.shape, dtype=u.dtype)
        for number, (one, out) in enumerate(zip(u.numpy(), found.numpy(), strict=True)):
            self._products[number if len(self._products) > 1 else 0](one, out)
        return found


def couplings_of(A: Stencil, precision: torch.dtype) -> Couplings:
    """A in another precision.

    Raises:
        InputError: coefficients that are not finite.
    """
    couplings = Couplings([k.to(precision) for k in A.faces], A.extra.to(precision), A.wrapped)
    if not math.isfinite(float(sum(k.sum() for k in couplings.faces)) + float(couplings.extra.sum())):
        raise InputError("A must have finite coefficients, got NaN or infinite numbers in it")
    return couplings


def cycle_of(
    A: Stencil,
    net: MultigridNet,
    precision: torch.dtype,
    threads: Threads | None = None,
    axes: list[list[int]] | None = None,
) -> Cycle:
    """The V-cycle that a network sets up; gradients reach its parameters.

    Args:
        A: the operator.
        net: the network.
        precision: of the cycle.
        threads: do the set-up by compiled passes; a single matrix in float32 on the CPU.
        axes: along which every level is joined, if it is not A that tells.

    Raises:
        InputError: coefficients that are not finite.
    """
    fluid = None if A.fluid is None else A.fluid.to(precision)
    joining = partial(join, rule=net)
    if threads is not None:
        from opforge.precond._fast_setup import fast_join

        joining = partial(fast_join, net=net, threads=threads)
    return Cycle(couplings_of(A, precision), fluid, joining, net.damping, axes)


def one_of(A: Stencil, number: int) -> Stencil:
    """One operator of a batch, or A itself without one."""
    if not A.batched:
        return A

    def pick(x: Tensor) -> Tensor:
        return x[number if x.shape[0] > 1 else 0] if x.ndim > A.grid.ndim else x

    new = object.__new__(Stencil)
    new.grid, new.boundary = A.grid, A.boundary
    new.fluid = None if A.fluid is None else pick(A.fluid)
    new._set(pick(A.a), [pick(k) for k in A.faces], pick(A.extra))
    return new
