"""Let a request in: find its route, its caller and its parameters, and hand it on.

Comes in: any HTTP request. Goes out: a response. Before: ``main``. Next:
``recognizing``, ``routes``, ``pages/routes``.
"""

from __future__ import annotations

from flask import Request, Response

from sentinels.core.errors import SentinelsError, UnknownCaller
from sentinels.core.queueing import Caller
from sentinels.functions.http import answered
from sentinels.functions.routing import match, read_query
from sentinels.functions.submit.door import Ask, FrontDoor
from sentinels.functions.submit.pages.routes import PAGES, Entrance, Page
from sentinels.functions.submit.recognizing import recognize
from sentinels.functions.submit.routes import ROUTES, OpenRoute, Route

EVERY: tuple[Route | OpenRoute | Page | Entrance, ...] = (*ROUTES, *PAGES)


def handle(door: FrontDoor, request: Request) -> Response:
    """Answer any request."""
    return door.telemetry.observed(
        request,
        _template(request),
        lambda asked: answered(asked, lambda let_in: _let_in(door, let_in)),
    )


def _let_in(door: FrontDoor, request: Request) -> Response:
    found = match(EVERY, request.method, request.path)
    if isinstance(found.route, Page | Entrance):
        return found.route.answer(door, request, found.names)
    if isinstance(found.route, OpenRoute):
        return found.route.handle(door)
    caller = _caller(door, request)
    query = read_query(found.route.query, request.args)
    return found.route.handle(Ask(door, request, caller, found.names, query))


def _caller(door: FrontDoor, request: Request) -> Caller:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnknownCaller("this needs a token: Authorization: Bearer …")
    return recognize(door, token)


def _template(request: Request) -> str:
    """What the request counts under: a route's template, so that there are few of them."""
    try:
        found = match(EVERY, request.method, request.path)
    except SentinelsError:
        return "none"
    return found.route.template
