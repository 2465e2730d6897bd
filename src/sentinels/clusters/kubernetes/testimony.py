"""What can be said of ended workloads while their pods are still there: ``Cluster.testimony``.

Everything is asked at once and in bounded time; what is not answered by then is a gap. A success
has nothing to explain: only what it printed is asked for. Comes in: ends as they were observed.
Goes out: testimonies. Before: ``cluster``. Next: ``hearing``, which reads the answers.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping

from sentinels.clusters.kubernetes.api import Api, Request
from sentinels.clusters.kubernetes.capacity import NODES_PATH
from sentinels.clusters.kubernetes.hearing import (
    Heard,
    Trace,
    conditions_in,
    events_in,
    is_cut,
    lines_in,
)
from sentinels.clusters.kubernetes.names import MAIN
from sentinels.core.dossier import Gap, Testimony
from sentinels.core.last_lines import COUNT, WORTH_READING
from sentinels.core.observation import Finished
from sentinels.core.workload import WorkloadRef

SECONDS = 2.5
"""For all of the ends that were seen in one look."""
_FEW = 16
"""So many ends in a namespace are asked for one by one, more with a list of all its events: each
such question makes the API server read all of a namespace's events.
"""
_EVENTS_LISTED = 5000
_FEWER_LINES = 16
"""Where lines are so long that the limit cuts off the last of them: runtimes break a line after 16
KiB, and a kubelet counts the pieces.
"""
_CACHED = {"resourceVersion": "0"}


def testify(api: Api, ended: Mapping[WorkloadRef, Finished]) -> dict[WorkloadRef, Testimony]:
    """See ``Cluster.testimony``."""
    end = time.monotonic() + SECONDS
    traces = [Trace(ref, seen) for ref, seen in ended.items()]
    alone = _alone(traces)
    asked = {**_logs(traces, COUNT), **_events(traces, alone), **_nodes(traces)}
    answers = _answers(api, asked, end)
    cut = [trace for trace in traces if is_cut(answers.get(_log_key(trace)))]
    answers |= _answers(api, _logs(cut, _FEWER_LINES), end)
    return {trace.ref: _testimony(trace, answers, alone) for trace in traces}


def _testimony(trace: Trace, answers: Mapping[Hashable, Heard], alone: frozenset[str]) -> Testimony:
    gaps: list[Gap] = []
    lines = lines_in(trace, answers.get(_log_key(trace)), gaps)
    if not trace.is_odd:
        return Testimony(lines=lines, gaps=tuple(gaps))
    said = [answers.get(key) for key, _ in _event_questions(trace, alone)]
    events = events_in(trace, said, gaps)
    conditions = conditions_in(trace, answers.get(_node_key(trace)), gaps)
    return Testimony(lines=lines, events=events, conditions=conditions, gaps=tuple(gaps))


def _logs(traces: Iterable[Trace], lines: int) -> dict[Hashable, Request]:
    query = {"container": MAIN, "tailLines": str(lines), "limitBytes": str(WORTH_READING)}
    return {
        _log_key(trace): Request(
            "GET",
            f"/api/v1/namespaces/{trace.namespace}/pods/{trace.pod}/log",
            query,
            accept="*/*",
        )
        for trace in traces
        if trace.has_log
    }


def _log_key(trace: Trace) -> Hashable:
    return "log", trace.ref


def _nodes(traces: Iterable[Trace]) -> dict[Hashable, Request]:
    return {
        _node_key(trace): Request("GET", f"{NODES_PATH}/{trace.seen.node}", _CACHED)
        for trace in traces
        if trace.is_odd and trace.seen.node
    }


def _node_key(trace: Trace) -> Hashable:
    return "node", trace.seen.node


def _alone(traces: Iterable[Trace]) -> frozenset[str]:
    """The namespaces in which few enough have ended that each is asked about by itself."""
    odd = Counter(trace.namespace for trace in traces if trace.is_odd)
    return frozenset(namespace for namespace, count in odd.items() if count <= _FEW)


def _events(traces: Iterable[Trace], alone: frozenset[str]) -> dict[Hashable, Request]:
    odd = (trace for trace in traces if trace.is_odd)
    return dict(question for trace in odd for question in _event_questions(trace, alone))


def _event_questions(trace: Trace, alone: frozenset[str]) -> Iterator[tuple[Hashable, Request]]:
    if not trace.namespace:
        return
    path = f"/api/v1/namespaces/{trace.namespace}/events"
    if trace.namespace not in alone:
        yield ("events", path), Request("GET", path, {"limit": str(_EVENTS_LISTED)})
        return
    for uid in trace.uids:
        query = {"fieldSelector": f"involvedObject.uid={uid}"}
        yield ("events", uid), Request("GET", path, query)


def _answers(api: Api, asked: Mapping[Hashable, Request], end: float) -> dict[Hashable, Heard]:
    left = end - time.monotonic()
    if not asked or left <= 0:
        return {}
    keys, requests = list(asked), list(asked.values())
    return {keys[place]: answer for place, answer in api.many(requests, within=left)}
