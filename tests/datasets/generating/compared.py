"""What datasets hold, to be compared."""

import numpy as np


def contents(dataset):
    """Everything that a dataset holds, by name."""
    return {name: values.values for name, values in dataset.to_xarray().variables.items()}


def assert_same(one, other, samples=slice(None)):
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name] if name in ("time", *"xyz") else other[name][samples])
