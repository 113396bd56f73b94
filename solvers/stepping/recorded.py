"""Steps on a GPU without Python between its kernels: recorded once as a CUDA graph, then replayed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from opforge.core.full_transforms.transforms import is_torch
from opforge.errors import InputError
from opforge.solvers.stepping.stepper import Stepper

_MOST_KEPT = 4  # recordings; each keeps the arrays of a step


class Recorded(Stepper):
    """Another stepper, whose steps on a GPU are replayed from a recording: the same numbers, sooner.

    A step of a pseudo-spectral method starts dozens of kernels, and for all but the largest states starting them from
    Python takes longer than running them. The first step of states of a shape is recorded as a CUDA graph, which
    later steps replay. Anything else, states on the CPU or gradients, goes to the stepper itself.

    Args:
        stepper: one that does the same work whatever the state holds: its ``recordable`` is true.

    Raises:
        InputError: another one, such as `FiniteVolumes`, which takes as many parts as the fastest wave needs.

    Example:
        >>> import torch
        >>> from opforge.core import Grid
        >>> from opforge.pdes import KuramotoSivashinsky
        >>> from opforge.solvers import ETDRK4
        >>> stepper = ETDRK4(KuramotoSivashinsky(), Grid((64,), (32.0,), "periodic"), dt=0.1)
        >>> u = torch.linspace(0, 6, 65)[:-1].cos()[None, None]  # .cuda(), where there is a GPU
        >>> torch.equal(Recorded(stepper)(u), stepper(u))
        True
    """

    recordable = True

    def __init__(self, stepper: Stepper):
        if not stepper.recordable:
            raise InputError(
                f"stepper must do the same work in every step to be recorded, got {type(stepper).__name__}, whose work "
                "depends on the state; use it as it is"
            )
        self.stepper, self.dt = stepper, stepper.dt
        self._recordings: dict[Any, _Recording] = {}

    def check_start(self, state: Any) -> None:
        self.stepper.check_start(state)

    def prepare(self, state: Any) -> Any:
        return self.stepper.prepare(state)

    def finish(self, inner: Any) -> Any:
        return self.stepper.finish(inner)

    def separated(self, inner: Any) -> Any:
        return self.stepper.separated(inner)

    def advance(self, inner: Any) -> Any:
        return self.advance_by(inner, 1)

    def advance_by(self, inner: Any, steps: int) -> Any:
        values = _values(inner)
        if not _on_gpu_without_gradients(values):
            return self.stepper.advance_by(inner, steps)
        key = (values.shape, values.dtype, values.device)
        if key not in self._recordings:
            while len(self._recordings) >= _MOST_KEPT:
                self._recordings.pop(next(iter(self._recordings)))
            self._recordings[key] = _Recording(self.stepper, inner)
        return _with_values(inner, self._recordings[key].run(values, steps))


class _Recording:
    """One step of states of a shape, which starts and ends in the same tensor."""

    def __init__(self, stepper: Stepper, inner: Any):
        import torch

        self._state, self._graph = _values(inner).clone(), torch.cuda.CUDAGraph()
        mine = _with_values(inner, self._state)
        aside = torch.cuda.Stream(self._state.device)
        aside.wait_stream(torch.cuda.current_stream(self._state.device))
        with torch.no_grad(), torch.cuda.stream(aside):
            for _ in range(3):  # plans and constants are made before the recording
                stepper.advance(mine)
        torch.cuda.current_stream(self._state.device).wait_stream(aside)
        with torch.no_grad(), torch.cuda.graph(self._graph):
            self._state.copy_(_values(stepper.advance(mine)))

    def run(self, values: Any, steps: int) -> Any:
        self._state.copy_(values)
        for _ in range(steps):
            self._graph.replay()
        return self._state.clone()


def _values(inner: Any) -> Any:
    """The array in what a stepper works on: the state itself, or its Fourier modes."""
    return inner.modes if hasattr(inner, "modes") else inner


def _with_values(inner: Any, values: Any) -> Any:
    return replace(inner, modes=values) if hasattr(inner, "modes") else values


def _on_gpu_without_gradients(values: Any) -> bool:
    if not is_torch(values) or values.device.type != "cuda":
        return False
    import torch

    return not (torch.is_grad_enabled() and values.requires_grad)
