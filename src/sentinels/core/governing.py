"""Governing: show the policy, put another in force, say what each version changed.

Comes in: an operator's document, and the version that they saw. Goes out: the version in force, or
every fault at once and nothing changed. Before: ``functions/submit``, ``install``. Next:
``policy_reading``, ``policy_writing``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sentinels.core.errors import Conflict, InvalidPolicy
from sentinels.core.planning import LaneHead
from sentinels.core.policy import Policy
from sentinels.core.policy_reading import changes, read_policy
from sentinels.core.policy_writing import document_of
from sentinels.core.ports import Json
from sentinels.core.queueing import Caller
from sentinels.core.quota import TeamUse, never_faults, overdrawn
from sentinels.core.scene import Scene
from sentinels.core.shifting import Shift, shifts

_TRIES = 5
_NAMED = 5
"""Jobs that are named of those that meet the same."""


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

    def apply(self, document: Json, *, actor: Caller | str, seen: int) -> PolicyVersion | None:
        """Put a document in force that ``read_policy`` has taken; None where the newest version is
        another than the one ``seen``. A text as actor is somebody who holds the database itself.
        """
        ...

    def weights(self) -> Mapping[str, float]:
        """Each team's weight, as it was set with the team."""
        ...

    def scene(self, *, now: datetime) -> Scene:
        """The queue and the cluster as they are."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A version, and what it changed of the one before, a line each."""

    version: PolicyVersion
    changes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Effects:
    """What a policy would do to what waits and runs.

    ``moves`` are the waiting jobs that would start in another place or at another time, by their
    place before; ``troubles`` what would break a quota or lose its class, a sentence each.
    """

    moves: Sequence[Shift]
    troubles: Sequence[str]


def newest(book: PolicyBook) -> PolicyVersion:
    """The version in force."""
    return next(iter(book.versions(limit=1)), USUAL)


def differences(before: Json, after: Json) -> list[str]:
    """What is different between two documents in what they mean, a line each."""
    return list(changes(_spelled_out(before), _spelled_out(after)))


def apply_policy(
    book: PolicyBook, document: Json, *, actor: Caller | str, seen: int | None = None
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
        check_seen(before, seen)
        after = book.apply(document, actor=actor, seen=before.id)
        if after is not None:
            return Change(after, differences(before.document, document))
    raise Conflict("the policy is changing just now", remedy="try again")


def check_seen(found: PolicyVersion, seen: int | None) -> None:
    """Raises ``Conflict`` where somebody changes a version that is not the newest any more."""
    if seen is not None and seen != found.id:
        raise Conflict(
            f"the policy is at version {found.id} by {found.actor or 'nobody'}, and yours was made"
            f" from version {seen}",
            remedy="see what is in force: sentinels policy show; then apply your change to that",
        )


def foresee_policy(
    book: PolicyBook, document: Json, *, seen: int | None, now: datetime
) -> tuple[Change, Effects]:
    """What a document would change, and what that would do; raises as ``apply_policy`` does."""
    wanted, before = read_policy(document), newest(book)
    if before.document != document:
        check_seen(before, seen)
    scene = book.scene(now=now)
    after = replace(scene, policy=wanted.with_weights(book.weights()))
    change = Change(before, differences(before.document, document))
    return change, Effects(_moves(scene, after), list(_troubles(scene, after)))


def history(book: PolicyBook, *, limit: int) -> list[Change]:
    """The newest versions with what each changed."""
    found = list(book.versions(limit=limit + 1))
    before = [*found[1:], USUAL]
    return [
        Change(version, differences(earlier.document, version.document))
        for version, earlier in zip(found[:limit], before, strict=False)
    ]


def _moves(before: Scene, after: Scene) -> list[Shift]:
    found = [each for each in shifts(before, after) if each.is_moved]
    return sorted(found, key=lambda each: (each.place_before or float("inf"), each.job_id))


def _troubles(before: Scene, after: Scene) -> Iterator[str]:
    uses = before.uses()
    for team in sorted(after.policy.teams):
        for beyond in overdrawn(after.policy.quota_of(team), uses.get(team, TeamUse())):
            yield (
                f"team {team} holds {beyond.held} {beyond.noun} and may hold {beyond.limit}:"
                " it gets nothing more until it holds less"
            )
    for why, jobs in _met(before, after).items():
        many = f" and {len(jobs) - _NAMED} more" if len(jobs) > _NAMED else ""
        which = "jobs" if len(jobs) > 1 else "job"
        yield f"{which} {', '.join(map(str, sorted(jobs)[:_NAMED]))}{many}: {why}"


def _met(before: Scene, after: Scene) -> Mapping[str, Sequence[int]]:
    """The waiting jobs that meet something new, by what."""
    found: dict[str, list[int]] = defaultdict(list)
    lanes = {lane.lane_id: lane for lane in before.lanes}
    for job in before.waiting:
        lane = lanes[job.lane_id]
        for why in (_class_lost(lane, before.policy, after.policy), _barred(lane, before, after)):
            if why:
                found[why].append(job.job_id)
    return found


def _class_lost(lane: LaneHead, before: Policy, after: Policy) -> str:
    was, new = before.class_name(lane.priority), after.class_name(lane.priority)
    if was == new:
        return ""
    if new == str(lane.priority):
        return f"class {was} is gone, the number {new} stays"
    return f"class {was} is called {new} then"


def _barred(lane: LaneHead, before: Scene, after: Scene) -> str:
    still, never = (
        never_faults(each.policy.quota_of(lane.team), lane.team, lane.resources)
        for each in (before, after)
    )
    return f"can never start, {never[0].message.removeprefix('is ')}" if never and not still else ""


def _spelled_out(document: Json) -> Json:
    """With everything that it leaves out; as it is where another version of Sentinels wrote it."""
    try:
        return document_of(read_policy(document))
    except InvalidPolicy:
        return document
