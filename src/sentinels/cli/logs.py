"""``sentinels logs``: what a job wrote. Offsets are the server's bytes, so that a broken connection
neither loses nor doubles a line. Next: ``client``.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sentinels.cli.client import Client, Json, Patience, job_path
from sentinels.cli.following import POLL_SECONDS, await_all
from sentinels.cli.problems import JOB_FAILED
from sentinels.cli.show import note
from sentinels.cli.status import JobArgument, newest
from sentinels.core.errors import Unavailable
from sentinels.core.text import printable

_CHUNK = 65536


def logs(
    job: JobArgument = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")
    ] = False,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Which attempt. Default: the last.")
    ] = None,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", min=0, help="Only the last lines.")
    ] = None,
) -> None:
    """Print what a job wrote, or follow it. Without a job: the newest one."""
    client = Client()
    reference = job or newest(client)
    _stream(client, reference, follow=follow, attempt=attempt, tail=tail)


def follow_to_the_end(client: Client, reference: str) -> bool:
    """Print the log as it comes, then how the job ended; whether it succeeded."""
    from sentinels.cli.following import changes

    for job in changes(client, reference):
        if job.get("state") != "queued":
            break
    _stream(client, reference, follow=True)
    good = await_all(client, [reference])
    if not good:
        raise typer.Exit(JOB_FAILED)
    return good


def _stream(
    client: Client,
    reference: str,
    *,
    follow: bool,
    attempt: int | None = None,
    tail: int | None = None,
) -> None:
    patience, query = Patience(), _query(attempt, tail)
    open_line = ""
    while True:
        try:
            chunk = client.get(job_path(reference, "logs"), query, wait=POLL_SECONDS)
        except Unavailable as trouble:
            if not follow:
                raise
            if patience.bear(trouble):
                note(f"{trouble}; trying again …")
            continue
        patience.over()
        open_line = _print(open_line + str(chunk.get("text") or ""))
        if chunk.get("ended") or (not follow and not chunk.get("text")):
            break
        query = _next(chunk, follow=follow)
    if open_line:
        _write(open_line + "\n")


def _query(attempt: int | None, tail: int | None) -> Json:
    start: Json = {"limit": _CHUNK}
    if attempt is not None:
        start["attempt"] = attempt
    return {**start, "tail": tail} if tail is not None else {**start, "offset": 0}


def _next(chunk: Json, *, follow: bool) -> Json:
    return {
        "limit": _CHUNK,
        "attempt": chunk["attempt"],
        "offset": chunk["next_offset"],
        "wait": POLL_SECONDS if follow else 0,
    }


def _print(text: str) -> str:
    whole, newline, rest = text.rpartition("\n")
    # Only whole lines are made safe: an escape sequence may be cut by the end of a chunk.
    _write(whole + newline)
    return rest


def _write(text: str) -> None:
    if text:
        sys.stdout.write(printable(text, keep_newlines=True))
        sys.stdout.flush()
