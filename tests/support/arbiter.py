"""Keeps so many processes of each function going, whatever kills them.

``python -m tests.support.arbiter dispatch=2 notify=1``: each function is loaded by its composition
root once and forked, as a preloading server does it; a child makes calls without end. Each fork is
told on the output as ``function pid``, its end as ``gone pid``; SIGTERM ends all. Settings come
from the environment.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable

from flask import Request
from sqlalchemy import text
from werkzeug.test import EnvironBuilder

_PAUSE_SECONDS = 0.05
_LIVE = "SELECT job_id, attempt FROM attempts WHERE live ORDER BY random() LIMIT 20"


def main(words: list[str]) -> None:
    """Fork, and fork again whenever one is gone."""
    wanted = {name: int(count) for name, _, count in (word.partition("=") for word in words)}
    loops = {name: _LOOPS[name]() for name in wanted}
    children: dict[int, str] = {}
    signal.signal(signal.SIGTERM, lambda *_: _end(children))
    while True:
        for name, count in wanted.items():
            while list(children.values()).count(name) < count:
                children[_fork(loops[name])] = name
                print(name, list(children)[-1], flush=True)
        gone, _ = os.wait()
        children.pop(gone, None)
        print("gone", gone, flush=True)


def _fork(loop: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        random.seed(os.getpid())
        loop()
    finally:
        os._exit(70)


def _end(children: dict[int, str]) -> None:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


def _dispatching() -> Callable[[], None]:
    from sentinels.functions.dispatch.main import dispatch

    def loop() -> None:
        while True:
            dispatch(_event("dev.knative.sources.ping"))
            time.sleep(_PAUSE_SECONDS)

    return loop


def _notifying() -> Callable[[], None]:
    """Hear of live attempts at random, of some of them twice and of some that are not there."""
    from sentinels.db.engine import make_engine
    from sentinels.functions.notify.main import notify

    def loop() -> None:
        engine = make_engine(os.environ["SENTINELS_DATABASE_URL"])
        while True:
            with engine.connect() as connection:
                live = [tuple(row) for row in connection.execute(text(_LIVE))]
            for job, attempt in [*live, *live[:3], *((job, n + 1) for job, n in live[:2])]:
                name = f"sentinels-{job}-{attempt}"
                notify(_event("dev.knative.apiserver.resource.update", name))
            notify(_event("dev.knative.sources.ping"))
            time.sleep(_PAUSE_SECONDS)

    return loop


_LOOPS = {"dispatch": _dispatching, "notify": _notifying}


def _event(kind: str, name: str = "") -> Request:
    about = {"ce-kind": "Job", "ce-name": name} if name else {}
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/test",
        "ce-type": kind,
        **about,
    }
    built = EnvironBuilder(
        "/", method="POST", data="{}", content_type="application/json", headers=headers
    )
    return Request(built.get_environ())


if __name__ == "__main__":
    main(sys.argv[1:])
