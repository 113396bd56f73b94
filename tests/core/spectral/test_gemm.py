"""The ``gemm`` back end: adjoints, no complex tensor, and graphs that torch traces."""

import pytest
import torch
from torch import nn

from opforge.core import mode_shape, spectral_conv
from opforge.core.spectral import gemm
from opforge.core.spectral.fourier_matrices import matrix
from opforge.core.spectral.weights import KINDS, parts
from opforge.layers import SpectralConv
from tests.core.spectral.reference import random_weight

CASES = [((9,), (3,)), ((8, 6), (3, 2)), ((6, 5, 4), (2, 1, 1))]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("shape", "modes"), CASES)
def test_rows_and_field_are_adjoint(shape, modes, channels_last):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *shape, generator=generator, dtype=torch.float64)
    rows = torch.randn(*mode_shape(modes), 2, 2, 3, generator=generator, dtype=torch.float64)
    matrices = tuple(matrix(n, k, 0.5, "analysis", x.dtype, x.device) for n, k in zip(shape, modes, strict=True))
    there = (gemm.to_rows(x, matrices, channels_last) * rows).sum()
    back = (x * gemm.from_rows(rows, matrices, channels_last)).sum()
    torch.testing.assert_close(there, back, rtol=1e-12, atol=1e-12)


class Net(nn.Module):
    """Two spectral layers with a nonlinearity between them, as in an operator."""

    def __init__(self, modes=(3, 2)):
        super().__init__()
        self.first, self.second = SpectralConv(2, 4, modes, backend="gemm"), SpectralConv(4, 1, modes, backend="gemm")

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


class AxisNet(nn.Module):
    """An axis-wise convolution to a grid of twice as many points on the first axis and a fixed one on the second."""

    def __init__(self):
        super().__init__()
        self.weights = nn.ParameterList([torch.randn(4, 2, 1, 2), torch.randn(3, 2, 1, 2)])

    def forward(self, x):
        out_shape = (2 * x.shape[2], 12)
        return spectral_conv(x, list(self.weights), (3, 2), out_shape, kind="axis", points="cells", backend="gemm")


NETS = pytest.mark.parametrize("make", [Net, AxisNet])


@NETS
def test_compiles_into_one_graph(make):
    net, x = make(), torch.randn(2, 2, 8, 9)
    # aot_eager runs the traced forward and backward graphs without a C++ compiler
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    y = compiled(x)
    torch.testing.assert_close(y, net(x), rtol=1e-5, atol=1e-5)
    y.square().sum().backward()
    gradients = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    net(x).square().sum().backward()
    for got, p in zip(gradients, net.parameters(), strict=True):
        torch.testing.assert_close(got, p.grad, rtol=1e-5, atol=1e-5)


@NETS
def test_exports_with_any_batch_and_any_grid(make):
    net = make()
    batch, height, width = (
        torch.export.Dim("batch"),
        torch.export.Dim("height", min=7, max=512),
        torch.export.Dim("width", min=6),
    )
    program = torch.export.export(
        net, (torch.randn(2, 2, 10, 12),), dynamic_shapes={"x": {0: batch, 2: height, 3: width}}
    )
    nodes = [node for node in program.graph.nodes if "val" in node.meta and isinstance(node.meta["val"], torch.Tensor)]
    assert nodes
    assert not any(node.meta["val"].is_complex() for node in nodes)
    for size in ((1, 2, 8, 8), (3, 2, 17, 11), (5, 2, 32, 64)):
        x = torch.randn(size)
        torch.testing.assert_close(program.module()(x), net(x), rtol=1e-5, atol=1e-5)


class NextNet(nn.Module):
    """To a grid of one point more on each of three axes: torch cannot simplify such sizes."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(*mode_shape((2, 2, 2)), 2, 1, 2))

    def forward(self, x):
        return spectral_conv(x, self.weight, (2, 2, 2), [n + 1 for n in x.shape[2:]], backend="gemm")


def test_exports_to_grids_that_torch_cannot_reason_about():
    net, sizes = NextNet(), {i: torch.export.Dim(f"n{i}", min=6, max=512) for i in (2, 3, 4)}
    program = torch.export.export(
        net,
        (torch.randn(2, 2, 8, 9, 10),),
        dynamic_shapes={"x": {0: torch.export.Dim("batch"), **sizes}},
        prefer_deferred_runtime_asserts_over_guards=True,
    )
    x = torch.randn(3, 2, 11, 7, 13)
    torch.testing.assert_close(program.module()(x), net(x), rtol=1e-5, atol=1e-5)


@NETS
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), pytest.param(torch.float64, 1e-12, marks=pytest.mark.slow)]
)
@pytest.mark.filterwarnings("ignore")  # the exporter's own
def test_onnx_file_serves_any_batch_and_any_grid(make, dtype, tolerance, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    net = make().eval().to(dtype)
    sizes = {0: torch.export.Dim("batch"), **{i: torch.export.Dim(f"n{i}", min=8) for i in (2, 3)}}
    example = torch.randn(2, 2, 10, 12, dtype=dtype)
    program = torch.onnx.export(net, (example,), dynamic_shapes={"x": sizes}, dynamo=True)
    program.save(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for size in ((1, 2, 8, 8), (3, 2, 17, 11), (5, 2, 32, 64)):
        x = torch.randn(size, dtype=dtype)
        (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        torch.testing.assert_close(torch.from_numpy(y), net(x).detach(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("out_shape", [None, (12, 5)])
def test_no_complex_tensor_in_either_direction(kind, out_shape):
    from torch.utils._python_dispatch import TorchDispatchMode

    class RefuseComplex(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for tensor in torch.utils._pytree.tree_leaves(out):
                assert not (isinstance(tensor, torch.Tensor) and tensor.is_complex()), func
            return out

    x, weight = torch.randn(2, 4, 8, 6, dtype=torch.float64), random_weight(kind, (3, 2), (4, 4))
    for tensor in (x, *parts(weight)):
        tensor.requires_grad_()
    with RefuseComplex():
        spectral_conv(x, weight, (3, 2), out_shape, kind=kind, backend="gemm").square().sum().backward()
    with pytest.raises(AssertionError), RefuseComplex():
        spectral_conv(x, weight, (3, 2), out_shape, kind=kind, backend="torch")
