"""``sentinels logs``: what a job wrote. Offsets are the server's bytes, so that a broken connection
neither loses nor doubles a line. Next: ``paper``, ``client``.
"""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client, Json, Patience, job_path
from sentinels.cli.following import POLL_SECONDS, changes, live_line, standing
from sentinels.cli.paper import Paper
from sentinels.cli.show import note
from sentinels.cli.status import JobArgument, newest
from sentinels.cli.words import TERMINAL, outcome
from sentinels.core.errors import Unavailable

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
    query: Json = {"tail": tail} if tail is not None else {"offset": 0}
    if attempt is not None:
        query["attempt"] = attempt
    if not follow:
        _print_once(client, reference, query)
    elif attempt is not None:
        _print_attempt(client, reference, query)
    else:
        follow_to_the_end(client, reference, query)


def follow_to_the_end(client: Client, reference: str, query: Json | None = None) -> bool:
    """Print the log as it comes, of every further attempt too; whether the job succeeded."""
    asked, attempt = query or {"offset": 0}, 0
    while True:
        job = _next_attempt(client, reference, after=attempt)
        reference = str(job["id"])
        if job["attempt"] == attempt or not job["attempt"]:
            note(outcome(job))
            return job["state"] == "succeeded"
        if attempt:
            note(f"attempt {job['attempt']}:")
        attempt = int(str(job["attempt"]))
        _print_attempt(client, reference, {**asked, "attempt": attempt})
        asked = {"offset": 0}


def _next_attempt(client: Client, reference: str, *, after: int) -> Json:
    """The job once it has a later attempt, or has ended."""
    with live_line(aside=True) as tell:
        for job in changes(client, reference):
            if job["state"] in TERMINAL or job["attempt"] != after:
                return job
            tell(standing(job))
    raise AssertionError  # changes end only at a deadline


def _print_attempt(client: Client, reference: str, query: Json) -> None:
    patience, asked = Patience(), {**query, "limit": _CHUNK}
    with Paper(live=True) as paper:
        while True:
            try:
                chunk = client.get(job_path(reference, "logs"), asked, wait=POLL_SECONDS)
            except Unavailable as trouble:
                if patience.bear(trouble):
                    note(f"{trouble}; trying again …")
                continue
            patience.over()
            paper.add(str(chunk.get("text") or ""))
            if chunk.get("ended"):
                return
            asked = {**_after(chunk), "wait": POLL_SECONDS}


def _print_once(client: Client, reference: str, query: Json) -> None:
    asked = {**query, "limit": _CHUNK}
    with Paper() as paper:
        while True:
            chunk = client.get(job_path(reference, "logs"), asked)
            paper.add(str(chunk.get("text") or ""))
            if chunk.get("ended") or not chunk.get("text"):
                break
            asked = _after(chunk)
    if paper.is_blank:
        note("it has written nothing" + ("" if chunk.get("ended") else " yet"))


def _after(chunk: Json) -> Json:
    place = {"limit": _CHUNK, "offset": chunk["next_offset"]}
    return {**place, "attempt": chunk["attempt"]} if chunk["attempt"] else place
