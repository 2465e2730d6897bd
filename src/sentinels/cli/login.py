"""``sentinels login``: remember a server and a token.

The token is typed or piped, never an argument: arguments are seen by everyone on the machine. Next:
``address``.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
from typing import Annotated

import typer

from sentinels.cli.address import Address, checked_url, login_file
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
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump({"url": address.url, "token": address.token}, file)
    say(f"logged in at {address.url}; kept in {path}")


def _token() -> str:
    token = getpass.getpass("token: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not token.strip():
        raise InvalidRequest("no token was given", remedy="paste it, or pipe it in")
    return token.strip()
