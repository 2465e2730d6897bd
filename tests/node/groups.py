"""Control groups of a test's own, on machines of either version and of both.

Comes in: a name. Goes out: that folder in each hierarchy. Before: ``machine``, ``network``.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_TYPES = frozenset({"cgroup", "cgroup2"})


def make_groups(name: str) -> None:
    """Have the group ``name`` everywhere, with all processors and memory where these are asked."""
    for root in _hierarchies():
        for group in reversed((root / name, *(root / name).parents)):
            if root in group.parents:
                group.mkdir(exist_ok=True)
                _share_cpuset(group)


def remove_groups(name: str) -> list[Path]:
    """Take the group and those in it away; answers what is still there as it is in use."""
    left = []
    for root in _hierarchies():
        inner = sorted((path for path in (root / name).rglob("*") if path.is_dir()), reverse=True)
        for group in (*inner, root / name):
            with suppress(OSError):
                group.rmdir()
            if group.exists():
                left.append(group)
    return left


def _share_cpuset(group: Path) -> None:
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (group / file).exists() and not (group / file).read_text().strip():
            (group / file).write_text((group.parent / file).read_text())


def _hierarchies() -> list[Path]:
    lines = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [Path(words[1]) for words in lines if words[2] in _TYPES]
