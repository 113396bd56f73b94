"""Settings for all tests."""

import os

# Before torch and numpy are loaded: the tests' arrays are small, and threads that wait for each other on a busy
# machine make them many times slower. Processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
