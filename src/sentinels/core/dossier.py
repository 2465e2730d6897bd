"""What is kept of how an attempt ended, to be read when nothing else of it is left.

One dossier an attempt: the cause, and the cluster's testimony. It is written in the transaction
that ends the attempt, before its workload may go. What PostgreSQL knows anyway (request, use,
image, other attempts, MLflow's page) is joined to it when it is read. Its JSON has a version;
whatever is found under it is read as far as it makes sense. Comes in: what a cluster testified.
Goes out: plain JSON that PostgreSQL takes, and back. Before: ``settling``. Next: ``last_lines``,
``advice``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sentinels.core.job import Reason
from sentinels.core.text import storable

Scalar = str | int | float | bool | None
Json = Scalar | Sequence["Json"] | Mapping[str, "Json"]

VERSION = 1
EVENTS_BOUND = 40
CONDITIONS_BOUND = 20
FACTS_BOUND = 60
TEXT_BOUND = 2048
"""Characters of one text of a dossier, lines apart: as much as a termination message has."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class LastLines:
    """The end of what a program printed, as it printed it, the oldest line first.

    ``source`` is who had them. ``whole``: nothing was printed before them, none was shortened.
    """

    texts: tuple[str, ...] = ()
    source: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """What the cluster itself said about a workload, ``count`` times, the last time ``at``."""

    at: datetime | None
    about: str
    reason: str
    message: str
    warns: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class NodeCondition:
    """How a node stood in one respect when the attempt had ended. ``bad``: as it should not be."""

    name: str
    bad: bool
    message: str = ""
    since: datetime | None = None


class Part(StrEnum):
    """What a dossier may lack."""

    LINES = "lines"
    EVENTS = "events"
    NODE = "node"
    USAGE = "usage"


@dataclass(frozen=True, slots=True)
class Gap:
    """What could not be had, and why, in a sentence."""

    part: Part
    why: str


@dataclass(frozen=True, slots=True)
class Testimony:
    """What a cluster can say about an end, while it can. ``facts`` are its own words by name."""

    lines: LastLines = LastLines()
    events: tuple[ClusterEvent, ...] = ()
    conditions: tuple[NodeCondition, ...] = ()
    facts: Mapping[str, Scalar] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()

    def lacks(self, part: Part) -> bool:
        """Whether this part could not be had."""
        return any(gap.part is part for gap in self.gaps)


