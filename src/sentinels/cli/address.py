"""Where the server is and who asks.

In this order: ``--url`` and ``--token``; ``SENTINELS_URL`` with ``SENTINELS_TOKEN``; the data
folder that ``SENTINELS_HOME`` names; what ``sentinels login`` remembered; the one-machine mode of
this user. Comes in: the environment and two files. Goes out: an ``Address``. Next: ``client``.
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
    """A server and the token to show it; ``is_here``: it is this user's own, on this machine."""

    url: str
    token: str
    is_here: bool = False


def name_server(url: str | None, token: str | None) -> None:
    """Let the flags win over the environment, for this process and those it starts."""
    for name, value in (("SENTINELS_URL", url), ("SENTINELS_TOKEN", token)):
        if value is not None:
            os.environ[name] = value


def find_address() -> Address:
    """The server to speak to. Raises ``Unavailable`` where none is known."""
    named = os.environ.get("SENTINELS_URL")
    if named:
        return _named(checked_url(named))
    if (found := _remembered()) is not None:
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

    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidRequest(
            f"{url} is no server's address", remedy="as in https://sentinels.example.org"
        )
    return url.rstrip("/")


def checked_token(token: str) -> str:
    """The token. Raises ``InvalidRequest`` where it cannot be one; it is never repeated."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidRequest(
            "the token has characters that no token has", remedy="copy it again, without quotes"
        )
    return token


def _named(url: str) -> Address:
    token = os.environ.get("SENTINELS_TOKEN", "").strip()
    known = None if token else _remembered()
    if known is not None and known.url == url:
        return known
    return Address(url, checked_token(token))


def _remembered() -> Address | None:
    here = find_home(os.environ, uid=os.geteuid()) / SERVER_FILE
    if os.environ.get("SENTINELS_HOME"):
        return _read(here, is_here=True)
    return _read(login_file()) or _read(here, is_here=True)


def _read(path: Path, *, is_here: bool = False) -> Address | None:
    try:
        found = json.loads(path.read_text("utf-8"))
        url, token = checked_url(str(found["url"])), checked_token(str(found["token"]))
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, InvalidRequest) as error:
        raise InvalidRequest(f"{path} cannot be read", remedy=f"remove it: rm {path}") from error
    return Address(url, token, is_here)
