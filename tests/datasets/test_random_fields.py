import math

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets import GaussianField, threshold
from opforge.datasets._eigenfunctions import POINTS, Eigenfunctions
from opforge.datasets.random_fields import _nested_normals
from opforge.errors import InputError

KINDS = [(boundary, points) for boundary, kinds in POINTS.items() for points in kinds]
# How a grid of n points is refined so that all its points stay: the size, and where they are.
REFINED = {
    "cells": lambda n: (3 * n, slice(1, None, 3)),
    "nodes": lambda n: (2 * n - 1, slice(None, None, 2)),
    "periodic": lambda n: (2 * n, slice(None, None, 2)),
}


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("n", [6, 7])
@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(("boundary", "points"), KINDS)
def test_a_seed_is_one_function_on_every_grid(boundary, points, ndim, n):
    """The modes of the coarse grid have the same coefficients on the fine one: values agree where points coincide."""
    law = GaussianField(boundary=boundary)
    size, where = REFINED[points](n)
    coarse = law.sample(rng(), Grid.cube(ndim, n, points=points))
    fine = law.sample(rng(), Grid.cube(ndim, size, points=points), modes=n)
    np.testing.assert_allclose(fine[(where,) * ndim], coarse, atol=1e-14)


def test_finer_grids_add_finer_modes_only():
    """The unrestricted fine sample differs from the coarse one by modes that the coarse grid does not have."""
    law, fine = GaussianField(), Grid.cube(2, 48)
    difference = law.sample(rng(), fine) - law.sample(rng(), fine, modes=16)
    basis = Eigenfunctions("neumann", fine)
    low = [
        (difference * basis.synthesis(np.eye(1, 48 * 48, 48 * i + j).reshape(48, 48))).sum()
        for i in range(16)
        for j in range(16)
    ]
    np.testing.assert_allclose(low, 0.0, atol=1e-9)
    assert 0 < np.abs(difference).max() < 0.1


@pytest.mark.parametrize(("boundary", "points"), KINDS)
def test_unequal_axes_give_the_same_function(boundary, points):
    law = GaussianField(boundary=boundary)
    size, where = REFINED[points](5)
    coarse = law.sample(rng(), Grid((5, 5), points=points))
    wide = law.sample(rng(), Grid((5, size), points=points), modes=5)
    tall = law.sample(rng(), Grid((size, 5), points=points), modes=5)
    np.testing.assert_allclose(wide[:, where], coarse, atol=1e-14)
    np.testing.assert_allclose(tall[where], coarse, atol=1e-14)


@pytest.mark.parametrize(("boundary", "points"), KINDS)
def test_normals_belong_to_their_modes(boundary, points):
    """Whatever else is drawn, the same mode takes the same normal, and no two modes share one."""
    big = Eigenfunctions(boundary, Grid((11, 11), points=points)).wavenumbers()
    z = _nested_normals(rng(), big)
    assert len(np.unique(z)) == z.size
    of_mode = {(i, j): z[m, n] for m, i in enumerate(big[0]) for n, j in enumerate(big[1])}
    for shape in ((5, 5), (11, 4), (4, 9)):
        small = Eigenfunctions(boundary, Grid(shape, points=points)).wavenumbers()
        np.testing.assert_array_equal(
            _nested_normals(rng(), small), [[of_mode[i, j] for j in small[1]] for i in small[0]]
        )


@pytest.mark.parametrize("constant_mode", [True, False])
@pytest.mark.parametrize(("boundary", "points"), KINDS)
def test_variance_is_that_of_the_samples(boundary, points, constant_mode):
    law, grid, count = (
        GaussianField(boundary=boundary, constant_mode=constant_mode),
        Grid((6, 7), (1.0, 2.0), points),
        4000,
    )
    samples = np.stack([law.sample(rng(seed), grid) for seed in range(count)])
    variance = law.variance(grid)
    inside = variance > 1e-12 * variance.max()
    ratio = samples.var(axis=0)[inside] / variance[inside]
    np.testing.assert_allclose(ratio, 1.0, atol=5 * math.sqrt(2 / count))  # five standard deviations of the estimate
    np.testing.assert_allclose(samples.mean(axis=0) / np.sqrt(variance.max()), 0.0, atol=5 / math.sqrt(count))
    np.testing.assert_array_equal(samples[:, ~inside], 0.0)


