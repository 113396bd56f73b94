"""Products at each point, a few samples at a time."""

import pytest
import torch
import torch.nn.functional as F

from opforge.core import pointwise


@pytest.mark.parametrize("before", [None, F.gelu, torch.tanh])
@pytest.mark.parametrize(("points", "channels"), [((7,), (3, 1)), ((8, 16), (1, 4)), ((5, 3, 2), (2, 2))])
@pytest.mark.parametrize("samples", [1, 2, 7])
def test_products_and_gradients(monkeypatch, samples, points, channels, before):
    torch.manual_seed(0)
    x = torch.randn(7, *points, channels[0], dtype=torch.float64, requires_grad=True)
    matrix = torch.randn(channels, dtype=torch.float64, requires_grad=True)
    expected = (x if before is None else before(x)) @ matrix
    grad = torch.randn_like(expected)
    monkeypatch.setattr(pointwise, "_CHUNK", samples * max(x[0].nbytes, expected[0].nbytes))
    visited = []
    with torch.no_grad():
        y = pointwise.forward(x, matrix, before, lambda a, part: visited.append((a.clone(), part)))
        gx, gm = pointwise.backward(x, matrix, before, grad, (True, True))
    torch.testing.assert_close(y, expected, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close((gx, gm), torch.autograd.grad(expected, (x, matrix), grad), rtol=1e-12, atol=1e-12)
    assert len(visited) == -(-7 // samples)
    for a, part in visited:
        torch.testing.assert_close(a, x[part] if before is None else before(x[part]), rtol=0, atol=0)


def test_what_is_not_needed_is_not_computed():
    x, matrix, grad = torch.randn(2, 5, 3), torch.randn(3, 2), torch.randn(2, 5, 2)
    with torch.no_grad():
        assert pointwise.backward(x, matrix, None, grad, (False, False)) == (None, None)
        gx, gm = pointwise.backward(x, matrix, None, grad, (True, False))
    assert gm is None
    torch.testing.assert_close(gx, grad @ matrix.T)


@pytest.mark.parametrize("samples", [1, 3])
def test_the_gradient_of_the_matrix_alone(monkeypatch, samples):
    x, grad = torch.randn(3, 4, 2, dtype=torch.float64), torch.randn(3, 4, 5, dtype=torch.float64)
    matrix = torch.randn(2, 5, dtype=torch.float64)
    monkeypatch.setattr(pointwise, "_CHUNK", samples * grad[0].nbytes)
    seen = []
    with torch.no_grad():
        gx, gm = pointwise.backward(x, matrix, None, grad, (False, True), lambda g, part: seen.append((g, part)))
    assert gx is None
    torch.testing.assert_close(gm, torch.einsum("npi,npo->io", x, grad), rtol=1e-13, atol=1e-13)
    assert len(seen) == 3 // samples
    for g, part in seen:
        torch.testing.assert_close(g, grad[part], rtol=0, atol=0)


def test_results_are_finished_in_place():
    x, matrix, extra = torch.randn(3, 4, 2), torch.randn(2, 5), torch.randn(3, 4, 5)
    with torch.no_grad():
        y = pointwise.forward(x, matrix, None, finish=lambda part_of_y, part: part_of_y.add_(extra[part]))
    torch.testing.assert_close(y, x @ matrix + extra)


def test_gradients_are_finished_before_the_nonlinearity():
    x, matrix = torch.randn(3, 4, 2, dtype=torch.float64), torch.randn(2, 2, dtype=torch.float64)
    extra = torch.randn_like(x)
    grad = torch.randn_like(x)
    with torch.no_grad():
        gx, _ = pointwise.backward(x, matrix, F.gelu, grad, (True, False), finish=lambda ga, part: ga.add_(extra[part]))
    leaf = x.requires_grad_()
    a = F.gelu(leaf)
    expected = torch.autograd.grad((a @ matrix * grad).sum() + (a * extra).sum(), leaf)[0]
    torch.testing.assert_close(gx, expected, rtol=1e-12, atol=1e-12)


def test_an_empty_batch_is_served():
    x, matrix = torch.empty(0, 4, 2), torch.randn(2, 3)
    with torch.no_grad():
        assert pointwise.forward(x, matrix, F.gelu).shape == (0, 4, 3)
