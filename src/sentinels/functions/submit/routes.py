"""Every route of the front door, as data: matched, checked and documented from this one table.

Comes in: nothing. Goes out: ``ROUTES``. Before: ``handler``. Next: ``pushing``, ``browsing``,
``bumping``, ``logs``, ``usage``, ``dossiers``, ``artifacts``, ``rerunning``, ``retiring``,
``measuring``, ``why``, ``asking``, ``choosing``, ``sweeping``, ``admitting``, ``auditing``,
``governing``, ``health``; ``openapi`` for the document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Response

from sentinels.core.job import JobState
from sentinels.core.reporting import DEFAULT_SINCE, Grouping
from sentinels.functions.http import reply
from sentinels.functions.routing import Param
from sentinels.functions.submit import (
    admitting,
    artifacts,
    asking,
    auditing,
    browsing,
    bumping,
    choosing,
    dossiers,
    governing,
    health,
    logs,
    measuring,
    pushing,
    rerunning,
    retiring,
    sweeping,
    usage,
    why,
)
from sentinels.functions.submit.door import WAIT_LIMIT, Ask, FrontDoor
from sentinels.functions.submit.openapi import document
from sentinels.functions.submit.pages import entering

_LARGEST = 2**53

_ATTEMPT = Param("attempt", "Which attempt; the newest if not given.", 1, _LARGEST)
_DRY_RUN = Param(
    "dry_run",
    "true: store nothing, and answer with what would be launched.",
    choices=("true", "false"),
)
_FORESEE = Param(
    "dry_run", "true: change nothing, and answer with what it would do.", choices=("true", "false")
)
_CHECK = Param(
    "check", "true: store nothing, and answer with every check.", choices=("true", "false")
)
_AGAIN = Param(
    "again",
    "Whether to push what the same user has pushed already and has not ended; if not given, only"
    " under an Idempotency-Key of its own.",
    choices=("true", "false"),
)
_WAIT = Param("wait", "Seconds to wait for news at most.", 0, WAIT_LIMIT, 0, decimal=True)

_TEAM = Param("team", "Only this team's; an operator sees every team's.")
_FOLD = Param(
    "fold",
    "true: of each sweep only one job, and the sweep's counts under sweeps.",
    choices=("true", "false"),
)


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
    _TEAM,
    Param("label", "Only jobs with this label, as name=value.", repeats=True),
    Param("sweep", "Only the sweep with this first job.", 1, _LARGEST),
    _FOLD,
    _limit(50, 500),
    Param("cursor", "next_cursor of the page before."),
)

ROUTES: tuple[Route | OpenRoute, ...] = (
    Route(
        "POST",
        "/v1/jobs",
        "Push a job, or a sweep's jobs; the same Idempotency-Key brings the same jobs again.",
        pushing.push_jobs,
        {201: "Pushed", 200: "PushedOrChecked"},
        (_DRY_RUN, _CHECK, _AGAIN),
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
        "GET",
        "/v1/jobs/{ref}/why",
        "Why a waiting job waits, what would start it now, when it is expected to start.",
        why.show_why,
        {200: "Why"},
        (Param("history", "true: and how that answer changed.", choices=("true", "false")),),
    ),
    Route(
        "GET", "/v1/jobs/{ref}/events", "A job's history.", browsing.list_events, {200: "Events"}
    ),
    Route(
        "GET",
        "/v1/jobs/{ref}/logs",
        "Read a job's output, from its beginning, a cursor, a time, or by its last lines.",
        logs.read_log,
        {200: "Log"},
        (
            _ATTEMPT,
            Param("cursor", "cursor of the piece before."),
            Param("limit", "How many bytes at most.", 16, 1024 * 1024, 256 * 1024),
            Param("tail", "Begin with the last so many lines.", 0, 100_000),
            Param("since", "Begin with what was printed at this time or later."),
            Param("timestamps", "true: each line begins with its time.", choices=("true", "false")),
            _WAIT,
        ),
    ),
    Route(
        "GET",
        "/v1/jobs/{ref}/dossier",
        "How an attempt ended: the cause, what it printed last, what to do about it.",
        dossiers.show_dossier,
        {200: "Dossier"},
        (_ATTEMPT,),
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
        "/v1/sweeps/{ref}",
        "Show a sweep, by any of its jobs: what was swept and what became of it.",
        sweeping.show_sweep,
        {200: "Sweep"},
    ),
    Route(
        "POST",
        "/v1/sweeps/{ref}/cancel",
        "Cancel what waits of a sweep, all or none, and ask for the end of what is live of it.",
        sweeping.cancel_whole,
        {200: "SweepCancelled"},
    ),
    Route(
        "POST",
        "/v1/jobs/{ref}/bump",
        "Give a waiting job another priority class; says whom that delays by how much.",
        bumping.bump_job,
        {200: "Bumped"},
        (_FORESEE,),
        takes="BumpOne",
    ),
    Route(
        "POST",
        "/v1/bump",
        "The same for several: named, of a sweep, of a user, or with labels.",
        bumping.bump_jobs,
        {200: "Bumped"},
        (_FORESEE,),
        takes="Bump",
    ),
    Route(
        "POST",
        "/v1/jobs/{ref}/rerun",
        "Push what a job was, with changes, on exactly the image that it ran.",
        rerunning.rerun_job,
        {201: "Pushed", 200: "PushedOrPreview"},
        (_DRY_RUN,),
        takes="Rerun",
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
        "The team's waiting jobs in order, its live ones, the nodes; for operators every team's.",
        browsing.show_queue,
        {200: "Queue"},
        (_limit(50, 500), _TEAM, _FOLD),
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
    Route(
        "POST",
        "/v1/sessions",
        "A code with which a browser enters the pages, once and within a minute.",
        entering.make_code,
        {201: "Session"},
    ),
    Route(
        "GET",
        "/v1/metrics",
        "The metrics of some jobs, as far as the tracker tells them soon.",
        measuring.list_metrics,
        {200: "Metrics"},
        (Param("job", f"A job's id; {measuring.MOST_JOBS} at most.", repeats=True),),
    ),
    Route("GET", "/v1/sql", "What may be asked in SQL.", asking.list_views, {200: "Views"}),
    Route(
        "POST",
        "/v1/sql",
        "Ask one query in SQL over the public views.",
        asking.ask_sql,
        {200: "Answer"},
        takes="Query",
    ),
    Route(
        "GET",
        "/v1/reports/{name}",
        "Ask a saved query: usage, waits, eta, failures or waste.",
        asking.run_report,
        {200: "Report"},
        (
            Param("by", "What the rows are about; team if not given.", choices=tuple(Grouping)),
            Param("since", f"So long ago, or a date or time; {DEFAULT_SINCE} if not given."),
            Param("until", "Likewise; now if not given."),
            Param("team", "Only of this team."),
            Param("print", "true: show the query and do not ask it.", choices=("true", "false")),
        ),
    ),
    Route(
        "GET",
        "/v1/preferences",
        "What you and your team chose to be told of, and where.",
        choosing.show_choices,
        {200: "Preferences"},
    ),
    Route(
        "POST",
        "/v1/preferences",
        "Choose it; what is not named stays as it is.",
        choosing.choose,
        {200: "Preferences"},
        takes="Choose",
    ),
    Route(
        "POST",
        "/v1/preferences/test",
        "Send a test message to your addresses, or to your team's, and see what became of it.",
        choosing.send_test,
        {200: "Tried"},
        takes="Test",
    ),
    Route(
        "GET",
        "/v1/tokens",
        "Your tokens, without what they are; an operator's: everybody's.",
        admitting.list_tokens,
        {200: "Tokens"},
        (Param("user", "Only this user's."),),
    ),
    Route(
        "POST",
        "/v1/tokens",
        "Make a token; what it is, is told only now. Only operators make one for somebody else.",
        admitting.make_token,
        {201: "MadeToken"},
        takes="MakeToken",
    ),
    Route(
        "POST",
        "/v1/tokens/{id}/revoke",
        "End a token, and its user's sessions in browsers.",
        admitting.revoke_token,
        {200: "Token"},
    ),
    Route(
        "GET",
        "/v1/users",
        "Your team; an operator's: everybody.",
        admitting.list_users,
        {200: "Users"},
    ),
    Route(
        "POST",
        "/v1/users",
        "Make a user, or change their team or role; for operators.",
        admitting.set_user,
        {200: "User"},
        takes="SetUser",
    ),
    Route(
        "GET",
        "/v1/audit",
        "What people changed, newest first: for leads of their team, for operators of all.",
        auditing.list_audit,
        {200: "Audit"},
        (
            Param("since", "So long ago, or a date or time."),
            Param("user", "Only what this user did."),
            Param("job", "Only what was done to this job.", 1, _LARGEST),
            _limit(50, 500),
            Param("cursor", "next_cursor of the page before."),
        ),
    ),
    Route(
        "GET",
        "/v1/policy",
        "The policy in force, for operators.",
        governing.show_policy,
        {200: "Policy"},
        (Param("version", "An earlier version.", 1, _LARGEST),),
    ),
    Route(
        "PUT",
        "/v1/policy",
        "Put another policy in force, made from the version that is.",
        governing.apply,
        {200: "PolicyChange"},
        (_FORESEE,),
        takes="NewPolicy",
    ),
    Route(
        "GET",
        "/v1/policy/versions",
        "The versions of the policy, newest first, with what each changed.",
        governing.list_versions,
        {200: "PolicyVersions"},
        (_limit(20, 500),),
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
