"""Where the server is and who asks.

In this order: ``SENTINELS_URL`` with ``SENTINELS_TOKEN``; the data folder that ``SENTINELS_HOME``
names; what ``sentinels login`` remembered; the one-machine mode of this user. Comes in: the environment and two files. Goes out: an ``Address``.
Next: ``client``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from sentinels.core.errors import InvalidRequest, Unavailable
from sentinels.data_folder import SERVER_FILE, find_home


@dataclass(frozen=True, slots=True)
class Address:
    """A server and the token to show it."""

    url: str
    token: str


def find_address() -> Address:
    """The server to speak to. Raises ``Unavailable`` where none is known."""
    named = os.environ.get("SENTINELS_URL")
    if named:
        return Address(checked_url(named), os.environ.get("SENTINELS_TOKEN", ""))
    named_home = os.environ.get("SENTINELS_HOME")
    for path in [_server_file()] if named_home else [login_file(), _server_file()]:
        if (found := _read(path)) is not None:
            return found
    raise Unavailable(
        "Sentinels is not running here, and no server was named",
        remedy="start it: sentinels up    or name one: sentinels login URL",
    )


def login_file() -> Path:
    """Where ``sentinels login`` keeps the address and the token."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path(os.environ.get("HOME", "/"), ".config")
    return Path(base, "sentinels", "login.json")


def checked_url(url: str) -> str:
    """The address without a trailing slash. Raises ``InvalidRequest`` where it is none."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest(f"{url} is no address", remedy="as in https://sentinels.example.org")
    return url.rstrip("/")


def _server_file() -> Path:
    return find_home(os.environ, uid=os.geteuid()) / SERVER_FILE


def _read(path: Path) -> Address | None:
    try:
        found = json.loads(path.read_text("utf-8"))
        return Address(str(found["url"]), str(found["token"]))
    except FileNotFoundError:
        return None
    except PermissionError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRequest(f"{path} cannot be read", remedy=f"remove it: rm {path}") from error
