"""Composition root of notify: ``functions-framework --source main.py --target notify``.

Comes in: the environment. Goes out: settled jobs and delivered notices for events. Next:
``handler``.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import functions_framework
from flask import Request, Response

from sentinels.clock import utc_now
from sentinels.core.delivering import Courier, DeliverPorts
from sentinels.core.filing import DOSSIER, LineFiler
from sentinels.core.forecasting import Forecaster
from sentinels.core.log_keeping import LogChores, LogCourier
from sentinels.core.log_reading import LogReader
from sentinels.core.log_store import LogStore
from sentinels.core.meter import Meter
from sentinels.core.metering import USAGE, UsageFiler
from sentinels.core.notice import LOGS, TRACKER
from sentinels.core.notifying import NotifyPorts, deliver_due, workload_changed
from sentinels.core.ports import Cluster
from sentinels.core.recording import Recorder
from sentinels.core.reminding import Reminder
from sentinels.core.surveying import Surveyor
from sentinels.core.telling import TellPorts, tell_due
from sentinels.db.attempts import PostgresAttempts
from sentinels.db.conditions import PostgresSurvey
from sentinels.db.engine import make_engine
from sentinels.db.foresight import PostgresForesight
from sentinels.db.notices import PostgresNotices
from sentinels.db.outbox import PostgresOutbox
from sentinels.db.policies import PostgresPolicies
from sentinels.db.reading import PostgresReading
from sentinels.db.usage import PostgresUsageFile
from sentinels.db.vitals import PostgresVitals
from sentinels.functions.dead_letters import PATH
from sentinels.functions.events import EventFunction
from sentinels.functions.notify.handler import DeadLetters, Ear, Teller
from sentinels.functions.signs import NOTIFY_SIGNS, Signs
from sentinels.functions.telemetry import Telemetry
from sentinels.functions.wiring import (
    begin,
    make_cluster,
    make_log_store,
    make_messengers,
    make_meter,
    make_rules,
    make_settle,
    make_tracker,
)
from sentinels.services.events import HttpEvents
from sentinels.settings import Settings, make_failpoint

_log = logging.getLogger("sentinels.notify")


def _build(settings: Settings) -> EventFunction:
    engine, failpoint = make_engine(settings.database_url), make_failpoint(settings.crash_at)
    queue = PostgresAttempts(engine, lease_seconds=settings.lease_seconds)
    cluster, outbox = make_cluster(settings, failpoint), PostgresOutbox(engine)
    store, meter = make_log_store(settings), make_meter(settings)
    vitals, telemetry = PostgresVitals(engine), Telemetry()
    policy = PostgresPolicies(engine).current
    logs = LogReader(cluster, store, None, utc_now)
    recorder = Recorder(outbox, cluster, make_tracker(settings), settings.tracker_url, logs)
    couriers: dict[str, Courier] = {
        TRACKER: recorder.deliver,
        LOGS: LogCourier(cluster, store).deliver,
        DOSSIER: LineFiler(outbox, store).deliver,
        USAGE: UsageFiler(outbox, meter, PostgresUsageFile(engine)).deliver,
    }
    telling = TellPorts(PostgresNotices(engine), make_messengers(settings), failpoint, time.sleep)
    teller = Teller(partial(tell_due, telling))
    settle = make_settle(settings, queue, cluster, failpoint, actor="notify", tally=telemetry.tally)
    ports = NotifyPorts(
        settle=replace(settle, policy=policy),
        deliver=DeliverPorts(outbox, couriers, failpoint),
        tell=teller.run,
        tell_soon=teller.start,
        events=HttpEvents(settings.sink, source="/sentinels/notify"),
    )
    survey, foresight = PostgresSurvey(engine, policy), PostgresForesight(engine, policy)
    ear = Ear(
        look=partial(workload_changed, ports),
        deliver=partial(deliver_due, ports),
        watch=_watches(settings, _Sight(survey, foresight, cluster, store, meter)),
    )
    letters = DeadLetters(vitals, telemetry.registry)
    signs = Signs(vitals.leave_sign, NOTIFY_SIGNS)
    return EventFunction(
        take=signs.before(letters.prune_after(ear.hear)),
        behind=PostgresReading(engine).behind,
        telemetry=telemetry,
        apart={PATH: letters.keep},
    )


@dataclass(frozen=True, slots=True)
class _Sight:
    """Where it is looked now and then; what keeps logs and what measures may be missing."""

    survey: PostgresSurvey
    foresight: PostgresForesight
    cluster: Cluster
    store: LogStore | None
    meter: Meter | None


def _watches(settings: Settings, sight: _Sight) -> tuple[Callable[[], None], ...]:
    survey, rules = sight.survey, make_rules(settings)
    reminder = Reminder(survey, sight.cluster, sight.store, utc_now, rules, settings.silent_seconds)
    surveyor = Surveyor(
        survey, sight.meter, utc_now, rules, settings.full_seconds, settings.idle_node_seconds
    )
    forecaster = Forecaster(survey, sight.foresight, utc_now, rules, time.monotonic)
    looks = (reminder.look, surveyor.look, forecaster.look)
    if sight.store is None:
        return looks
    return (LogChores(sight.store, settings.log_keep_days, utc_now, _log.warning).do, *looks)


_FUNCTION = _build(begin("notify", os.environ))


@functions_framework.http
def notify(request: Request) -> Response:
    """Answer any request."""
    return _FUNCTION.handle(request)
