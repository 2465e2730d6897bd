"""Composition root of notify: ``functions-framework --source main.py --target notify``.

Comes in: the environment. Goes out: settled jobs and delivered notices for events. Next:
``handler``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial

import functions_framework
from flask import Request, Response

from sentinels.clock import utc_now
from sentinels.core.delivering import Courier, DeliverPorts
from sentinels.core.filing import DOSSIER, Filer
from sentinels.core.log_keeping import LogChores, LogCourier
from sentinels.core.log_reading import LogReader
from sentinels.core.log_store import LogStore
from sentinels.core.messaging import MessageCourier
from sentinels.core.notice import LOGS, MESSENGER, TRACKER
from sentinels.core.notifying import NotifyPorts, deliver_due, workload_changed
from sentinels.core.policy import Policy
from sentinels.core.recording import Recorder
from sentinels.db.attempts import PostgresAttempts
from sentinels.db.engine import make_engine
from sentinels.db.outbox import PostgresOutbox
from sentinels.db.reading import PostgresReading
from sentinels.db.vitals import PostgresVitals
from sentinels.functions.dead_letters import PATH
from sentinels.functions.events import EventFunction, Hint
from sentinels.functions.notify.handler import DeadLetters, Ear, after_ticks
from sentinels.functions.signs import NOTIFY_SIGNS, Signs
from sentinels.functions.telemetry import Telemetry
from sentinels.functions.wiring import (
    begin,
    make_cluster,
    make_log_store,
    make_messenger,
    make_meter,
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
    store = make_log_store(settings)
    logs = LogReader(cluster, store, None, utc_now)
    recorder = Recorder(outbox, cluster, make_tracker(settings), settings.tracker_url, logs)
    filer = Filer(outbox, store, make_meter(settings))
    couriers: dict[str, Courier] = {
        MESSENGER: MessageCourier(make_messenger(settings), failpoint).deliver,
        TRACKER: recorder.deliver,
        LOGS: LogCourier(cluster, store).deliver,
        DOSSIER: filer.deliver,
    }
    ports = NotifyPorts(
        settle=make_settle(settings, queue, cluster, failpoint, actor="notify"),
        deliver=DeliverPorts(outbox, couriers, failpoint),
        events=HttpEvents(settings.sink, source="/sentinels/notify"),
    )
    ear = Ear(look=partial(workload_changed, ports), deliver=partial(deliver_due, ports))
    vitals, telemetry = PostgresVitals(engine), Telemetry()
    letters = DeadLetters(vitals, telemetry.registry)
    signs = Signs(vitals.leave_sign, NOTIFY_SIGNS)
    return EventFunction(
        take=signs.before(letters.prune_after(_with_chores(ear.hear, store, settings))),
        behind=PostgresReading(engine, policy=Policy()).behind,
        telemetry=telemetry,
        apart={PATH: letters.keep},
    )


def _with_chores(
    hear: Callable[[Hint], None], store: LogStore | None, settings: Settings
) -> Callable[[Hint], None]:
    if store is None:
        return hear
    chores = LogChores(store, settings.log_keep_days, utc_now, _log.warning)
    return after_ticks(hear, chores.do)


_FUNCTION = _build(begin("notify", os.environ))


@functions_framework.http
def notify(request: Request) -> Response:
    """Answer any request."""
    return _FUNCTION.handle(request)
