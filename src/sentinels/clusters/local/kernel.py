"""What the kernel counts, from its files of names and numbers.

Comes in: a file, a name. Goes out: a number, 0 where there is none. Only the standard library is
imported here: the runner must start quickly. Before: ``gauges``, ``runner``, ``testimony``.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

MEMORY = Path("/proc/meminfo")
KERNEL = Path("/proc/vmstat")


def field(path: Path, name: str) -> int:
    """The number behind a name at the beginning of a line."""
    with suppress(OSError, ValueError, IndexError):
        for line in path.read_text().splitlines():
            key, *values = line.split()
            if key == name:
                return int(values[0])
    return 0
