"""What is not all there of a job yet, because something does not answer.

Nobody is asked but what keeps logs, which remembers for some seconds that it was away: the outbox
knows what waits to be delivered, and why. Comes in: a job. Goes out: sentences, at once. Before:
``browsing``, ``pages``. Next: ``core/reading``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sentinels.core.errors import Unavailable
from sentinels.core.metering import USAGE
from sentinels.core.notice import MESSENGER, TRACKER
from sentinels.core.ports import JobRef
from sentinels.core.reading import AttemptView
from sentinels.functions.submit.door import FrontDoor

_LATE: Mapping[str, str] = {
    TRACKER: "its record in MLflow is late",
    USAGE: "what it used is filed late",
    MESSENGER: "a notice is late",
}
"""By channel of the outbox; of lines that are late, what keeps them speaks itself."""
_NO_RUN = "its run in MLflow is opened late: MLflow did not answer when it was launched"


def lacking(door: FrontDoor, job: JobRef, attempts: Sequence[AttemptView]) -> list[str]:
    """A sentence for each part that is missing, late, or leads nowhere now."""
    return [*_store(door), *_run(door, attempts), *_late(door, job)]


def _store(door: FrontDoor) -> Iterator[str]:
    try:
        if door.store is not None:
            door.store.check()
    except Unavailable as trouble:
        yield str(trouble)


def _run(door: FrontDoor, attempts: Sequence[AttemptView]) -> Iterator[str]:
    last = attempts[-1] if attempts else None
    if door.tracker is None or last is None or last.uid is None:
        return
    if last.live and last.mlflow_run_id is None:
        yield _NO_RUN


def _late(door: FrontDoor, job: JobRef) -> Iterator[str]:
    late = door.reading.late(job)
    yield from (f"{words}: {late[channel]}" for channel, words in _LATE.items() if channel in late)
