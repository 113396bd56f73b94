"""(I + dt A/2)⁻¹ as an operation of torch, with gradients of any order; apart, for it needs torch to be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from opforge.pdes._finite_volumes import divergence

if TYPE_CHECKING:
    from opforge.solvers.stepping.crank_nicolson import CrankNicolson


class ImplicitHalfStep(torch.autograd.Function):
    """x with M x = b, M = I + dt A(a)/2 for A u = −∇·(a∇u).

    With g the gradient of x, that of b is w = M⁻¹ g, for M is symmetric; that of a is the derivative of
    −w·M(a) x = dt/2 w·∇·(a∇x) + … at fixed w and x.

    Args:
        right: b (..., *space), float64 on the CPU.
        a: the coefficient, likewise, or None where no gradients of it are wanted.
        stepper: has the factors of M.
    """

    @staticmethod
    def forward(ctx: Any, right: torch.Tensor, a: torch.Tensor | None, stepper: CrankNicolson) -> torch.Tensor:
        found = torch.from_numpy(stepper.solve(right.detach().numpy()))
        ctx.stepper, ctx.has_coefficient = stepper, a is not None
        if a is not None:
            ctx.save_for_backward(a, found)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        stepper = ctx.stepper
        if not ctx.has_coefficient:
            return ImplicitHalfStep.apply(gradients[0], None, stepper), None, None
        a, x = ctx.saved_tensors
        w = ImplicitHalfStep.apply(gradients[0], a, stepper)
        if not ctx.needs_input_grad[1]:
            return w, None, None
        again = torch.is_grad_enabled()  # whether the gradient is differentiated in turn
        with torch.enable_grad():
            mine = a.view_as(a)  # x depends on a as well, and is held fixed
            flow = divergence(mine, x, stepper.grid.spacing, stepper.boundary)
            power = stepper.dt / 2 * (w * flow).sum()
            (slope,) = torch.autograd.grad(power, mine, create_graph=again)
        return w, slope, None
