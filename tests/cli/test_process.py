"""Settings of the command's own process."""

import os
import subprocess
import sys

PRINT_SPIN = "import os; from opforge.cli.process import tune; tune(); print(os.environ.get('GOMP_SPINCOUNT'))"


def spin_count(**environment):
    kept = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    words = [sys.executable, "-c", PRINT_SPIN]
    return subprocess.run(words, env=kept | environment, check=True, capture_output=True, text=True).stdout.strip()


def test_what_the_user_set_stands():
    assert spin_count() == "1000"
    assert spin_count(GOMP_SPINCOUNT="7") == "7"
    assert spin_count(OMP_WAIT_POLICY="ACTIVE") == "None"


def test_importing_sets_nothing():
    words = [sys.executable, "-c", "import os, opforge.cli; print('GOMP_SPINCOUNT' in os.environ)"]
    kept = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    assert subprocess.run(words, env=kept, check=True, capture_output=True, text=True).stdout.strip() == "False"