NOTHING_SAID = Testimony()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an attempt ended without success; ``detail`` says it of this one."""

    reason: Reason
    detail: str = ""

    @property
    def sentence(self) -> str:
        """It, in one sentence."""
        return self.detail or self.reason.sentence


@dataclass(frozen=True, slots=True)
class Dossier:
    """How an attempt ended. No cause is success."""

    cause: Cause | None = None
    exit_code: int | None = None
    testimony: Testimony = NOTHING_SAID

    def with_lines(self, lines: LastLines) -> Dossier:
        """The same with these last lines: they are missing no more."""
        gaps = tuple(gap for gap in self.testimony.gaps if gap.part is not Part.LINES)
        return replace(self, testimony=replace(self.testimony, lines=lines, gaps=gaps))


def bounded(said: Testimony) -> Testimony:
    """Not more of it than is worth keeping: of many events the warnings, and of those the last."""
    return replace(
        said,
        events=_worth_keeping(said.events),
        conditions=said.conditions[:CONDITIONS_BOUND],
        facts=dict(list(said.facts.items())[:FACTS_BOUND]),
    )


def _worth_keeping(events: Sequence[ClusterEvent]) -> tuple[ClusterEvent, ...]:
    places = range(len(events))
    by_worth = sorted(places, key=lambda place: (events[place].warns, place))
    kept = by_worth[-EVENTS_BOUND:]
    return tuple(events[place] for place in sorted(kept))


def dossier_json(dossier: Dossier) -> dict[str, Json]:
    """The dossier as PostgreSQL keeps it."""
    said = dossier.testimony
    return {
        "version": VERSION,
        "cause": _cause_json(dossier.cause),
        "exit_code": dossier.exit_code,
        "lines": {
            "texts": [storable(text) for text in said.lines.texts],
            "source": _text(said.lines.source),
            "whole": said.lines.whole,
        },
        "events": [_event_json(event) for event in said.events],
        "conditions": [_condition_json(each) for each in said.conditions],
        "facts": {_text(name): _scalar(value) for name, value in said.facts.items()},
        "gaps": [{"part": gap.part.value, "why": _text(gap.why)} for gap in said.gaps],
    }


def read_dossier(found: object) -> Dossier:
    """What ``dossier_json`` made, or what can be made of anything else."""
    exit_code = _part(found, "exit_code")
    return Dossier(
        cause=_cause_of(_part(found, "cause")),
        exit_code=exit_code if isinstance(exit_code, int) else None,
        testimony=Testimony(
            lines=_lines_of(_part(found, "lines")),
            events=_every(_part(found, "events"), _event_of),
            conditions=_every(_part(found, "conditions"), _condition_of),
            facts=_facts_of(_part(found, "facts")),
            gaps=_every(_part(found, "gaps"), _gap_of),
        ),
    )


def _cause_json(cause: Cause | None) -> Json:
    if cause is None:
        return None
    return {
        "reason": cause.reason.value,
        "class": cause.reason.reason_class.value,
        "sentence": cause.reason.sentence,
        "detail": _text(cause.detail),
    }


def _event_json(event: ClusterEvent) -> Json:
    return {
        "at": event.at.isoformat() if event.at else None,
        "about": _text(event.about),
        "reason": _text(event.reason),
        "message": _text(event.message),
        "warns": event.warns,
        "count": event.count,
    }


def _condition_json(condition: NodeCondition) -> Json:
    return {
        "name": _text(condition.name),
        "bad": condition.bad,
        "message": _text(condition.message),
        "since": condition.since.isoformat() if condition.since else None,
    }


def _text(text: str) -> str:
    return storable(text[:TEXT_BOUND])


def _scalar(value: Scalar) -> Scalar:
    return _text(value) if isinstance(value, str) else value


def _part(found: object, name: str) -> object:
    return found.get(name) if isinstance(found, Mapping) else None


def _words(found: object, name: str) -> str:
    value = _part(found, name)
    return value if isinstance(value, str) else ""


def _moment(found: object, name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(_words(found, name))
    except ValueError:
        return None


def _items(found: object) -> Iterable[object]:
    return found if isinstance(found, list) else ()


def _every(found: object, read: Callable[[object], _T | None]) -> tuple[_T, ...]:
    made = (read(each) for each in _items(found))
    return tuple(each for each in made if each is not None)


def _cause_of(found: object) -> Cause | None:
    try:
        return Cause(Reason(_words(found, "reason")), _words(found, "detail"))
    except ValueError:
        return None


def _lines_of(found: object) -> LastLines:
    texts = tuple(text for text in _items(_part(found, "texts")) if isinstance(text, str))
    return LastLines(texts, _words(found, "source"), whole=_part(found, "whole") is not False)


def _event_of(found: object) -> ClusterEvent | None:
    if not isinstance(found, Mapping):
        return None
    count = found.get("count")
    return ClusterEvent(
        at=_moment(found, "at"),
        about=_words(found, "about"),
        reason=_words(found, "reason"),
        message=_words(found, "message"),
        warns=found.get("warns") is True,
        count=count if isinstance(count, int) else 1,
    )


def _condition_of(found: object) -> NodeCondition | None:
    name = _words(found, "name")
    if not name:
        return None
    bad = _part(found, "bad") is True
    return NodeCondition(name, bad, _words(found, "message"), _moment(found, "since"))


def _facts_of(found: object) -> dict[str, Scalar]:
    if not isinstance(found, Mapping):
        return {}
    return {
        str(name): value
        for name, value in found.items()
        if value is None or isinstance(value, str | int | float | bool)
    }


def _gap_of(found: object) -> Gap | None:
    try:
        return Gap(Part(_words(found, "part")), _words(found, "why"))
    except ValueError:
        return None
