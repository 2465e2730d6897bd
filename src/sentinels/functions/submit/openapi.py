"""The OpenAPI 3.1 document, made of the route table and the schemas that the answers keep to.

Comes in: routes. Goes out: plain JSON. Before: ``routes``. Next: ``schemas``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Protocol

from sentinels.core.ports import Json
from sentinels.functions.routing import Param
from sentinels.functions.submit.schemas import SCHEMAS

_REPEATABLE = ("Push", "Rerun")
_RAW = {"Bytes": "application/octet-stream", "Samples": "text/plain"}


class Documented(Protocol):
    """What a route tells about itself."""

    @property
    def method(self) -> str:
        """GET, POST or PUT."""
        ...

    @property
    def template(self) -> str:
        """Its path, with names."""
        ...

    @property
    def about(self) -> str:
        """One sentence."""
        ...

    @property
    def handle(self) -> Callable[..., object]:
        """Whose name is the operation's id."""
        ...

    @property
    def answers(self) -> Mapping[int, str]:
        """A schema's name for each status."""
        ...

    @property
    def query(self) -> tuple[Param, ...]:
        """Its query parameters."""
        ...

    @property
    def takes(self) -> str | None:
        """The schema's name of its body."""
        ...


def document(routes: Sequence[Documented]) -> dict[str, Json]:
    """The whole document."""
    paths: dict[str, dict[str, Json]] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sentinels",
            "version": version("sentinels-ml"),
            "description": "A team's queue for machine-learning experiments.",
        },
        "paths": dict(paths),
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def needs_token(route: Documented) -> bool:
    """Whether a route is only for callers: all of /v1 but this document."""
    return route.template.startswith("/v1/") and route.template != "/v1/openapi.json"


def _operation(route: Documented) -> dict[str, Json]:
    problem = _content("Problem", "application/problem+json")
    operation: dict[str, Json] = {
        "operationId": route.handle.__name__.lstrip("_"),
        "summary": route.about,
        "parameters": _parameters(route),
        "responses": {
            **{str(status): _answer(name) for status, name in route.answers.items()},
            "default": {"description": "What is wrong, and what to do.", "content": problem},
        },
    }
    if needs_token(route):
        operation["security"] = [{"token": []}]
    if route.takes:
        body = _content(route.takes, "application/json")
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _parameters(route: Documented) -> list[Json]:
    names = re.findall(r"{(\w+)}", route.template)
    in_path: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]
    in_query: list[Json] = [
        {"name": param.name, "in": "query", "description": param.about, "schema": _schema(param)}
        for param in route.query
    ]
    return in_path + in_query + (_key() if route.takes in _REPEATABLE else [])


def _key() -> list[Json]:
    about = "Pushing again under the same key brings the same jobs."
    return [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "description": about,
            "schema": {"type": "string"},
        }
    ]


def _schema(param: Param) -> dict[str, Json]:
    number = "number" if param.decimal else "integer"
    schema: dict[str, Json] = {"type": number if param.is_number else "string"}
    bounds = {"minimum": param.low, "maximum": param.high, "default": param.default}
    schema.update({name: value for name, value in bounds.items() if value is not None})
    if param.choices:
        schema["enum"] = list(param.choices)
    return {"type": "array", "items": schema} if param.repeats else schema


def _answer(name: str) -> dict[str, Json]:
    media = _RAW.get(name, "application/json")
    content = {media: {}} if name in _RAW else _content(name, media)
    return {"description": name, "content": content}


def _content(name: str, media: str) -> dict[str, Json]:
    return {media: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
