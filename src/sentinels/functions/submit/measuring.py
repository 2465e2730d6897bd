"""The metrics of jobs, as the tracker tells them now.

A tracker that is slow or away keeps nobody waiting: what did not come in time is missing, and the
answer says why. Comes in: an ``Ask``. Goes out: values by job. Before: ``routes``. Next: the
``Tracker`` port.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping, Sequence

from flask import Response

from sentinels.core.errors import InvalidRequest, SentinelsError
from sentinels.core.ports import Json, Tracker
from sentinels.functions.http import reply
from sentinels.functions.submit.door import Ask

_log = logging.getLogger("sentinels.metrics")

MOST_JOBS = 200
LIMIT_SECONDS = 1.5


def list_metrics(ask: Ask) -> Response:
    """The latest values of each job's newest attempt."""
    jobs = ask.door.reading.jobs(ask.caller, _ids(ask.query.every("job")))
    runs = {job.last_run_id: job.id for job in jobs if job.last_run_id}
    asked = _Asked(ask.door.tracker, list(runs))
    found, trouble = asked.outcome(LIMIT_SECONDS)
    metrics: dict[str, Json] = {str(runs[run]): _finite(found[run]) for run in runs if run in found}
    return reply({"metrics": metrics, "error": trouble})


class _Asked:
    """A question to the tracker under way in a thread, which is left to itself if it is slow."""

    def __init__(self, tracker: Tracker | None, run_ids: Sequence[str]) -> None:
        self._tracker = tracker
        self._run_ids = run_ids
        self._found: Mapping[str, Mapping[str, float]] = {}
        self._trouble: str | None = "MLflow does not answer in time"
        self._over = threading.Event()
        threading.Thread(target=self._ask, name="ask metrics", daemon=True).start()

    def outcome(self, seconds: float) -> tuple[Mapping[str, Mapping[str, float]], str | None]:
        """What came within so many seconds, and why that is not all."""
        if not self._over.wait(seconds):
            return {}, self._trouble
        return self._found, self._trouble

    def _ask(self) -> None:
        try:
            if self._tracker is None:
                self._trouble = "MLflow is not configured: nothing is measured"
                return
            self._found = self._tracker.metrics(self._run_ids) if self._run_ids else {}
            self._trouble = None
        except SentinelsError as error:
            self._trouble = str(error)
        except Exception:  # noqa: BLE001  # nobody else would tell of it
            _log.exception("metrics could not be asked for")
            self._trouble = "MLflow's answer makes no sense; the log of submit knows more"
        finally:
            self._over.set()


def _ids(given: Sequence[str]) -> list[int]:
    if len(given) > MOST_JOBS:
        raise InvalidRequest(f"job: {len(given)} jobs were named; {MOST_JOBS} may be")
    for word in given:
        if not (word.isascii() and word.isdigit() and len(word) <= 18):
            raise InvalidRequest(f"job: {word!r} is no job's id")
    return [int(word) for word in given]


def _finite(values: Mapping[str, float]) -> dict[str, Json]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
