"""Composition root of dispatch: ``functions-framework --source main.py --target dispatch``.

Comes in: the environment. Goes out: passes for events. Next: ``handler``.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import partial

import functions_framework
from flask import Request, Response

from sentinels.core.dispatching import DispatchPorts, run_pass
from sentinels.db.admission import PostgresDispatchQueue
from sentinels.db.census import PostgresCensus
from sentinels.db.engine import make_engine
from sentinels.db.policies import PostgresPolicies
from sentinels.db.reading import PostgresReading
from sentinels.db.vitals import PostgresVitals
from sentinels.functions.dispatch.handler import Passes
from sentinels.functions.events import EventFunction
from sentinels.functions.gauges import PulseCollector
from sentinels.functions.signs import DISPATCH_SIGNS, Signs
from sentinels.functions.sites import site_of
from sentinels.functions.telemetry import Telemetry
from sentinels.functions.wiring import (
    begin,
    make_cluster,
    make_settle,
    make_surroundings,
    make_tracker,
)
from sentinels.settings import Settings, make_failpoint


def _build(settings: Settings) -> EventFunction:
    engine = make_engine(settings.database_url, generic_plans=True)
    policy, telemetry = PostgresPolicies(engine).current, Telemetry()
    failpoint = make_failpoint(settings.crash_at)
    queue = PostgresDispatchQueue(engine, lease_seconds=settings.lease_seconds)
    cluster = make_cluster(settings, failpoint)
    settle = make_settle(
        settings, queue, cluster, failpoint, actor="dispatch", tally=telemetry.tally
    )
    ports = DispatchPorts(
        queue=queue,
        settle=replace(settle, policy=policy),
        tracker=make_tracker(settings),
        tracker_url=settings.tracker_url,
        stopwatch=time.monotonic,
        policy=policy,
        max_launches=settings.max_launches,
        paced=site_of(settings).paced,
    )
    passes = Passes(partial(run_pass, ports), telemetry.registry)
    reading = PostgresReading(engine, policy=policy)
    surroundings = make_surroundings(settings, policy)
    PulseCollector(reading, telemetry.registry, PostgresCensus(engine), surroundings)
    signs = Signs(PostgresVitals(engine).leave_sign, DISPATCH_SIGNS)
    return EventFunction(
        take=signs.before(passes.poke),
        behind=reading.behind,
        telemetry=telemetry,
    )


_FUNCTION = _build(begin("dispatch", os.environ))


@functions_framework.http
def dispatch(request: Request) -> Response:
    """Answer any request."""
    return _FUNCTION.handle(request)
