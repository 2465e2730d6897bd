"""Several notices as one message of bounded length.

Comes in: notices whose first lines say the whole. Goes out: text. Before: ``telling``. Next:
``composing``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sentinels.core.addressing import ENDS
from sentinels.core.notice_queue import DueNotice
from sentinels.core.text import one_line

MOST_LINES = 10
_LINE = 200
_IDS = 300

_QUIET = frozenset({"succeeded", "started", "long_wait"})
"""Kinds that a count and their jobs' ids say enough of."""

_WORDS: Mapping[str, str] = {
    "requeued": "queued again",
    "preempted": "left for more urgent ones, queued again",
    "started": "started",
    "long_wait": "started after a long wait",
    "slipped": "later than expected",
    "near_limit": "near their time limits",
    "silent": "silent for long",
    "delayed": "delayed by a bump",
    "swept": "sweeps over",
    "opened": "conditions",
    "resolved": "conditions over",
}


def digest(notices: Sequence[DueNotice]) -> str:
    """All of them in a message: how many of what, the troubled ones by name, and how to go on."""
    counts = Counter(notice.kind for notice in notices)
    loud = [notice for notice in notices if notice.kind not in _QUIET]
    mark = "✘" if counts["failed"] else "✔" if ENDS & set(counts) else "•"
    lines = [
        f"{mark} {headline(counts)}",
        *(one_line(notice.text, _LINE) for notice in loud[:MOST_LINES]),
    ]
    if len(loud) > MOST_LINES:
        lines.append(f"… and {len(loud) - MOST_LINES} more")
    lines += _by_ids(notices)
    lines.append(_next(loud))
    return "\n".join(line for line in lines if line)


def headline(counts: Mapping[str, int]) -> str:
    """How many of what, in a line."""
    ends = {kind: counts[kind] for kind in ("succeeded", "failed", "cancelled") if kind in counts}
    parts = []
    if ends:
        total = sum(ends.values())
        split = ", ".join(f"{count} {kind}" for kind, count in ends.items() if count)
        parts.append(f"{total} {'job' if total == 1 else 'jobs'} ended: {split}")
    parts += [f"{counts[kind]} {word}" for kind, word in _WORDS.items() if counts.get(kind)]
    return "; ".join(parts)


def ranges(numbers: Sequence[int], *, limit: int = _IDS) -> str:
    """Numbers as in ``1–3, 7``, cut where they get longer than ``limit``."""
    text = ""
    for first, last in _runs(sorted(set(numbers))):
        word = str(first) if first == last else f"{first}–{last}"
        if len(text) + len(word) > limit:
            return f"{text} …"
        text = f"{text}, {word}" if text else word
    return text


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    begin = 0
    for at in range(1, len(numbers) + 1):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            yield numbers[begin], numbers[at - 1]
            begin = at


def _by_ids(notices: Sequence[DueNotice]) -> Iterator[str]:
    for kind in ("succeeded", "started", "long_wait"):
        ids = [notice.job.id for notice in notices if notice.kind == kind and notice.job]
        if ids:
            yield f"{_WORDS.get(kind, kind)}: {ranges(ids)}"


def _next(loud: Sequence[DueNotice]) -> str:
    failed = [notice.job.id for notice in loud if notice.kind == "failed" and notice.job]
    if failed:
        return f"See: sentinels logs {failed[0]} · sentinels jobs --state failed"
    return "See: sentinels jobs" if any(notice.job for notice in loud) else ""
