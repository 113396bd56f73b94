"""What every reader does with the numbers that it found."""

from __future__ import annotations

import numpy as np

from opforge.errors import InputError


def check_finite(values: np.ndarray, name: str, samples: np.ndarray, *, where: str = "", remedy: str) -> None:
    """Refuse values (samples, …) that are not all finite.

    Args:
        values: of a field.
        name: of the field.
        samples: which samples they are, in the same order.
        where: the file, for the text.
        remedy: what to do about it.

    Raises:
        InputError: NaN or infinity; the text names the first sample that has it.

    Example:
        >>> check_finite(np.array([[0.0], [np.nan]]), "u", np.array([3, 7]), remedy="leave the sample out")
        Traceback (most recent call last):
        ...
        opforge.errors.InputError: variable 'u' has a value that is not finite (NaN or infinite) in sample 7; leave the
        sample out
    """
    finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if not finite.all():
        raise InputError(
            f"{where + ': ' if where else ''}variable {name!r} has a value that is not finite (NaN or infinite) in "
            f"sample {samples[np.argmin(finite)]}; {remedy}"
        )


def picked(values: np.ndarray, samples: np.ndarray, frames: np.ndarray | None) -> np.ndarray:
    """Samples, or some frames of samples, of an array (samples, [frames], *space): a new array.

    Example:
        >>> values = np.arange(12).reshape(2, 6)
        >>> picked(values, np.array([1, 0]), np.array([[0, 1], [5, 4]])).tolist()
        [[6, 7], [5, 4]]
    """
    return values[samples] if frames is None else values[samples[:, None], frames]


def native(dtype: np.dtype) -> np.dtype:
    """Single precision where it holds the values, else double, in this machine's byte order.

    Example:
        >>> native(np.dtype(">f4")), native(np.dtype("i4"))
        (dtype('float32'), dtype('float64'))
    """
    return np.dtype(np.float32 if np.can_cast(dtype, np.float32) else np.float64)
