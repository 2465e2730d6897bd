"""A job in a few words, the same in every command. Next: ``show``, ``times``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sentinels.cli.show import Row, coloured, mapping
from sentinels.cli.times import moment, ran, to_the_minute

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
MARKS = {"succeeded": "✔", "failed": "✘", "cancelled": "■"}


def needs(job: Row) -> str:
    """What it asks for: ``2 CPU 4Gi``, ``1 CPU 16Gi 2×a100``."""
    asked = mapping(job.get("resources"))
    words = f"{asked.get('cpu')} CPU {asked.get('memory')}"
    if not asked.get("gpu"):
        return words
    return f"{words} {asked['gpu']}×{asked.get('gpu_type') or 'GPU'}"


def state(job: Row) -> str:
    """Its state, and the reason where there is one: ``failed (out of memory)``."""
    reason = job.get("reason")
    if not reason or job.get("state") == reason:
        return str(job.get("state"))
    return f"{job.get('state')} ({str(reason).replace('_', ' ')})"


def why(job: Row) -> str:
    """Why it waits."""
    return str(mapping(job.get("queue")).get("why") or "")


def place(queue: Row) -> str:
    """Its place in the queue: ``3rd of 9``."""
    position, waiting = queue.get("position"), queue.get("waiting")
    if not isinstance(position, int):
        return "not in line yet"
    return f"{ordinal(position)} of {waiting}"


def expected(found: object) -> str:
    """When it is expected to start: ``now``, ``14:05 to 14:40``, ``at 14:05 or later``."""
    early, late = (mapping(found).get(name) for name in ("early", "late"))
    begin, end, latest = to_the_minute(early), to_the_minute(late), moment(late)
    if not begin:
        return ""
    if latest is None:
        return f"at {begin} or later"
    if latest <= datetime.now(UTC) + timedelta(minutes=1):
        return "now"
    return f"about {begin}" if begin == end else f"{begin} to {end}"


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``3rd``, ``11th``."""
    last = number % 10 if number % 100 not in (11, 12, 13) else 0
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"


def outcome(job: Row) -> str:
    """How it ended, in one line: ``✔ job 12 digits succeeded after 3.2s``."""
    ended = str(job.get("state"))
    took = f" after {ran(job)}" if job.get("started_at") else ""
    because = f": {job['message']}" if ended != "succeeded" and job.get("message") else ""
    name = f"job {job.get('id')} {job.get('name')}"
    return f"{MARKS.get(ended, '·')} {name} {ended}{took}{because}"


def painted(job: Row) -> str:
    """The state's word in its colour."""
    return coloured(str(job.get("state")))


def image(job: Row, *, wide: bool) -> str:
    """Its image and what exactly that was: ``team/train:1 (sha256:0123…, commit 4567…)``."""
    digest = str(job.get("digest") or "")
    shown = digest if wide else digest[:19]
    commit = f", commit {str(job['git_commit'])[:12]}" if job.get("git_commit") else ""
    known = f"{shown}{commit}".removeprefix(", ")
    return f"{job['image']} ({known})" if known else str(job["image"])


def counts(sweep: Row) -> str:
    """How many of its jobs are in which state: ``20 jobs: 4 running, 12 queued``."""
    states = mapping(sweep.get("states"))
    listed = ", ".join(f"{number} {name}" for name, number in states.items())
    return f"{sweep.get('jobs')} jobs: {listed}"


def ids(jobs: list[Mapping[str, object]]) -> str:
    """The ids of a push: ``12`` or ``12–17``."""
    numbers = [job["id"] for job in jobs]
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
