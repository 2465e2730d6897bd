"""What Kubernetes answers about an ended workload, read into what is kept of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.clusters.kubernetes.api import Answer
from sentinels.clusters.kubernetes.hearing import (
    Heard,
    Trace,
    conditions_in,
    events_in,
    is_cut,
    lines_in,
    told_in,
)
from sentinels.core.dossier import Gap, Part
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.job import JobId, Reason
from sentinels.core.last_lines import COUNT, WORTH_READING
from sentinels.core.observation import Finished
from sentinels.core.workload import WorkloadRef

NOW = datetime.fromisoformat("2026-11-23T12:00:00Z")
SILENCE = ClusterUnavailable("the time for all of the calls is over")
Json = dict[str, Any]


def answer(body: bytes | Json, status: int = 200) -> Answer:
    return Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode(), NOW)


def refusal(status: HTTPStatus, message: str) -> Answer:
    return answer({"kind": "Status", "message": message}, status)


def trace(
    reason: Reason | None = Reason.EXITED_NONZERO,
    *,
    started: bool = True,
    node: str | None = "n1",
    **evidence: str,
) -> Trace:
    evidence = {"namespace": "sen-a", "pod": "p", "pod_uid": "pod-uid", **evidence}
    began = NOW - timedelta(seconds=9) if started else None
    seen = Finished("job-uid", reason, 1, began, NOW, node=node, evidence=evidence)
    return Trace(WorkloadRef(JobId(7), 1), seen)


def lines(of: Trace, heard: Heard) -> tuple[tuple[str, ...], str, list[str]]:
    gaps: list[Gap] = []
    found = lines_in(of, heard, gaps)
    assert all(gap.part is Part.LINES for gap in gaps)
    return found.texts, found.source, [gap.why for gap in gaps]


def test_the_pods_log_is_read() -> None:
    assert lines(trace(), answer(b"one\ntwo\n")) == (("one", "two"), "its pod's log", [])
    assert lines_in(trace(), answer(b"one\n"), []).whole
    assert not lines_in(trace(), answer(b"x\n" * COUNT), []).whole


def test_a_program_that_printed_nothing_leaves_no_gap() -> None:
    assert lines(trace(), answer(b"")) == ((), "its pod's log", [])


@pytest.mark.parametrize(
    "heard",
    [
        refusal(HTTPStatus.NOT_FOUND, 'pods "p" not found'),
        refusal(HTTPStatus.FORBIDDEN, "no right"),
        refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "dial tcp: connection refused"),
        answer(b"unable to retrieve container logs for containerd://0123"),
        answer(b"failed to try resolving symlinks in path /var/log/pods/x: no such file"),
        SILENCE,
        None,
    ],
)
def test_where_the_log_cannot_be_had_the_pods_status_speaks_for_it(heard: Heard) -> None:
    spoken = trace(container_message="Traceback\nKeyError: 'x'\n")
    assert lines(spoken, heard) == (("Traceback", "KeyError: 'x'"), "its pod's status", [])
    texts, _, [why] = lines(trace(), heard)
    assert texts == ()
    assert why.startswith("its log could not be read: ")


@pytest.mark.parametrize("reason", ["ContainerStatusUnknown", "StartError"])
def test_what_others_say_of_a_container_is_none_of_its_lines(reason: str) -> None:
    spoken = trace(container_message="The container could not be located", container_reason=reason)
    assert lines(spoken, None)[0] == ()


def test_what_a_node_takes_away_when_it_evicts_is_missed_unless_it_never_ran() -> None:
    gone = refusal(HTTPStatus.BAD_REQUEST, "previous terminated container not found")
    evicted = trace(Reason.EVICTED, started=False, container_reason="ContainerStatusUnknown")
    assert "taken its container away" in lines(evicted, gone)[2][0]
    pulling = trace(
        Reason.IMAGE_UNAVAILABLE, started=False, container_reason="ContainerStatusUnknown"
    )
    assert lines(pulling, gone)[2] == []


def test_what_never_ran_printed_nothing_and_leaves_no_gap() -> None:
    waiting = refusal(HTTPStatus.BAD_REQUEST, 'container "main" is waiting to start')
    assert lines(trace(Reason.IMAGE_UNAVAILABLE, started=False), waiting) == ((), "", [])
    assert lines(trace(Reason.NEVER_PLACED, started=False, node=None), None) == ((), "", [])


def test_what_is_on_a_silent_node_is_not_asked_for() -> None:
    lost = trace(Reason.NODE_LOST, started=False)
    assert not lost.has_log
    assert "does not answer" in lines(lost, None)[2][0]
    assert not trace(pod="").has_log
    assert lines(trace(Reason.QUOTA_EXCEEDED, started=False, pod=""), None)[2] == []
    assert "gone before" in lines(trace(pod=""), None)[2][0]


def test_a_log_that_reaches_the_limit_lacks_its_end() -> None:
    assert is_cut(answer(b"x" * WORTH_READING))
    assert not is_cut(answer(b"x"))
    assert not is_cut(SILENCE)
    assert not is_cut(None)


def an_event(uid: str = "pod-uid", **others: Any) -> Json:
    about = {"kind": "Pod", "uid": uid}
    plain = {"type": "Warning", "reason": "BackOff", "message": "no", "involvedObject": about}
    return {**plain, **others}


def test_events_of_both_kinds_are_read_and_other_workloads_are_left_out() -> None:
    counted = an_event(lastTimestamp="2026-11-23T11:59:00Z", count=4)
    series = an_event(
        "job-uid",
        type="Normal",
        eventTime="2026-11-23T11:00:00Z",
        series={"count": 9, "lastObservedTime": "2026-11-23T11:58:00.5Z"},
    )
    listed = answer({"items": [counted, an_event("another"), series]})
    gaps: list[Gap] = []
    first, second = events_in(trace(), [told_in(listed)], gaps)
    assert (first.count, first.warns, second.count, second.warns) == (9, False, 4, True)
    assert (second.about, second.reason, second.message) == ("pod", "BackOff", "no")
    assert first.at is not None
    assert first.at.microsecond == 500_000
    assert gaps == []


def test_events_that_were_not_read_or_not_all_listed_are_a_gap() -> None:
    gaps: list[Gap] = []
    more = answer({"metadata": {"continue": "x"}, "items": []})
    events_in(trace(), map(told_in, (SILENCE, more, None)), gaps)
    assert [gap.part for gap in gaps] == [Part.EVENTS] * 3


def a_node(*conditions: tuple[str, str], unschedulable: bool = False) -> Json:
    found = [
        {
            "type": kind,
            "status": status,
            "message": "m",
            "lastTransitionTime": "2026-11-23T11:00:00Z",
        }
        for kind, status in conditions
    ]
    return {"spec": {"unschedulable": unschedulable}, "status": {"conditions": found}}


def test_a_node_is_told_with_what_is_wrong_with_it() -> None:
    node = a_node(
        ("Ready", "Unknown"),
        ("MemoryPressure", "True"),
        ("DiskPressure", "False"),
        ("Odd", "False"),
    )
    found = {each.name: each for each in conditions_in(trace(), answer(node), [])}
    assert {name: each.bad for name, each in found.items()} == {
        "Ready": True,
        "MemoryPressure": True,
        "DiskPressure": False,
    }
    assert found["MemoryPressure"].message == "m"
    assert found["DiskPressure"].message == ""
    assert found["Ready"].since is not None


def test_a_node_that_takes_nothing_or_is_gone_is_told() -> None:
    [cordoned, _] = conditions_in(
        trace(), answer(a_node(("Ready", "True"), unschedulable=True)), []
    )
    assert (cordoned.name, cordoned.bad) == ("Cordoned", True)
    [gone] = conditions_in(trace(), refusal(HTTPStatus.NOT_FOUND, "no node"), [])
    assert gone.bad


def test_a_node_that_could_not_be_looked_at_is_a_gap_unless_there_was_none() -> None:
    gaps: list[Gap] = []
    assert conditions_in(trace(), SILENCE, gaps) == ()
    assert [gap.part for gap in gaps] == [Part.NODE]
    assert conditions_in(trace(node=None), None, gaps := []) == ()
    assert gaps == []


_KEYS = (
    *("items", "metadata", "continue", "involvedObject", "uid", "series", "count", "message"),
    *("status", "conditions", "type", "lastTransitionTime", "spec"),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(_KEYS),
            inner,
        ),
    ),
    max_leaves=20,
)


@given(anything, st.sampled_from([200, 400, 403, 404, 500]))
def test_whatever_is_answered_raises_nothing(found: object, status: int) -> None:
    heard = Answer(status, json.dumps(found).encode(), NOW)
    events_in(trace(), [told_in(heard)], [])
    conditions_in(trace(), heard, [])
    lines_in(trace(), heard, [])


@given(st.binary(max_size=300))
def test_whatever_was_printed_raises_nothing(body: bytes) -> None:
    lines_in(trace(), answer(body), [])
    events_in(trace(), [told_in(answer(body))], [])
