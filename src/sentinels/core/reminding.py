"""Remind people of what runs: 80 % of a time limit is over, nothing was printed for long.

Looked at once a minute by one process, at a cost that is bounded: what keeps logs is asked about
all at once, the cluster about a few that seem silent. Each is told once an attempt, by the outbox's
own uniqueness. Comes in: running attempts. Goes out: deliveries. Before: ``functions/notify``.
Next: ``addressing``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sentinels.core.addressing import Happening, Listeners
from sentinels.core.audience import NoticeRules
from sentinels.core.errors import ClusterUnavailable, LogStoreUnavailable
from sentinels.core.log_store import LogStore
from sentinels.core.notice import MESSENGER
from sentinels.core.ports import Clock, Cluster
from sentinels.core.quantity import format_duration
from sentinels.core.queueing import Delivery, LiveAttempt
from sentinels.core.workload import WorkloadRef

ROUND = "reminders"
EVERY_SECONDS = 60.0
NEAR = 0.8
SHORTEST_LIMIT = 300
"""Seconds; who has a shorter time limit will see the end soon enough."""
MOST_LOOKS = 50
"""Workloads that the cluster is asked about in one round."""
MOST_FAILURES = 3
"""After so many the cluster is left alone until the next round."""
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Watched:
    """A running attempt, and the kinds of notices that were posted about it."""

    attempt: LiveAttempt
    started_at: datetime
    told: frozenset[str] = frozenset()


class Watch(Protocol):
    """What reminding asks of PostgreSQL. All raise ``QueueUnavailable``; all may be repeated."""

    def begin_round(self, name: str, *, every_seconds: float) -> bool:
        """Whether it is time for the next round of this name, and nobody else began it."""
        ...

    def running(self, *, for_seconds: float) -> Sequence[Watched]:
        """The attempts that have run for so long."""
        ...

    def remind(self, deliveries: Sequence[Delivery]) -> None:
        """Post these; one that is there already stays as it is."""
        ...


@dataclass(slots=True)
class Reminder:
    """Looks after running attempts. ``log_store`` may be None: the cluster alone is asked.

    It remembers when to look at whom again, which spares looks and decides nothing.
    """

    queue: Watch
    cluster: Cluster
    log_store: LogStore | None
    clock: Clock
    rules: NoticeRules
    silent_seconds: float
    _look_at: dict[WorkloadRef, datetime] = field(default_factory=dict)

    def look(self) -> None:
        """Remind of what is due, if it is time."""
        if not self.queue.begin_round(ROUND, every_seconds=EVERY_SECONDS):
            return
        watched = self.queue.running(for_seconds=min(SHORTEST_LIMIT * NEAR, self.silent_seconds))
        now = self.clock()
        told = [(each, near_limit(each, now)) for each in watched]
        told += [(each, silent(each, last, now)) for each, last in self._quiet(watched, now)]
        found = [self._addressed(each, delivery) for each, delivery in told if delivery]
        if any(found):
            self.queue.remind([delivery for deliveries in found for delivery in deliveries])

    def _addressed(self, watched: Watched, delivery: Delivery) -> list[Delivery]:
        what = Happening((delivery.kind,), in_sweep=watched.attempt.sweep_id is not None)
        return self._listeners(watched).addressed([delivery], what)

    def _listeners(self, watched: Watched) -> Listeners:
        attempt = watched.attempt
        return Listeners(attempt.submission.notify, attempt.audience, self.rules)

    def _quiet(
        self, watched: Sequence[Watched], now: datetime
    ) -> Iterator[tuple[Watched, datetime]]:
        """Those that have printed nothing for long, and since when, as far as anybody knows."""
        long_ago = now - timedelta(seconds=self.silent_seconds)
        asked = {
            each.attempt.ref: each for each in watched if self._may_be_silent(each, long_ago, now)
        }
        lines = self._kept_lines(list(asked))
        last = {ref: lines.get(ref, each.started_at) for ref, each in asked.items()}
        suspects = [ref for ref in asked if last[ref] <= long_ago]
        heard = self._heard(suspects[:MOST_LOOKS])
        for ref, each in asked.items():
            if ref in suspects and ref not in heard:
                continue  # nobody can say now
            last[ref] = max(last[ref], heard.get(ref) or each.started_at)
            self._remember(ref, last[ref] + timedelta(seconds=self.silent_seconds))
        yield from ((asked[ref], last[ref]) for ref in heard if last[ref] <= long_ago)

    def _may_be_silent(self, watched: Watched, long_ago: datetime, now: datetime) -> bool:
        ref = watched.attempt.ref
        if watched.started_at > long_ago or "silent" in watched.told:
            return False
        if self._look_at.get(ref, now) > now:
            return False
        return bool(self._listeners(watched).told(Happening(("silent",))))

    def _kept_lines(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
        if self.log_store is None or not refs:
            return {}
        try:
            return self.log_store.last_output(refs)
        except LogStoreUnavailable:
            return {}

    def _heard(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime | None]:
        """When each printed something, as the cluster says; without those it says nothing of."""
        heard: dict[WorkloadRef, datetime | None] = {}
        failures = 0
        for ref in refs:
            try:
                heard[ref] = self.cluster.last_output([ref]).get(ref)
            except ClusterUnavailable:
                failures += 1
            if failures == MOST_FAILURES:
                break
        return heard

    def _remember(self, ref: WorkloadRef, at: datetime) -> None:
        if len(self._look_at) >= _MOST_REMEMBERED:
            self._look_at.clear()
        self._look_at[ref] = at


def near_limit(watched: Watched, now: datetime) -> Delivery | None:
    """The notice that most of the time limit is over, where it is."""
    limit = watched.attempt.submission.time_limit
    ran = (now - watched.started_at).total_seconds()
    if limit is None or limit < SHORTEST_LIMIT or "near_limit" in watched.told:
        return None
    if not NEAR * limit <= ran < limit:
        return None
    end = watched.started_at + timedelta(seconds=limit)
    text = (
        f"⏳ {_who(watched)} has used {ran / limit:.0%} of its time limit of"
        f" {format_duration(limit)}: it is ended at {_time(end)} at the latest\n"
        "What it has not saved by then is lost: see that it saves checkpoints."
    )
    return Delivery(watched.attempt.ref, "near_limit", MESSENGER, body=text)


def silent(watched: Watched, last: datetime, now: datetime) -> Delivery:
    """The notice that nothing was printed since ``last``."""
    job_id = watched.attempt.ref.job_id
    quiet = format_duration(_minutes((now - last).total_seconds()))
    ever = "since it started" if last <= watched.started_at else f"since {_time(last)}"
    text = (
        f"… {_who(watched)} has printed nothing for {quiet}, {ever}\n"
        f"See what it does: sentinels logs {job_id} · sentinels status {job_id}"
        f"    end it: sentinels cancel {job_id}"
    )
    return Delivery(watched.attempt.ref, "silent", MESSENGER, body=text)


def _who(watched: Watched) -> str:
    attempt = watched.attempt
    nth = f", attempt {attempt.ref.attempt}" if attempt.ref.attempt > 1 else ""
    return f"job {attempt.ref.job_id} {attempt.submission.name} ({attempt.user}{nth})"


def _minutes(seconds: float) -> int:
    return max(60, int(seconds) // 60 * 60)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M} UTC"
