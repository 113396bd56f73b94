"""The back end through FFTW: rows and fields are inverse, in single and double precision."""

import pytest
import torch

from opforge.core.spectral import fftw


@pytest.mark.parametrize("offset", [0.0, 0.5])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize(("shape", "modes"), [((9,), (4,)), ((8, 7), (3, 3)), ((5, 6, 7), (2, 2, 3))])
def test_rows_of_the_field_of_rows(shape, modes, dtype, tolerance, offset):
    x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    rows = fftw.analyse(x, modes, offset, False)
    y = fftw.synthesise(rows, modes, shape, offset, False)
    assert y.dtype == dtype
    torch.testing.assert_close(fftw.analyse(y, modes, offset, False), rows, rtol=tolerance, atol=tolerance)


def test_input_is_left_alone():
    x = torch.randn(2, 3, 8, 7)
    kept = x.clone()
    rows = fftw.analyse(x, (3, 3), 0.0, False)
    kept_rows = rows.clone()
    fftw.synthesise(rows, (3, 3), (8, 7), 0.0, False)
    torch.testing.assert_close((x, rows), (kept, kept_rows), rtol=0, atol=0)
