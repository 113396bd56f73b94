"""The exact solution of Sod's tube satisfies the jump conditions and the invariants of the rarefaction."""

import numpy as np

from opforge.pdes._riemann import LEFT, RIGHT, sod, star


def test_known_values():
    np.testing.assert_allclose(star(), [0.30313, 0.92745, 0.42632, 0.26557, 1.75216], atol=1e-5)


def test_shock_conserves_mass_momentum_and_energy():
    p, u, _, rho, s = star()
    rho_0, p_0 = RIGHT
    energy, energy_0 = p / 0.4 + rho * u**2 / 2, p_0 / 0.4
    np.testing.assert_allclose(rho * (u - s), -rho_0 * s, rtol=1e-12)
    np.testing.assert_allclose(rho * u * (u - s) + p, p_0, rtol=1e-12)
    np.testing.assert_allclose(energy * (u - s) + p * u, -energy_0 * s, rtol=1e-12)


def test_rarefaction_is_isentropic_and_continuous():
    x = np.linspace(-0.5, 0.5, 4001)
    rho, u, p = sod(x, np.array(0.2))
    left = x < 0.1
    np.testing.assert_allclose(p[left] / rho[left] ** 1.4, LEFT[1], rtol=1e-12)
    np.testing.assert_allclose(u[left] + 5 * np.sqrt(1.4 * p[left] / rho[left]), 5 * np.sqrt(1.4), rtol=1e-12)
    assert np.abs(np.diff(u[left])).max() < 0.002
