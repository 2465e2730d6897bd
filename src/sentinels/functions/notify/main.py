"""Composition root of notify: ``functions-framework --source main.py --target notify``.

Comes in: the environment. Goes out: settled jobs and delivered notices for events. Next:
``handler``.
"""

from __future__ import annotations

import os
from functools import partial

import functions_framework
from flask import Request, Response

from sentinels.core.delivering import Courier, DeliverPorts
from sentinels.core.messaging import MessageCourier
from sentinels.core.metering import USAGE, UsageFiler
from sentinels.core.notice import MESSENGER, TRACKER
from sentinels.core.notifying import NotifyPorts, deliver_due, workload_changed
from sentinels.core.policy import Policy
from sentinels.core.recording import Recorder
from sentinels.db.attempts import PostgresAttempts
from sentinels.db.engine import make_engine
from sentinels.db.outbox import PostgresOutbox
from sentinels.db.reading import PostgresReading
from sentinels.db.usage import PostgresUsageFile
from sentinels.db.vitals import PostgresVitals
from sentinels.functions.dead_letters import PATH
from sentinels.functions.events import EventFunction
from sentinels.functions.notify.handler import DeadLetters, Ear
from sentinels.functions.signs import NOTIFY_SIGNS, Signs
from sentinels.functions.telemetry import Telemetry
from sentinels.functions.wiring import (
    begin,
    make_cluster,
    make_messenger,
    make_meter,
    make_settle,
    make_tracker,
)
from sentinels.services.events import HttpEvents
from sentinels.settings import Settings, make_failpoint


def _build(settings: Settings) -> EventFunction:
    engine, failpoint = make_engine(settings.database_url), make_failpoint(settings.crash_at)
    queue = PostgresAttempts(engine, lease_seconds=settings.lease_seconds)
    cluster, outbox = make_cluster(settings, failpoint), PostgresOutbox(engine)
    vitals, telemetry = PostgresVitals(engine), Telemetry()
    recorder = Recorder(outbox, cluster, make_tracker(settings), settings.tracker_url)
    filer = UsageFiler(outbox, make_meter(settings), PostgresUsageFile(engine))
    couriers: dict[str, Courier] = {
        MESSENGER: MessageCourier(make_messenger(settings), failpoint).deliver,
        TRACKER: recorder.deliver,
        USAGE: filer.deliver,
    }
    ports = NotifyPorts(
        settle=make_settle(
            settings, queue, cluster, failpoint, actor="notify", tally=telemetry.tally
        ),
        deliver=DeliverPorts(outbox, couriers, failpoint),
        events=HttpEvents(settings.sink, source="/sentinels/notify"),
    )
    ear = Ear(look=partial(workload_changed, ports), deliver=partial(deliver_due, ports))
    letters = DeadLetters(vitals, telemetry.registry)
    signs = Signs(vitals.leave_sign, NOTIFY_SIGNS)
    return EventFunction(
        take=signs.before(letters.prune_after(ear.hear)),
        behind=PostgresReading(engine, policy=Policy()).behind,
        telemetry=telemetry,
        apart={PATH: letters.keep},
    )


_FUNCTION = _build(begin("notify", os.environ))


@functions_framework.http
def notify(request: Request) -> Response:
    """Answer any request."""
    return _FUNCTION.handle(request)
