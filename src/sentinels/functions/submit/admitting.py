"""People and the tokens that they are known by.

Comes in: an ``Ask``. Goes out: JSON; what a token is, is told once, to who made it. Before:
``routes``. Next: ``core/people``.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from flask import Response

from sentinels.core.errors import InvalidRequest, NotFound
from sentinels.core.identity import LONGEST_NAME, is_name
from sentinels.core.people import TokenView, UserChange, UserView
from sentinels.core.ports import Json
from sentinels.core.quantity import parse_duration
from sentinels.core.rights import Act, Role
from sentinels.functions.http import read_body, reply
from sentinels.functions.json_reading import read_json
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.shaping import time_json

USUAL_EXPIRY = "90d"
NEVER = "never"
_FARTHEST_SECONDS = 10 * 365 * 86400


def list_tokens(ask: Ask) -> Response:
    """The caller's tokens; an operator's: everybody's, or one user's."""
    found = ask.door.people.tokens(ask.caller, user=ask.query.word("user"))
    return reply({"tokens": [_token_json(token) for token in found]})


def make_token(ask: Ask) -> Response:
    """A new token, for the caller or, by an operator, for somebody else."""
    body = _fields(ask, "name", "expires", "user")
    user = _name(body, "user") or ask.caller.user
    if user != ask.caller.user:
        ask.need(Act.GOVERN, "make a token for somebody else")
    token, secret = ask.door.people.make_token(
        ask.caller,
        user=user,
        name=_name(body, "name") or "",
        seconds=_seconds(body.get("expires", USUAL_EXPIRY)),
    )
    return reply({**_token_json(token), "token": secret}, HTTPStatus.CREATED)


def revoke_token(ask: Ask) -> Response:
    """End a token of the caller's; an operator's: anybody's."""
    given = ask.names["id"]
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise NotFound(f"there is no token {given!r}", remedy="see: sentinels token list")
    return reply(_token_json(ask.door.people.revoke(ask.caller, int(given))))


def list_users(ask: Ask) -> Response:
    """The caller's team; an operator's: everybody."""
    users = ask.door.people.users(ask.caller)
    return reply({"you": ask.caller.user, "users": [_user_json(user) for user in users]})


def set_user(ask: Ask) -> Response:
    """Make a user, or change their team or role."""
    ask.need(Act.GOVERN, "change people")
    body = _fields(ask, "name", "team", "role")
    name, role = _name(body, "name"), body.get("role")
    if name is None:
        raise InvalidRequest("name: whose? it is missing")
    if role is not None and role not in list(Role):
        raise InvalidRequest(f"role: {role!r} is none of {', '.join(Role)}"[:LONGEST_NAME])
    change = UserChange(_name(body, "team"), Role(str(role)) if role is not None else None)
    return reply(_user_json(ask.door.people.set_user(ask.caller, name, change)))


def _fields(ask: Ask, *known: str) -> Mapping[str, object]:
    raw = read_body(ask.request)
    given = read_json(raw) if raw else {}
    if not isinstance(given, dict) or set(given) - set(known):
        raise InvalidRequest(f"the body must be an object with some of: {', '.join(known)}")
    return given


def _name(body: Mapping[str, object], field: str) -> str | None:
    given = body.get(field)
    if given is None:
        return None
    if not isinstance(given, str) or not is_name(given):
        raise InvalidRequest(
            f"{field}: must be 1 to {LONGEST_NAME} characters without control characters"
        )
    return given


def _seconds(given: object) -> int | None:
    if given in (None, NEVER):
        return None
    try:
        seconds = parse_duration(given)
    except ValueError as error:
        raise InvalidRequest(f"expires: {str(given)[:100]!r} {error}, or {NEVER}") from error
    if seconds > _FARTHEST_SECONDS:
        raise InvalidRequest("expires: that is over ten years", remedy=f"less, or {NEVER}")
    return seconds


def _token_json(token: TokenView) -> dict[str, Json]:
    return {
        "id": token.id,
        "user": token.user,
        "name": token.name,
        "created_at": time_json(token.created_at),
        "expires_at": time_json(token.expires_at),
        "last_used_at": time_json(token.last_used_at),
        "revoked_at": time_json(token.revoked_at),
    }


def _user_json(user: UserView) -> dict[str, Json]:
    return {
        "name": user.name,
        "team": user.team,
        "role": user.role.value,
        "created_at": time_json(user.created_at),
        "last_seen_at": time_json(user.last_seen_at),
    }
