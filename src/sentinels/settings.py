"""Every setting of the functions, read once by a composition root, passed in, never read again.

Comes in: an environment (any mapping). Goes out: a frozen ``Settings``, or ``InvalidRequest`` that
names each variable that is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from sentinels.core.errors import InvalidRequest
from sentinels.core.ports import Failpoint
from sentinels.core.reporting import read_prices


@dataclass(frozen=True, slots=True)
class Settings:
    """The functions' settings; each field's variable is ``SENTINELS_`` and its name in capitals."""

    database_url: str = ""
    """PostgreSQL, as ``postgresql://user@host/db`` or with ``?host=/socket/folder``."""
    report_database_url: str = ""
    """The same for the role that SQL is asked as, which may read the views; empty: nobody asks."""
    prices: str = ""
    """What an hour costs, as ``cpu=0.03,memory=0.004,gpu=1.2,a100=2.5``; empty: no costs."""
    tracker_url: str = ""
    """MLflow as the functions and the workloads reach it; empty: no tracking."""
    tracker_public_url: str = ""
    """MLflow as a browser reaches it; empty: the same as ``tracker_url``."""
    search_url: str = ""
    """Elasticsearch or OpenSearch, which keeps logs; empty: there is none."""
    log_keep_days: int = 30
    """For how many days the search store keeps lines."""
    logs_page_url: str = ""
    """Where a browser shows a job's lines, with ``{job}`` for its id; empty: nowhere."""
    prometheus_url: str = ""
    """Prometheus, which measures, watches and alerts; empty: there is none."""
    dispatch_schedule: str = ""
    """When dispatch is ticked, as cron, for what watches it; empty: every few seconds."""
    notify_schedule: str = ""
    """When notify is ticked, likewise."""
    database_volume: str = ""
    """How large the database's volume is, as in ``10Gi``, for the alert; empty: not known."""
    slack_token: str = ""
    """Slack bot token (xoxb-…) with chat:write; empty: see ``slack_webhook``."""
    slack_webhook: str = ""
    """Slack incoming webhook; used where there is no token; both empty: notices are only kept."""
    slack_api_url: str = "https://slack.com/api/"
    """Slack's Web API; only a test's stand-in needs another."""
    slack_channel: str = "#experiments"
    """Where notices go that name no channel (bot token only; a webhook has its own)."""
    smtp_url: str = ""
    """The mail server: ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://host`` (TLS)."""
    smtp_from: str = ""
    """Who notices by e-mail are from, as ``Sentinels <sentinels@example.org>``."""
    webhooks: str = ""
    """Programs that may be told, as ``NAME ADDRESS SECRET``, one a line or with ``;`` between."""
    oncall: str = ""
    """Who is told of the infrastructure's troubles, with commas: ``#oncall,ops@example.org``."""
    long_wait_seconds: float = 1800.0
    """A job that starts after so long has waited long, which its owner is told."""
    silent_seconds: float = 3600.0
    """A running job that has printed nothing for so long is silent, which its owner is told."""
    full_seconds: float = 1200.0
    """How long jobs must have waited for what is full before on-call is told."""
    idle_node_seconds: float = 21600.0
    """How long a node may have nothing to do, and nothing wait, before on-call is told."""
    sink: str = ""
    """Where ``queue.changed`` is sent: the Broker, or dispatch on one machine; empty: nowhere."""
    notify_url: str = ""
    """Where the local runner sends ``workload.ended``; unused on Kubernetes."""
    cluster: str = "local"
    """Which adapter of the Cluster port: ``local`` or ``kubernetes``."""
    home: str = ""
    """The local mode's data folder; unused on Kubernetes."""
    data_store: str = ""
    """The shared read-only data; empty: there is none."""
    lease_seconds: float = 30.0
    """How long a claimed attempt may stay without a launch before another pass drives it again."""
    max_launches: int = 50
    """Most workloads that one pass launches: back-pressure towards the cluster."""
    infrastructure_tries: int = 5
    """How often the infrastructure's faults are retried free of charge before the job fails."""
    kubeconfig: str = ""
    """A kubeconfig file; empty: the pod's own service account."""
    namespace_prefix: str = "sen-"
    """A team's workloads run in the namespace of this and the team's name."""
    knative_namespace: str = ""
    """The namespace with Sentinels' objects of Knative, for doctor; empty: there are none."""
    sidecar_image: str = ""
    """Sentinels' own image, for the sidecar that uploads outputs; empty: none are uploaded."""
    data_claim: str = ""
    """The PersistentVolumeClaim with the shared data, one of this name in each team's namespace."""
    node_selector: str = ""
    """Only nodes with these labels, as ``name=value,name=value``; empty: every node."""
    tolerations: str = ""
    """Taints that workloads tolerate, as ``key=value:Effect`` or ``key:Effect``, with commas."""
    gpu_type_label: str = "sentinels.dev/gpu-type"
    """The node label that names the type of its GPUs; the vendors' own labels are read as well."""
    pod_security: str = "restricted"
    """What workloads are held to: ``restricted``, or ``baseline`` for images that run as root."""
    grace_seconds: float = 120.0
    """How long a workload may take to end after it was asked to, its outputs' upload included."""
    keep_finished_seconds: float = 21600.0
    """How long a finished Kubernetes Job and its pod are left to be looked at."""
    image_missing_seconds: float = 30.0
    """How long an image may be missing before the job fails."""
    registry_seconds: float = 900.0
    """How long a registry may not answer before the attempt is given up and queued again."""
    insecure_registries: str = ""
    """Registries that are asked over HTTP at push, as ``host:port``, with commas between."""
    unchecked_registries: str = "localhost,dev.local,kind.local,ko.local"
    """Registries that are not asked at push, likewise: their images are only on the nodes; ``*``:
    none is asked.
    """
    same_push_seconds: float = 600.0
    """For how long the same push of the same user gives the same jobs; 0: never."""
    config_missing_seconds: float = 60.0
    """How long a secret or setting may be missing before the job fails."""
    uncreated_seconds: float = 60.0
    """How long quota, limits or pod security may refuse the pod before the attempt is given up."""
    unplaced_seconds: float = 300.0
    """How long the scheduler may find no node before the attempt is given up and queued again."""
    unready_seconds: float = 300.0
    """How long a placed pod may take to start its program, whatever keeps it."""
    node_lost_seconds: float = 300.0
    """How long a node may be silent before what is on it counts as lost."""
    oidc_issuer: str = ""
    """An issuer of OpenID Connect whose tokens are taken, as they name it; empty: none is."""
    oidc_audience: str = ""
    """The audience that its tokens must be for."""
    oidc_user_claim: str = "sub"
    """The claim with the user's name."""
    oidc_team_claim: str = ""
    """The claim with their team; empty: an operator puts them in one."""
    oidc_role_claim: str = ""
    """The claim with their role, or a list with it; empty: an operator gives them one."""
    token_review_audience: str = ""
    """The audience of Kubernetes service accounts' tokens that are taken; empty: none are."""
    token_review_accounts: str = ""
    """Which may come, and what they are: ``ci/*=vision,ops/deployer=ops:operator``."""
    crash_at: str = ""
    """A failpoint at which the process ends; for tests."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read ``environ``; unknown variables are left alone, wrong values are all named."""
        values: dict[str, str | int | float] = {}
        wrong: list[str] = []
        for field in fields(cls):
            name = f"SENTINELS_{field.name.upper()}"
            raw = environ.get(name)
            if raw is None:
                continue
            try:
                values[field.name] = _READERS[str(field.type)](raw)
            except ValueError:
                wrong.append(f"{name}={raw!r} is not a number")
        wrong += _wrong_prices(environ.get("SENTINELS_PRICES", ""))
        if wrong:
            raise InvalidRequest("; ".join(wrong), remedy="correct the environment and start again")
        values.setdefault("sink", environ.get("K_SINK", ""))
        return cls(**values)  # type: ignore[arg-type]  # each value was read by its field's reader

    @property
    def home_path(self) -> Path:
        """The data folder as a path."""
        return Path(self.home)

    @property
    def tracker_page_url(self) -> str:
        """MLflow as a browser reaches it."""
        return self.tracker_public_url or self.tracker_url


def _wrong_prices(text: str) -> list[str]:
    try:
        read_prices(text)
    except ValueError as error:
        return [f"SENTINELS_PRICES: {error}"]
    return []


_READERS = {"str": str, "int": int, "float": float}


def make_failpoint(crash_at: str) -> Failpoint:
    """Return the failpoint that ends the process, without clean-up, at the named line."""

    def failpoint(name: str) -> None:
        if name == crash_at:
            os._exit(86)

    return failpoint
