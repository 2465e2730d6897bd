"""Templates as pages: every text made safe and escaped, and nothing of the page may run.

Comes in: a template's name and values of the core. Goes out: a response. Before: ``views``,
``entering``. Next: ``templates/``, ``charts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from importlib.resources import files

from flask import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sentinels.core.capacity import GPU, Resources
from sentinels.core.quantity import about_duration, about_memory, format_cpu, format_duration
from sentinels.core.text import printable

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def page(
    template: str,
    values: Mapping[str, object],
    *,
    status: int = HTTPStatus.OK,
    refresh: int | None = None,
) -> Response:
    """A template with its values; ``refresh``: the browser asks again after so many seconds."""
    text = _environment().get_template(template).render(values, refresh=refresh)
    return safe(Response(text, status, mimetype="text/html"))


def safe(response: Response) -> Response:
    """The response with what keeps a browser from running, framing or keeping it."""
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response


def style() -> Response:
    """The style sheet."""
    text = files(__package__).joinpath("templates", "style.css").read_text("utf-8")
    response = Response(text, mimetype="text/css")
    response.headers["Cache-Control"] = "max-age=3600"
    return response


def ago(moment: datetime, now: datetime) -> str:
    """``3m 20s ago``, ``just now``."""
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 2 else f"{about_duration(seconds)} ago"


def clock(moment: datetime) -> str:
    """A moment in UTC: the server does not know the browser's time zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def expected(found: object, now: datetime) -> str:
    """When it is expected to start: ``now``, ``in 15m to 1h``, ``in 15m or later``."""
    if not isinstance(found, Mapping):
        return ""
    early, late = datetime.fromisoformat(str(found["early"])), found["late"]
    if late is None:
        return f"in {_minutes(early, now)} or later"
    end = datetime.fromisoformat(str(late))
    if (end - now).total_seconds() < 60:
        return "now"
    return f"in {_minutes(early, now)} to {_minutes(end, now)}"


def _minutes(late: datetime, early: datetime) -> str:
    return format_duration(max(60, int((late - early).total_seconds()) // 60 * 60))


def needs(resources: Resources) -> str:
    """A request in a few words: ``2 CPU 4Gi 1 a100 GPU``."""
    words = f"{format_cpu(resources.cpu_millis)} CPU {about_memory(resources.memory_bytes)}"
    return f"{words} {GPU.words(resources)}" if resources.gpus else words


def _shown(value: object) -> object:
    """Whatever a template prints: a text without what steers, nothing for none."""
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value, keep_newlines=True)
    return value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sentinels.functions.submit.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ago": ago,
        "clock": clock,
        "duration": about_duration,
        "memory": about_memory,
        "cpus": format_cpu,
        "needs": needs,
        "expected": expected,
    }
    environment.globals["version"] = version("sentinels-ml")
    return environment
