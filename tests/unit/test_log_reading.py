"""One reader over cluster, store and copy: whatever happens between two looks, every line comes
once and in its order, and what could not be asked is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from sentinels.core.errors import TrackerUnavailable
from sentinels.core.job import JobId
from sentinels.core.log_lines import SECOND_NS, TimedText, with_times
from sentinels.core.log_position import START, Position
from sentinels.core.log_reading import SHIPPING_SECONDS, LogPiece, LogReader, Printed, Source
from sentinels.core.log_store import LogLine
from sentinels.core.workload import WorkloadRef
from tests.support.front import LineCluster
from tests.support.stores import RecordingStore

REF = WorkloadRef(JobId(7), 1)
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * SECOND_NS
LIVE = Printed(REF, live=True)
LONG_OVER = Printed(REF, live=False, finished_at=NOW - timedelta(hours=1), run_id="run")
JUST_OVER = Printed(REF, live=False, finished_at=NOW - timedelta(seconds=1), run_id="run")


def lines(first: int, last: int, *, ago: float = 3600) -> list[LogLine]:
    """Numbered lines, one a millisecond, the first of all so many seconds ago."""
    begun = NOW_NS - int(ago * SECOND_NS)
    return [LogLine(begun + number * 10**6, f"line {number}") for number in range(first, last)]


def text(first: int, last: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, last))


@dataclass
class Desk:
    """A reader and its three sources, and who follows with it."""

    cluster: LineCluster = field(default_factory=LineCluster)
    store: RecordingStore = field(default_factory=RecordingStore)
    copy: TimedText | None = None
    tracker_down: bool = False
    place: Position = START
    read: str = ""
    last: LogPiece | None = None

    def reader(self, *, store: bool = True) -> LogReader:
        return LogReader(self.cluster, self.store if store else None, self._copy, lambda: NOW)

    def look(self, printed: Printed, *, store: bool = True, limit: int = 10**6) -> LogPiece:
        """One look of somebody who follows."""
        piece = self.reader(store=store).read(printed, self.place, limit=limit)
        self.place, self.read, self.last = piece.position, self.read + piece.text, piece
        return piece

    def _copy(self, run_id: str) -> TimedText | None:
        if self.tracker_down:
            raise TrackerUnavailable("MLflow does not answer")
        return self.copy


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_cluster_goes_first_and_what_follows_it_costs_the_store_nothing(desk: Desk) -> None:
    desk.cluster.logs[REF] = lines(0, 5)
    desk.store.kept = lines(0, 5)
    assert desk.look(LIVE).source is Source.CLUSTER
    asked = len(desk.store.asked)
    desk.cluster.logs[REF] = lines(0, 9)
    desk.look(LIVE)
    assert (desk.read, len(desk.store.asked)) == (text(0, 9), asked)


def test_a_pod_that_goes_while_it_is_followed_is_read_on_in_the_store(desk: Desk) -> None:
    desk.cluster.logs[REF] = lines(0, 5, ago=3)
    desk.look(LIVE)
    del desk.cluster.logs[REF]
    desk.store.kept = lines(0, 4, ago=3)
    piece = desk.look(JUST_OVER)
    assert (piece.text, piece.ended, piece.source) == ("", False, None), "more is on its way"
    desk.store.kept = lines(0, 8, ago=3)
    assert desk.look(JUST_OVER).source is Source.STORE
    assert not desk.look(JUST_OVER).ended
    assert desk.look(LONG_OVER).ended
    assert desk.read == text(0, 8)


def test_older_lines_than_the_cluster_has_come_from_the_store(desk: Desk) -> None:
    desk.cluster.logs[REF] = lines(0, 9)
    desk.cluster.rotated = 6
    desk.cluster.closed.add(REF)
    desk.store.kept = lines(0, 9)
    sources = []
    while not sources or not desk.look(LONG_OVER, limit=30).ended:
        sources.append(desk.last.source if desk.last else None)
    assert desk.read == text(0, 9)
    assert Source.STORE in sources


def test_what_was_rotated_away_between_two_looks_is_waited_for_and_filled_in(desk: Desk) -> None:
    desk.cluster.logs[REF] = lines(0, 4, ago=2)
    desk.look(LIVE)
    desk.cluster.logs[REF] = lines(0, 10, ago=2)
    desk.cluster.rotated = 7
    desk.store.kept = lines(0, 5, ago=2)
    assert desk.look(LIVE).text == "line 4\n"
    assert desk.look(LIVE).text == "", "5 and 6 are on their way"
    desk.store.kept = lines(0, 8, ago=2)
    for _ in range(2):
        desk.look(LIVE)
    assert desk.read == text(0, 10)


def test_what_never_comes_is_not_waited_for_long(desk: Desk) -> None:
    desk.cluster.logs[REF] = lines(0, 4, ago=SHIPPING_SECONDS + 5)
    desk.look(LIVE)
    desk.cluster.logs[REF] = lines(0, 10, ago=SHIPPING_SECONDS + 5)
    desk.cluster.rotated = 7
    desk.look(LIVE)
    assert desk.read == text(0, 4) + text(7, 10)


def test_without_a_store_and_without_a_pod_the_trackers_copy_is_read(desk: Desk) -> None:
    desk.copy = TimedText(
        "".join(with_times(line.text + "\n", ((0, line.at_ns),)) for line in lines(0, 9)).encode()
    )
    desk.cluster.logs[REF] = lines(0, 4)
    desk.look(LIVE, store=False)
    del desk.cluster.logs[REF]
    assert desk.look(LONG_OVER, store=False).source is Source.TRACKER
    assert desk.look(LONG_OVER, store=False).ended
    assert desk.read == text(0, 9)


def test_what_the_store_lacks_comes_from_the_copy(desk: Desk) -> None:
    desk.copy = TimedText(
        "".join(with_times(line.text + "\n", ((0, line.at_ns),)) for line in lines(0, 9)).encode()
    )
    desk.store.kept = lines(0, 6)
    sources = [desk.look(LONG_OVER).source for _ in range(3)]
    assert sources == [Source.STORE, Source.TRACKER, None]
    assert desk.read == text(0, 9)


def test_a_store_that_is_down_hides_nothing_that_the_cluster_has_and_it_is_said(desk: Desk) -> None:
    desk.cluster.logs[REF] = lines(0, 5)
    desk.cluster.closed.add(REF)
    desk.store.down = True
    piece = desk.look(LONG_OVER)
    assert (piece.text, piece.ended) == (text(0, 5), True)
    assert piece.unavailable is not None
    assert "the search store does not answer" in piece.unavailable
    assert "missing" in piece.unavailable


def test_with_everything_down_the_answer_says_what_is(desk: Desk) -> None:
    desk.store.down = desk.tracker_down = desk.cluster.silent = True
    piece = desk.look(LONG_OVER)
    assert (piece.text, piece.ended, piece.source) == ("", True, None)
    for part in ("Kubernetes API", "search store", "MLflow"):
        assert part in str(piece.unavailable)


def test_a_silent_cluster_is_made_up_for_by_the_store(desk: Desk) -> None:
    desk.cluster.logs[REF] = desk.store.kept = lines(0, 5)
    desk.look(LIVE, limit=21)
    desk.cluster.silent = True
    assert desk.look(LIVE).source is Source.STORE
    desk.cluster.silent = False
    desk.cluster.logs[REF] = lines(0, 7)
    desk.look(LIVE)
    assert desk.read == text(0, 7)


@pytest.mark.parametrize("rotated", [0, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 4, 20])
def test_the_last_lines_are_put_together_of_what_there_is(
    desk: Desk, rotated: int, count: int
) -> None:
    desk.cluster.logs[REF] = desk.store.kept = lines(0, 9)
    desk.cluster.rotated = rotated
    first = max(0, 9 - count)
    for gone in (False, True):
        if gone:
            del desk.cluster.logs[REF]
        desk.place, desk.read = desk.reader().before_last(LONG_OVER, count), ""
        for _ in range(3):
            desk.look(LONG_OVER)
        assert desk.read == text(first, 9), gone


def test_a_piece_of_the_last_lines_is_one_call(desk: Desk) -> None:
    desk.cluster.logs[REF] = lines(0, 9)
    desk.cluster.closed.add(REF)
    piece = desk.reader().tail(LONG_OVER, 2, limit=1000)
    assert (piece.text, piece.ended) == (text(7, 9), True)


def test_a_live_attempt_without_a_pod_has_not_ended(desk: Desk) -> None:
    assert not desk.look(LIVE).ended
    never_began = Printed(REF, live=False)
    assert desk.look(never_began).ended
