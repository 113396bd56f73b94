"""The house rules that no single file can keep: import direction, packaging, tests for every source file.

Each rule is a function from source text to a list of complaints, tried on small offending snippets first, so that a
rule that can no longer fail is noticed.
"""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources import FOLDERS, ROOT, declared_packages, module_name, source_files

# layer -> the layers that it may import; `errors` and `_lazy` are open to all, and any layer not named here is free.
ALLOWED = {
    "core": set(),
    "pdes": {"core"},
    "solvers": {"core", "pdes"},
    "datasets": {"core", "pdes", "solvers"},
    "layers": {"core"},
    "models": {"core", "layers"},
    "precond": {"core", "layers", "models", "pdes", "solvers", "datasets"},
    "training": {"core", "layers", "models"},
}
OPEN_TO_ALL = {"errors", "_lazy", "__version__"}
WITHOUT_NETWORKS = {"pdes", "solvers", "datasets"}
BARE = {"pdes", "solvers", "datasets", "benchmarks"}
TRANSFORMS = ("torch.fft", "numpy.fft", "scipy.fft", "scipy.fftpack", "pyfftw", "torch.stft", "torch.istft")
TRANSFORM_NAMES = {"stft", "istft", "fftconvolve", "oaconvolve", "ShortTimeFFT"}

# Source files whose tests stand under another name than their own.
ELSEWHERE = {Path("opforge/models/__init__.py"): Path("tests/models/test_registry.py")}
# Test files that test no single source file.
WHOLE = {
    "datasets/generating/test_drawn_parameters.py",
    "datasets/generating/test_skipping.py",
    "pdes/test_manufactured_flow.py",
    "pdes/test_manufactured_sorption.py",
    "pdes/test_manufactured_spectral.py",
    "pdes/test_manufactured_waves.py",
    "solvers/stepping/test_kinds.py",
    "solvers/stepping/test_refusals.py",
    "test_architecture.py",
    "test_doctests.py",
    "test_documentation.py",
    "test_examples.py",
    "test_exponax.py",
    "test_reach.py",
    "test_readme.py",
}


# --- what a file imports -------------------------------------------------------------------------------------------


def imports(source: str) -> list[tuple[int, str]]:
    """(line, dotted name) of everything a file imports, at any depth, string arguments of import_module included."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__") and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.append((node.lineno, first.value))
    return found


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def uses(source: str) -> list[tuple[int, str]]:
    """(line, dotted name) of every import and of every attribute chain, with aliases such as ``np`` written out."""
    tree = ast.parse(source)
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    chains = [
        (node.lineno, chain)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and (chain := _chain(node, names)) is not None
    ]
    return imports(source) + chains


def _chain(node: ast.expr, names: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        start = _chain(node.value, names)
        return f"{start}.{node.attr}" if start else f"?.{node.attr}"
    return "?"


def layer_of(name: str) -> str:
    """The second part of a dotted name: the folder, module or name inside opforge."""
    return name.split(".")[1] if "." in name else ""


def under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


# --- the rules -----------------------------------------------------------------------------------------------------


def wrong_direction(module: str, source: str, facade: dict[str, str]) -> list[str]:
    """Imports by ``module`` of layers that are above it; ``facade`` maps opforge's own lazy names to their layer."""
    layer = layer_of(module)
    complaints = []
    for line, name in uses(source):
        if name.startswith("."):
            complaints.append(f"{module}:{line} imports {name}: write the absolute name")
        if layer not in ALLOWED or not name.startswith("opforge."):
            continue
        target = facade.get(layer_of(name), layer_of(name))
        if target not in ALLOWED[layer] | OPEN_TO_ALL | {layer}:
            complaints.append(f"{module}:{line} uses {name}: {layer} may import {sorted(ALLOWED[layer])} only")
    return complaints


def networks_below(module: str, source: str) -> list[str]:
    """Uses of torch.nn in the layers that know nothing of networks."""
    layer = layer_of(module)
    if layer not in WITHOUT_NETWORKS:
        return []
    return [f"{module}:{line} uses {name}" for line, name in uses(source) if under(name, "torch.nn")]


def transforms_outside_core(module: str, source: str) -> list[str]:
    """Uses of an FFT library in any layer but the core, and the benchmarks, which have these libraries as peers."""
    if under(module, "opforge.core") or under(module, "opforge.benchmarks"):
        return []
    return [
        f"{module}:{line} uses {name}: call opforge.core"
        for line, name in uses(source)
        if any(under(name, prefix) for prefix in TRANSFORMS) or name.rsplit(".", 1)[-1] in TRANSFORM_NAMES
    ]


def bare_imports(where: str, source: str) -> list[str]:
    """Imports of pdes, solvers, datasets or benchmarks under their bare names."""
    return [
        f"{where}:{line} imports {name}: write opforge.{name}"
        for line, name in imports(source)
        if name.split(".")[0] in BARE
    ]


