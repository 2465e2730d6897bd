"""The ``resources`` key of a config, and back.

Before: ``submission_reading``. Next: ``capacity``.
"""

from __future__ import annotations

from sentinels.core.capacity import Resources
from sentinels.core.faults import Faults
from sentinels.core.quantity import (
    MAX_MEMORY_BYTES,
    format_cpu,
    format_memory,
    parse_cpu,
    parse_memory,
)

DEFAULT_RESOURCES = Resources(cpu_millis=1000, memory_bytes=1024**3)
RESOURCE_KEYS = ("cpu", "memory", "gpu", "gpu_type")
_MAX_CPU_MILLIS = 10_000_000
_MIN_MEMORY_BYTES = 2**20
_MOST_GPUS = 64


def read_resources(faults: Faults, value: object) -> Resources:
    """What one job asks for; what is left out has its default."""
    whole = faults.mapping("resources", value)
    faults.unknown_keys(
        "resources", whole, RESOURCE_KEYS, elsewhere={"gpus": "gpu", "ram": "memory"}
    )
    given = {key: asked for key, asked in whole.items() if asked is not None}
    cpu = faults.parsed("resources.cpu", given.get("cpu", 1), _cpu)
    memory = faults.parsed("resources.memory", given.get("memory", "1Gi"), _memory)
    gpus = faults.whole("resources.gpu", given.get("gpu", 0), low=0, high=_MOST_GPUS)
    gpu_type = None
    if "gpu_type" in given:
        gpu_type = faults.text("resources.gpu_type", given["gpu_type"], limit=63)
        if gpus == 0:
            faults.add("resources.gpu_type", "needs gpu: 1 or more", value=given["gpu_type"])
    return Resources(cpu or 0, memory or 0, gpus or 0, gpu_type)


def resources_to_config(resources: Resources) -> dict[str, object]:
    """A request in a config's words."""
    words: dict[str, object] = {
        "cpu": format_cpu(resources.cpu_millis),
        "memory": format_memory(resources.memory_bytes),
        "gpu": resources.gpus,
    }
    return {**words, "gpu_type": resources.gpu_type} if resources.gpu_type else words


def _cpu(value: object) -> int:
    millis = parse_cpu(value)
    if millis > _MAX_CPU_MILLIS:
        raise ValueError(f"must be at most {format_cpu(_MAX_CPU_MILLIS)} cores")
    return millis


def _memory(value: object) -> int:
    size = parse_memory(value)
    if not _MIN_MEMORY_BYTES <= size <= MAX_MEMORY_BYTES:
        raise ValueError("must be from 1Mi to 1024Ti, with the unit, as in 4Gi")
    return size
