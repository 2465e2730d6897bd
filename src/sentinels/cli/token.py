"""``sentinels token``: the tokens that people are known by. Next: ``show``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client
from sentinels.cli.show import Column, Output, OutputOption, Row, rows, say, show_rows, show_value
from sentinels.cli.times import local

app = typer.Typer(
    help="Make, list and revoke the tokens that you are known by.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    epilog="\b\nExample:\n  sentinels token create --name laptop --expires 90d",
)
_PATH = "/v1/tokens"
_User = Annotated[str | None, typer.Option("--user", help="Somebody else's; for operators.")]


@app.command(epilog="\b\nExample:\n  sentinels token create --name laptop --expires 90d")
def create(
    name: Annotated[str, typer.Option(help="What you call it, as in laptop.")] = "",
    expires: Annotated[str, typer.Option(help="After how long it ends: 90d, 12h, never.")] = "90d",
    user: _User = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a token. It is shown this once: only what recognizes it is kept."""
    asked = {"name": name or None, "expires": expires, "user": user}
    made = Client().post(_PATH, {key: value for key, value in asked.items() if value is not None})
    if output not in (Output.TABLE, Output.WIDE):
        show_value(made, Output.JSON if output is Output.CSV else output)
        return
    say(str(made["token"]))
    say(f"  token {made['id']} of {made['user']}, {_until(made)}; it is shown only now")
    say(f"  use it: sentinels login    end it: sentinels token revoke {made['id']}")


@app.command("list", epilog="\b\nExample:\n  sentinels token list")
def list_tokens(user: _User = None, output: OutputOption = Output.TABLE) -> None:
    """List your tokens and when each was used; an operator's: everybody's."""
    found = rows(Client().get(_PATH, {"user": user}), "tokens")
    show_rows(found, COLUMNS, output, empty="There is no token: sentinels token create")


@app.command(epilog="\b\nExample:\n  sentinels token revoke 3")
def revoke(
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="As in sentinels token list.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """End tokens at once, and with them their users' sessions in browsers."""
    client = Client()
    ended = [client.post(f"{_PATH}/{token_id}/revoke") for token_id in ids]
    if output is not Output.TABLE:
        show_rows(ended, COLUMNS, output, empty="")
        return
    for token in ended:
        say(f"token {token['id']} of {token['user']} is revoked")


def _until(token: Row) -> str:
    return f"good until {local(token['expires_at'])}" if token.get("expires_at") else "for ever"


def _state(token: Row) -> str:
    if token.get("revoked_at"):
        return f"revoked {local(token['revoked_at'])}"
    return _until(token)


COLUMNS = (
    Column("TOKEN", lambda token: token["id"], right=True, name="id"),
    Column("USER", lambda token: token["user"]),
    Column("NAME", lambda token: token["name"]),
    Column("MADE", lambda token: local(token["created_at"])),
    Column("STATE", _state),
    Column("LAST USED", lambda token: local(token["last_used_at"]) or "never"),
)
