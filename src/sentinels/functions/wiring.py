"""From settings to adapters: what the three composition roots have in common.

Nothing here connects: each function is loaded before it is forked and must start while PostgreSQL,
MLflow and Slack are away. Comes in: ``Settings``. Goes out: ports. Before: each ``main``. Next:
``db``, ``clusters``, ``services``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from sentinels.clock import utc_now
from sentinels.core.address import Service
from sentinels.core.audience import NoticeRules
from sentinels.core.errors import InvalidRequest
from sentinels.core.filing import DOSSIER
from sentinels.core.identity import ClaimNames, Voucher, read_accounts
from sentinels.core.meter import Meter
from sentinels.core.metering import USAGE
from sentinels.core.notice import LOGS, MESSENGER, TRACKER
from sentinels.core.policy import CurrentPolicy
from sentinels.core.ports import Cluster, Failpoint, Messenger
from sentinels.core.quantity import parse_memory
from sentinels.core.queueing import SettlingQueue
from sentinels.core.settling import SettlePorts, SettlingLimits
from sentinels.core.tallying import Tally
from sentinels.functions.gauges import Surroundings
from sentinels.functions.sites import site_of
from sentinels.functions.telemetry import log_as_json
from sentinels.functions.ticks import tick_seconds
from sentinels.services.log_store import SearchLogStore
from sentinels.services.messengers import messengers_from, rules_from
from sentinels.services.mlflow import MlflowTracker
from sentinels.services.oidc import OidcIssuer
from sentinels.settings import Settings


def begin(function: str, environ: Mapping[str, str]) -> Settings:
    """Read the settings and set up the log; wrong settings end the process with one sentence."""
    log_as_json(function)
    try:
        settings = Settings.from_env(environ)
    except InvalidRequest as error:
        raise SystemExit(f"{function}: {error}; {error.remedy}") from error
    if not settings.database_url:
        raise SystemExit(f"{function}: SENTINELS_DATABASE_URL is not set; sentinels up sets it")
    return settings


def make_cluster(settings: Settings, failpoint: Failpoint) -> Cluster:
    """The cluster that the settings name; wrong settings end the process with one sentence."""
    try:
        return site_of(settings).cluster(settings, failpoint)
    except InvalidRequest as error:
        raise SystemExit(f"{error}; {error.remedy}") from error


def make_tracker(settings: Settings, *, timeout: float = 5.0) -> MlflowTracker | None:
    """MLflow, if there is one."""
    if not settings.tracker_url:
        return None
    page_url = settings.tracker_page_url
    return MlflowTracker(settings.tracker_url, page_url=page_url, timeout=timeout)


def make_meter(settings: Settings) -> Meter | None:
    """What measures use over time; None where nothing does."""
    return site_of(settings).meter(settings)


def make_log_store(settings: Settings) -> SearchLogStore | None:
    """What keeps logs, if there is one; wrong settings end the process with one sentence."""
    try:
        return SearchLogStore(settings.search_url) if settings.search_url else None
    except InvalidRequest as error:
        raise SystemExit(f"SENTINELS_SEARCH_URL: {error}; {error.remedy}") from error


def make_messengers(settings: Settings) -> Mapping[Service, Messenger]:
    """How people are told, by service; where there is none, notices are only kept."""
    try:
        return messengers_from(settings)
    except InvalidRequest as error:
        raise SystemExit(f"{error}; {error.remedy}") from error


def make_rules(settings: Settings) -> NoticeRules:
    """What the administrator decided about notices."""
    try:
        return rules_from(settings)
    except InvalidRequest as error:
        raise SystemExit(f"{error}; {error.remedy}") from error


def make_vouchers(settings: Settings) -> Sequence[Voucher]:
    """Who vouches for tokens that others made; wrong settings end the process with a sentence."""
    found: list[Voucher] = []
    if settings.oidc_issuer:
        if not settings.oidc_audience:
            raise SystemExit("SENTINELS_OIDC_ISSUER needs SENTINELS_OIDC_AUDIENCE")
        claims = (settings.oidc_user_claim, settings.oidc_team_claim, settings.oidc_role_claim)
        found.append(OidcIssuer(settings.oidc_issuer, settings.oidc_audience, ClaimNames(*claims)))
    if settings.token_review_audience:
        found.append(_reviewer(settings))
    return found


def _reviewer(settings: Settings) -> Voucher:
    from sentinels.clusters.kubernetes.api import Api
    from sentinels.clusters.kubernetes.reviewing import TokenReviewer

    try:
        rules = read_accounts(settings.token_review_accounts)
    except ValueError as error:
        raise SystemExit(f"SENTINELS_TOKEN_REVIEW_ACCOUNTS: {error}") from error
    return TokenReviewer(Api(settings.kubeconfig), settings.token_review_audience, rules)


def make_surroundings(settings: Settings, policy: CurrentPolicy) -> Surroundings:
    """What the gauges tell besides; a wrong size ends the process with one sentence."""
    try:
        volume = parse_memory(settings.database_volume) if settings.database_volume else 0
    except ValueError as error:
        raise SystemExit(
            f"SENTINELS_DATABASE_VOLUME={settings.database_volume!r} {error}"
        ) from error
    return Surroundings(
        priority_classes=lambda: policy().priority_classes,
        channels=(MESSENGER, TRACKER, LOGS, DOSSIER, USAGE),
        tick_seconds=partial(tick_seconds, settings),
        database_limit_bytes=volume,
    )


def make_settle(
    settings: Settings,
    queue: SettlingQueue,
    cluster: Cluster,
    failpoint: Failpoint,
    *,
    actor: str,
    tally: Tally,
) -> SettlePorts:
    """What settling stands on; ``actor`` is the function's name."""
    meter = make_meter(settings)
    limits = SettlingLimits(
        lease_seconds=settings.lease_seconds,
        infrastructure_tries=settings.infrastructure_tries,
        tracked=bool(settings.tracker_url),
        ships_logs=bool(settings.search_url) and cluster.keeps_logs,
        log_store=bool(settings.search_url),
        measured_late_seconds=None if meter is None else meter.late_seconds,
        rules=make_rules(settings),
    )
    return SettlePorts(queue, cluster, utc_now, failpoint, actor, limits=limits, tally=tally)
