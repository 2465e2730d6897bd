"""The ``retry`` key of a config, and back. Before: ``submission_reading``. Next: ``policy``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sentinels.core.faults import Faults
from sentinels.core.quantity import format_duration, format_memory, parse_duration, parse_memory
from sentinels.core.submission import MemoryGrowth, Retry

_FACTOR = re.compile(r"x(\d{1,3}(?:\.\d{1,3})?)", re.ASCII)
_TRIES = 10


def read_retry(faults: Faults, value: object) -> Retry:
    """Read ``{oom: {memory: x1.5, max: 16Gi, tries: 2}, exit: {33: 3}, backoff: 30s..10m}``."""
    given = faults.mapping("retry", value)
    faults.unknown_keys("retry", given, ("oom", "exit", "backoff"))
    wait, longest = _read_backoff(faults, given.get("backoff", "30s..10m"))
    return Retry(
        oom=_read_growth(faults, given["oom"]) if given.get("oom") is not None else None,
        exit_codes=_read_exit_codes(faults, given.get("exit")),
        backoff_seconds=wait,
        backoff_limit_seconds=longest,
    )


def retry_to_config(retry: Retry) -> dict[str, object]:
    """The same in a config's words."""
    wait, longest = retry.backoff_seconds, retry.backoff_limit_seconds
    words: dict[str, object] = {"backoff": f"{format_duration(wait)}..{format_duration(longest)}"}
    if retry.exit_codes:
        words["exit"] = {str(code): tries for code, tries in retry.exit_codes.items()}
    if retry.oom:
        words["oom"] = _growth_to_config(retry.oom)
    return words if retry != Retry() else {}


def _growth_to_config(growth: MemoryGrowth) -> Mapping[str, object]:
    words: dict[str, object] = {"memory": f"x{growth.factor:g}", "tries": growth.tries}
    if growth.limit_bytes is not None:
        words["max"] = format_memory(growth.limit_bytes)
    return words


def _read_growth(faults: Faults, value: object) -> MemoryGrowth:
    given = faults.mapping("retry.oom", value)
    faults.unknown_keys("retry.oom", given, ("memory", "max", "tries"))
    factor = faults.parsed("retry.oom.memory", given.get("memory", "x1.5"), _factor)
    limit = None
    if given.get("max") is not None:
        limit = faults.parsed("retry.oom.max", given["max"], parse_memory)
    tries = faults.whole("retry.oom.tries", given.get("tries", 1), low=1, high=_TRIES)
    return MemoryGrowth(factor or 1.0, limit, tries or 1)


def _factor(value: object) -> float:
    found = _FACTOR.fullmatch(value) if isinstance(value, str) else None
    if not found or not 1 < float(found[1]) <= 100:
        raise ValueError("is no growth, such as x1.5 or x2")
    return float(found[1])


def _read_exit_codes(faults: Faults, value: object) -> dict[int, int]:
    found = {}
    for code, tries in faults.mapping("retry.exit", value).items():
        path = f"retry.exit.{code}"
        number = faults.parsed(path, code, _exit_code)
        times = faults.whole(path, tries, low=1, high=_TRIES)
        if number is not None and times is not None:
            found[number] = times
    return found


def _exit_code(value: object) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= 255:
        raise ValueError("is no exit code from 1 to 255")
    return int(text)


def _read_backoff(faults: Faults, value: object) -> tuple[int, int]:
    shortest, _, longest = str(value).partition("..")
    low = faults.parsed("retry.backoff", shortest, parse_duration)
    high = faults.parsed("retry.backoff", longest or shortest, parse_duration)
    if low and high and low > high:
        faults.add("retry.backoff", "must grow, as in 30s..10m", value=value)
    return low or 1, high or 1
