"""Composition root of submit: ``functions-framework --source main.py --target submit``.

Comes in: the environment. Goes out: the front door. Next: ``handler``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

import functions_framework
from flask import Request, Response

from sentinels.clock import utc_now
from sentinels.core.bumping import BumpPorts
from sentinels.core.log_lines import TimedText
from sentinels.core.log_reading import LogReader
from sentinels.core.ports import Cluster
from sentinels.core.preflight import OUTSIDE_SECONDS
from sentinels.core.reporting import read_prices
from sentinels.core.submitting import SubmitPorts
from sentinels.core.telling import TellPorts
from sentinels.db.asking import PostgresAsking
from sentinels.db.bumps import PostgresBumps
from sentinels.db.census import PostgresCensus
from sentinels.db.engine import make_engine
from sentinels.db.foresight import PostgresForesight
from sentinels.db.intake import PostgresIntake
from sentinels.db.notices import PostgresNotices
from sentinels.db.people import PostgresPeople
from sentinels.db.policies import PostgresPolicies
from sentinels.db.preferences import PostgresPreferences
from sentinels.db.reading import PostgresReading
from sentinels.db.sessions import PostgresSessions
from sentinels.db.usage import PostgresUsageFile
from sentinels.functions.bounded import begun
from sentinels.functions.gauges import PulseCollector
from sentinels.functions.sites import site_of
from sentinels.functions.submit.door import FrontDoor, NoticeDesk, Patience
from sentinels.functions.submit.handler import handle
from sentinels.functions.submit.health_probes import probes_from, sql_probe
from sentinels.functions.submit.kept_logs import KeptLogs
from sentinels.functions.telemetry import Telemetry
from sentinels.functions.wiring import (
    begin,
    make_cluster,
    make_log_store,
    make_meter,
    make_rules,
    make_surroundings,
    make_tracker,
    make_vouchers,
)
from sentinels.services.events import HttpEvents
from sentinels.services.messengers import names_in, sound_messengers_from
from sentinels.settings import Settings, make_failpoint

_COPY_SECONDS = 1.5


def _build(settings: Settings, *, threads: int) -> FrontDoor:
    engine = make_engine(settings.database_url)
    policies = PostgresPolicies(engine)
    policy = policies.current
    failpoint, telemetry = make_failpoint(settings.crash_at), Telemetry()
    reading, tracker = PostgresReading(engine, policy=policy), make_tracker(settings)
    cluster, site = make_cluster(settings, failpoint), site_of(settings)
    events, asking = HttpEvents(settings.sink), PostgresAsking(settings.report_database_url)
    store = make_log_store(settings)
    messengers, rules = sound_messengers_from(settings), make_rules(settings)
    telling = TellPorts(PostgresNotices(engine), messengers, failpoint, time.sleep)
    notices = NoticeDesk(PostgresPreferences(engine), telling, rules, names_in(messengers))
    surroundings = make_surroundings(settings, policy)
    PulseCollector(reading, telemetry.registry, PostgresCensus(engine), surroundings)
    return FrontDoor(
        ports=SubmitPorts(
            queue=PostgresIntake(engine, failpoint, rules),
            images=site.images(settings),
            data=site.data(settings),
            events=events,
            policy=policy,
            secrets=site.secrets(settings),
            experiments=make_tracker(settings, timeout=OUTSIDE_SECONDS),
            tracker_url=settings.tracker_url,
            webhooks=notices.webhooks,
            begin=begun,
            same_seconds=settings.same_push_seconds,
        ),
        reading=reading,
        people=PostgresPeople(engine),
        sessions=PostgresSessions(engine),
        cluster=cluster,
        tracker=tracker,
        probes=(
            *probes_from(settings, lambda: tracker is not None and tracker.answers()),
            sql_probe(settings, asking),
        ),
        hears_jobs=_hears_jobs(settings),
        clock=utc_now,
        patience=Patience(threads // 2),
        telemetry=telemetry,
        asking=asking,
        prices=read_prices(settings.prices) or None,
        logs=LogReader(cluster, store, _copies(settings, cluster), utc_now),
        store=store,
        logs_page=settings.logs_page_url,
        notices=notices,
        policies=policies,
        bumping=BumpPorts(PostgresBumps(engine, policy, rules), policy, events),
        foresight=PostgresForesight(engine, policy),
        max_launches=settings.max_launches,
        meter=make_meter(settings),
        usage_file=PostgresUsageFile(engine),
        vouchers=make_vouchers(settings),
    )


def _copies(settings: Settings, cluster: Cluster) -> Callable[[str], TimedText | None] | None:
    """How the tracker's copies of logs are found, where there are any: people wait for them."""
    tracker = None if cluster.keeps_logs else make_tracker(settings, timeout=_COPY_SECONDS)
    return KeptLogs(tracker).find if tracker else None


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
