"""What this machine can say about an end: ``Cluster.testimony``.

Everything is in the attempt's folder, or asked of the kernel at once. Comes in: a folder, and the
end as it was observed. Goes out: a ``Testimony``. Before: ``cluster``. Next: ``core/last_lines``.
"""

from __future__ import annotations

import os
from contextlib import suppress

from sentinels.clusters.local.folders import WorkloadFolder, read_record
from sentinels.clusters.local.kernel import KERNEL, MEMORY, field
from sentinels.core.dossier import Gap, LastLines, Part, Scalar, Testimony
from sentinels.core.last_lines import COUNT, WORTH_READING, lines_of_bytes
from sentinels.core.observation import Finished

_ENDS = (WORTH_READING, 16 * WORTH_READING)
"""How much of a log is looked through: more where its lines are long."""
_LAST_WORDS = 2000


def testify(folder: WorkloadFolder, seen: Finished) -> Testimony:
    """What can be said; what cannot be read is a gap."""
    gaps: list[Gap] = []
    lines = _last_lines(folder, gaps)
    facts = {**_runner(folder), **(_machine(folder) if seen.reason is not None else {})}
    return Testimony(lines=lines, facts=facts, gaps=tuple(gaps))


def _last_lines(folder: WorkloadFolder, gaps: list[Gap]) -> LastLines:
    lines = LastLines()
    try:
        with folder.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            for most in _ENDS:
                log.seek(max(0, size - most))
                is_all = size <= most
                lines = lines_of_bytes(log.read(most), source="its log", from_start=is_all)
                if is_all or len(lines.texts) == COUNT:
                    break
    except FileNotFoundError:
        if not folder.path.exists():
            gaps.append(Gap(Part.LINES, "its folder is not there, and its log was in it"))
    except OSError as error:
        gaps.append(Gap(Part.LINES, f"its log could not be read: {error.strerror}"))
    return lines


def _runner(folder: WorkloadFolder) -> dict[str, Scalar]:
    """What its runner said where it failed itself."""
    with suppress(OSError):
        words = folder.runner_log.read_text("utf-8", "replace").strip()
        return {"runner_log": words[-_LAST_WORDS:]} if words else {}
    return {}


def _machine(folder: WorkloadFolder) -> dict[str, Scalar]:
    """How the machine's memory stands a moment after the end; whether its kernel has ended anything
    for want of it since the start.
    """
    found: dict[str, Scalar] = {}
    if available := field(MEMORY, "MemAvailable:"):
        found["machine_memory_available_bytes"] = available * 1024
    started = read_record(folder.started) or {}
    before, now = started.get("oom_kills"), field(KERNEL, "oom_kill")
    if isinstance(before, int) and now > before:
        found["machine_oom_kills"] = now - before
    return found
