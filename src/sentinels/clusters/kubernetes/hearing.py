"""How the answers about an ended workload are read: its log, its events, its node.

Pure. An answer that never came, a refusal and an excuse are all the same here: a gap, in words.
Comes in: a ``Trace`` and answers. Goes out: parts of a ``Testimony``. Before: ``testimony``. Next:
``core/dossier``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import Answer
from sentinels.clusters.kubernetes.evidence import moment
from sentinels.clusters.kubernetes.launch import message_of
from sentinels.clusters.kubernetes.names import at, rows, text_at
from sentinels.core.dossier import ClusterEvent, Gap, LastLines, NodeCondition, Part
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.job import Reason
from sentinels.core.last_lines import COUNT, WORTH_READING, lines_of_bytes
from sentinels.core.observation import Finished
from sentinels.core.ports import Json
from sentinels.core.workload import WorkloadRef

Heard = Answer | ClusterUnavailable | None
"""What was answered, why nothing was, or None: it was not asked for."""

_EXCUSES = (
    b"unable to retrieve container logs for ",
    b"failed to try resolving symlinks in path ",
)
"""How a kubelet answers 200 for a container that it has taken away."""
_TAKEN_AWAY = "ContainerStatusUnknown"
"""A node takes away what it evicts at once, sometimes before it has looked how that ended."""
_SPOKEN_FOR = (_TAKEN_AWAY, "StartError", "ContainerCannotRun")
"""Reasons of an end whose message is the kubelet's or the runtime's own, not the program's."""
_NOT_BEGUN = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
_NEVER_BEGAN = frozenset(
    {
        Reason.IMAGE_UNAVAILABLE,
        Reason.CONFIG_MISSING,
        Reason.REJECTED,
        Reason.NEVER_PLACED,
        Reason.QUOTA_EXCEEDED,
        Reason.REGISTRY_UNAVAILABLE,
    }
)
"""Reasons for which a program was not started."""
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass(frozen=True, slots=True)
class Trace:
    """Where something of an ended workload may be left; an empty name: nowhere."""

    ref: WorkloadRef
    seen: Finished

    @property
    def namespace(self) -> str:
        """The team's."""
        return self._fact("namespace")

    @property
    def pod(self) -> str:
        """Its pod's name."""
        return self._fact("pod")

    @property
    def uids(self) -> tuple[str, ...]:
        """Of all that is its own and that events may be about."""
        return tuple(filter(None, (self._fact("pod_uid"), self.seen.uid)))

    @property
    def last_words(self) -> str:
        """What Kubernetes itself kept of what the container printed."""
        spoke = self._fact("container_reason") not in _SPOKEN_FOR
        return self._fact("container_message") if spoke else ""

    @property
    def was_taken_away(self) -> bool:
        """Whether its node does not know itself how its container ended, if it began."""
        return self._fact("container_reason") == _TAKEN_AWAY

    @property
    def has_log(self) -> bool:
        """Whether a node may still have what it printed, and answers."""
        return bool(self.pod and self.seen.node) and self.seen.reason is not Reason.NODE_LOST

    @property
    def is_odd(self) -> bool:
        """Whether there is something to explain."""
        return self.seen.reason is not None

    def _fact(self, name: str) -> str:
        return str(self.seen.evidence.get(name) or "")


def is_cut(heard: Heard) -> bool:
    """Whether the limit has cut off the end of a log: it counts from the first line asked for."""
    return isinstance(heard, Answer) and len(heard.body) >= WORTH_READING


def lines_in(trace: Trace, heard: Heard, gaps: list[Gap]) -> LastLines:
    """What it printed last; what Kubernetes kept of that where the log cannot be had."""
    if isinstance(heard, Answer) and heard.status == HTTPStatus.OK and not _is_excuse(heard.body):
        from_start = heard.body.count(b"\n") < COUNT and not is_cut(heard)
        return lines_of_bytes(heard.body, source="its pod's log", from_start=from_start)
    if trace.last_words:
        words = trace.last_words.encode("utf-8", "replace")
        return lines_of_bytes(words, source="its pod's status", from_start=False)
    if why := _no_lines(trace, heard):
        gaps.append(Gap(Part.LINES, why))
    return LastLines()


@dataclass(frozen=True, slots=True)
class Told:
    """A list of events, read once however many workloads it is about; ``trouble`` says what of it
    could not be had.
    """

    by_uid: Mapping[str, Sequence[ClusterEvent]]
    trouble: str = ""


