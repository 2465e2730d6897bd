"""The ``retry`` key of a config, and back. Before: ``submission_reading``. Next: ``policy``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sentinels.core.faults import Faults, joined
from sentinels.core.quantity import (
    MAX_MEMORY_BYTES,
    format_duration,
    format_memory,
    parse_duration,
    parse_memory,
)
from sentinels.core.submission import LinePattern, MemoryGrowth, Retry

_FACTOR = re.compile(r"x(\d{1,3}(?:\.\d{1,3})?)", re.ASCII)
_EXIT_CODE = re.compile(r"[1-9]\d{0,2}", re.ASCII)
_TRIES = 10
_MOST_PATTERNS = 20
_LONGEST_PATTERN = 200
_MEANT = {"patterns": "pattern", "log": "pattern", "exit_code": "exit", "memory": "oom.memory"}
_LONGEST_WAIT = 7 * 86400


def read_retry(faults: Faults, value: object) -> Retry:
    """Read ``{oom: {memory: x1.5, max: 16Gi, tries: 2}, exit: {33: 3}, backoff: 30s..10m}``."""
    given = faults.mapping("retry", value)
    faults.unknown_keys("retry", given, ("oom", "exit", "pattern", "backoff"), elsewhere=_MEANT)
    wait, longest = _read_backoff(faults, given.get("backoff"))
    return Retry(
        oom=_read_growth(faults, given.get("oom")),
        exit_codes=_read_exit_codes(faults, given.get("exit")),
        patterns=_read_patterns(faults, given.get("pattern")),
        backoff_seconds=wait,
        backoff_limit_seconds=longest,
    )


def retry_to_config(retry: Retry) -> dict[str, object]:
    """The same in a config's words; nothing where it is the default."""
    wait, longest = retry.backoff_seconds, retry.backoff_limit_seconds
    words: dict[str, object] = {}
    if retry.oom:
        words["oom"] = _growth_to_config(retry.oom)
    if retry.exit_codes:
        words["exit"] = {str(code): tries for code, tries in retry.exit_codes.items()}
    if retry.patterns:
        words["pattern"] = {each.text: _pattern_to_config(each) for each in retry.patterns}
    if retry != Retry():
        words["backoff"] = f"{format_duration(wait)}..{format_duration(longest)}"
    return words


def _pattern_to_config(pattern: LinePattern) -> object:
    if pattern.avoid_node:
        return {"tries": pattern.tries, "avoid_node": True}
    return pattern.tries


def _growth_to_config(growth: MemoryGrowth) -> Mapping[str, object]:
    words: dict[str, object] = {"memory": f"x{growth.factor:g}", "tries": growth.tries}
    if growth.limit_bytes is not None:
        words["max"] = format_memory(growth.limit_bytes)
    return words


def _read_growth(faults: Faults, value: object) -> MemoryGrowth | None:
    if value is None:
        return None
    given = faults.mapping("retry.oom", value)
    faults.unknown_keys("retry.oom", given, ("memory", "max", "tries"))
    factor = faults.parsed("retry.oom.memory", given.get("memory", "x1.5"), _factor)
    limit = None
    if given.get("max") is not None:
        limit = faults.parsed("retry.oom.max", given["max"], _limit)
    tries = faults.whole("retry.oom.tries", given.get("tries", 1), low=1, high=_TRIES)
    return MemoryGrowth(factor or 1.0, limit, tries or 1)


def _factor(value: object) -> float:
    found = _FACTOR.fullmatch(value) if isinstance(value, str) else None
    if not found or not 1 < float(found[1]) <= 100:
        raise ValueError("is no growth from x1.001 to x100, such as x1.5")
    return float(found[1])


def _limit(value: object) -> int:
    limit = parse_memory(value)
    if limit > MAX_MEMORY_BYTES:
        raise ValueError(f"must be at most {format_memory(MAX_MEMORY_BYTES)}")
    return limit


def _read_exit_codes(faults: Faults, value: object) -> dict[int, int]:
    found = {}
    for code, tries in faults.mapping("retry.exit", value).items():
        path = joined("retry.exit", code)
        number = faults.parsed(path, code, _exit_code)
        times = faults.whole(path, tries, low=1, high=_TRIES)
        if number is not None and times is not None:
            found[number] = times
    return found


def _read_patterns(faults: Faults, value: object) -> tuple[LinePattern, ...]:
    """Read ``{"uncorrectable ECC": {tries: 2, avoid_node: true}, "NCCL error": 3}``."""
    given = faults.mapping("retry.pattern", value)
    if len(given) > _MOST_PATTERNS:
        faults.add("retry.pattern", f"has {len(given)} patterns; {_MOST_PATTERNS} are allowed")
    read = (_read_pattern(faults, text, content) for text, content in given.items())
    return tuple(pattern for pattern in read if pattern is not None)


def _read_pattern(faults: Faults, text: str, value: object) -> LinePattern | None:
    path = joined("retry.pattern", text)
    given = faults.mapping(path, value) if not isinstance(value, int) else {"tries": value}
    faults.unknown_keys(path, given, ("tries", "avoid_node"))
    tries = faults.whole(joined(path, "tries"), given.get("tries", 1), low=1, high=_TRIES)
    avoid = given.get("avoid_node", False)
    if not isinstance(avoid, bool):
        faults.add(joined(path, "avoid_node"), "must be true or false", value=avoid)
    if not text.strip():
        faults.add("retry.pattern", "has an empty text, which would fit every line")
    sound = faults.text(path, text, limit=_LONGEST_PATTERN)
    return LinePattern(text, tries, avoid is True) if sound and tries else None


def _exit_code(value: object) -> int:
    text = str(value)
    if not _EXIT_CODE.fullmatch(text) or int(text) > 255:
        raise ValueError("is no exit code from 1 to 255")
    return int(text)


def _read_backoff(faults: Faults, value: object) -> tuple[int, int]:
    usual = Retry()
    if value is None:
        return usual.backoff_seconds, usual.backoff_limit_seconds
    return faults.parsed("retry.backoff", value, _backoff) or (1, 1)


def _backoff(value: object) -> tuple[int, int]:
    if isinstance(value, str) and ".." in value:
        shortest, _, longest = value.partition("..")
        low, high = parse_duration(shortest), parse_duration(longest)
    else:
        low = high = parse_duration(value)
    if not low <= high <= _LONGEST_WAIT:
        raise ValueError("must grow to at most 7d, as in 30s..10m")
    return low, high
