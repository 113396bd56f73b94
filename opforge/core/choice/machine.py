"""What decides how fast the back ends are on this machine, in words."""

from __future__ import annotations

import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import opforge

_CPU_FILE = Path("/proc/cpuinfo")
_GPU_FILES = Path("/proc/driver/nvidia/gpus")


@cache
def description() -> dict[str, str]:
    """Processor, graphics cards, and the versions of torch and opforge: choices hold for one such combination.

    Neither torch nor a graphics card is woken up for it. The number of threads is missing: each choice names its own.

    Example:
        >>> list(description())
        ['processor', 'graphics', 'torch', 'opforge']
    """
    try:
        torch = version("torch")
    except PackageNotFoundError:  # torch run from its build folder
        torch = "unknown"
    return {
        "processor": processor(),
        "graphics": graphics(),
        "torch": torch,
        "opforge": opforge.__version__,
    }


def processor() -> str:
    """The processor's model, as exactly as the system tells it without a new package.

    Example:
        >>> processor() != ""
        True
    """
    if _CPU_FILE.is_file():
        text = _CPU_FILE.read_text(encoding="utf-8", errors="replace")
        facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
        if "model name" in facts:
            return facts["model name"]
        if "CPU part" in facts:  # ARM: the kernel knows numbers only
            return f"{platform.machine()} implementer {facts.get('CPU implementer')} part {facts['CPU part']}"
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        if asked.stdout.strip():
            return asked.stdout.strip()
    return platform.processor() or platform.machine()


def graphics() -> str:
    """The models of NVIDIA's graphics cards that the driver lists; empty without any, and where it lists none.

    Example:
        >>> isinstance(graphics(), str)
        True
    """
    models = set()
    for file in sorted(_GPU_FILES.glob("*/information")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "Model":
                models.add(value.strip())
    return ", ".join(sorted(models))
