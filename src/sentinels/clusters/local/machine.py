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
_OWN_CGROUPS = Path("/proc/self/cgroup")
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
        memory_bytes=max(0, memory - max(int(memory * _KEPT_BACK), _KEPT_BACK_AT_LEAST)),
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
    limits = [_UNLIMITED]
    for folder in _cgroup_folders("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                limits.append(int((folder / name).read_text()))
    return min(limits)


def _cgroup_cpu_millis() -> int:
    limits = [_UNLIMITED]
    for folder in _cgroup_folders("cpu"):
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            limits.append(int(quota) * 1000 // int(period))
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota_us = int((folder / "cpu.cfs_quota_us").read_text())
            period_us = int((folder / "cpu.cfs_period_us").read_text())
            limits += [quota_us * 1000 // period_us] if quota_us > 0 else []
    return min(limits)


def _cgroup_folders(controller: str) -> list[Path]:
    """This process's cgroup and all above it: the tightest limit of them counts."""
    with suppress(OSError):
        for line in _OWN_CGROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "" and (_CGROUP / "cgroup.controllers").exists():
                return _upwards(_CGROUP, path)
            if controller in controllers.split(","):
                return _upwards(_CGROUP / controller, path)
    return []


def _upwards(root: Path, path: str) -> list[Path]:
    own = root / path.lstrip("/")
    return [own, *(folder for folder in own.parents if folder.is_relative_to(root))]
