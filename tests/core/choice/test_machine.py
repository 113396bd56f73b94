"""What is said about this machine."""

import subprocess
import sys

import torch

import opforge
from opforge.core.choice import machine


def test_a_choice_made_with_other_versions_is_told_apart():
    assert machine.description()["torch"] == torch.__version__
    assert machine.description()["opforge"] == opforge.__version__
    assert machine.description()["processor"] == machine.processor()


def test_torch_is_not_woken_up():
    code = (
        "import sys; from opforge.core.choice.machine import description; description(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_processor_of_x86_and_of_arm(monkeypatch, tmp_path):
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "_CPU_FILE", file)
    file.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz: fast\n\nprocessor\t: 1\n")
    assert machine.processor() == "Some CPU @ 2.0GHz: fast"
    file.write_text("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n")
    assert machine.processor().endswith("implementer 0x41 part 0xd40")
    file.write_text("")
    assert machine.processor() != ""
    file.unlink()
    assert machine.processor() != ""


def test_graphics_cards_are_named_once(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_GPU_FILES", tmp_path)
    assert machine.graphics() == ""
    for number, model in enumerate(("NVIDIA H200", "NVIDIA H200", "NVIDIA A2")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "information").write_text(f"Model: \t\t {model}\nIRQ:   11\n")
    assert machine.graphics() == "NVIDIA A2, NVIDIA H200"