@pytest.mark.parametrize(("boundary", "points"), KINDS)
def test_covariance_is_that_of_the_law(boundary, points):
    """Cov(v(x), v(y)) = Σ σ² (λ_k + τ²)^(−α) φ_k(x) φ_k(y), from the eigenfunctions one by one."""
    law, grid, count = GaussianField(alpha=1.5, tau=4.0, sigma=2.0, boundary=boundary), Grid((9,), points=points), 6000
    basis = Eigenfunctions(boundary, grid)
    weights = 4.0 * (basis.eigenvalues() + 16.0) ** -1.5
    phi = np.stack([basis.synthesis(unit) for unit in np.eye(len(weights))])
    covariance = (phi.T * weights) @ phi
    samples = np.stack([law.sample(rng(seed), grid) for seed in range(count)])
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=5 * math.sqrt(2 / count) * covariance.max())
    np.testing.assert_allclose(law.variance(grid), np.diag(covariance), atol=1e-15)


def test_periodic_fields_look_the_same_everywhere():
    variance = GaussianField(boundary="periodic").variance(Grid.cube(2, 9, points="periodic"))
    np.testing.assert_allclose(variance, variance[0, 0])


@pytest.mark.parametrize(("boundary", "points"), [("neumann", "cells"), ("periodic", "periodic")])
def test_without_the_constant_mode_the_mean_is_zero(boundary, points):
    grid = Grid.cube(2, 12, points=points)
    with_mean = GaussianField(boundary=boundary).sample(rng(), grid)
    without = GaussianField(boundary=boundary, constant_mode=False).sample(rng(), grid)
    np.testing.assert_allclose(without.mean(), 0.0, atol=1e-15)
    assert abs(with_mean.mean()) > 1e-4
    np.testing.assert_allclose(with_mean - with_mean.mean(), without, atol=1e-14)  # the other modes are the same


def test_constant_mode_has_the_laws_variance():
    """σ τ^(−α) / √volume times a standard normal."""
    law, grid = GaussianField(alpha=2.0, tau=2.0, sigma=3.0), Grid((4, 4), (2.0, 2.0))
    means = np.array([law.sample(rng(seed), grid).mean() for seed in range(2000)])
    np.testing.assert_allclose(means.std(), 3.0 / 4.0 / 2.0, rtol=0.08)


def test_dirichlet_fields_vanish_on_the_boundary():
    v = GaussianField(boundary="dirichlet").sample(rng(), Grid.cube(3, 7, points="nodes"))
    for axis in range(3):
        np.testing.assert_array_equal(np.take(v, [0, -1], axis=axis), 0.0)
    assert np.abs(v[1:-1, 1:-1, 1:-1]).min() > 0


def test_neumann_fields_are_flat_at_the_boundary():
    v = GaussianField(alpha=4.0).sample(rng(), Grid((2000,)))
    slopes = np.abs(np.diff(v))
    assert max(slopes[0], slopes[-1]) < 0.01 * slopes.max()


def test_smoothness_grows_with_alpha():
    rough, smooth = (GaussianField(alpha=alpha, tau=1.0).sample(rng(), Grid.cube(2, 64)) for alpha in (1.5, 4.0))
    roughness = [np.abs(np.diff(v, axis=0)).mean() / v.std() for v in (rough, smooth)]
    assert roughness[1] < 0.7 * roughness[0]


def test_sigma_scales():
    grid = Grid.cube(2, 8)
    one, five = (GaussianField(sigma=sigma).sample(rng(), grid) for sigma in (1.0, 5.0))
    np.testing.assert_allclose(five, 5 * one, rtol=1e-14)


def test_zero_tau_needs_no_constant_mode():
    assert np.isfinite(GaussianField(tau=0.0, constant_mode=False).sample(rng(), Grid.cube(2, 8))).all()
    assert np.isfinite(GaussianField(tau=0.0, boundary="dirichlet").sample(rng(), Grid.cube(2, 8))).all()
    with pytest.raises(InputError, match="tau must be > 0"):
        GaussianField(tau=0.0)


@pytest.mark.parametrize(
    ("name", "value"), [("alpha", 0.0), ("alpha", math.inf), ("sigma", -1.0), ("sigma", math.nan), ("tau", -1.0)]
)
def test_parameters_out_of_range(name, value):
    with pytest.raises(InputError, match=name):
        GaussianField(**{name: value})


def test_unknown_boundary():
    with pytest.raises(InputError, match="boundary must be one of neumann, dirichlet, periodic, got 'robin'"):
        GaussianField(boundary="robin")  # type: ignore[arg-type]


def test_alpha_must_fit_the_dimension():
    law = GaussianField(alpha=1.5)
    assert law.sample(rng(), Grid.cube(2, 4)).shape == (4, 4)
    with pytest.raises(InputError, match=r"alpha must be greater than 1\.5 in 3 dimensions"):
        law.sample(rng(), Grid.cube(3, 4))


def test_threshold():
    np.testing.assert_array_equal(threshold(np.array([[-1.0, 0.0], [1.0, -0.0]])), [[3, 12], [12, 12]])
    np.testing.assert_array_equal(threshold(np.array([-1.0, 1.0]), high=1.0, low=0.1), [0.1, 1.0])