def public_code(path: Path, source: str) -> bool:
    """Whether a file defines public functions or classes; ``_x.py`` is tested through the files that use it."""
    if path.name.startswith("_") and path.name != "__init__.py":
        return False
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) and not node.name.startswith("_") for node in ast.parse(source).body)


def place_of_tests(path: Path) -> Path:
    """Where the tests of a source file belong: ``pdes/darcy.py`` -> ``tests/pdes/test_darcy.py``."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    if path.parts[:2] == ("benchmarks", "validation"):  # each is a test itself
        return Path("tests/benchmarks/validation/test_checks.py")
    folder = Path(*path.parent.parts[1:]) if path.parts[0] == "opforge" else path.parent
    name = path.parent.name if path.name == "__init__.py" else path.stem
    return Path("tests") / folder / f"test_{name.lstrip('_')}.py"


def packages_on_disk(root: Path) -> set[str]:
    """Every folder with Python files under the source folders, by its import name."""
    return {module_name(path.parent / "__init__.py") for path in source_files(root)}


# --- the rules can fail --------------------------------------------------------------------------------------------

FACADE = {"fit": "training", "generate": "datasets"}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("opforge.core.grid", "from opforge.pdes import Darcy"),
        ("opforge.pdes.darcy", "def f():\n    from opforge.solvers.krylov import cg"),
        ("opforge.solvers.krylov", "import opforge.datasets.darcy as d"),
        ("opforge.training.fit", "from opforge import generate"),
        ("opforge.training.fit", "from opforge import pdes"),
        ("opforge.models.fno", "from importlib import import_module\nimport_module('opforge.training.fit')"),
        ("opforge.layers.mixer", "import opforge\nopforge.generate('darcy', 1, 8)"),
        ("opforge.layers.mixer", "import opforge as o\no.training.fit"),
        ("opforge.layers", "from opforge.models import FNO"),
        ("opforge.core.choice.decision", "from opforge.benchmarks.contest import take_turns"),
        ("opforge.training.fit", "import opforge.benchmarks.memory"),
        ("opforge.models.fno", "from ..core import resample"),
        ("opforge.cli.app", "from .console import Report"),
    ],
)
def test_wrong_direction_is_seen(module, source):
    assert wrong_direction(module, source, FACADE)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("opforge.datasets.darcy", "from opforge.solvers import cg\nfrom opforge import errors, __version__"),
        (
            "opforge.training.fit",
            "import torch\nfrom opforge.models.fno import FNO\nfrom opforge.errors import InputError",
        ),
        ("opforge.training.fit", "import opforge\nfrom opforge.core import Grid\nGrid.cube(opforge.__version__)"),
        ("opforge.cli.app", "import opforge\nfrom opforge import generate"),
        ("opforge.plotting", "from opforge.datasets import OperatorDataset"),
        ("opforge.benchmarks.fno_step", "from opforge.models import FNO\nfrom opforge.cli.process import tune"),
        ("opforge.cli.bench", "from opforge.benchmarks.core import run"),
    ],
)
def test_right_direction_is_left_alone(module, source):
    assert wrong_direction(module, source, FACADE) == []


@pytest.mark.parametrize(
    "source",
    ["import torch.nn.functional as F", "from torch import nn", "import torch\nx = torch.nn.Linear(1, 1)"],
)
def test_networks_below_are_seen(source):
    assert networks_below("opforge.pdes.darcy", source)
    assert networks_below("opforge.models.fno", source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.fft.rfft(x)",
        "import torch as t\nt.fft.rfft(x)",
        "from torch import fft",
        "import torch.fft",
        "import numpy as np\nnp.fft.rfftn(x)",
        "from numpy.fft import rfft",
        "from scipy import fft as sf",
        "import scipy.fftpack",
        "import pyfftw.interfaces",
        "x.stft(64)",
        "f(x).stft(64)",
        "from scipy.signal import fftconvolve",
    ],
)
def test_transforms_outside_core_are_seen(source):
    assert transforms_outside_core("opforge.layers.mixer", source)
    assert transforms_outside_core("opforge.core.full_transforms.transforms", source) == []


def test_core_transforms_are_left_alone():
    assert transforms_outside_core("opforge.layers.mixer", "from opforge.core import rfftn\nrfftn(x)") == []


def test_peers_of_the_core_are_left_alone():
    assert transforms_outside_core("opforge.benchmarks.torch_peers", "import torch\ntorch.fft.rfftn(x)") == []


@pytest.mark.parametrize(
    "source",
    [
        "import datasets",
        "from pdes import Darcy",
        "import solvers.krylov",
        "__import__('datasets')",
        "from benchmarks.results import machine",
    ],
)
def test_bare_imports_are_seen(source):
    assert len(bare_imports("examples/x.py", source)) == 1


def test_full_names_are_left_alone():
    assert bare_imports("examples/x.py", "import opforge.datasets\nfrom opforge.pdes import Darcy") == []


def test_missing_package_and_missing_test_are_seen(tmp_path):
    for name in FOLDERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "datasets" / "readers").mkdir()
    (tmp_path / "datasets" / "readers" / "mat.py").write_text("def read(): ...\n")
    assert packages_on_disk(tmp_path) - set(FOLDERS.values()) == {"opforge.datasets.readers"}
    assert public_code(Path("datasets/mat.py"), "def read(): ...")
    assert not public_code(Path("datasets/mat.py"), "def _read(): ...\nX = 1")
    assert not public_code(Path("datasets/_mat.py"), "def read(): ...")
    assert place_of_tests(Path("datasets/readers/mat.py")) == Path("tests/datasets/readers/test_mat.py")
    assert place_of_tests(Path("opforge/_lazy.py")) == Path("tests/test_lazy.py")
    assert place_of_tests(Path("opforge/core/grid.py")) == Path("tests/core/test_grid.py")
    assert place_of_tests(Path("opforge/core/__init__.py")) == Path("tests/core/test_core.py")


# --- the rules hold ------------------------------------------------------------------------------------------------


def _facade() -> dict[str, str]:
    """opforge's own lazy names -> the layer that each comes from, read from the table in opforge/__init__.py."""
    for node in ast.walk(ast.parse((ROOT / "opforge" / "__init__.py").read_text())):
        if isinstance(node, ast.Call) and _called(node) == "attach":
            return {name: where.split(".")[0] for name, where in ast.literal_eval(node.args[1]).items()}
    raise AssertionError("opforge/__init__.py calls attach no more: adapt this test")


