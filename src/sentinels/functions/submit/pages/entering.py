"""Who looks at a page: a session in a cookie, begun with a token or with a code from the CLI.

The cookie opens pages alone, which change nothing; the HTTP interface takes tokens only, so no
other site can make a browser change anything. Comes in: a request for a page. Goes out: a caller,
or the page to enter by. Before: ``routes``. Next: ``core/sessions``.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qsl, quote, urlsplit

from flask import Request, Response

from sentinels.core.errors import NotAllowed, Unavailable
from sentinels.core.queueing import Caller
from sentinels.core.sessions import SESSION_SECONDS
from sentinels.functions.http import read_body, reply, status_of
from sentinels.functions.submit.door import Ask, FrontDoor
from sentinels.functions.submit.pages.drawing import page, safe
from sentinels.functions.submit.recognizing import recognize

COOKIE = "sentinels_session"
_TOKEN_LIMIT = 512
_FORM_LIMIT = 32 * 1024
_AGAIN_SECONDS = 10


def looker(door: FrontDoor, request: Request) -> Caller | None:
    """Who looks; None where nobody is known."""
    session = request.cookies.get(COOKIE, "")
    return door.sessions.caller_of(session) if 0 < len(session) <= _TOKEN_LIMIT else None


def to_entrance(request: Request) -> Response:
    """To the page to enter by, and from there back to where the browser wanted to be."""
    wanted = request.full_path.rstrip("?")
    return _redirect(f"/login?next={quote(wanted, safe='')}")


def show_entrance(door: FrontDoor, request: Request) -> Response:  # noqa: ARG001  # a page's signature
    """The page to enter by."""
    return _entrance(_inside(request.args.get("next", "")))


def enter_by_token(door: FrontDoor, request: Request) -> Response:
    """Begin a session for whoever has the token that was typed."""
    form = dict(parse_qsl(read_body(request, limit=_FORM_LIMIT).decode("utf-8", "replace")))
    wanted, token = _inside(form.get("next", "")), form.get("token", "").strip()
    try:
        caller = recognize(door, token)
    except NotAllowed as refused:
        return _entrance(wanted, f"{refused}."[:1].upper() + f"{refused}."[1:], status_of(refused))
    return _let_in(request, door.sessions.begin(caller), wanted)


def enter_by_code(door: FrontDoor, request: Request) -> Response:
    """Begin a session for whoever has the code that ``sentinels web`` made."""
    if request.method == "HEAD":
        return _entrance("/")  # who only looks at a link is not to use it up
    session = door.sessions.redeem(request.args.get("code", "")[:_TOKEN_LIMIT])
    if session is None:
        trouble = "This link was used before or is too old: type sentinels web for a new one."
        return _entrance("/", trouble, HTTPStatus.UNAUTHORIZED)
    return _let_in(request, session, _inside(request.args.get("next", "")))


def leave(door: FrontDoor, request: Request) -> Response:
    """End the session."""
    door.sessions.end(request.cookies.get(COOKIE, "")[:_TOKEN_LIMIT])
    response = _redirect("/login")
    response.delete_cookie(COOKIE)
    return response


def make_code(ask: Ask) -> Response:
    """A code with which the caller's browser can enter, once and soon."""
    code = ask.door.sessions.make_code(ask.caller)
    return reply({"code": code, "path": f"/enter?code={code}"}, HTTPStatus.CREATED)


def trouble_page(error: Unavailable) -> Response:
    """What a browser sees while the database is away."""
    told = {"title": "Not available now", "detail": str(error), "remedy": error.remedy}
    values = {**told, "caller": None}
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return page("trouble.html", values, status=status, refresh=_AGAIN_SECONDS)


def _entrance(wanted: str, trouble: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
    return page("login.html", {"wanted": wanted, "trouble": trouble}, status=status)


def _let_in(request: Request, session: str, wanted: str) -> Response:
    response = _redirect(wanted)
    response.set_cookie(
        COOKIE,
        session,
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="Lax",  # strict would ask again whoever follows a link in a message
        secure=_is_encrypted(request),
    )
    return response


def _is_encrypted(request: Request) -> bool:
    return request.scheme == "https" or request.headers.get("X-Forwarded-Proto") == "https"


def _inside(path: str) -> str:
    """The path if it leads to a page of ours, else to the first one."""
    parts = urlsplit(path)
    inside = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if inside and not parts.scheme and not parts.netloc and path.isprintable() else "/"


def _redirect(path: str) -> Response:
    return safe(Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path}))
