import numpy as np

from opforge.pdes._finite_volumes import assemble, conductances, divergence


def test_faces_in_series():
    """The face between permeabilities 1 and 3 conducts like half a cell of each in series; boundaries half a cell."""
    np.testing.assert_allclose(conductances(np.array([1.0, 3.0]), -1, 0.5), [2 / 0.25, 1.5 / 0.25, 6 / 0.25])


def test_matrix_of_the_constant_coefficient_in_one_dimension():
    expected = np.array([[3, -1, 0], [-1, 2, -1], [0, -1, 3]]) / 0.1**2
    np.testing.assert_allclose(assemble(np.ones(3), (0.1,)).toarray(), expected)


def test_matrix_is_minus_divergence_column_by_column():
    rng = np.random.default_rng(0)
    a, spacing = rng.uniform(1, 2, (3, 2, 4)), (0.1, 0.2, 0.3)
    columns = [-divergence(a, unit.reshape(a.shape), spacing).ravel() for unit in np.eye(a.size)]
    np.testing.assert_allclose(assemble(a, spacing).toarray(), np.stack(columns, axis=1), atol=1e-11)


def test_matrix_is_in_canonical_form():
    matrix = assemble(np.ones((4, 3)), (1.0, 1.0))
    claimed = matrix.copy()
    claimed.has_canonical_format = False
    claimed.sum_duplicates()
    np.testing.assert_array_equal(claimed.indices, matrix.indices)
    np.testing.assert_array_equal(claimed.data, matrix.data)


def test_what_flows_in_flows_out():
    """The divergence sums up to the flux through the boundary: nothing is lost between cells."""
    rng = np.random.default_rng(1)
    a, u = rng.uniform(1, 2, (5, 6)), rng.standard_normal((5, 6))
    through = (2 * (a[0] * u[0] + a[-1] * u[-1])).sum() / 0.1**2 + (
        2 * (a[:, 0] * u[:, 0] + a[:, -1] * u[:, -1])
    ).sum() / 0.2**2
    np.testing.assert_allclose(divergence(a, u, (0.1, 0.2)).sum(), -through)


def test_matrices_of_one_shape_share_what_depends_on_the_shape():
    first, second = assemble(np.ones((3, 3)), (1.0, 1.0)), assemble(np.full((3, 3), 2.0), (1.0, 1.0))
    assert np.shares_memory(first.indices, second.indices)
    assert not first.indices.flags.writeable
    np.testing.assert_allclose(second.data, 2 * first.data)
