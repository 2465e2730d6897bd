"""One reader over all that has an attempt's output, so that nobody needs to know where it is.

The cluster is asked first: it has what was printed a moment ago. What it has let go of, older lines
of a long log or all of it once the pod is gone, comes from the log store, and what neither has from
the copy that the tracker keeps. A position means the same to all three: where one takes over from
another, no line is left out and none comes twice. What cannot be asked costs little and is said.
Comes in: an attempt, a position. Goes out: a piece. Before: ``functions/submit``, ``recording``.
Next: the ports ``Cluster`` and ``LogStore``, ``log_lines``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from sentinels.core.errors import Unavailable
from sentinels.core.log_lines import SECOND_NS, Marks, Taken, TimedText, take
from sentinels.core.log_position import START, Position, before, moment_of, since
from sentinels.core.log_store import LogLine, LogStore
from sentinels.core.ports import Clock, Cluster, LogChunk, LogTail
from sentinels.core.workload import WorkloadRef

SHIPPING_SECONDS = 15.0
"""In this time what is printed last reaches the log store: a line without its newline is waited for
five seconds by what ships it, and a new container's log found within one.
"""
_PAGE = 1000
_T = TypeVar("_T")


class Source(StrEnum):
    """Where a piece was read."""

    CLUSTER = "cluster"
    STORE = "store"
    TRACKER = "tracker"


@dataclass(frozen=True, slots=True)
class Printed:
    """An attempt, as far as its output is concerned. ``live``: it may still print.

    ``finished_at`` is when it ended where it had begun; ``run_id`` is of its tracker's run.
    """

    ref: WorkloadRef
    live: bool
    finished_at: datetime | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class LogPiece:
    """A piece of an attempt's output, and the position behind it; ``ended``: nothing follows.

    ``unavailable`` is a sentence on what could not be asked, and so may be missing.
    """

    text: str
    marks: Marks
    position: Position
    ended: bool
    source: Source | None
    unavailable: str | None


@dataclass(frozen=True, slots=True)
class LogReader:
    """Reads. ``copy_of`` finds the tracker's copy of a run's log; None where there is none."""

    cluster: Cluster
    store: LogStore | None
    copy_of: Callable[[str], TimedText | None] | None
    clock: Clock

    def read(
        self, printed: Printed, after: Position, *, limit: int, timed: bool = False
    ) -> LogPiece:
        """What follows a position, so many bytes at most. Raises ``InvalidRequest`` for a position
        in what is not there.
        """
        look = _Look(self, printed, after, limit)
        chunk = look.ask(
            lambda: self.cluster.read_log(printed.ref, after=after, limit=limit, timed=timed)
        )
        if chunk is None or not (chunk.joined or chunk.first_ns is not None):
            return look.without_cluster()
        return look.of_cluster(chunk) if chunk.joined else look.across_gap(chunk)

    def tail(self, printed: Printed, lines: int, *, limit: int, timed: bool = False) -> LogPiece:
        """The last so many lines, or the first ``limit`` bytes of them."""
        return self.read(printed, self.before_last(printed, lines), limit=limit, timed=timed)

    def before_last(self, printed: Printed, lines: int) -> Position:
        """The position before the last so many lines."""
        look = _Look(self, printed, START, 0)
        found = look.ask(lambda: self.cluster.log_tail(printed.ref, lines))
        if found is not None and (found.lines >= lines or self.cluster.keeps_logs):
            return found.position
        return look.before_last(lines, found)

    def since(self, printed: Printed, at_ns: int) -> Position:
        """The position before the first line that was printed then or later."""
        return self.cluster.log_since(printed.ref, at_ns)


@dataclass(slots=True)
class _Look:
    """One question to the sources, and what could not be asked."""

    reader: LogReader
    printed: Printed
    after: Position
    limit: int
    troubles: list[str] = field(default_factory=list)

    def ask(self, question: Callable[[], _T]) -> _T | None:
        """The answer; None, and a sentence kept, where there is none."""
        try:
            return question()
        except Unavailable as trouble:
            self.troubles.append(str(trouble))
            return None

    def of_cluster(self, chunk: LogChunk) -> LogPiece:
        # The cluster's word that a log ended is only the last one once the attempt's end is
        # committed: before its launch there is no log either, which reads the same.
        ended = chunk.ended and not self.printed.live
        return self._piece(chunk.text, chunk.marks, chunk.position, ended, Source.CLUSTER)

    def across_gap(self, chunk: LogChunk) -> LogPiece:
        """The cluster goes on later than asked for: what lies between is the store's to tell."""
        between = self._stored(before_ns=chunk.first_ns)
        if between is not None and between.text:
            return self._of_store(between)
        if between is not None and self._is_on_its_way(chunk):
            return self._piece("", (), self.after, False, None)
        return self.of_cluster(chunk)

    def without_cluster(self) -> LogPiece:
        """The cluster has let go of it, or does not answer."""
        stored = self._stored()
        if stored is not None and stored.text:
            return self._of_store(stored)
        copied = self._copied()
        if copied is not None and copied.text:
            return self._piece(copied.text, copied.marks, copied.position, False, Source.TRACKER)
        return self._piece("", (), self.after, self._is_over(), None)

    def before_last(self, lines: int, found: LogTail | None) -> Position:
        """Before lines that are older than those the cluster has, and make up what it lacks."""
        lacking = max(1, lines - (found.lines if found else 0))
        older = self.ask(lambda: self._last_stored(lacking, found.first_ns if found else None))
        if older:
            return before(older[0].at_ns) if lines else since(older[-1].at_ns + 1)
        if found is not None:
            return found.position
        copy = self.ask(self._copy)
        return copy.before_last(lines) if copy else START

    def _last_stored(self, count: int, before_ns: int | None) -> Sequence[LogLine]:
        store = self.reader.store
        return store.last_lines(self.printed.ref, count, before_ns=before_ns) if store else ()

    def _stored(self, *, before_ns: int | None = None) -> Taken | None:
        """What the store has after the position; None where it cannot be asked."""
        store = self.reader.store
        if store is None:
            return None
        place, ref = moment_of(self.after), self.printed.ref
        after_ns = place.earliest
        while True:
            lines = self.ask(
                lambda: store.lines(ref, after_ns=after_ns, before_ns=before_ns, limit=_PAGE)  # noqa: B023
            )
            if lines is None:
                return None
            taken = take(lines, place, limit=self.limit)
            if taken.text or not lines:
                return taken
            after_ns = lines[-1].at_ns  # all of these were read before

    def _is_on_its_way(self, chunk: LogChunk) -> bool:
        """Whether lines before the cluster's first one may still be on their way to the store: it
        has not even that one, which is quite new. Before the beginning none is waited for.
        """
        store, first_ns = self.reader.store, chunk.first_ns
        if store is None or moment_of(self.after).is_start:
            return False
        now_ns = int(self.reader.clock().timestamp()) * SECOND_NS
        if first_ns is None or now_ns - first_ns > SHIPPING_SECONDS * SECOND_NS:
            return False
        around = {"after_ns": first_ns - 1, "before_ns": first_ns + 1}
        found = self.ask(lambda: store.lines(self.printed.ref, **around, limit=1))
        return found is not None and not found

    def _copied(self) -> Taken | None:
        copy = self.ask(self._copy)
        return None if copy is None else copy.take(moment_of(self.after), limit=self.limit)

    def _copy(self) -> TimedText | None:
        copy_of, run_id = self.reader.copy_of, self.printed.run_id
        if self.printed.live or copy_of is None or run_id is None:
            return None
        return copy_of(run_id)

    def _is_over(self) -> bool:
        """Whether what was found is all: what is printed last needs some time to get here."""
        ended_at = self.printed.finished_at
        if self.printed.live or self.reader.store is None or ended_at is None:
            return not self.printed.live
        return self.reader.clock() - ended_at > timedelta(seconds=SHIPPING_SECONDS)

    def _of_store(self, taken: Taken) -> LogPiece:
        return self._piece(taken.text, taken.marks, taken.position, False, Source.STORE)

    def _piece(
        self, text: str, marks: Marks, position: Position, ended: bool, source: Source | None
    ) -> LogPiece:
        said = "; ".join(dict.fromkeys(self.troubles))
        unavailable = f"{said}; what only that has is missing here" if said else None
        return LogPiece(text, marks, position, ended, source, unavailable)
