"""Every route of the front door, as data: matched, checked and documented from this one table.

Comes in: nothing. Goes out: ``ROUTES``. Before: ``handler``. Next: ``pushing``, ``browsing``,
``logs``, ``usage``, ``artifacts``, ``retiring``, ``health``; ``openapi`` for the document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Response

from sentinels.core.job import JobState
from sentinels.functions.http import reply
from sentinels.functions.routing import Param
from sentinels.functions.submit import (
    artifacts,
    browsing,
    health,
    logs,
    pushing,
    retiring,
    usage,
)
from sentinels.functions.submit.door import WAIT_LIMIT, Ask, FrontDoor
from sentinels.functions.submit.openapi import document

_LARGEST = 2**53

_ATTEMPT = Param("attempt", "Which attempt; the newest if not given.", 1, _LARGEST)
_WAIT = Param("wait", "Seconds to wait for news at most.", 0, WAIT_LIMIT, 0, decimal=True)


def _limit(default: int, high: int) -> Param:
    return Param("limit", "How many at most.", 1, high, default)


@dataclass(frozen=True, slots=True)
class Route:
    """A route for callers with a token. ``answers`` maps a status to a schema's name."""

    method: str
    template: str
    about: str
    handle: Callable[[Ask], Response]
    answers: Mapping[int, str]
    query: tuple[Param, ...] = ()
    takes: str | None = None


@dataclass(frozen=True, slots=True)
class OpenRoute:
    """A route that needs no token."""

    method: str
    template: str
    about: str
    handle: Callable[[FrontDoor], Response]
    answers: Mapping[int, str]
    query: tuple[Param, ...] = ()
    takes: str | None = None


def _metrics(door: FrontDoor) -> Response:
    return door.telemetry.page()


def _openapi(_: FrontDoor) -> Response:
    return reply(document(ROUTES))


_FILTERS = (
    Param("state", "Only these states.", choices=tuple(JobState), repeats=True),
    Param("name", "Only jobs whose name begins so."),
    Param("experiment", "Only this experiment."),
    Param("user", "Only this user's."),
    Param("label", "Only jobs with this label, as name=value.", repeats=True),
    Param("sweep", "Only the sweep with this first job.", 1, _LARGEST),
    _limit(50, 500),
    Param("cursor", "next_cursor of the page before."),
)

ROUTES: tuple[Route | OpenRoute, ...] = (
    Route(
        "POST",
        "/v1/jobs",
        "Push a job, or a sweep's jobs; the same Idempotency-Key brings the same jobs again.",
        pushing.push_jobs,
        {201: "Pushed", 200: "PushedOrPreview"},
        (
            Param(
                "dry_run",
                "true: store nothing, and answer with what would be launched.",
                choices=("true", "false"),
            ),
        ),
        takes="Push",
    ),
    Route(
        "GET", "/v1/jobs", "List jobs, newest first.", browsing.list_jobs, {200: "Jobs"}, _FILTERS
    ),
    Route(
        "GET",
        "/v1/jobs/{ref}",
        "Show a job, by id, name (its newest) or the beginning of one name.",
        browsing.show_job,
        {200: "JobDetail"},
        (_WAIT, Param("after_event", "Wait for an event with a higher id.", 0, _LARGEST)),
    ),
    Route(
        "GET", "/v1/jobs/{ref}/events", "A job's history.", browsing.list_events, {200: "Events"}
    ),
    Route(
        "GET",
        "/v1/jobs/{ref}/logs",
        "Read a job's output, from a byte offset or by its last lines.",
        logs.read_log,
        {200: "Log"},
        (
            _ATTEMPT,
            Param("offset", "Where to begin, in bytes.", 0, _LARGEST, 0),
            Param("limit", "How many bytes at most.", 16, 1024 * 1024, 256 * 1024),
            Param("tail", "Begin with the last so many lines instead.", 0, 100_000),
            _WAIT,
        ),
    ),
    Route(
        "GET",
        "/v1/jobs/{ref}/usage",
        "What an attempt uses over time, or used, and what would have sufficed.",
        usage.show_usage,
        {200: "Usage"},
        (_ATTEMPT, Param("points", "How many samples of each quantity at most.", 2, 500, 120)),
    ),
    Route(
        "POST",
        "/v1/jobs/{ref}/cancel",
        "Cancel a waiting job, or ask for the end of a live one.",
        pushing.cancel_job,
        {200: "Cancelled"},
    ),
    Route(
        "GET",
        "/v1/jobs/{ref}/artifacts",
        "List the files an attempt left.",
        artifacts.list_artifacts,
        {200: "Artifacts"},
        (_ATTEMPT,),
    ),
    Route(
        "GET",
        "/v1/jobs/{ref}/artifacts/{path}",
        "Read one file.",
        artifacts.read_artifact,
        {200: "Bytes"},
        (_ATTEMPT,),
    ),
    Route(
        "GET",
        "/v1/queue",
        "The team's waiting jobs in order, its live ones, and the nodes.",
        browsing.show_queue,
        {200: "Queue"},
        (_limit(50, 500),),
    ),
    Route("GET", "/v1/nodes", "The cluster's nodes.", browsing.list_nodes, {200: "Nodes"}),
    Route(
        "GET",
        "/v1/nodes/{name}",
        "One node: what is on it until when, and which waiting jobs only it could take.",
        retiring.show_node,
        {200: "Leaving"},
    ),
    Route(
        "POST",
        "/v1/nodes/{name}/retire",
        "Give a node no new work, so that it becomes empty; or give it work again.",
        retiring.retire_node,
        {200: "Leaving"},
        takes="Retire",
    ),
    Route(
        "GET",
        "/v1/notices",
        "What people were told, newest first.",
        browsing.list_notices,
        {200: "Notices"},
        (Param("job", "Only this job's.", 1, _LARGEST), _limit(50, 500)),
    ),
    Route("GET", "/v1/health", "Check everything.", health.show_health, {200: "Health"}),
    OpenRoute("GET", "/v1/openapi.json", "This document.", _openapi, {200: "Document"}),
    OpenRoute("GET", "/healthz", "Whether this serves.", health.alive, {200: "Alive"}),
    OpenRoute(
        "GET",
        "/readyz",
        "Whether a push could be stored now.",
        health.ready,
        {200: "Ready", 503: "Ready"},
    ),
    OpenRoute("GET", "/metrics", "Samples for Prometheus.", _metrics, {200: "Samples"}),
)
