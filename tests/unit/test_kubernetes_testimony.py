"""What is asked of Kubernetes about ends: the odd ones first, everything once, a long log again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from sentinels.clusters.kubernetes.api import Answer, Api, Request
from sentinels.clusters.kubernetes.testimony import SECONDS
from sentinels.clusters.kubernetes.testimony import testify as hear
from sentinels.core.dossier import Part
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.job import JobId, Reason
from sentinels.core.last_lines import WORTH_READING
from sentinels.core.observation import Finished
from sentinels.core.ports import Json
from sentinels.core.workload import WorkloadRef

NOW = datetime.fromisoformat("2026-11-23T12:00:00Z")
Reply = Callable[[Request], Answer | ClusterUnavailable]


class Counted(Answer):
    """Counts how often a list of events is read."""

    reads: ClassVar[int] = 0

    @property
    def json(self) -> Json:
        Counted.reads += 1
        found: Json = json.loads(self.body)
        return found


def plain(request: Request) -> Answer:
    if request.path.endswith("/log"):
        return Answer(200, request.path.encode(), NOW)
    if request.path.endswith("/events"):
        about = {"kind": "Pod", "uid": "pod-3"}
        items = [{"involvedObject": about, "reason": "Killing", "message": "m"}]
        return Counted(200, json.dumps({"items": items}).encode(), NOW)
    return Answer(200, b"{}", NOW)


@dataclass
class Recording(Api):
    """Keeps what it was asked, and answers what ``reply`` says."""

    reply: Reply = plain
    asked: list[list[Request]] = field(default_factory=list)
    bounds: list[float | None] = field(default_factory=list)

    def many(
        self, requests: Sequence[Request], *, in_flight: int = 32, within: float | None = None
    ) -> Iterator[tuple[int, Answer | ClusterUnavailable]]:
        self.asked.append(list(requests))
        self.bounds.append(within)
        yield from ((place, self.reply(request)) for place, request in enumerate(requests))

    def close(self) -> None:
        """There is nothing to close."""


def ended(
    count: int, reason: Reason | None = Reason.EXITED_NONZERO, *, first: int = 0
) -> dict[WorkloadRef, Finished]:
    found = {}
    for number in range(first, first + count):
        evidence = {"namespace": "sen-a", "pod": f"p{number}", "pod_uid": f"pod-{number}"}
        began = NOW - timedelta(seconds=9)
        ref = WorkloadRef(JobId(number), 1)
        found[ref] = Finished("", reason, 1, began, NOW, node="n1", evidence=evidence)
    return found


def paths(requests: Sequence[Request]) -> list[str]:
    return [
        request.path.rsplit("/", 2)[-2 if request.path.endswith("/log") else -1]
        for request in requests
    ]


def test_few_ends_are_asked_about_one_by_one() -> None:
    api = Recording()
    said = hear(api, ended(4))
    selectors = [(r.query or {}).get("fieldSelector") for r in api.asked[0] if "events" in r.path]
    assert selectors == [f"involvedObject.uid=pod-{number}" for number in range(4)]
    assert [len(each.events) for each in said.values()] == [0, 0, 0, 1]
    assert all(each.lines.texts for each in said.values())


def test_many_ends_are_asked_about_with_one_list_which_is_read_once() -> None:
    api, Counted.reads = Recording(), 0
    said = hear(api, ended(200))
    assert sum(request.path.endswith("/events") for request in api.asked[0]) == 1
    assert sum(request.path.startswith("/api/v1/nodes/") for request in api.asked[0]) == 1
    assert sum(request.path.endswith("/log") for request in api.asked[0]) == 200
    assert Counted.reads == 1
    assert sum(len(each.events) for each in said.values()) == 1


def test_what_has_to_be_explained_is_asked_first_and_a_success_only_for_its_lines() -> None:
    api = Recording()
    said = hear(api, ended(2, None) | ended(1, first=2))
    assert paths(api.asked[0]) == ["p2", "events", "n1", "p0", "p1"]
    assert all(each.gaps == () for each in said.values())


def test_a_log_whose_end_is_cut_off_is_asked_for_again_by_fewer_lines() -> None:
    def long(request: Request) -> Answer:
        lines = int((request.query or {}).get("tailLines", 0))
        if lines > 100:
            return Answer(200, b"x" * WORTH_READING, NOW)
        return Answer(200, b"the end", NOW) if lines else plain(request)

    api = Recording(long)
    [said] = hear(api, ended(1)).values()
    assert said.lines.texts == ("the end",)
    assert [request.path.endswith("/log") for request in api.asked[1]] == [True]


def test_the_time_is_bounded_and_silence_is_a_gap() -> None:
    api = Recording(lambda _: ClusterUnavailable("no answer"))
    [said] = hear(api, ended(1)).values()
    assert {gap.part for gap in said.gaps} == {Part.LINES, Part.EVENTS, Part.NODE}
    assert all(request.seconds == SECONDS for request in api.asked[0])
    assert api.bounds[0] is not None
    assert api.bounds[0] <= SECONDS + 0.1


def test_without_an_end_nothing_is_asked() -> None:
    api = Recording()
    assert hear(api, {}) == {}
    assert api.asked == []
