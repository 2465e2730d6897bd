"""What a running workload uses: memory of a process tree, of a container, and GPUs.

Comes in: pids, a container, GPU indices. Goes out: peaks and means. Before: ``program``.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sentinels.clusters.local.kernel import field
from sentinels.clusters.local.processes import descendants, proportional_bytes, resident_bytes

if TYPE_CHECKING:
    from sentinels.clusters.local.engine import Engine

_GPU_SECONDS = 1.0
_REST = 20
"""A look at memory is followed by a pause so many times as long: it costs at most a twentieth."""
_NEAR = 0.95
_OLD_MEMORY = ("memory.usage_in_bytes", "total_inactive_file")
"""As cgroups of version 1 call it."""


class TreeGauge:
    """The memory of everything below this process, against a limit."""

    def __init__(self, limit_bytes: int) -> None:
        """``limit_bytes`` is what was asked for. ``used`` is what the last look saw."""
        self.limit = limit_bytes
        self.peak = self.used = 0
        self._next_look = 0.0

    def over_limit(self) -> bool:
        """Look once; True where the limit is exceeded, shared memory counted once."""
        began = time.monotonic()
        if began < self._next_look:
            return False
        pids = descendants(os.getpid())
        used = resident_bytes(pids)
        if used > self.limit:
            used = proportional_bytes(pids)
        self.used, self.peak = used, max(self.peak, used)
        now = time.monotonic()
        self._next_look = now + _REST * (now - began)
        return used > self.limit


class CgroupGauge:
    """What the kernel counts for a container, as long as its cgroup is there."""

    def __init__(self, engine: Engine, name: str) -> None:
        """For the container of this name. ``peak`` counts files that the kernel keeps in memory,
        ``used`` and ``peak_used`` only what it cannot take away.
        """
        self.peak = self.used = self.peak_used = 0
        self.cpu_seconds: float | None = None
        self._engine, self._name = engine, name
        self._paths: list[Path] = []
        self._kills = 0
        self._next_look = 0.0

    def sample(self) -> None:
        """Look once, at most ten times a second."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + 0.1
        self._paths = self._paths or self._find()
        for path in self._paths:
            self._read(path)

    def out_of_memory(self, limit_bytes: int) -> bool:
        """Whether the kernel killed for memory, or the container was at its limit when it died."""
        told = self._engine.inspect("container", self._name) or {}
        state = told.get("State")
        flagged = isinstance(state, dict) and bool(state.get("OOMKilled"))
        return flagged or self._kills > 0 or self.peak >= limit_bytes * _NEAR

    def _find(self) -> list[Path]:
        told = self._engine.inspect("container", self._name) or {}
        state = told.get("State")
        pid = state.get("Pid") if isinstance(state, dict) else None
        if not pid:
            return []
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
            return [path for line in lines if (path := _cgroup_folder(line)) is not None]
        return []

    def _read(self, folder: Path) -> None:
        for name in ("memory.peak", "memory.current", "memory.max_usage_in_bytes"):
            with suppress(OSError, ValueError):
                self.peak = max(self.peak, int((folder / name).read_text()))
        for name, files in (("memory.current", "inactive_file"), _OLD_MEMORY):
            with suppress(OSError, ValueError):
                kept = field(folder / "memory.stat", files)
                self.used = max(0, int((folder / name).read_text()) - kept)
                self.peak_used = max(self.peak_used, self.used)
        for name in ("memory.events", "memory.oom_control"):
            self._kills = max(self._kills, field(folder / name, "oom_kill"))
        if used := field(folder / "cpu.stat", "usage_usec"):
            self.cpu_seconds = used / 1e6
        with suppress(OSError, ValueError):
            self.cpu_seconds = int((folder / "cpuacct.usage").read_text()) / 1e9


class GpuGauge:
    """Memory and use of the workload's GPUs, where NVML answers."""

    def __init__(self, indices: list[int]) -> None:
        """For these GPUs of the machine; none needs no NVML. ``used`` and ``percent`` are of the
        last look.
        """
        self.peak: int | None = None
        self.used: int | None = None
        self.percent: float | None = None
        self._seen: list[float] = []
        self._handles: list[object] = []
        self._next_look = 0.0
        if indices:
            import importlib

            with suppress(Exception):
                self._nvml = importlib.import_module("pynvml")
                self._nvml.nvmlInit()
                self._handles = [self._nvml.nvmlDeviceGetHandleByIndex(at) for at in indices]

    def sample(self) -> None:
        """Look once, at most once a second."""
        if not self._handles or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _GPU_SECONDS
        with suppress(self._nvml.NVMLError):
            used = sum(self._nvml.nvmlDeviceGetMemoryInfo(gpu).used for gpu in self._handles)
            self.used, self.peak = int(used), max(self.peak or 0, int(used))
            rates = [self._nvml.nvmlDeviceGetUtilizationRates(gpu).gpu for gpu in self._handles]
            self.percent = sum(rates) / len(rates)
            self._seen.append(self.percent)

    @property
    def mean_percent(self) -> float | None:
        """The mean use over all samples."""
        return round(sum(self._seen) / len(self._seen), 1) if self._seen else None


def _cgroup_folder(line: str) -> Path | None:
    _, controllers, path = line.split(":", 2)
    root = Path("/sys/fs/cgroup")
    if not controllers:
        unified = root / "unified" if (root / "unified").is_dir() else root
        return unified / path.lstrip("/")
    name = next((name for name in controllers.split(",") if name in ("memory", "cpuacct")), None)
    return root / name / path.lstrip("/") if name else None
