"""Who is told of what happened to a job, and where: each address once, by the first rule that
names it.

    the owner   at the job's own addresses, else at the owner's, else in the default channel;
                of the job's own kinds, else of the owner's, else of the usual ones
    the team    where it named addresses; not of a job that asks for silence (``on: []``)
    on-call     where there is an address, of what looks like trouble of the infrastructure

Comes in: a happening, and what the job, its owner, its team and the administrator chose. Goes out:
deliveries for the outbox, one an address. Before: ``settling``, ``reminding``. Next: ``telling``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from sentinels.core.address import Service, canonical, service_of
from sentinels.core.audience import Audience, NoticeRules
from sentinels.core.job import TERMINAL_STATES, JobState, Reason, ReasonClass
from sentinels.core.queueing import Delivery, Summary
from sentinels.core.submission import Notify

ENDS = frozenset(state.value for state in TERMINAL_STATES)
USUAL = frozenset(
    {
        *("succeeded", "failed", "preempted", "long_wait", "slipped", "near_limit", "silent"),
        "delayed",
    }
)
"""What an owner is told of who chose nothing; of a cancel, too, where somebody else did it."""
TEAM_USUAL = frozenset({"succeeded", "failed"})
SWEPT = "swept"
"""The kind of a sweep's summary: it goes to whoever is told of ends."""

TROUBLE = frozenset(
    {
        Reason.NODE_LOST,
        Reason.WORKLOAD_LOST,
        Reason.NEVER_PLACED,
        Reason.REGISTRY_UNAVAILABLE,
    }
)
"""Why on-call is told of a requeue; that jobs are evicted or preempted is daily life."""

Told = Mapping[str | None, str]
"""The kind under which each address is told; None is the default channel."""


@dataclass(frozen=True, slots=True)
class Happening:
    """What happened to a job. ``kinds`` are the names it goes by, the most telling one first.

    ``by_owner``: its owner did it. ``in_sweep``: the job is one of a sweep's.
    """

    kinds: tuple[str, ...]
    reason: Reason | None = None
    by_owner: bool = False
    in_sweep: bool = False


@dataclass(frozen=True, slots=True)
class Listeners:
    """Everybody who may want to know: the job's own words, its people, the administrator's."""

    job: Notify
    audience: Audience
    rules: NoticeRules

    def told(self, what: Happening) -> Told:
        """Whom this happening is told, and as what."""
        return self._each_once([*self._people(what), *self._oncall(what)])

    def told_summary(self, state: JobState, last: Happening) -> Told:
        """Whom a sweep's summary is told for its jobs that ended in this state; ``last`` is the end
        that ended it all.
        """
        one = Happening((state.value,), by_owner=last.by_owner)
        return dict.fromkeys(self._each_once(self._people(one)), SWEPT)

    def addressed(self, told: Iterable[Delivery], what: Happening) -> list[Delivery]:
        """Each of these deliveries, once for every address."""
        return _addressed(told, self.told(what), self.rules)

    def addressed_summary(self, summary: Delivery, last: Happening) -> Summary:
        """A sweep's summary, for each state that its jobs may end in, once for every address."""
        return {
            state: _addressed([summary], self.told_summary(state, last), self.rules)
            for state in JobState
            if state in TERMINAL_STATES
        }

    def _people(self, what: Happening) -> list[tuple[str | None, str]]:
        owner_to = self.job.to or self.audience.owner.to or (None,)
        found = self._those(owner_to, self._owner_kinds(what), what)
        if self.job.on != frozenset():
            team = self.audience.team
            found += self._those(team.to, TEAM_USUAL if team.on is None else team.on, what)
        return found

    def _owner_kinds(self, what: Happening) -> Collection[str]:
        chosen = self.audience.owner.on if self.job.on is None else self.job.on
        if chosen is not None:
            return chosen
        return USUAL if what.by_owner else USUAL | {"cancelled"}

    def _those(
        self, to: Iterable[str | None], wanted: Collection[str], what: Happening
    ) -> list[tuple[str | None, str]]:
        kind = next((kind for kind in what.kinds if kind in wanted), None)
        if kind is None:
            return []
        one_by_one = kind not in ENDS or not what.in_sweep or self.job.on is not None
        return [(address, kind) for address in to if one_by_one or _is_chat(address)]

    def _oncall(self, what: Happening) -> list[tuple[str | None, str]]:
        if not _is_trouble(what):
            return []
        return [(address, what.kinds[0]) for address in self.rules.oncall]

    def _each_once(self, found: Iterable[tuple[str | None, str]]) -> Told:
        told: dict[str | None, str] = {}
        for address, kind in found:
            told.setdefault(settled_address(address, self.rules), kind)
        return told


def settled_address(address: str | None, rules: NoticeRules) -> str | None:
    """Where an address leads: None is the default channel, by whichever name."""
    if address is None or service_of(address) is not Service.SLACK:
        return address
    return None if rules.one_channel or canonical(address) == rules.default else canonical(address)


def _addressed(told: Iterable[Delivery], to: Told, rules: NoticeRules) -> list[Delivery]:
    return [
        replace(
            delivery,
            kind=kind,
            recipient=address,
            after_seconds=max(delivery.after_seconds, rules.delay_seconds),
        )
        for delivery in told
        for address, kind in to.items()
    ]


def _is_chat(address: str | None) -> bool:
    """Slack alone can put a sweep's jobs into one thread; mail and programs get its summary."""
    return service_of(address) is Service.SLACK


def _is_trouble(what: Happening) -> bool:
    if what.reason is None or what.reason.reason_class is not ReasonClass.INFRASTRUCTURE:
        return False
    return "failed" in what.kinds or ("requeued" in what.kinds and what.reason in TROUBLE)
