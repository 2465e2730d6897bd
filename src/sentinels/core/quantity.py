"""CPU, memory and time as people write them, and back.

Comes in: what a config or a flag says. Goes out: thousandths of a core, bytes, seconds; a
``ValueError`` whose text can be shown as it is. Next: ``submission_reading``.
"""

from __future__ import annotations

import math
import re

_MEMORY_UNITS: dict[str, int] = {
    "": 1,
    "k": 10**3,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_SECONDS: dict[str, int] = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_NUMBER_AND_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", re.ASCII)
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)


def parse_cpu(value: object) -> int:
    """Thousandths of a core from ``2``, ``0.5`` or ``"500m"``."""
    if isinstance(value, str) and value.endswith("m") and value[:-1].isascii():
        if not value[:-1].isdigit():
            raise ValueError("is no number of cores, such as 2, 0.5 or 500m")
        return _positive(int(value[:-1]), "cores")
    number = _number(value, "is no number of cores, such as 2, 0.5 or 500m")
    return _positive(round(number * 1000), "cores")


def parse_memory(value: object) -> int:
    """Bytes from ``4Gi``, ``512Mi``, ``1.5G`` or a plain number of bytes."""
    wrong = "is no amount of memory, such as 512Mi or 4Gi"
    if isinstance(value, str) and (found := _NUMBER_AND_UNIT.fullmatch(value.strip())):
        number, unit = found.groups()
        if unit not in _MEMORY_UNITS:
            raise ValueError(f"{wrong}; the units are {', '.join(filter(None, _MEMORY_UNITS))}")
        return _positive(int(float(number) * _MEMORY_UNITS[unit]), "bytes")
    return _positive(int(_number(value, wrong)), "bytes")


def parse_duration(value: object) -> int:
    """Seconds from ``2h``, ``1h30m``, ``45s``, ``1d`` or a plain number of seconds."""
    wrong = "is no length of time, such as 90s, 30m, 1h30m or 2d"
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.strip())
        if found and any(found.groups()):
            parts = zip(found.groups(), _SECONDS.values(), strict=True)
            return _positive(sum(int(part or 0) * unit for part, unit in parts), "seconds")
        if not value.strip().isascii() or not value.strip().isdigit():
            raise ValueError(wrong)
    number = _number(value, wrong)
    if number != int(number):
        raise ValueError("must be whole seconds")
    return _positive(int(number), "seconds")


def format_cpu(millis: int) -> str:
    """Cores as a config says them: ``2``, ``0.5``."""
    whole, part = divmod(millis, 1000)
    return f"{whole}.{part:03d}".rstrip("0") if part else str(whole)


def format_memory(size: int) -> str:
    """Bytes as a config says them, exactly: ``4Gi``, ``512Mi``, ``1000``."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size and size % _MEMORY_UNITS[unit] == 0:
            return f"{size // _MEMORY_UNITS[unit]}{unit}"
    return str(size)


def about_memory(size: int) -> str:
    """Bytes for people, rounded: ``1.9Gi``."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size >= _MEMORY_UNITS[unit]:
            return f"{size / _MEMORY_UNITS[unit]:.1f}".removesuffix(".0") + unit
    return str(size)


def format_duration(seconds: int) -> str:
    """Seconds as a config says them: ``1h30m``, ``45s``, ``0s``."""
    parts, rest = [], seconds
    for unit, length in _SECONDS.items():
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _number(value: object, wrong: str) -> float:
    if isinstance(value, str):
        value = value.strip()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(wrong)
    try:
        number = float(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(wrong) from error
    if not math.isfinite(number):
        raise ValueError(wrong)
    return number


def _positive(amount: int, unit: str) -> int:
    if amount <= 0:
        raise ValueError(f"must be more than 0 {unit}")
    return amount
