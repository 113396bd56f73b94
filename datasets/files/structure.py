"""The structure of an unfinished file, written anew before samples are added: HDF5 has no checksum for all of it."""

from __future__ import annotations

import os
import tempfile
from io import FileIO

import numpy as np

from opforge.datasets.files.disk import Disk
from opforge.datasets.files.header import Header
from opforge.datasets.files.layout import FAILURES, Places, failure_room, lay_out
from opforge.datasets.files.seal import between, place_spans

_AT_ONCE = 2**24


def renew(file: FileIO, header: Header, dtype: np.dtype, places: Places) -> bool:
    """Write all but the samples and the reasons of failures again, as `opforge.datasets.files.layout.lay_out` does.

    Args:
        file: an unfinished file of plain samples, open for reading and writing.
        header: what it says about itself.
        dtype: of the fields.
        places: where it has the samples.

    Returns:
        Whether its places are those of this version of HDF5; it is left as it was otherwise.

    Raises:
        OSError: the file cannot be written, or there is no room beside it.
    """
    folder = os.path.dirname(os.path.abspath(file.name))
    with tempfile.TemporaryFile(dir=folder, buffering=0) as fresh:  # takes no room for samples
        disk = Disk(fresh)
        found = lay_out(disk, header, dtype)
        disk.check()
        if found != places:
            return False
        samples = place_spans(places, places.keys() - {FAILURES}, header.samples)
        reasons = place_spans(places, [FAILURES], failure_room(header.samples)[0])
        spans = sorted([*samples, *reasons])
        for start, stop in between(spans, os.fstat(fresh.fileno()).st_size):
            while start < stop:
                data = os.pread(fresh.fileno(), min(_AT_ONCE, stop - start), start)
                if not data:
                    break
                if os.pread(file.fileno(), len(data), start) != data:
                    written = Disk(file)
                    written.seek(start)
                    written.write(data)
                    written.check()
                start += len(data)
    return True
