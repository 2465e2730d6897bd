"""Logs and metrics of a function: one JSON object a line on stderr, Prometheus text on request.

Comes in: log records, requests and how long they took. Goes out: lines and samples. User text is
only ever a value in the JSON, never part of a format. Next: ``wiring``.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from flask import Request, Response
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from sentinels.core.job import JobState, Reason

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WAIT_BUCKETS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 21600, 43200, 86400, 259200)
"""Seconds: from at once to three days."""


class JsonLines(logging.Formatter):
    """A record as one line of JSON; what was given as ``extra`` becomes fields."""

    def __init__(self, function: str) -> None:
        """``function`` is the name that every line carries."""
        super().__init__()
        self._function = function

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter.format``."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "function": self._function,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_as_json(function: str) -> None:
    """Send Sentinels' own log records to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(function))
    ours = logging.getLogger("sentinels")
    ours.handlers = [handler]
    ours.setLevel(logging.INFO)
    ours.propagate = False


class Telemetry:
    """A function's own samples, in a registry of their own; ``tally`` counts what it commits."""

    def __init__(self) -> None:
        """Counts from zero; when it began to is told by no sample of its own."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
        self.registry = CollectorRegistry()
        self.tally = Counts(self.registry)
        self._requests = Counter(
            "sentinels_http_requests",
            "Requests by route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "sentinels_http_request_seconds",
            "How long requests took, by route.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )

    @contextmanager
    def timed(self, route: str) -> Iterator[None]:
        """Observe how long the body took, under a route's template."""
        begin = time.monotonic()
        try:
            yield
        finally:
            self._seconds.labels(route).observe(time.monotonic() - begin)

    def count(self, method: str, route: str, status: int) -> None:
        """Count an answer."""
        self._requests.labels(method, route, str(status)).inc()

    def observed(
        self, request: Request, route: str, answer: Callable[[Request], Response]
    ) -> Response:
        """The answer, counted and timed under a route's template."""
        with self.timed(route):
            response = answer(request)
        known = request.method if request.method in {"GET", "HEAD", "POST"} else "other"
        self.count(known, route, response.status_code)
        return response

    def page(self) -> Response:
        """All samples, as Prometheus reads them."""
        return Response(generate_latest(self.registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class Counts:
    """Pushes, launches and ends that this process committed: ``core.tallying.Tally``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Counts from zero."""
        self._pushed = Counter("sentinels_pushed_jobs", "Jobs that were pushed.", registry=registry)
        self._waits = Histogram(
            "sentinels_wait_seconds",
            "From a job's push to its first launch, by priority.",
            ("priority",),
            buckets=_WAIT_BUCKETS,
            registry=registry,
        )
        self._outcomes = Counter(
            "sentinels_outcomes",
            "Ends of attempts, by the state that their job went to and why.",
            ("state", "reason"),
            registry=registry,
        )

    def pushed(self, jobs: int) -> None:
        """So many jobs were stored."""
        self._pushed.inc(jobs)

    def launched(self, priority: str, waited_seconds: float) -> None:
        """See ``Tally.launched``."""
        self._waits.labels(priority).observe(max(0.0, waited_seconds))

    def ended(self, state: JobState, reason: Reason | None) -> None:
        """See ``Tally.ended``."""
        self._outcomes.labels(state.value, reason.value if reason else "").inc()
