"""Files damaged at random. Run as a script, this opens many of them and says for every seed what came of it.

A process of its own because HDF5 may crash or hang: then the line is missing.
"""

import random
import sys
import warnings
from pathlib import Path

from opforge import open_dataset
from opforge.datasets.files import probe
from opforge.errors import InputError

BLOCK = 512


def damaged(content, seed):
    """What a disk, a network or a broken program makes of a file's bytes."""
    rng, changed = random.Random(seed), bytearray(content)
    kind = rng.choice(("cut", "flips", "zeros", "noise", "swapped"))
    if kind == "cut":
        return bytes(content[: rng.randrange(len(content))])
    if kind == "flips":
        for _ in range(rng.randint(1, 32)):
            changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    first, second = (BLOCK * rng.randrange(len(content) // BLOCK) for _ in range(2))
    if kind == "zeros":
        changed[first : first + BLOCK] = bytes(BLOCK)
    if kind == "noise":
        changed[first : first + BLOCK] = rng.randbytes(BLOCK)
    if kind == "swapped":
        changed[first : first + BLOCK] = content[second : second + BLOCK]
        changed[second : second + BLOCK] = content[first : first + BLOCK]
    return bytes(changed)


def everything(path, options):
    """All that is in a file: what it says about itself, then the numbers of all its samples."""
    dataset = open_dataset(path, **options)
    said = (dataset.grid, dataset.provenance, dataset.equation, dataset.inputs, dataset.outputs, len(dataset))
    return said, [field.numpy().tobytes() for field in dataset.batch(range(len(dataset)))]


def outcome(path, options, expected):
    """``read``, ``refused``, or what is wrong."""
    try:
        found = everything(path, options)
    except InputError as error:
        text = str(error)
        return "refused" if "\n" not in text and str(path) in text else f"no single line about the file: {text!r}"
    except BaseException as error:
        return f"{type(error).__name__}: {error!r:.200}"
    return "read" if expected is None or found == expected else "read, but not what was written"


def main(original, first, count, whose, *names):
    """Damage ``original`` with so many seeds.

    Only files of opforge's ``"own"`` know what is in them. Of other ones' files two names may be given, of variables.
    """
    warnings.simplefilter("error")
    probe._PATIENCE = 2.0  # the files are tiny, and every twentieth of them hangs HDF5
    options = {"inputs": names[:1], "outputs": names[1:]} if names else {}
    content, path = Path(original).read_bytes(), Path(f"{original}-{first}")
    expected = everything(original, options) if whose == "own" else None
    for seed in range(int(first), int(first) + int(count)):
        path.write_bytes(damaged(content, seed))
        print(seed, outcome(path, options, expected), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
