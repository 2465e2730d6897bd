"""What can be said of ended workloads while their pods are still there: ``Cluster.testimony``.

Everything is asked at once and in bounded time; what is not answered by then is a gap. A success
has nothing to explain: only what it printed is asked for. Comes in: ends as they were observed.
Goes out: testimonies. Before: ``cluster``. Next: ``hearing``, which reads the answers.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sentinels.clusters.kubernetes.api import Api, Request
from sentinels.clusters.kubernetes.capacity import NODES_PATH
from sentinels.clusters.kubernetes.hearing import (
    Heard,
    Told,
    Trace,
    conditions_in,
    events_in,
    is_cut,
    lines_in,
    told_in,
)
from sentinels.clusters.kubernetes.names import MAIN
from sentinels.core.dossier import Gap, Testimony
from sentinels.core.last_lines import COUNT, WORTH_READING
from sentinels.core.observation import Finished
from sentinels.core.workload import WorkloadRef

SECONDS = 2.5
"""For each question, and for all of them where few have ended."""
_SECONDS_EACH = 0.02
"""More for each end that was seen in the same look: a log is read from its node in about that."""
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


@dataclass(frozen=True, slots=True)
class _Answers:
    """What was answered by what was asked; ``told``: events, each list of them read once.

    ``alone`` are the namespaces in which each end was asked about by itself.
    """

    by_key: Mapping[Hashable, Heard]
    told: Mapping[Hashable, Told]
    alone: frozenset[str]

    def testimony(self, trace: Trace) -> Testimony:
        """All that was answered about one end."""
        gaps: list[Gap] = []
        lines = lines_in(trace, self.by_key.get(_log_key(trace)), gaps)
        if not trace.is_odd:
            return Testimony(lines=lines, gaps=tuple(gaps))
        told = [self.told[key] for key, _ in _event_questions(trace, self.alone)]
        return Testimony(
            lines=lines,
            events=events_in(trace, told, gaps),
            conditions=conditions_in(trace, self.by_key.get(_node_key(trace)), gaps),
            gaps=tuple(gaps),
        )


def testify(api: Api, ended: Mapping[WorkloadRef, Finished]) -> dict[WorkloadRef, Testimony]:
    """See ``Cluster.testimony``."""
    traces = [Trace(ref, seen) for ref, seen in ended.items()]
    answers = _ask(api, traces, time.monotonic() + SECONDS + _SECONDS_EACH * len(traces))
    return {trace.ref: answers.testimony(trace) for trace in traces}


def _ask(api: Api, traces: Sequence[Trace], end: float) -> _Answers:
    """What has to be explained comes first, should the time not suffice for all."""
    odd = [trace for trace in traces if trace.is_odd]
    alone = _alone(odd)
    events = dict(question for trace in odd for question in _event_questions(trace, alone))
    asked = {**_logs(odd, COUNT), **events, **_nodes(odd), **_logs(traces, COUNT)}
    answers = _answers(api, asked, end)
    cut = [trace for trace in traces if is_cut(answers.get(_log_key(trace)))]
    answers |= {_log_key(trace): None for trace in cut}
    answers |= _answers(api, _logs(cut, _FEWER_LINES), end)
    return _Answers(answers, {key: told_in(answers.get(key)) for key in events}, alone)


def _logs(traces: Iterable[Trace], lines: int) -> dict[Hashable, Request]:
    query = {"container": MAIN, "tailLines": str(lines), "limitBytes": str(WORTH_READING)}
    return {
        _log_key(trace): Request(
            "GET",
            f"/api/v1/namespaces/{trace.namespace}/pods/{trace.pod}/log",
            query,
            accept="*/*",
            seconds=SECONDS,
        )
        for trace in traces
        if trace.has_log
    }


def _log_key(trace: Trace) -> Hashable:
    return "log", trace.ref


def _nodes(traces: Iterable[Trace]) -> dict[Hashable, Request]:
    return {
        _node_key(trace): Request(
            "GET", f"{NODES_PATH}/{trace.seen.node}", _CACHED, seconds=SECONDS
        )
        for trace in traces
        if trace.seen.node
    }


def _node_key(trace: Trace) -> Hashable:
    return "node", trace.seen.node


def _alone(traces: Iterable[Trace]) -> frozenset[str]:
    """The namespaces in which few enough have ended that each is asked about by itself."""
    counts = Counter(trace.namespace for trace in traces)
    return frozenset(namespace for namespace, count in counts.items() if count <= _FEW)


def _event_questions(trace: Trace, alone: frozenset[str]) -> Iterator[tuple[Hashable, Request]]:
    if not trace.namespace:
        return
    path = f"/api/v1/namespaces/{trace.namespace}/events"
    if trace.namespace not in alone:
        yield (
            ("events", path),
            Request("GET", path, {"limit": str(_EVENTS_LISTED)}, seconds=SECONDS),
        )
        return
    for uid in trace.uids:
        query = {"fieldSelector": f"involvedObject.uid={uid}"}
        yield ("events", uid), Request("GET", path, query, seconds=SECONDS)


def _answers(api: Api, asked: Mapping[Hashable, Request], end: float) -> dict[Hashable, Heard]:
    left = end - time.monotonic()
    if not asked or left <= 0:
        return {}
    keys, requests = list(asked), list(asked.values())
    return {keys[place]: answer for place, answer in api.many(requests, within=left)}
