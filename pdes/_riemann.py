"""The exact solution of Sod's shock tube."""

from __future__ import annotations

import numpy as np

# Density and pressure on the left and on the right; the gas is at rest.
LEFT, RIGHT = (1.0, 1.0), (0.125, 0.1)


def star(gamma: float = 1.4) -> tuple[float, float, float, float, float]:
    """Pressure, velocity, both densities between the waves, and the shock's speed.

    Example:
        >>> [round(value, 5) for value in star()]
        [0.30313, 0.92745, 0.42632, 0.26557, 1.75216]
    """
    from scipy.optimize import root_scalar

    (r_l, p_l), (r_r, p_r) = LEFT, RIGHT
    c_l, c_r = np.sqrt(gamma * p_l / r_l), np.sqrt(gamma * p_r / r_r)
    a, b = 2 / ((gamma + 1) * r_r), (gamma - 1) / (gamma + 1) * p_r

    def behind(p: float) -> float:  # of the rarefaction
        return float(2 * c_l / (gamma - 1) * (1 - (p / p_l) ** ((gamma - 1) / (2 * gamma))))

    def ahead(p: float) -> float:  # of the shock
        return float((p - p_r) * np.sqrt(a / (p + b)))

    p = float(root_scalar(lambda p: behind(p) - ahead(p), bracket=(p_r, p_l), xtol=1e-15).root)
    ratio = (gamma - 1) / (gamma + 1)
    left = r_l * (p / p_l) ** (1 / gamma)
    right = r_r * (p / p_r + ratio) / (ratio * p / p_r + 1)
    shock = c_r * np.sqrt((gamma + 1) / (2 * gamma) * p / p_r + (gamma - 1) / (2 * gamma))
    return p, ahead(p), left, right, float(shock)


def sod(x: np.ndarray, t: np.ndarray, gamma: float = 1.4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Density, velocity and pressure at places x around the membrane and at times t > 0, which broadcast.

    Source:
        Sod, "A survey of several finite difference methods for systems of nonlinear hyperbolic conservation laws".
    """
    (r_l, p_l), (r_r, p_r) = LEFT, RIGHT
    p, u, left, right, shock = star(gamma)
    c_l = np.sqrt(gamma * p_l / r_l)
    xi = x / t
    tail = u - np.sqrt(gamma * p / left)
    fan_u = 2 / (gamma + 1) * (c_l + xi)
    fan_c = np.maximum(c_l - (gamma - 1) / 2 * fan_u, 1e-12)
    where = [xi < -c_l, xi < tail, xi < u, xi < shock]
    one = np.ones_like(xi)
    density = np.select(where, [r_l * one, r_l * (fan_c / c_l) ** (2 / (gamma - 1)), left * one, right * one], r_r)
    velocity = np.select(where, [0 * one, fan_u, u * one, u * one], 0.0)
    pressure = np.select(where, [p_l * one, p_l * (fan_c / c_l) ** (2 * gamma / (gamma - 1)), p * one, p * one], p_r)
    return density, velocity, pressure
