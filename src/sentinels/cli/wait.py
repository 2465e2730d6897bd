"""``sentinels wait``: until jobs have ended. Next: ``following``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client
from sentinels.cli.following import await_all
from sentinels.cli.problems import JOB_FAILED
from sentinels.core.errors import InvalidRequest
from sentinels.core.quantity import parse_duration


def wait(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids, names or prefixes.")],
    timeout: Annotated[
        str | None, typer.Option(help="Give up after so long, as in 2h; exit code 2.")
    ] = None,
) -> None:
    """Wait until jobs have ended; exit code 1 if one did not succeed."""
    try:
        seconds = None if timeout is None else parse_duration(timeout)
    except ValueError as error:
        raise InvalidRequest(f"--timeout {timeout}: {error}") from error
    if not await_all(Client(), jobs, timeout=seconds):
        raise typer.Exit(JOB_FAILED)
