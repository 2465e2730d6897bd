"""``sentinels login``: remember a server and a token.

The token is typed or piped, never an argument: arguments are seen by everyone on the machine. Next:
``address``.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from sentinels.cli.address import Address, checked_token, checked_url, login_file
from sentinels.cli.client import Client
from sentinels.cli.show import say
from sentinels.core.errors import InvalidRequest


def login(
    url: Annotated[str, typer.Argument(help="The server, as in https://sentinels.example.org.")],
) -> None:
    """Remember a server's address and your token, which is read from the terminal or a pipe."""
    address = Address(checked_url(url), _token())
    Client(address).get("/v1/jobs", {"limit": 1})
    path = login_file()
    try:
        _keep(address, path)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror}") from error
    say(f"logged in at {address.url}; kept in {path}")


def _keep(address: Address, path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"url": address.url, "token": address.token}, file)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _token() -> str:
    token = getpass.getpass("token: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not token.strip():
        raise InvalidRequest("no token was given", remedy="paste it, or pipe it in")
    return checked_token(token.strip())
