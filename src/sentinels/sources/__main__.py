"""Both sources in one process: ``python -m sentinels.sources``, where there is no Knative.

A source that dies takes the process with it, so that Kubernetes starts it anew. Comes in: the
environment: ``SENTINELS_DISPATCH_URL``, ``SENTINELS_NOTIFY_URL``, a ``…_SCHEDULE`` for each, and
``PORT`` for metrics. Goes out: events. Next: ``ping``, ``apiserver``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import NoReturn

from prometheus_client import CollectorRegistry, Counter, start_http_server

from sentinels.clusters.kubernetes.api import Api
from sentinels.core.errors import InvalidRequest
from sentinels.functions.telemetry import log_as_json
from sentinels.sources.apiserver import Telling, tell_forever, watch_forever
from sentinels.sources.ping import Ticker, by_cron

_FUNCTIONS = ("dispatch", "notify")
_TELLERS = 8
"""Events on their way at one time; notify serves more."""
_USUAL_SCHEDULE = "*/10 * * * * *"


def main() -> NoReturn:
    """Tick and watch until something ends; wrong settings end it with one sentence."""
    log_as_json("sources")
    # The first process of a container is not ended by a signal that it does not take.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    environ = os.environ
    try:
        tickers = [_ticker(environ, function) for function in _FUNCTIONS]
    except InvalidRequest as error:
        sys.exit(f"sources: {error}; {error.remedy}")
    registry = CollectorRegistry()
    events = Counter("sentinels_job_events", "Job events sent.", ("taken",), registry=registry)
    telling, notify_url = Telling(), _url(environ, "notify")

    def told(taken: bool) -> None:
        events.labels(str(taken).lower()).inc()

    work: list[Callable[[], None]] = [
        lambda: watch_forever(Api(environ.get("SENTINELS_KUBECONFIG", "")), telling),
        *[lambda: tell_forever(telling, notify_url, told)] * _TELLERS,
    ]
    start_http_server(int(environ.get("PORT", "8080")), registry=registry)
    _until_one_ends([*(ticker.run for ticker in tickers), *work])
    sys.exit("sources: one of them has ended")


def _ticker(environ: Mapping[str, str], function: str) -> Ticker:
    schedule = environ.get(f"SENTINELS_{function.upper()}_SCHEDULE", _USUAL_SCHEDULE)
    return Ticker(_url(environ, function), by_cron(schedule))


def _url(environ: Mapping[str, str], function: str) -> str:
    name = f"SENTINELS_{function.upper()}_URL"
    if not environ.get(name):
        raise InvalidRequest(f"{name} is not set", remedy="set it to the function's address")
    return environ[name]


def _until_one_ends(work: list[Callable[[], None]]) -> None:
    ended = threading.Event()

    def guarded(part: Callable[[], None]) -> None:
        try:
            part()
        finally:
            ended.set()

    for part in work:
        threading.Thread(target=guarded, args=(part,), daemon=True).start()
    ended.wait()


if __name__ == "__main__":
    main()
