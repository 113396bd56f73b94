"""What the README promises of the quickstart, at full size. Minutes, so: pytest -m slow."""

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_quickstart_reaches_the_errors_that_the_readme_states(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    words = [sys.executable, "-m", "opforge", "--quiet", "quickstart", "--out", str(tmp_path / "q")]
    subprocess.run(words, env=environment, check=True, cwd=tmp_path)
    metrics = json.loads((tmp_path / "q" / "metrics.json").read_text())
    errors = {n: result["relative_l2"] for n, result in metrics["resolutions"].items()}
    print(errors, f"in {metrics['seconds']} s")
    assert 0.008 < errors["64"] < 0.015
    assert 0.008 < errors["128"] < 0.016
    assert all(0.2 < guess["relative_l2"] < 0.3 for guess in metrics["mean_output"].values())
