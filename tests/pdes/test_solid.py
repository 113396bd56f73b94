"""Staggered elastic solids: places, adjoint differences, media at jumps, the bound of frequencies."""

import numpy as np
import pytest

from opforge.core import Grid
from opforge.pdes._solid import BOUNDARIES, Places, Solid, greatest_rate, pairs, stress_rates, velocity_rates


def places_of(boundary, ndim=2):
    shape, lengths = (6, 5, 4)[:ndim], (1.0, 1.3, 0.7)[:ndim]
    return Places(Grid(shape, lengths, "periodic" if boundary == "periodic" else "nodes"), boundary)


def random_medium(places, seed=0):
    rng, shape = np.random.default_rng(seed), places.grid.shape
    mu = rng.uniform(0.2, 1.0, shape)
    return rng.uniform(0.5, 2.0, shape), rng.uniform(-0.3, 1.0, shape) * mu, mu


def matrix(places, medium):
    """The map from velocities to accelerations by stresses, as a matrix of what is solved for."""
    ndim, size, solid = places.grid.ndim, places.grid.size, Solid.of(*medium, places)
    columns = []
    for unit in np.eye(ndim * size):
        velocity = list(unit.reshape(ndim, *places.grid.shape) * held(places))
        columns.append(np.ravel(velocity_rates(stress_rates(velocity, solid, places), solid, places)))
    return np.array(columns).T


def held(places):
    return np.stack([places.held("uvw"[i]) for i in range(places.grid.ndim)])


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_differences_are_negative_adjoints(boundary):
    places, rng = places_of(boundary), np.random.default_rng(0)
    for i in range(2):
        p = rng.standard_normal(places.grid.shape)
        q = rng.standard_normal(places.grid.shape) * places.present((i,))
        there = (places.down(q, i) * p * places.weights(())).sum()
        back = (q * places.up(p, i) * places.weights((i,))).sum()
        assert abs(there + back) < 1e-14 and abs(there) > 1e-3


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_weights_are_of_the_whole_box(boundary, ndim):
    places = places_of(boundary, ndim)
    for shifted in [(), *((i,) for i in range(ndim)), *pairs(ndim)]:
        assert abs(places.weights(shifted).sum() - 1) < 1e-14


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_all_frequencies_are_real_and_below_the_bound(boundary, ndim):
    places = places_of(boundary, ndim)
    medium = random_medium(places)
    squares = np.linalg.eigvals(-matrix(places, medium))
    assert np.abs(squares.imag).max() < 1e-6 and squares.real.min() > -1e-6
    assert 0.3 < squares.real.max() / greatest_rate(*medium, places) < 1


@pytest.mark.parametrize("boundary", ["free", "surface", "rigid", "slip"])
def test_rigid_motions_are_all_that_nothing_resists(boundary):
    """Shifts and a rotation of a free solid; shifts along the mirrors, none that rigid walls leave."""
    places = places_of(boundary)
    squares = np.linalg.eigvalsh(symmetric(places, random_medium(places)))
    still = np.abs(squares) < 1e-10 * np.abs(squares).max()
    kept = int(held(places).sum())
    assert still.sum() - (still.size - kept) == {"free": 3, "surface": 0, "rigid": 0, "slip": 0}[boundary]


def symmetric(places, medium):
    """`matrix` in coordinates in which the kinetic energy is a sum of squares."""
    from opforge.pdes._solid import mass

    weight = np.stack([mass(medium[0], i, places) * places.weights((i,)) for i in range(places.grid.ndim)])
    root = np.sqrt(np.where(held(places).astype(bool), weight, 1.0)).ravel()
    found = root[:, None] * matrix(places, medium) / root
    np.testing.assert_allclose(found, found.T, rtol=0, atol=1e-12 * np.abs(found).max())
    return (found + found.T) / 2


def test_the_bound_is_exact_in_a_homogeneous_medium():
    places = Places(Grid((6, 4), (1.0, 2.0), "periodic"), "periodic")
    medium = 2.0 + np.zeros((6, 4)), 0.6 + np.zeros((6, 4)), 0.7 + np.zeros((6, 4))
    expected = 4 * (0.6 + 2 * 0.7) / 2.0 * (36 + 4)
    np.testing.assert_allclose(greatest_rate(*medium, places), expected, rtol=1e-14)
    np.testing.assert_allclose(np.linalg.eigvals(-matrix(places, medium)).real.max(), expected, rtol=1e-12)


def test_shear_is_the_harmonic_mean_of_four_points():
    places, mu = places_of("slip"), np.random.default_rng(0).uniform(0.1, 1.0, (6, 5))
    shear = Solid.of(np.ones((6, 5)), mu, mu, places).shear[0]
    np.testing.assert_allclose(shear[2, 3], 4 / (1 / mu[2:4, 3:5]).sum(), rtol=1e-14)
    assert not shear[-1].any() and not shear[:, -1].any()


def test_nothing_shears_where_a_point_is_fluid():
    places, mu = places_of("free"), np.ones((6, 5))
    mu[2, 2] = 0.0
    solid = Solid.of(np.ones((6, 5)), np.ones((6, 5)), mu, places)
    assert not solid.shear[0][1:3, 1:3].any() and solid.shear[0][3, 3] > 0
    assert all(np.isfinite(values).all() for values in solid.volume)


def test_a_free_surface_stretches_with_the_modulus_of_a_plate():
    """4μ(λ + μ)/(λ + 2μ) along the surface in plane strain, Young's modulus along an edge."""
    lam, mu = 0.8, 0.5
    for ndim, expected in ((2, 4 * mu * (lam + mu) / (lam + 2 * mu)), (3, mu * (3 * lam + 2 * mu) / (lam + mu))):
        places = places_of("free", ndim)
        shape = places.grid.shape
        solid = Solid.of(np.ones(shape), lam + np.zeros(shape), mu + np.zeros(shape), places)
        velocity = [np.zeros(shape) for _ in range(ndim)]
        velocity[0] = places.coordinates("u")[0] * places.present((0,))
        rate = stress_rates(velocity, solid, places)[0]
        np.testing.assert_allclose(rate[(2, *(0,) * (ndim - 1))], expected, rtol=1e-12)
        np.testing.assert_allclose(rate[(2, *(2,) * (ndim - 1))], lam + 2 * mu, rtol=1e-12)
