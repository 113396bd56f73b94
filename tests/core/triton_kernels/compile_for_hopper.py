"""Compile the kernels for an H100 or H200, which needs no GPU, and print for each the shared memory that it takes.

Run in a process of its own: without Triton's interpreter, which the tests here use.
"""

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from opforge.core.triton_kernels import _long_kernels, _pair_product, _spectral_kernels
from opforge.core.triton_kernels._long_tables import SPLITS

POINTERS = {"signal", "kernel", "gate_in", "gate_out", "result", "tables", "other", "spectra"}


def shared_memory(kernel, config, constants, dtype):
    """Bytes for one choice of block sizes."""
    constants = constants | config.kwargs
    signature = {}
    for name in kernel.fn.arg_names:
        pointer = name in POINTERS or name.endswith("pointer")
        signature[name] = "constexpr" if name in constants else f"*{dtype}" if pointer else "i32"
    source = ASTSource(kernel.fn, signature=signature, constexprs=constants)
    options = {"num_warps": config.num_warps, "num_stages": config.num_stages}
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options).metadata.shared


def spectral(size, precision, **ones):
    sizes = {"ROWS": size, "COLUMNS": size, "PRECISION": precision} | ones
    return [(_spectral_kernels.analyse, sizes), (_spectral_kernels.synthesise, sizes)]


def product(precision, **ones):
    return [(_pair_product._kernel, {"A_SIGN": 1, "B_SIGN": -1, "PRECISION": precision} | ones)]


def long(size, precision, **ones):
    """All gates, and signals that fill real and imaginary parts."""
    sizes = dict(zip(("N1", "N2", "N3"), SPLITS[size], strict=True)) | {"PRECISION": precision} | ones
    gates = {"GATED_IN": True, "GATED_OUT": True, "SIGN": -1}
    signals = {name: n for name, n in ones.items() if name not in ("batch", "channels")}
    return [
        (_long_kernels.convolve, sizes | gates | {"IN": "both", "OUT": "wrap"}),
        (_long_kernels.correlate, sizes | {"IN": "real", "OTHER": "both"}),
        (_long_kernels.spectrum, {k: v for k, v in sizes.items() if k not in ones} | signals | {"IN": "wrap"}),
        (_long_kernels.signal, {k: v for k, v in sizes.items() if k not in ones} | signals | {"OUT": "both"}),
    ]


CASES = {
    "fp32": [*spectral(32, "tf32x3"), *product("tf32x3"), *long(1024, "bf16"), long(16384, "bf16")[0]],
    "fp64": [*spectral(64, "ieee"), *product("ieee"), long(1024, "ieee")[0]],
}
# Triton makes constants of integers that are 1, which have no methods: a kernel may compile for other sizes only.
CASES["fp32"] += [
    *spectral(32, "tf32", height=1, images=1, planes=1, modes_h=1),
    *product("tf32", size_p=1, a_batch=1, b_r=1, c_pair=1),
    *long(256, "tf32", batch=1, channels=1, length=1),
]


if __name__ == "__main__":
    for dtype, cases in CASES.items():
        for kernel, constants in cases:
            # the last is the one that long signals take
            print(kernel.fn.__name__, dtype, shared_memory(kernel, kernel.configs[-1], constants, dtype), flush=True)
