"""Governing: show the policy, put another in force, say what each version changed.

Comes in: an operator's document, and the version that they saw. Goes out: the version in force, or
every fault at once and nothing changed. Before: ``functions/submit``, ``install``. Next:
``policy_reading``, ``policy_writing``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentinels.core.errors import Conflict, InvalidPolicy, NotAllowed
from sentinels.core.policy import Policy
from sentinels.core.policy_reading import changes, read_policy
from sentinels.core.policy_writing import document_of
from sentinels.core.ports import Json
from sentinels.core.queueing import Caller
from sentinels.core.rights import Act, Holder, may

_TRIES = 5


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of the policy, and who applied it when. 0 is the usual one, which nobody did."""

    id: int
    document: Json
    actor: str | None
    at: datetime | None


USUAL = PolicyVersion(0, document_of(Policy()), None, None)


class PolicyBook(Protocol):
    """Every version of the policy. All raise ``QueueUnavailable``."""

    def versions(self, *, limit: int) -> Sequence[PolicyVersion]:
        """The newest versions, the one in force first."""
        ...

    def version(self, number: int) -> PolicyVersion | None:
        """One version; None where there is none of this number."""
        ...

    def apply(self, document: Json, *, actor: str, seen: int) -> PolicyVersion | None:
        """Put a document in force that ``read_policy`` has taken; None where the newest version is
        another than the one ``seen``.
        """
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A version, and what it changed of the one before, a line each."""

    version: PolicyVersion
    changes: Sequence[str]


def check_governs(caller: Caller) -> None:
    """Raises ``NotAllowed`` for whoever may not see to the policy."""
    if not may(caller.role, Holder(caller.user_id, caller.team_id), Act.GOVERN):
        raise NotAllowed(
            f"the policy is for operators, and {caller.user} is a {caller.role}",
            remedy="ask an operator",
        )


def newest(book: PolicyBook) -> PolicyVersion:
    """The version in force."""
    return next(iter(book.versions(limit=1)), USUAL)


def differences(before: Json, after: Json) -> list[str]:
    """What is different between two documents in what they mean, a line each."""
    return list(changes(_spelled_out(before), _spelled_out(after)))


def apply_policy(
    book: PolicyBook, document: Json, *, actor: str, seen: int | None = None
) -> Change:
    """Put a document in force; the same one once more changes nothing. ``seen`` is the version that
    it was made from; None: whichever is in force.

    Raises ``InvalidPolicy`` with every fault, ``Conflict`` where another was applied since.
    """
    read_policy(document)
    for _ in range(_TRIES):
        before = newest(book)
        if before.document == document:
            return Change(before, [])
        if seen is not None and seen != before.id:
            break
        after = book.apply(document, actor=actor, seen=before.id)
        if after is not None:
            return Change(after, differences(before.document, document))
    raise overtaken(newest(book), seen)


def overtaken(found: PolicyVersion, seen: int | None) -> Conflict:
    """What is told to somebody who changes a version that is not the newest any more."""
    made = "" if seen is None else f", and yours was made from version {seen}"
    return Conflict(
        f"the policy is at version {found.id} by {found.actor or 'nobody'}{made}",
        remedy="see what is in force: sentinels policy show; then apply your change to that",
    )


def history(book: PolicyBook, *, limit: int) -> list[Change]:
    """The newest versions with what each changed."""
    found = list(book.versions(limit=limit + 1))
    before = [*found[1:], USUAL]
    return [
        Change(version, differences(earlier.document, version.document))
        for version, earlier in zip(found[:limit], before, strict=False)
    ]


def _spelled_out(document: Json) -> Json:
    """With everything that it leaves out; as it is where another version of Sentinels wrote it."""
    try:
        return document_of(read_policy(document))
    except InvalidPolicy:
        return document
