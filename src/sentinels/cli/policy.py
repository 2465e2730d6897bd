"""``sentinels policy``: show the policy as a file, put one in force, tell its history.

Comes in: an operator's file. Goes out: every fault of it with its line, or what it changed. Next:
``core/policy_reading``, ``client``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from sentinels.cli.client import Client, Json
from sentinels.cli.reading import read_text
from sentinels.cli.show import (
    Column,
    Output,
    OutputOption,
    Row,
    mapping,
    rows,
    say,
    show_rows,
    show_value,
)
from sentinels.cli.times import local, to_the_minute
from sentinels.core.errors import Fault, InvalidPolicy, InvalidRequest, InvalidSubmission

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    epilog="\b\nExample:\n  sentinels policy show > policy.yaml",
    help="Show the policy, or put another in force: who goes first, who may have how much.",
)
_PATH = "/v1/policy"
_SHOWN = 10


def example(line: str) -> str:
    """The end of a command's help."""
    return f"\b\nExample:\n  {line}"


@app.command(epilog=example("sentinels policy show > policy.yaml"))
def show(
    version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="An earlier version.")
    ] = None,
    output: OutputOption = Output.YAML,
) -> None:
    """Show the policy in force, as a file that can be edited and applied."""
    found = Client().get(_PATH, {"version": version})
    if output is Output.JSON:
        show_value(found, output)
        return
    if output is not Output.YAML:
        raise InvalidRequest(f"a policy is no {output}", remedy="print it with -o yaml or -o json")
    document = found.get("document")
    say(_headline(found))
    made_from = {} if version is not None else {"version": found.get("version")}
    show_value({**made_from, **(document if isinstance(document, dict) else {})}, Output.YAML)


@app.command(epilog=example("sentinels policy apply policy.yaml --dry-run"))
def apply(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The policy; - is standard input.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what it would change, and for whom.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put a policy in force: within two seconds it holds everywhere.

    The version that stands in the file is the one that it was made from: where another was applied
    since, nothing is changed.
    """
    answer = Client().put(_PATH, _read(file), {"dry_run": "true"} if dry_run else None)
    if output in (Output.JSON, Output.YAML):
        show_value(answer, output)
        return
    changes = _changes(answer)
    for line in changes:
        say(line)
    if dry_run:
        _tell_effects(mapping(answer.get("effects")))
        return
    done = "is in force" if changes else "is in force already: nothing is different"
    say(f"version {answer.get('version')} of the policy {done}")


@app.command(epilog=example("sentinels policy history"))
def history(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell who changed what of the policy, and when."""
    found = rows(Client().get(f"{_PATH}/versions", {"limit": limit}), "versions")
    show_rows(found, _VERSIONS, output, empty="The usual policy is in force; nobody changed it.")


def _tell_effects(effects: Row) -> None:
    troubles, moves = effects.get("troubles"), rows(effects, "moves")
    for line in troubles if isinstance(troubles, list) else ():
        say(str(line))
    if not moves:
        say("no waiting job would move, as far as can be foreseen")
        return
    count = effects.get("moves_count")
    say(f"{count} waiting {'jobs' if count != 1 else 'job'} would move:")
    show_rows(moves[:_SHOWN], _MOVES, Output.TABLE, empty="")
    if len(moves) > _SHOWN:
        say(f"… and {int(str(count)) - _SHOWN} more")


def _read(file: str) -> Json:
    """The body of the request, or every fault of the file at once."""
    from sentinels.core.config_file import parse_config_text
    from sentinels.core.policy_reading import read_policy

    text = read_text(file, remedy="name it: sentinels policy apply FILE")
    if not text.strip():
        raise InvalidPolicy([Fault(file, "is empty", remedy="the usual policy is {}")])
    try:
        parsed = parse_config_text(text)
    except InvalidSubmission as invalid:
        raise InvalidPolicy(invalid.faults) from invalid
    faults, document = list(parsed.faults), dict(parsed.data)
    version = document.pop("version", None)
    try:
        read_policy(document, lines=parsed.lines)
    except InvalidPolicy as invalid:
        faults.extend(invalid.faults)
    if faults:
        raise InvalidPolicy(sorted(faults, key=lambda fault: fault.line or 0))
    return {"document": document} | ({} if version is None else {"version": version})


def _headline(found: Row) -> str:
    if not found.get("version"):
        return "# The usual policy: nobody has applied another. What each key means: docs/policy.md"
    at = str(found.get("at"))[:16].replace("T", " ")
    return f"# Version {found.get('version')}, by {found.get('actor')}, {at} UTC"


def _changes(row: Row) -> list[str]:
    found = row.get("changes")
    return [str(line) for line in found] if isinstance(found, list) else []


def _change_of(row: Row, key: str, text: Callable[[object], str]) -> str:
    before, after = row.get(f"{key}_before"), row.get(f"{key}_after")
    return f"{text(before) or '?'} → {text(after) or '?'}"


_MOVES = (
    Column("JOB", lambda row: row["job"], right=True),
    Column("OWNER", lambda row: row["user"]),
    Column("TEAM", lambda row: row["team"]),
    Column("PLACE", lambda row: _change_of(row, "place", lambda place: str(place or ""))),
    Column("STARTS ABOUT", lambda row: _change_of(row, "starts", to_the_minute)),
)
_VERSIONS = (
    Column("VERSION", lambda row: row["version"], right=True),
    Column("AT", lambda row: local(row["at"])),
    Column("BY", lambda row: row["actor"]),
    Column("CHANGES", lambda row: "; ".join(_changes(row))),
)
