"""``sentinels explain``: how an attempt ended, whose doing it was and what to do, on one screen.

Comes in: a job. Goes out: its dossier. Before: ``main``. Next: ``show``, ``words``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from sentinels.cli.client import Client, Json, job_path
from sentinels.cli.show import (
    Output,
    Row,
    mapping,
    on_terminal,
    painted_line,
    room,
    rows,
    say,
    show_value,
)
from sentinels.cli.status import JobArgument, newest
from sentinels.cli.times import length, local, ran, seconds_between
from sentinels.cli.width import cropped
from sentinels.cli.words import MARKS, image, needs, state
from sentinels.core.text import printable

_EVENTS = 5
"""Events on the screen; the others are of interest to who looks after the cluster."""
_BAR = 20
_TITLE = 11
_NEVER = 2**20
"""Lines are broken for a terminal, not for a program that reads them."""
_LONGEST = 400
"""Characters of one line of output on the screen."""


class Form(StrEnum):
    """What ``-o`` takes here: a dossier is no listing."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


def explain(
    job: JobArgument = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Which attempt. Default: the last.")
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=200, help="How many last lines to show.")
    ] = 12,
    output: Annotated[
        Form, typer.Option("-o", "--output", help="How to print it.", case_sensitive=False)
    ] = Form.TABLE,
) -> None:
    """Explain how a job ended: why, whose doing it was, what to do. Without a job: the newest."""
    client = Client()
    query = {"attempt": attempt} if attempt is not None else None
    found = client.get(job_path(job or newest(client), "dossier"), query)
    if output in (Form.JSON, Form.YAML):
        show_value(found, Output(output.value))
    elif not found["ended"]:
        _not_yet(found)
    else:
        _show(found, lines=lines, whole=output is Form.WIDE)


def _not_yet(found: Json) -> None:
    job = mapping(found["job"])
    say(f"job {job['id']} {job['name']} is {job['state']}: it has not ended")
    say(f"  where it is: sentinels status {job['id']}")
    ended = [each for each in rows(found, "attempts") if each["state"] == "finished"]
    for each in ended[-1:]:
        number = each["attempt"]
        say(f"  how attempt {number} ended: sentinels explain {job['id']} --attempt {number}")


def _show(found: Json, *, lines: int, whole: bool) -> None:
    job = mapping(found["job"])
    painted_line(_headline(found, job), str(job["state"]))
    for title, texts in _facts(found, job, whole=whole):
        _field(title, texts)
    _last_lines(mapping(found["lines"]), lines, whole=whole)
    say(f"  next: {_next(found, job)}")


def _headline(found: Json, job: Row) -> str:
    attempt, attempts = mapping(found["attempt"]), rows(found, "attempts")
    mark = MARKS.get(str(job["state"]), "·")
    took = "" if found["cause"] or not job.get("started_at") else f" after {ran(job)}"
    nth = f", attempt {attempt['attempt']} of {len(attempts)}" if len(attempts) > 1 else ""
    return f"{mark} job {job['id']} {job['name']} {state(job)}{took}{nth}"


def _facts(found: Json, job: Row, *, whole: bool) -> Iterator[tuple[str, Sequence[str]]]:
    attempt, cause = mapping(found["attempt"]), mapping(found["cause"])
    yield "why", [str(cause.get("detail") or cause.get("sentence") or "")]
    yield "whose doing", [str(cause.get("whose") or "")]
    yield "it said", _texts(found["said"]) if cause else []
    yield "do" if cause else "next time", _texts(found["advice"])
    yield "ended", [_ended(found, attempt)]
    for share in rows(found, "used"):
        yield str(share["what"]), [_used(share)]
    yield "node", list(_node(found, attempt))
    yield "events", list(_events(rows(found, "events"), whole=whole))
    yield "attempts", list(_attempts(rows(found, "attempts")))
    yield "image", [image(job, wide=whole)]
    yield "mlflow", [str(attempt.get("mlflow_url") or "")]
    yield "missing", [str(gap["why"]) for gap in rows(found, "gaps")]


