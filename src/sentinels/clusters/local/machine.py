"""What this machine offers to jobs: CPUs, memory, GPUs, within the limits it is under itself.

Comes in: /proc, cgroups, NVML. Goes out: ``Resources``. Next: ``cluster``.
"""

from __future__ import annotations

import importlib
import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

from sentinels.core.capacity import Resources

_CGROUP = Path("/sys/fs/cgroup")
_KEPT_BACK = 0.05
_KEPT_BACK_AT_LEAST = 512 * 2**20
_UNLIMITED = 2**60


@cache
def machine_resources() -> Resources:
    """What jobs may use in all; a part of the memory is kept back for the system."""
    memory = min(_total_memory(), _cgroup_memory())
    gpus = gpu_names()
    return Resources(
        cpu_millis=min(len(os.sched_getaffinity(0)) * 1000, _cgroup_cpu_millis()),
        memory_bytes=memory - max(int(memory * _KEPT_BACK), _KEPT_BACK_AT_LEAST),
        gpus=len(gpus),
        gpu_type=gpu_type(gpus[0]) if gpus else None,
    )


@cache
def gpu_names() -> tuple[str, ...]:
    """The names of the GPUs that NVML reports; none where there is no NVML."""
    with suppress(Exception):
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
        handles = (nvml.nvmlDeviceGetHandleByIndex(at) for at in range(nvml.nvmlDeviceGetCount()))
        return tuple(str(nvml.nvmlDeviceGetName(handle)) for handle in handles)
    return ()


def gpu_type(name: str) -> str:
    """A GPU's short name: ``NVIDIA A100-SXM4-80GB`` is ``a100``."""
    words = re.findall(r"[a-z0-9]+", name.lower().removeprefix("nvidia").removeprefix("tesla"))
    named = [word for word in words if re.search(r"\d", word)]
    return named[0] if named else "-".join(words) or "gpu"


def _total_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cgroup_memory() -> int:
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            return min(int((_CGROUP / name).read_text()), _UNLIMITED)
    return _UNLIMITED


def _cgroup_cpu_millis() -> int:
    with suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return int(quota) * 1000 // int(period)
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota_us = int((_CGROUP / "cpu/cpu.cfs_quota_us").read_text())
        if quota_us > 0:
            return quota_us * 1000 // int((_CGROUP / "cpu/cpu.cfs_period_us").read_text())
    return _UNLIMITED
