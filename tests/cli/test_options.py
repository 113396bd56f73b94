"""Options that several commands have."""

import pytest
import torch

from opforge.cli.options import refuse_missing
from opforge.errors import InputError


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    refuse_missing("auto")
    refuse_missing("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device"):
        refuse_missing("cuda")


@pytest.mark.parametrize("command", [("train", "fno", "d.nc", "-o", "run"), ("quickstart", "--fast", "--out", "q")])
def test_commands_look_before_they_write(refused, made, monkeypatch, command):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    words = [made.data if word == "d.nc" else word for word in command]
    assert "device" in refused(*words, "--device", "cuda")
