"""The peak of the memory that a call takes, seen in two ways that must agree.

Both count what is beyond the memory that was in use before the call. To be run in a process of its own: what other
work left behind would hide the peak.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

# Every large array becomes a mapping of its own and goes back to the system when it is freed, so that the resident
# memory is the memory in use. Read by glibc when a process starts.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def allocated(run: Callable[[], object]) -> int:
    """Peak bytes that torch's allocator handed out during a call, from torch.profiler's record of every allocation.

    It sees every tensor, saved for backward or passing, and no work space of FFT and matrix libraries.
    """
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        run()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        record.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    return max((e["args"]["Total Allocated"] for e in events if e["name"] == "[memory]"), default=0)


def resident(run: Callable[[], object]) -> int | None:
    """Peak resident bytes during a call, work space of libraries included; None where the system cannot say.

    Needs Linux, and `ENVIRONMENT` when the process starts.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far becomes the present size
        before = _status("VmRSS")
        run()
        return _status("VmHWM") - before
    except OSError:  # not Linux, or not allowed
        return None


def peak_resident() -> int | None:
    """The greatest resident memory of this process so far, in bytes; None where the system cannot say."""
    try:
        return _status("VmHWM")
    except OSError:  # not Linux
        return None


def _status(name: str) -> int:
    """A size from /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {name}")
