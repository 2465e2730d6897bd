"""Waiting for jobs: a line that lives on a terminal, plain lines of what changed elsewhere.

Comes in: job ids. Goes out: the jobs as they ended. Before: ``push``, ``wait``, ``status``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sentinels.cli.client import Client, Json, Patience, job_path
from sentinels.cli.show import note, on_terminal, say
from sentinels.cli.words import TERMINAL, outcome, place, state
from sentinels.core.errors import InvalidRequest, Unavailable
from sentinels.core.text import printable

POLL_SECONDS = 20.0
_TOO_SOON_SECONDS = 0.5
"""A server that answers without news before this, though asked to wait, is given a pause."""
Tell = Callable[[str], None]


def await_all(
    client: Client,
    references: Sequence[str],
    *,
    timeout: float | None = None,
    aside: bool = False,
) -> bool:
    """Return when every job has ended; whether all succeeded. Raises when ``timeout`` is over.

    ``aside``: standard output belongs to something else, so all is said on standard error.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    # Names are looked up before the first wait: a wrong one is told at once, and one that a newer
    # job takes meanwhile still means the older.
    ids = [str(client.get(job_path(reference))["id"]) for reference in references]
    succeeded = True
    with live_line(aside=aside) as tell:
        for job_id in ids:
            job = await_one(client, job_id, tell, deadline=deadline)
            tell("")
            (note if aside else say)(outcome(job))
            succeeded &= job.get("state") == "succeeded"
    return succeeded


def await_one(client: Client, job_id: str, tell: Tell, *, deadline: float | None = None) -> Json:
    """The job once it has ended; ``tell`` is called with how it stands."""
    last = f"job {job_id}"
    for job in changes(client, job_id, deadline=deadline):
        if job.get("state") in TERMINAL:
            return job
        last = standing(job)
        tell(last)
    raise InvalidRequest(
        f"the time is over: {last}", remedy=f"it goes on; wait longer: sentinels wait {job_id}"
    )


def changes(client: Client, reference: str, *, deadline: float | None = None) -> Iterator[Json]:
    """The job now, and again after each change, bearing with a server that restarts."""
    patience = Patience()
    seen: object = None
    while deadline is None or time.monotonic() < deadline:
        asked_at = time.monotonic()
        query = None if seen is None else {"wait": _wait(deadline), "after_event": seen}
        try:
            job = client.get(job_path(reference), query, wait=POLL_SECONDS)
        except Unavailable as trouble:
            if patience.bear(trouble):
                note(f"{trouble}; trying again …")
            continue
        patience.over()
        if job.get("event") == seen and time.monotonic() - asked_at < _TOO_SOON_SECONDS:
            time.sleep(_TOO_SOON_SECONDS)
        reference, seen = str(job["id"]), job.get("event")
        yield job


def _wait(deadline: float | None) -> float:
    left = POLL_SECONDS if deadline is None else deadline - time.monotonic()
    return max(0.0, min(POLL_SECONDS, round(left, 1)))


def standing(job: Json) -> str:
    """How a job that has not ended stands, in one line."""
    line = f"job {job.get('id')} {job.get('name')} {state(job)}"
    queue = job.get("queue")
    if isinstance(queue, dict):
        line += f" · {place(queue)}" + (f" · {queue['why']}" if queue.get("why") else "")
    return line


@contextmanager
def live_line(*, aside: bool = False) -> Iterator[Tell]:
    """A function that says how things stand: with a spinner on a terminal, else line by line.

    ``aside``: on standard error.
    """
    if on_terminal(sys.stderr if aside else sys.stdout):
        from rich.console import Console

        with Console(stderr=aside).status("") as status:
            yield lambda text: status.update(printable(text).replace("[", r"\["))
    else:
        yield _lines(note if aside else say)


def _lines(write: Tell) -> Tell:
    said: list[str] = []

    def tell(text: str) -> None:
        if text and said[-1:] != [text]:
            said.append(text)
            write(text)

    return tell
