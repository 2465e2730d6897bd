"""``sentinels notify``: who is told of what, and where; yours and your team's. Next: ``show``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from sentinels.cli.client import Client, Json
from sentinels.cli.problems import SERVER
from sentinels.cli.show import Output, OutputOption, Row, mapping, rows, say, show_value
from sentinels.core.errors import InvalidRequest

_PATH = "/v1/preferences"
_NEXT = (
    "choose: sentinels notify --to @U024BE7LH --on failed,silent",
    "try it: sentinels notify --test",
)


def notify(
    to: Annotated[
        list[str] | None,
        typer.Option(help="Where: #channel, @U024BE7LH, ann@example.org, webhook:ci. Repeatable."),
    ] = None,
    on: Annotated[
        list[str] | None, typer.Option(help="Of what, as in failed,silent. Repeatable.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Of nothing.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="As if nothing had been chosen.")] = False,
    team: Annotated[bool, typer.Option("--team", help="Choose for your team.")] = False,
    test: Annotated[bool, typer.Option("--test", help="Send a test message there.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show or choose where you are told of your jobs, and of what."""
    change = _change(to, on, off=off, reset=reset)
    client = Client()
    if change:
        found = client.post(_PATH, {"team" if team else "user": change})
    else:
        found = client.get(_PATH)
    if test:
        _test(client, output, team=team)
    elif output is Output.TABLE or output is Output.WIDE:
        for line in _lines(found, wide=output is Output.WIDE):
            say(line)
    else:
        show_value(found, Output.JSON if output is Output.CSV else output)


def _change(to: Sequence[str] | None, on: Sequence[str] | None, *, off: bool, reset: bool) -> Json:
    if off + reset + bool(on) > 1 or (reset and to):
        raise InvalidRequest(
            "--on, --off and --reset contradict each other",
            remedy="give one of them; --reset forgets --to as well",
        )
    if reset:
        return {"to": [], "on": None}
    change: Json = {}
    if to:
        change["to"] = [word.strip() for words in to for word in words.split(",")]
    if on or off:
        change["on"] = [word.strip() for words in on or () for word in words.split(",")]
    return change


def _test(client: Client, output: Output, *, team: bool) -> None:
    answer = client.post(f"{_PATH}/test", {"team": team})
    tried = rows(answer, "tried")
    if output in (Output.JSON, Output.YAML):
        show_value(answer, output)
    else:
        for each in tried:
            mark = "✔" if each["arrived"] else "✘"
            say(f"{mark} {each['address'] or 'the default channel'}: {each['said']}")
    if not all(each["arrived"] for each in tried):
        raise typer.Exit(SERVER)


def _lines(found: Json, *, wide: bool) -> Iterator[str]:
    for title, text in _facts(found):
        yield f"{title:<14} {text}"
    if wide:
        yield ""
        for kind, meaning in mapping(found.get("kinds")).items():
            yield f"{kind:<14} {meaning}"
    yield f"  {_NEXT[0]}    {_NEXT[1]}"


def _facts(found: Json) -> Iterator[tuple[str, str]]:
    user, team = mapping(found.get("user")), mapping(found.get("team"))
    oncall = ", ".join(map(str, _list(found, "oncall")))
    yield f"you, {user.get('name')}", _told(user, f"the default channel, {found.get('default')}")
    yield f"team {team.get('name')}", _told(team, "")
    if oncall:
        yield "on-call", f"at {oncall}: the cluster's troubles, and what is full"
    yield "set up", _services(found)


def _told(choice: Row, otherwise: str) -> str:
    where = ", ".join(map(str, _list(choice, "to"))) or otherwise
    kinds = ", ".join(map(str, _list(choice, "told")))
    if not where:
        return "is not told: it named no address"
    if not kinds:
        return f"of nothing (at {where})"
    usual = " (the usual)" if choice.get("on") is None else ""
    at = "in" if where == otherwise else "at"
    return f"{at} {where}: {kinds}{usual}"


def _services(found: Json) -> str:
    services = [str(service) for service in _list(found, "services") if service != "webhook"]
    services += [f"webhook:{name}" for name in _list(found, "webhooks")]
    return ", ".join(services) or "nothing: notices are only kept (sentinels notices)"


def _list(row: Row, key: str) -> Sequence[object]:
    found = row.get(key)
    return found if isinstance(found, list) else ()
