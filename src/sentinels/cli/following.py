"""Waiting for jobs: a line that lives on a terminal, plain lines of what changed elsewhere.

Comes in: job ids. Goes out: the jobs as they ended. Before: ``push``, ``wait``, ``status``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sentinels.cli.client import Client, Json, Patience, job_path
from sentinels.cli.show import note, on_terminal, say
from sentinels.cli.words import TERMINAL, outcome, place, state
from sentinels.core.errors import InvalidRequest, Unavailable
from sentinels.core.text import printable

POLL_SECONDS = 20.0


def await_all(client: Client, references: Sequence[str], *, timeout: float | None = None) -> bool:
    """Return when every job has ended; whether all succeeded. Raises when ``timeout`` is over."""
    deadline = None if timeout is None else time.monotonic() + timeout
    succeeded = True
    with live_line() as tell:
        for reference in references:
            job = await_one(client, reference, tell, deadline=deadline)
            tell("")
            say(outcome(job))
            succeeded &= job.get("state") == "succeeded"
    return succeeded


def await_one(
    client: Client,
    reference: str,
    tell: Callable[[str], None],
    *,
    deadline: float | None = None,
) -> Json:
    """The job once it has ended; ``tell`` is called with how it stands."""
    for job in changes(client, reference, deadline=deadline):
        if job.get("state") in TERMINAL:
            return job
        tell(standing(job))
    raise InvalidRequest(f"job {reference} has not ended in time", remedy="wait longer: --timeout")


def changes(client: Client, reference: str, *, deadline: float | None = None) -> Iterator[Json]:
    """The job now, and again after each change, bearing with a server that restarts."""
    patience = Patience()
    seen: object = None
    while deadline is None or time.monotonic() < deadline:
        query = None if seen is None else {"wait": _wait(deadline), "after_event": seen}
        try:
            job = client.get(job_path(reference), query, wait=POLL_SECONDS)
        except Unavailable as trouble:
            if patience.bear(trouble):
                note(f"{trouble}; trying again …")
            continue
        patience.over()
        seen = job.get("event")
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
def live_line() -> Iterator[Callable[[str], None]]:
    """A function that says how things stand: with a spinner on a terminal, else line by line."""
    if on_terminal():
        from rich.console import Console

        with Console().status("") as status:
            yield lambda text: status.update(printable(text).replace("[", r"\["))
    else:
        said: list[str] = []

        def tell(text: str) -> None:
            if text and said[-1:] != [text]:
                said.append(text)
                say(text)

        yield tell
