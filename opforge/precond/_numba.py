"""numba's compiler as passes over cells use it."""

from __future__ import annotations

from typing import Any

try:
    import numba
except ImportError as error:
    raise ImportError("compiled cycles need numba: pip install 'opforge[compiled]'") from error

# Sums may be taken in another order, and products added at once; NaN and infinity stay what they are.
compiled: Any = numba.njit(nogil=True, fastmath={"contract", "reassoc", "nsz"}, cache=True)
