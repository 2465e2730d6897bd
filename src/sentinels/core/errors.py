"""Everything that can go wrong, in the words of the person at the terminal.

    SentinelsError
    ├── InvalidSubmission      every fault of an input at once           HTTP 422  exit 2
    │   └── InvalidPolicy        the administrator's file
    ├── InvalidRequest         a question that cannot be answered        HTTP 400  exit 2
    │   └── InvalidQuery         SQL that PostgreSQL does not take
    ├── NotFound               no such job, or not yours                 HTTP 404  exit 4
    ├── Ambiguous              a name or prefix that fits several jobs   HTTP 409  exit 2
    ├── Conflict               true of another state than this one       HTTP 409  exit 2
    ├── NotAllowed             who you are does not permit it            HTTP 403  exit 5
    │   └── UnknownCaller        nobody knows who you are                HTTP 401  exit 5
    ├── LaunchRejected         the cluster says this workload is invalid
    ├── MessageRefused         the messenger says this message is invalid
    │   └── ThreadLost           there is nothing any more that it could be a reply to
    └── Unavailable            a part that is needed does not answer     HTTP 503  exit 3
        ├── NotSetUp             a part that an administrator has to give first
        ├── QueueUnavailable     PostgreSQL
        ├── ClusterUnavailable   Kubernetes, or the local machine
        ├── TrackerUnavailable   MLflow
        │   └── TrackerRefused     MLflow answers, but not to this one
        ├── MessengerUnavailable Slack, the mail server, a webhook
        ├── LogStoreUnavailable  Elasticsearch or OpenSearch
        ├── MeterUnavailable     Prometheus
        ├── IssuerUnavailable    who vouches for people: OpenID Connect's issuer, Kubernetes
        ├── RegistryUnavailable  the image registry
        └── NotYet               what is on its way and has not arrived

Comes in: nothing. Goes out: exceptions that carry data; the functions turn them into
problem+json, the CLI into one message and an exit code. Next: ``job``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: where, what, the value as given, and what to do instead."""

    field: str
    message: str
    value: str | None = None
    remedy: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}, {self.field}" if self.line else self.field
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{place}: {self.message}{remedy}"


class SentinelsError(Exception):
    """Base of every expected error; its text is meant to be shown as it is."""

    remedy: str | None = None

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        if remedy is not None:
            self.remedy = remedy


class InvalidSubmission(SentinelsError):
    """The submission has faults; nothing was stored."""

    where, undone = "the submission", "pushed"

    def __init__(self, faults: Sequence[Fault]) -> None:
        count = f"{len(faults)} fault" + ("s" if len(faults) != 1 else "")
        super().__init__(f"{count} in {self.where}: " + "; ".join(map(str, faults)))
        self.faults = tuple(faults)


class InvalidPolicy(InvalidSubmission):
    """The policy has faults; nothing was changed."""

    where, undone = "the policy", "applied"


class InvalidRequest(SentinelsError):
    """The request cannot be understood; nothing was changed."""


class InvalidQuery(InvalidRequest):
    """The query cannot be answered; ``position`` is the character, from 1, that is wrong in it."""

    def __init__(
        self, message: str, *, remedy: str | None = None, position: int | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.position = position


class NotFound(SentinelsError):
    """Nothing by that name is visible to the caller."""


class Ambiguous(SentinelsError):
    """The reference fits more than one job; ``candidates`` are the first that it fits."""

    def __init__(
        self, message: str, *, remedy: str | None = None, candidates: Sequence[str] = ()
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.candidates = tuple(candidates)


class Conflict(SentinelsError):
    """The request contradicts the state of things."""


class NotAllowed(SentinelsError):
    """The caller is unknown or may not do this."""


class UnknownCaller(NotAllowed):
    """The request carries no token, or one that is nobody's or is over."""

    remedy = "log in: sentinels login, or give the token with --token or SENTINELS_TOKEN"


class LaunchRejected(SentinelsError):
    """The cluster will never accept this workload as it is; repeating the launch is pointless."""


class MessageRefused(SentinelsError):
    """The messenger will never take this message as it is."""


class ThreadLost(MessageRefused):
    """What the message was to be a reply to is not there any more."""


class Unavailable(SentinelsError):
    """Something needed does not answer now; the same call may be repeated."""

    def __init__(
        self, message: str, *, remedy: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class NotSetUp(Unavailable):
    """An administrator has not set this up."""


class QueueUnavailable(Unavailable):
    """PostgreSQL does not answer."""


class NotMigrated(QueueUnavailable):
    """The database answers, and lacks what this version needs."""

    remedy = "run: sentinels db upgrade"


class ClusterUnavailable(Unavailable):
    """The cluster does not answer, or its answer leaves open whether the call took effect."""


class TrackerUnavailable(Unavailable):
    """MLflow does not answer."""


class TrackerRefused(TrackerUnavailable):
    """MLflow answers, but will not take this as it is; others it may take."""


class MessengerUnavailable(Unavailable):
    """The messenger does not answer or asks to wait (``retry_after`` seconds)."""


class LogStoreUnavailable(Unavailable):
    """What keeps logs does not answer."""


class MeterUnavailable(Unavailable):
    """What measures use does not answer."""


class IssuerUnavailable(Unavailable):
    """Who has to say whose token this is does not answer."""


class RegistryUnavailable(Unavailable):
    """The image registry does not answer."""


class NotYet(Unavailable):
    """What is asked for is on its way and has not arrived; others may be there already."""
