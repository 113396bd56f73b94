"""pyFFTW, imported without Dask.

Where Dask is installed, pyFFTW imports all of ``dask.array``, and xarray and pandas with it, for an interface that
nobody here asks for: 0.7 s for every process that makes a sample. ``import pyfftw.interfaces.dask_fft`` still works.
"""

import sys

_hidden = "dask" not in sys.modules
if _hidden:
    sys.modules["dask"] = None  # type: ignore[assignment]  # importing it then fails, as if it were not installed
try:
    import pyfftw
finally:
    if _hidden:
        del sys.modules["dask"]

__all__ = ["pyfftw"]