def told_in(heard: Heard) -> Told:
    """The events of one answer by whom they are about."""
    if not isinstance(heard, Answer) or heard.status != HTTPStatus.OK:
        return Told({}, f"not all events could be read: {_trouble(heard)}")
    found: dict[str, list[ClusterEvent]] = defaultdict(list)
    listed = heard.json
    for event in rows(listed, "items"):
        found[text_at(event, "involvedObject", "uid")].append(_event(event))
    more = text_at(listed, "metadata", "continue")
    return Told(found, "its namespace has more events than were looked through" if more else "")


def events_in(trace: Trace, told: Iterable[Told], gaps: list[Gap]) -> tuple[ClusterEvent, ...]:
    """What Kubernetes said about it, the oldest first."""
    found: list[ClusterEvent] = []
    for each in told:
        if each.trouble:
            gaps.append(Gap(Part.EVENTS, each.trouble))
        for uid in trace.uids:
            found += each.by_uid.get(uid, ())
    return tuple(sorted(found, key=lambda event: event.at.timestamp() if event.at else 0.0))


def conditions_in(trace: Trace, heard: Heard, gaps: list[Gap]) -> tuple[NodeCondition, ...]:
    """How its node stands."""
    if heard is None and not trace.seen.node:
        return ()
    if isinstance(heard, Answer) and heard.status == HTTPStatus.NOT_FOUND:
        return (NodeCondition("Gone", bad=True, message="the cluster has no such node any more"),)
    if not isinstance(heard, Answer) or heard.status != HTTPStatus.OK:
        gaps.append(Gap(Part.NODE, f"its node could not be looked at: {_trouble(heard)}"))
        return ()
    return tuple(_conditions(heard.json))


def _no_lines(trace: Trace, heard: Heard) -> str:
    """Why there are none; empty for a program that never ran."""
    if trace.seen.reason is Reason.NODE_LOST:
        return "its log is on its node, which does not answer"
    if _never_ran(trace, heard):
        return ""
    if not trace.pod:
        return "its pod was gone before its log could be read"
    if trace.was_taken_away:
        return "its node had taken its container away before its log could be read"
    return f"its log could not be read: {_trouble(heard)}"


def _never_ran(trace: Trace, heard: Heard) -> bool:
    if trace.seen.started_at is not None:
        return False
    if trace.seen.reason in _NEVER_BEGAN:
        return True
    if not trace.pod or trace.was_taken_away:
        return False
    refused = isinstance(heard, Answer) and heard.status in _NOT_BEGUN
    return refused or (heard is None and not trace.seen.node)


def _is_excuse(body: bytes) -> bool:
    return body.startswith(_EXCUSES)


def _trouble(heard: Heard) -> str:
    if heard is None:
        return "there was no time left"
    if isinstance(heard, ClusterUnavailable):
        return str(heard)
    if heard.status == HTTPStatus.OK:
        return "its node has taken it away"
    return message_of(heard)


def _event(event: Json) -> ClusterEvent:
    return ClusterEvent(
        at=_last_seen(event),
        about=text_at(event, "involvedObject", "kind").lower(),
        reason=text_at(event, "reason"),
        message=text_at(event, "message"),
        warns=text_at(event, "type") == "Warning",
        count=_count(event),
    )


def _last_seen(event: Json) -> datetime | None:
    """Events of both kinds: with a count, and with a series."""
    moments = (
        text_at(event, "series", "lastObservedTime"),
        text_at(event, "lastTimestamp"),
        text_at(event, "eventTime"),
        text_at(event, "firstTimestamp"),
    )
    return next(filter(None, map(moment, moments)), None)


def _count(event: Json) -> int:
    found = at(event, "series", "count") or at(event, "count")
    return found if isinstance(found, int) else 1


def _conditions(node: Json) -> Iterator[NodeCondition]:
    if at(node, "spec", "unschedulable") is True:
        yield NodeCondition("Cordoned", bad=True, message="it takes nothing new")
    for each in rows(node, "status", "conditions"):
        name, status = text_at(each, "type"), text_at(each, "status")
        bad = status != ("True" if name == "Ready" else "False")
        if name == "Ready" or name in _PRESSURES or bad:
            said = text_at(each, "message") if bad else ""
            yield NodeCondition(name, bad, said, moment(text_at(each, "lastTransitionTime")))
