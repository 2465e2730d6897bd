"""CPU, memory and time as people write them, and back.

Comes in: what a config or a flag says. Goes out: thousandths of a core, bytes, seconds; a
``ValueError`` whose text can be shown as it is. Next: ``submission_reading``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MAX_MEMORY_BYTES = 2**50
"""No request and no growth of one is larger; sums of many stay within PostgreSQL's bigint."""

_CPU_UNITS: Mapping[str, int] = {"": 1000, "m": 1}
_MEMORY_UNITS: Mapping[str, int] = {
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
_SECONDS: Mapping[str, int] = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_TOO_LARGE = 10**18
_AMOUNT = re.compile(r"([-+]?)(\d{1,18})(?:\.(\d{1,18}))? ?([A-Za-z]*)", re.ASCII)
_DURATION = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)


def parse_cpu(value: object) -> int:
    """Thousandths of a core from ``2``, ``0.5`` or ``"500m"``, rounded up."""
    return _amount(value, _CPU_UNITS, "cores", wrong="is no number of cores, such as 2 or 0.5")


def parse_memory(value: object) -> int:
    """Bytes from ``4Gi``, ``512Mi``, ``1.5G`` or a plain number of bytes, rounded up."""
    units = ", ".join(unit for unit in _MEMORY_UNITS if len(unit) > 1)
    wrong = f"is no amount of memory, such as 512Mi or 4Gi (units: {units}, K, M, G, T)"
    return _amount(value, _MEMORY_UNITS, "bytes", wrong=wrong)


def parse_duration(value: object) -> int:
    """Seconds from ``2h``, ``1h30m``, ``45s``, ``1d`` or a plain number of seconds."""
    if isinstance(value, str) and (found := _DURATION.fullmatch(value.strip())) and found[0]:
        parts = zip(found.groups(), _SECONDS.values(), strict=True)
        return _positive(sum(int(part or 0) * unit for part, unit in parts), "seconds")
    wrong = "is no length of time, such as 90s, 30m, 1h30m or 2d"
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(wrong)
    if isinstance(value, str) and "." in value:
        raise ValueError(wrong)
    return _amount(value, {"": 1}, "seconds", wrong=wrong)


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


def about_duration(seconds: float) -> str:
    """Seconds for people, rounded: ``0.8s``, ``42s``, ``3m 20s``, ``1h 02m``, ``2d 4h``."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"


def _amount(value: object, units: Mapping[str, int], noun: str, *, wrong: str) -> int:
    found = _AMOUNT.fullmatch(_digits(value, wrong))
    if not found or found[4] not in units:
        raise ValueError(wrong)
    sign, whole, part, unit = found.groups(default="")
    if sign == "-":
        raise ValueError(f"must be more than 0 {noun}")
    # Whole numbers throughout: a float would lose bytes, and overflow.
    rounded_up = -(-int(whole + part) * units[unit] // 10 ** len(part))
    return _positive(rounded_up, noun)


def _digits(value: object, wrong: str) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(wrong)
    if not -_TOO_LARGE < value < _TOO_LARGE:
        raise ValueError(wrong)
    return str(value) if isinstance(value, int) else f"{value:.9f}"


def _positive(amount: int, noun: str) -> int:
    if amount <= 0:
        raise ValueError(f"must be more than 0 {noun}")
    return amount
