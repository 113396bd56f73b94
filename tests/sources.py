"""Where the source files stand in a checkout and what each imports as; shared by the tests of the whole."""

import configparser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Top-level folder -> the package it imports as.
FOLDERS = {
    "opforge": "opforge",
    "pdes": "opforge.pdes",
    "solvers": "opforge.solvers",
    "datasets": "opforge.datasets",
    "benchmarks": "opforge.benchmarks",
}


def source_files(root: Path = ROOT) -> list[Path]:
    """Every Python file of the package, relative to the checkout, in a fixed order."""
    return sorted(
        path.relative_to(root)
        for folder in FOLDERS
        for path in (root / folder).rglob("*.py")
        if "__pycache__" not in path.parts
    )


def module_name(path: Path) -> str:
    """What a source file imports as: ``pdes/darcy.py`` is ``opforge.pdes.darcy``."""
    parts = [FOLDERS[path.parts[0]], *path.with_suffix("").parts[1:]]
    return ".".join(part for part in parts if part != "__init__")


def declared_packages(root: Path = ROOT) -> set[str]:
    """The ``packages`` list of setup.cfg."""
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg")
    return set(config["options"]["packages"].split())
