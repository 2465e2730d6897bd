"""``sentinels logs``: what a job wrote. It goes on at the server's cursor, so that a broken
connection neither loses nor doubles a line. Next: ``log_view``, ``paper``, ``client``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from sentinels.cli.client import Client, Json, Patience, job_path
from sentinels.cli.following import POLL_SECONDS, changes, live_line, standing
from sentinels.cli.log_view import View, Wanted, read_pattern, read_since
from sentinels.cli.paper import Paper
from sentinels.cli.show import note
from sentinels.cli.status import JobArgument, newest
from sentinels.cli.words import TERMINAL, outcome
from sentinels.core.errors import Unavailable

_CHUNK = 2**20
_ALL = Wanted()


def logs(
    job: JobArgument = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")
    ] = False,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Which attempt. Default: the last.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only from then on, as in 10m (ago), 14:30."),
    ] = None,
    grep: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Only lines in which this is found, as in 'loss|lr'."),
    ] = None,
    tail: Annotated[
        int | None,
        typer.Option("--tail", "-n", min=0, max=100_000, help="Only the last lines (of those)."),
    ] = None,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", "-t", help="Begin each line with its time.")
    ] = False,
) -> None:
    """Print what a job wrote, or follow it. Without a job: the newest one."""
    pattern = None if grep is None else read_pattern(grep)
    begin: Json = {} if since is None else {"since": read_since(since, datetime.now(UTC))}
    # The server knows the last lines of a log, but not which lines are wanted.
    by_server = tail is not None and since is None and pattern is None
    wanted = Wanted(pattern, None if by_server else tail, timestamps)
    if by_server:
        begin["tail"] = tail
    client = Client()
    reference = job or newest(client)
    if attempt is not None:
        begin["attempt"] = attempt
    if not follow:
        _print_once(client, reference, begin, wanted)
    elif attempt is not None:
        _print_attempt(client, reference, begin, wanted)
    else:
        follow_to_the_end(client, reference, begin, wanted)


def follow_to_the_end(
    client: Client, reference: str, begin: Json | None = None, wanted: Wanted = _ALL
) -> bool:
    """Print the log as it comes, of every further attempt too; whether the job succeeded."""
    asked, attempt = begin or {}, 0
    while True:
        job = _next_attempt(client, reference, after=attempt)
        reference = str(job["id"])
        if job["attempt"] == attempt or not job["attempt"]:
            note(outcome(job))
            return job["state"] == "succeeded"
        if attempt:
            note(f"attempt {job['attempt']}:")
        attempt = int(str(job["attempt"]))
        _print_attempt(client, reference, {**asked, "attempt": attempt}, wanted)
        asked = {}


def _next_attempt(client: Client, reference: str, *, after: int) -> Json:
    """The job once it has a later attempt, or has ended."""
    with live_line(aside=True) as tell:
        for job in changes(client, reference):
            if job["state"] in TERMINAL or job["attempt"] != after:
                return job
            tell(standing(job))
    raise AssertionError  # changes end only at a deadline


def _print_attempt(client: Client, reference: str, begin: Json, wanted: Wanted) -> None:
    patience, asked, aside = Patience(), _first(begin, wanted), _Aside()
    wait = 0.0
    with Paper(live=True) as paper:
        view = View(wanted, paper)
        while True:
            try:
                chunk = client.get(job_path(reference, "logs"), {**asked, "wait": wait}, wait=wait)
            except Unavailable as trouble:
                if patience.bear(trouble):
                    note(f"{trouble}; trying again …")
                continue
            patience.over()
            aside.say(chunk)
            view.add(str(chunk.get("text") or ""))
            if chunk.get("ended"):
                view.end()
                return
            if not chunk.get("text"):
                view.caught_up()
                wait = POLL_SECONDS
            asked = _next(asked, chunk)


def _print_once(client: Client, reference: str, begin: Json, wanted: Wanted) -> None:
    asked, aside = _first(begin, wanted), _Aside()
    with Paper() as paper:
        view = View(wanted, paper)
        while True:
            chunk = client.get(job_path(reference, "logs"), asked)
            if chunk.get("text"):
                aside.say(chunk)
            view.add(str(chunk.get("text") or ""))
            if chunk.get("ended") or not chunk.get("text"):
                break
            asked = _next(asked, chunk)
        view.end()
    if not paper.is_blank:
        aside.say(chunk)
    elif chunk.get("unavailable"):
        raise Unavailable(str(chunk["unavailable"]), remedy="sentinels doctor says how to mend it")
    elif wanted.grep is not None:
        note("no line matches")
    else:
        note("it has written nothing" + ("" if chunk.get("ended") else " yet"))


class _Aside:
    """Says on standard error what could not be asked, whenever that changes."""

    def __init__(self) -> None:
        self._said: object = None

    def say(self, chunk: Json) -> None:
        sentence = chunk.get("unavailable")
        if sentence and sentence != self._said:
            note(str(sentence))
        self._said = sentence


def _first(begin: Json, wanted: Wanted) -> Json:
    timed: Json = {"timestamps": "true"} if wanted.timed else {}
    return {**begin, **timed, "limit": _CHUNK}


def _next(asked: Json, chunk: Json) -> Json:
    kept = {name: value for name, value in asked.items() if name not in ("since", "tail")}
    place: Json = {**kept, "cursor": chunk["cursor"]}
    return {**place, "attempt": chunk["attempt"]} if chunk["attempt"] else place
