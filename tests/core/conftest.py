"""Where Triton's kernels run in the tests."""

import pytest


@pytest.fixture
def triton_device(monkeypatch):
    """The device for Triton's kernels: a GPU if there is one, else the CPU, through Triton's interpreter.

    Triton decides between the two when kernels are defined, so it has to be asked before their modules are loaded:
    tests import those inside their functions.
    """
    pytest.importorskip("triton")
    import torch

    if torch.cuda.is_available():
        return "cuda"
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    return "cpu"