def _complaints(rule):
    return [text for path in source_files() for text in rule(module_name(path), (ROOT / path).read_text())]


def test_imports_go_one_way():
    facade = _facade()
    assert _complaints(lambda module, source: wrong_direction(module, source, facade)) == []


def test_no_networks_below_the_layers():
    assert _complaints(networks_below) == []


def test_no_transforms_outside_the_core():
    assert _complaints(transforms_outside_core) == []


def test_nothing_imports_a_bare_name():
    files = [
        *source_files(),
        *(p.relative_to(ROOT) for f in ("tests", "examples", "docs") for p in (ROOT / f).rglob("*.py")),
    ]
    assert [text for path in files for text in bare_imports(str(path), (ROOT / path).read_text())] == []


def test_setup_cfg_lists_every_package():
    assert declared_packages() == packages_on_disk(ROOT)


def test_every_package_folder_has_an_init():
    assert [p for p in {path.parent for path in source_files()} if not (ROOT / p / "__init__.py").is_file()] == []


def test_every_source_file_has_its_tests():
    missing = [
        f"{path} has public code and no {place_of_tests(path)}"
        for path in source_files()
        if public_code(path, (ROOT / path).read_text()) and not (ROOT / place_of_tests(path)).is_file()
    ]
    assert missing == []


def test_exceptions_are_still_needed():
    assert [path for path in ELSEWHERE if not (ROOT / path).is_file()] == []
    assert [name for name in WHOLE if not (ROOT / "tests" / name).is_file()] == []


def test_every_test_file_has_its_source():
    known = {place_of_tests(path) for path in source_files()}
    found = {path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    assert sorted(str(path) for path in found - known if str(path.relative_to("tests")) not in WHOLE) == []


PACKAGES = sorted(packages_on_disk(ROOT))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_name_resolves(package):
    module = importlib.import_module(package)
    names = getattr(module, "__all__", [])
    assert list(names) == sorted(set(names)), "__all__ is sorted and names each thing once"
    for name in names:
        getattr(module, name)


@pytest.mark.parametrize("name", sorted(BARE))
def test_bare_name_is_refused_in_the_checkout(name):
    done = subprocess.run([sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"ImportError: this folder is opforge's: use `import opforge.{name}`" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "import opforge",
        "import opforge.cli",
        "from opforge.cli import main; main(['--help'])",
        "import opforge.datasets",
    ],
)
def test_import_loads_nothing_heavy(command):
    heavy = ("torch", "numpy", "scipy", "xarray", "matplotlib", "h5py", "pyamg", "pandas")
    check = f"import sys; {command}; print('LOADED', sorted(set({heavy!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["LOADED []"], done.stderr


def test_subpackages_are_there_after_importing_the_package():
    code = (
        "import opforge, sys; assert 'opforge.datasets' not in sys.modules; "
        "print(opforge.datasets.open_dataset.__name__, opforge.pdes.Burgers().name, 'solvers' in dir(opforge))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["open_dataset", "burgers", "True"]
