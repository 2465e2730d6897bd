"""The OpenAPI document says what is served, all of it and nothing else."""

from __future__ import annotations

import json
import re

import pytest

from sentinels.core.errors import InvalidRequest
from sentinels.functions.http import NoSuchRoute, WrongMethod
from sentinels.functions.routing import match
from sentinels.functions.submit.openapi import document, needs_token
from sentinels.functions.submit.routes import ROUTES, OpenRoute, Route
from sentinels.functions.submit.schemas import SCHEMAS

DOCUMENT = document(ROUTES)
PATHS = DOCUMENT["paths"]


def operation(route: Route | OpenRoute) -> dict[str, object]:
    assert isinstance(PATHS, dict)
    path = PATHS[route.template]
    assert isinstance(path, dict)
    found = path[route.method.lower()]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_every_route_is_documented_with_its_parameters_answers_and_security(
    route: Route | OpenRoute,
) -> None:
    found = operation(route)
    parameters = found["parameters"]
    assert isinstance(parameters, list)
    queries = [each["name"] for each in parameters if each["in"] == "query"]
    assert queries == [param.name for param in route.query]
    names = [each["name"] for each in parameters if each["in"] == "path"]
    assert names == re.findall(r"{(\w+)}", route.template)
    responses = found["responses"]
    assert isinstance(responses, dict)
    assert set(responses) == {*map(str, route.answers), "default"}
    assert ("security" in found) is isinstance(route, Route)
    assert needs_token(route) is isinstance(route, Route)


def test_nothing_is_documented_that_is_not_served() -> None:
    assert isinstance(PATHS, dict)
    documented = {(method.upper(), template) for template, path in PATHS.items() for method in path}
    assert documented == {(route.method, route.template) for route in ROUTES}


def test_operation_ids_are_unique() -> None:
    ids = [operation(route)["operationId"] for route in ROUTES]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere() -> None:
    references = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT))
    assert references
    assert set(references) <= set(SCHEMAS)


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/jobs/7", "/v1/jobs/{ref}"),
        ("/v1/jobs/7/artifacts", "/v1/jobs/{ref}/artifacts"),
        ("/v1/jobs/digits-2/artifacts/model/a b.pkl", "/v1/jobs/{ref}/artifacts/{path}"),
    ],
)
def test_a_path_finds_its_route(path: str, template: str) -> None:
    assert match(ROUTES, "GET", path).route.template == template
    assert match(ROUTES, "HEAD", path).route.template == template


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/jobs/", "/v1/jobs/7/", "/v1/jobs/7/nothing"])
def test_an_unknown_path_is_not_found(path: str) -> None:
    with pytest.raises(NoSuchRoute):
        match(ROUTES, "GET", path)


def test_a_wrong_method_names_the_right_one() -> None:
    with pytest.raises(WrongMethod) as raised:
        match(ROUTES, "DELETE", "/v1/jobs")
    assert set(raised.value.allowed) == {"GET", "POST"}


def test_control_characters_in_a_path_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="control"):
        match(ROUTES, "GET", "/v1/jobs/a\x00b")
