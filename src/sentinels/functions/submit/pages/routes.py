"""Every page, as data. Before: ``submit/handler``. Next: ``views``, ``entering``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Request, Response

from sentinels.core.errors import SentinelsError, Unavailable
from sentinels.core.job import JobState
from sentinels.functions.http import status_of
from sentinels.functions.routing import Param, read_query
from sentinels.functions.submit import artifacts
from sentinels.functions.submit.door import Ask, FrontDoor
from sentinels.functions.submit.pages import entering, log, views
from sentinels.functions.submit.pages.drawing import page, safe, style

_STILL = Param("still", "Do not draw it anew by itself.")
_FILTERS = (
    Param("state", "Only these states.", choices=tuple(JobState), repeats=True),
    Param("name", "Only jobs whose name begins so."),
    Param("experiment", "Only this experiment."),
    Param("user", "Only this user's."),
    Param("team", "Only this team's."),
    Param("label", "Only jobs with this label.", repeats=True),
    Param("sweep", "Only this sweep.", 1, 2**53),
    Param("cursor", "The page after."),
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page for whoever is known; others are led to the entrance."""

    template: str
    show: Callable[[Ask], Response]
    query: tuple[Param, ...] = (_STILL,)
    method: str = "GET"

    def answer(self, door: FrontDoor, request: Request, names: Mapping[str, str]) -> Response:
        """The page, or what is wrong as a page."""
        try:
            caller = entering.looker(door, request)
            if caller is None:
                return entering.to_entrance(request)
        except Unavailable as trouble:
            return entering.trouble_page(trouble)
        try:
            query = read_query(self.query, request.args)
            return safe(self.show(Ask(door, request, caller, names, query)))
        except Unavailable as trouble:
            return entering.trouble_page(trouble)
        except SentinelsError as error:
            told = {"title": "That did not work", "detail": str(error), "remedy": error.remedy}
            return page("trouble.html", {**told, "caller": caller}, status=status_of(error))


@dataclass(frozen=True, slots=True)
class Entrance:
    """A page for anybody."""

    template: str
    show: Callable[[FrontDoor, Request], Response]
    method: str = "GET"

    def answer(
        self,
        door: FrontDoor,
        request: Request,
        names: Mapping[str, str],  # noqa: ARG002  # a page's signature
    ) -> Response:
        """The page, or what is wrong as a page."""
        try:
            return self.show(door, request)
        except Unavailable as trouble:
            return entering.trouble_page(trouble)


PAGES: tuple[Page | Entrance, ...] = (
    Page("/", views.show_queue),
    Page("/jobs", views.list_jobs, _FILTERS),
    Page("/jobs/{ref}", views.show_job),
    Page("/jobs/{ref}/log", log.whole_log, ()),
    Page("/jobs/{ref}/artifacts/{path}", artifacts.read_artifact, ()),
    Page("/nodes", views.show_nodes),
    Entrance("/login", entering.show_entrance),
    Entrance("/login", entering.enter_by_token, "POST"),
    Entrance("/enter", entering.enter_by_code),
    Entrance("/logout", entering.leave, "POST"),
    Entrance("/style.css", lambda _door, _request: style()),
)
