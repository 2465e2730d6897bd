"""Survey the whole now and then: tell on-call once of what has been full for long, and of its end.

A condition begins when it is first seen, is told once it has held for long enough, and is over when
it was not seen for a while: nothing flaps. Load, decide, apply: advice is worked out between two
short transactions, and a condition is told or closed by whoever gets to it first. Comes in: lanes,
nodes, live attempts. Goes out: conditions, and notices of them. Before: ``functions/notify``. Next:
``shortage``, ``shortage_words``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sentinels.core.addressing import settled_address
from sentinels.core.audience import NoticeRules
from sentinels.core.errors import MeterUnavailable
from sentinels.core.meter import Meter
from sentinels.core.ports import Clock, Json
from sentinels.core.scene import Occupant, Scene
from sentinels.core.shortage import IDLE_MINUTES, Shortage, advise, idle_nodes, shortages
from sentinels.core.shortage_words import (
    FULL,
    full_facts,
    full_line,
    full_name,
    full_over_text,
    full_text,
    idle_line,
    idle_name,
    idle_text,
)
from sentinels.core.simulating import Simulation
from sentinels.core.workload import WorkloadRef

ROUND = "conditions"
EVERY_SECONDS = 60.0
CLEAR_SECONDS = 300.0
"""What was not seen for so long is over; less is no interruption."""


@dataclass(frozen=True, slots=True)
class Held:
    """A condition that holds now: its name, a line that everybody may read, its facts."""

    name: str
    line: str
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class OpenCondition:
    """A condition that was not closed. ``held`` and ``quiet`` are seconds since it began and since
    it was last seen, by PostgreSQL's clock.
    """

    id: int
    name: str
    since: datetime
    held: float
    quiet: float
    is_told: bool


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is told of a condition; ``to`` None is the default channel, empty nobody."""

    kind: str
    text: str
    facts: Mapping[str, Json]
    to: Sequence[str | None]


class Survey(Protocol):
    """What surveying asks of PostgreSQL. All raise ``QueueUnavailable``; all may be repeated."""

    def begin_round(self, name: str, *, every_seconds: float) -> bool:
        """Whether it is time for the next round of this name, and nobody else began it."""
        ...

    def scene(self, *, now: datetime) -> Scene:
        """The queue, the nodes as the last pass saw them, and every live attempt."""
        ...

    def note(self, held: Sequence[Held], *, clear_seconds: float) -> Sequence[OpenCondition]:
        """Remember what holds now; every condition that is open, whether it does or not."""
        ...

    def tell(self, condition_id: int, told: Announcement) -> None:
        """Tell of an open condition, once."""
        ...

    def close(self, condition_id: int, told: Announcement) -> None:
        """It is over: close it, and tell so, once."""
        ...


@dataclass(frozen=True, slots=True)
class Surveyor:
    """Looks at the whole. ``meter`` may be None: then no job is called idle."""

    queue: Survey
    meter: Meter | None
    clock: Clock
    rules: NoticeRules
    full_seconds: float
    idle_node_seconds: float

    def look(self) -> None:
        """Notice what holds, and tell of what is to be told, if it is time."""
        if not self.queue.begin_round(ROUND, every_seconds=EVERY_SECONDS):
            return
        now = self.clock()
        scene = self.queue.scene(now=now)
        full = {full_name(each): each for each in shortages(Simulation(scene))}
        idle = {idle_name(node): node for node in idle_nodes(scene)}
        held = [Held(name, full_line(it, now), full_facts(it)) for name, it in full.items()]
        held += [Held(name, idle_line(node), {"node": node}) for name, node in idle.items()]
        for condition in self.queue.note(held, clear_seconds=CLEAR_SECONDS):
            if condition.name in full:
                self._tell_full(condition, full[condition.name], scene)
            elif condition.name in idle:
                self._tell_idle(condition, idle[condition.name], now)
            elif condition.is_told and condition.quiet >= CLEAR_SECONDS:
                self.queue.close(condition.id, self._over(condition, now))

    def _tell_full(self, condition: OpenCondition, shortage: Shortage, scene: Scene) -> None:
        if condition.is_told or condition.held < self.full_seconds:
            return
        advice = advise(Simulation(scene), shortage, self._gpu_percent(scene))
        text = full_text(shortage, advice, since=condition.since, now=scene.now)
        facts = full_facts(shortage, advice)
        self.queue.tell(condition.id, Announcement("opened", text, facts, self._oncall()))

    def _tell_idle(self, condition: OpenCondition, node: str, now: datetime) -> None:
        if condition.is_told or condition.held < self.idle_node_seconds:
            return
        text = idle_text(node, since=condition.since, now=now)
        self.queue.tell(condition.id, Announcement("opened", text, {"node": node}, self._oncall()))

    def _over(self, condition: OpenCondition, now: datetime) -> Announcement:
        """That a node has work again is no news; that room is free again is."""
        kind, _, what = condition.name.partition(":")
        if kind != FULL:
            return Announcement("resolved", "", {}, ())
        end = now - timedelta(seconds=condition.quiet)
        text = full_over_text(what, since=condition.since, now=end)
        return Announcement("resolved", text, {}, self._oncall())

    def _oncall(self) -> Sequence[str | None]:
        to = self.rules.oncall or (None,)
        return tuple(dict.fromkeys(settled_address(address, self.rules) for address in to))

    def _gpu_percent(self, scene: Scene) -> Mapping[WorkloadRef, float]:
        refs = [tenant.ref for tenant in scene.occupants if _may_idle(tenant)]
        if self.meter is None or not refs:
            return {}
        begin = scene.now - timedelta(minutes=IDLE_MINUTES)
        try:
            return self.meter.gpu_percent(refs, begin=begin, end=scene.now)
        except MeterUnavailable:
            return {}


def _may_idle(tenant: Occupant) -> bool:
    return bool(tenant.held.gpus) and tenant.started_at is not None
