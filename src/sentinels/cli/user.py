"""``sentinels user``: who there is, in which team and role. Next: ``show``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client
from sentinels.cli.show import Column, Output, OutputOption, rows, say, show_rows, show_value
from sentinels.cli.times import local
from sentinels.core.rights import Role

app = typer.Typer(
    help="Show who there is; put people into teams and roles.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    epilog="\b\nExample:\n  sentinels user set ann --team vision --role lead",
)
_PATH = "/v1/users"


@app.command("list", epilog="\b\nExample:\n  sentinels user list")
def list_users(output: OutputOption = Output.TABLE) -> None:
    """List your team; an operator's: everybody."""
    found = rows(Client().get(_PATH), "users")
    show_rows(found, COLUMNS, output, empty="There is nobody.")


@app.command("set", epilog="\b\nExample:\n  sentinels user set ann --team vision --role lead")
def set_user(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom; they are made if new.")],
    team: Annotated[
        str | None, typer.Option(help="Their team. Their jobs stay where they are.")
    ] = None,
    role: Annotated[
        Role | None,
        typer.Option(help="member: their own jobs; lead: their team's; operator: everything."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a user, or change their team or role; for operators. It holds at once."""
    asked = {"name": name, "team": team, "role": role.value if role else None}
    found = Client().post(_PATH, {key: value for key, value in asked.items() if value is not None})
    if output is not Output.TABLE:
        show_value(found, Output.YAML if output is Output.YAML else Output.JSON)
        return
    say(f"{found['name']} is {found['role']} in team {found['team']}")
    if not found.get("last_seen_at"):
        say(f"  they need a token: sentinels token create --user {found['name']}")


COLUMNS = (
    Column("USER", lambda user: user["name"]),
    Column("TEAM", lambda user: user["team"]),
    Column("ROLE", lambda user: user["role"]),
    Column("SINCE", lambda user: local(user["created_at"])),
    Column("LAST SEEN", lambda user: local(user["last_seen_at"]) or "never"),
)
