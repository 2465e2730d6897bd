"""``sentinels why``: what a job waits for, when it will start, and what would start it now.

Comes in: a job. Goes out: one answer. Before: ``main``. Next: ``show``, ``words``.
"""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client, Json, job_path
from sentinels.cli.show import (
    Output,
    OutputOption,
    mapping,
    on_terminal,
    room,
    rows,
    say,
    show_value,
)
from sentinels.cli.status import JobArgument, newest
from sentinels.cli.times import local, waited
from sentinels.cli.words import expected, place, state


def why(
    job: JobArgument = None,
    history: Annotated[
        bool, typer.Option("--history", help="Show how the answer changed while it waited.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say why a job waits, and what would start it now. Without a job: the newest."""
    client = Client()
    query = {"history": "true"} if history else None
    found = client.get(job_path(job or newest(client), "why"), query)
    if output in (Output.JSON, Output.YAML):
        show_value(found, output)
    else:
        _show(found)


def _show(found: Json) -> None:
    job = mapping(found["job"])
    queue = mapping(job.get("queue"))
    where = f", for {waited(job)} · {place(queue)}" if queue else ""
    say(f"job {job['id']} {job['name']} {state(job)}{where}")
    _tell(str(found["sentence"]))
    if found.get("trouble"):
        _tell(f"! {found['trouble']}")
    when = expected(found.get("expected"))
    if when:
        say(f"  expected to start {when}")
    for way in rows(found, "ways"):
        say(f"  {way['words']}:  {way['command']}")
    for change in rows(found, "history"):
        say(f"  {local(change['at'])}  {change['sentence']}")


def _tell(text: str) -> None:
    from textwrap import wrap

    places = max(40, room() - 4) if on_terminal() else 2**20
    for line in wrap(text, places, break_long_words=False, break_on_hyphens=False):
        say(f"  {line}")
