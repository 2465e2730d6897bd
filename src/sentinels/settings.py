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


@dataclass(frozen=True, slots=True)
class Settings:
    """The functions' settings; each field's variable is ``SENTINELS_`` and its name in capitals."""

    database_url: str = ""
    """PostgreSQL, as ``postgresql://user@host/db`` or with ``?host=/socket/folder``."""
    tracker_url: str = ""
    """MLflow as the functions and the workloads reach it; empty: no tracking."""
    tracker_public_url: str = ""
    """MLflow as a browser reaches it; empty: the same as ``tracker_url``."""
    slack_token: str = ""
    """Slack bot token (xoxb-…) with chat:write; empty: see ``slack_webhook``."""
    slack_webhook: str = ""
    """Slack incoming webhook; used where there is no token; both empty: notices are only kept."""
    slack_api_url: str = "https://slack.com/api/"
    """Slack's Web API; only a test's stand-in needs another."""
    slack_channel: str = "#experiments"
    """Where notices go that name no channel (bot token only; a webhook has its own)."""
    sink: str = ""
    """Where ``queue.changed`` is sent: the Broker, or dispatch on one machine; empty: nowhere."""
    notify_url: str = ""
    """Where the local runner sends ``workload.ended``; unused on Kubernetes."""
    cluster: str = "local"
    """Which adapter of the Cluster port: ``local``."""
    home: str = ""
    """The local mode's data folder; unused on Kubernetes."""
    data_store: str = ""
    """The shared read-only data; empty: there is none."""
    lease_seconds: float = 30.0
    """How long a claimed attempt may stay without a launch before another pass drives it again."""
    max_launches: int = 50
    """Most workloads that one pass launches: back-pressure towards the cluster."""
    unlaunched_seconds: float = 600.0
    """How long a launched workload may stay unseen before it counts as lost."""
    infrastructure_tries: int = 5
    """How often the infrastructure's faults are retried free of charge before the job fails."""
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


_READERS = {"str": str, "int": int, "float": float}


def make_failpoint(crash_at: str) -> Failpoint:
    """Return the failpoint that ends the process, without clean-up, at the named line."""

    def failpoint(name: str) -> None:
        if name == crash_at:
            os._exit(86)

    return failpoint
