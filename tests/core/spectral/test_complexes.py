"""Products of complex rows with matrices held as pairs of reals."""

import torch

from opforge.core.spectral import complexes, pairs


def test_equals_the_pairs():
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, w, shared, diagonal = random(5, 2, 3, 4), random(5, 4, 6, 2), random(4, 6, 2), random(5, 4, 2)
    rows = torch.complex(x[:, 0], x[:, 1])
    for name, matrix in (("product", w), ("shared_product", shared), ("scale", diagonal)):
        y = getattr(pairs, name)(x, matrix)
        expected = torch.complex(y[:, 0], y[:, 1])
        torch.testing.assert_close(getattr(complexes, name)(rows, matrix), expected, rtol=1e-13, atol=1e-13)
        strided = rows.movedim(0, -1).contiguous().movedim(-1, 0)
        torch.testing.assert_close(getattr(complexes, name)(strided, matrix), expected, rtol=1e-13, atol=1e-13)
