"""Composition root of submit: ``functions-framework --source main.py --target submit``.

Comes in: the environment. Goes out: the front door. Next: ``handler``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import functions_framework
from flask import Request, Response

from sentinels.clock import utc_now
from sentinels.core.policy import Policy
from sentinels.core.submitting import SubmitPorts
from sentinels.db.census import PostgresCensus
from sentinels.db.engine import make_engine
from sentinels.db.intake import PostgresIntake
from sentinels.db.reading import PostgresReading
from sentinels.db.usage import PostgresUsageFile
from sentinels.functions.gauges import PulseCollector
from sentinels.functions.sites import site_of
from sentinels.functions.submit.door import FrontDoor, Patience
from sentinels.functions.submit.handler import handle
from sentinels.functions.submit.health_probes import probes_from
from sentinels.functions.telemetry import Telemetry
from sentinels.functions.wiring import (
    begin,
    make_cluster,
    make_meter,
    make_surroundings,
    make_tracker,
)
from sentinels.services.events import HttpEvents
from sentinels.settings import Settings, make_failpoint


def _build(settings: Settings, *, threads: int) -> FrontDoor:
    engine, policy = make_engine(settings.database_url), Policy()
    failpoint, telemetry = make_failpoint(settings.crash_at), Telemetry()
    reading, tracker = PostgresReading(engine, policy=policy), make_tracker(settings)
    cluster, site = make_cluster(settings, failpoint), site_of(settings)
    surroundings = make_surroundings(settings, policy)
    PulseCollector(reading, telemetry.registry, PostgresCensus(engine), surroundings)
    return FrontDoor(
        ports=SubmitPorts(
            queue=PostgresIntake(engine, failpoint),
            images=site.images(settings),
            data=site.data(settings),
            events=HttpEvents(settings.sink),
            policy=policy,
            keeps_secrets=site.keeps_secrets,
            tracker_url=settings.tracker_url,
        ),
        reading=reading,
        cluster=cluster,
        tracker=tracker,
        probes=probes_from(settings, lambda: tracker is not None and tracker.answers()),
        hears_jobs=_hears_jobs(settings),
        clock=utc_now,
        patience=Patience(threads // 2),
        telemetry=telemetry,
        meter=make_meter(settings),
        usage_file=PostgresUsageFile(engine),
    )


def _hears_jobs(settings: Settings) -> bool:
    """Inside a cluster something watches Jobs; `sentinels up` on a cluster's outside does not."""
    return settings.cluster == "kubernetes" and not settings.kubeconfig


def _threads(environ: Mapping[str, str]) -> int:
    """How many requests functions-framework serves at once."""
    return int(environ.get("THREADS") or 4 * (os.cpu_count() or 1))


_DOOR = _build(begin("submit", os.environ), threads=_threads(os.environ))


@functions_framework.http
def submit(request: Request) -> Response:
    """Answer any request."""
    return handle(_DOOR, request)