def _ended(found: Json, attempt: Row) -> str:
    if not attempt.get("finished_at"):
        return ""
    took = length(seconds_between(attempt.get("started_at"), attempt["finished_at"]))
    code, signal = found.get("exit_code"), found.get("signal")
    return (
        f"{local(attempt['finished_at'])}"
        + (f", after {took}" if took else ", before its program started")
        + (f", on {attempt['node']}" if attempt.get("node") else "")
        + (f", exit code {code}" if code is not None else "")
        + (f" ({signal})" if signal else "")
    )


def _used(share: Row) -> str:
    asked = f" of {share['asked']}" if share.get("asked") else ""
    part = share.get("part")
    if not isinstance(part, int | float):
        return f"{share['used']}{asked}"
    full = min(_BAR, max(0, round(part * _BAR)))
    return f"{'█' * full}{'░' * (_BAR - full)} {share['used']}{asked}, {part:.0%}"


def _node(found: Json, attempt: Row) -> Iterator[str]:
    conditions = rows(found, "conditions")
    if not attempt.get("node") or not conditions:
        return
    bad = [_condition(each) for each in conditions if each["bad"]]
    first, *others = bad or ["ready, short of nothing"]
    yield f"{attempt['node']}: {first}"
    yield from others


def _condition(condition: Row) -> str:
    since = f" since {local(condition['since'])}" if condition.get("since") else ""
    said = f": {condition['message']}" if condition.get("message") else ""
    return f"{condition['name']}{since}{said}"


def _events(found: Sequence[Row], *, whole: bool) -> Iterator[str]:
    """The warnings; where there are none, nothing that a person has to read."""
    shown = list(found) if whole else [each for each in found if each["warns"]][-_EVENTS:]
    for each in shown:
        count = each.get("count")
        times = f" ×{count}" if isinstance(count, int) and count > 1 else ""
        yield f"{local(each['at'])} {each['about']} {each['reason']}{times}: {each['message']}"
    if len(shown) < len(found):
        yield f"{len(found) - len(shown)} more: -o wide"


def _attempts(found: Sequence[Row]) -> Iterator[str]:
    """Each with how it ended, and with what was different from the one before."""
    if len(found) < 2:
        return
    for each in found:
        ended = str(each.get("reason") or each.get("state")).replace("_", " ")
        took = length(seconds_between(each.get("started_at"), each.get("finished_at")))
        again = each.get("different")
        changed = f": {again}" if again else f", with {needs(each)}"
        where = f" on {each['node']}" if each.get("node") else ""
        yield f"{each['attempt']}. {ended}{where}{f' after {took}' if took else ''}{changed}"


def _field(title: str, texts: Sequence[str]) -> None:
    from textwrap import wrap

    places = max(40, room() - _TITLE - 3) if on_terminal() else _NEVER
    broken = [
        line
        for text in texts
        if text.strip()
        for line in wrap(printable(text), places, break_long_words=False, break_on_hyphens=False)
    ]
    for number, line in enumerate(broken):
        say(f"  {title if number == 0 else '':<{_TITLE}} {line}")


def _last_lines(found: Row, most: int, *, whole: bool) -> None:
    texts = _texts(found.get("texts"))
    shown = texts[-most:] if most else []
    if not shown:
        return
    is_all = len(shown) == len(texts) and found.get("whole")
    last = "the last line" if len(shown) == 1 else f"the last {len(shown)} lines"
    say(f"  {'all that it printed' if is_all else last}, from {found.get('source')}")
    for text in shown:
        line = text.expandtabs(4)
        say(f"    {line if whole else cropped(printable(line), _LONGEST)}")


def _texts(found: object) -> list[str]:
    return [str(each) for each in found] if isinstance(found, list) else []


def _next(found: Json, job: Row) -> str:
    attempt = mapping(found["attempt"]).get("attempt")
    named = f" --attempt {attempt}" if attempt and attempt != job.get("attempt") else ""
    return f"sentinels logs {job['id']}{named} · sentinels status {job['id']}"
