"""``sentinels doctor``: every part, and how to mend it. Next: ``functions/submit``'s health."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client, Json
from sentinels.cli.problems import SERVER
from sentinels.cli.show import Output, Row, rows, say, show_value
from sentinels.core.errors import Unavailable


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Check every part and say how to mend it; exit code 3 if something is down."""
    try:
        answer = Client().get("/v1/health")
    except Unavailable as trouble:
        if not json:
            raise
        answer = _no_server(trouble)
    if json:
        show_value(answer, Output.JSON)
    else:
        for check in rows(answer, "checks"):
            _tell(check)
    if not answer.get("ok"):
        raise typer.Exit(SERVER)


def _no_server(trouble: Unavailable) -> Json:
    server = {"name": "server", "ok": False, "detail": str(trouble), "remedy": trouble.remedy}
    return {"ok": False, "checks": [server]}


def _tell(check: Row) -> None:
    say(f"{'✔' if check['ok'] else '✘'} {check['name']!s:<14} {check['detail']}")
    if not check["ok"] and check.get("remedy"):
        say(f"    → {check['remedy']}")
