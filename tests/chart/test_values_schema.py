"""A value that is not there, or not what it must be, is refused before anything is installed.

``values.schema.json`` is asked through helm, as a person would meet it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from sentinels.core.policy_reading import KEYS
from sentinels.settings import Settings
from tests.chart.cases import CASES, Case
from tests.chart.rendering import CHART, Helm, Refused

DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
# Whose keys are a person's own, or Kubernetes's, by the last word of their path.
OPEN = {"settings", "policy", "annotations", "limits", "requests", "extraEnv", "nodeSelector"}
# What the chart sets by itself, or what would be a secret in a ConfigMap, or means nothing here.
NOT_A_SETTING = {
    "cluster",
    "crash_at",
    "database_url",
    "home",
    "kubeconfig",
    "notify_url",
    "report_database_url",
    "sink",
    "slack_token",
    "slack_webhook",
    "smtp_url",
    "webhooks",
}
# Words that a value must be one of.
ENUMS = {
    "functions.runtime": "knativ",
    "functions.service.type": "Nodeport",
    "image.pullPolicy": "Sometimes",
}
_TYPO = "surelyNot"


@dataclass(frozen=True)
class Leaf:
    """A value of values.yaml."""

    path: str
    value: Any  # of any kind


def mappings(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The paths of everything with keys of the chart's own; that of values.yaml itself is empty."""
    yield path
    for key, value in values.items():
        if isinstance(value, Mapping) and key not in OPEN:
            yield from mappings(value, f"{path}.{key}".lstrip("."))


def leaves(values: Mapping[str, Any], path: str = "") -> Iterator[Leaf]:
    """Every value that is not a mapping of the chart's own."""
    for key, value in values.items():
        here = f"{path}.{key}".lstrip(".")
        if isinstance(value, Mapping) and key not in OPEN:
            yield from leaves(value, here)
        else:
            yield Leaf(here, value)


def nested(path: str, value: object) -> dict[str, Any]:
    """Values with one at a path."""
    first, _, rest = path.partition(".")
    return {first: nested(rest, value) if rest else value}


def refusal(helm: Helm, values: Mapping[str, Any]) -> str:
    """What helm says instead of rendering."""
    with pytest.raises(Refused) as refused:
        helm("template", "sentinels", str(CHART), values=values)
    return str(refused.value)


def _where(path: str) -> str:
    """As helm writes a path: /functions/service."""
    return "/" + path.replace(".", "/") if path else ""


@cache
def schema() -> dict[str, Any]:
    """values.schema.json."""
    return dict(json.loads((CHART / "values.schema.json").read_text()))


@pytest.mark.parametrize("path", list(mappings(DEFAULTS)))
def test_a_typo_is_refused_with_its_path(helm: Helm, path: str) -> None:
    said = refusal(helm, nested(f"{path}.{_TYPO}".lstrip("."), "x"))

    assert _TYPO in said
    assert _where(path) in said


@pytest.mark.parametrize("leaf", list(leaves(DEFAULTS)), ids=lambda leaf: leaf.path)
def test_a_value_of_the_wrong_kind_is_refused_with_its_path(helm: Helm, leaf: Leaf) -> None:
    wrong: object = "surely not" if isinstance(leaf.value, bool | int | dict | list) else ["x"]
    said = refusal(helm, nested(leaf.path, wrong))

    assert _where(leaf.path) in said


@pytest.mark.parametrize("path", ENUMS)
def test_a_word_that_is_none_of_the_choices_is_refused_with_its_path(helm: Helm, path: str) -> None:
    said = refusal(helm, nested(path, ENUMS[path]))

    assert _where(path) in said


_IMPOSSIBLE: Mapping[str, tuple[dict[str, Any], str]] = {
    "a replica less than none": ({"functions": {"submit": {"replicas": -1}}}, "replicas"),
    "a port that no machine has": ({"functions": {"service": {"port": 70000}}}, "port"),
    "a typo in a team": ({"teams": [{"name": "a", "user": ["ada"]}]}, "/teams/0"),
    "a team without a name": ({"teams": [{"users": ["ada"]}]}, "/teams/0"),
    "a typo in the policy": ({"policy": {"clases": {"normal": 20}}}, "clases"),
    "a typo in a manifest": (
        {"knative": {"install": {"manifests": [{"uri": "x"}]}}},
        "manifests/0",
    ),
    "a size that is none": ({"postgresql": {"persistence": {"size": "ten"}}}, "/size"),
    "a time-out that is none": ({"bootstrap": {"timeout": "ten"}}, "/bootstrap/timeout"),
    "no such setting": ({"settings": {"leese_seconds": 3}}, "leese_seconds"),
    "an ingress beside Knative's": ({"ingress": {"enabled": True}}, "ingress.enabled"),
    "no database": ({"postgresql": {"enabled": False}}, "postgresql.external"),
    "MLflow without a database": (
        {"postgresql": {"enabled": False, "external": {"url": "postgresql://a@b/c"}}},
        "postgresql.external.mlflowUrl",
    ),
    "a port for nothing": ({"functions": {"service": {"nodePort": "x"}}}, "nodePort"),
}


@pytest.mark.parametrize("why", _IMPOSSIBLE)
def test_what_cannot_work_is_refused_with_its_path(helm: Helm, why: str) -> None:
    values, path = _IMPOSSIBLE[why]

    assert path in refusal(helm, values)


def test_the_policys_keys_are_those_that_are_read() -> None:
    assert set(schema()["properties"]["policy"]["properties"]) == set(KEYS)


@pytest.mark.parametrize("name", sorted(NOT_A_SETTING))
def test_a_setting_that_the_chart_makes_or_that_is_secret_is_refused(helm: Helm, name: str) -> None:
    assert name in refusal(helm, {"settings": {name: "x"}})


@pytest.mark.parametrize(
    "name", [each.name for each in fields(Settings) if each.name not in NOT_A_SETTING]
)
def test_every_setting_is_accepted_and_reaches_the_functions(helm: Helm, name: str) -> None:
    default = next(each.default for each in fields(Settings) if each.name == name)
    value, text = ("x", "x") if isinstance(default, str) else (2592000, "2592000")
    (settings,) = (
        each
        for each in helm.release({"settings": {name: value}}).objects
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].endswith("-settings")
    )

    assert settings["data"][f"SENTINELS_{name.upper()}"] == text


def test_every_value_is_in_the_schema() -> None:
    known = {path for path, _ in _described(schema())}
    listed = {leaf.path for leaf in leaves(DEFAULTS)} | set(mappings(DEFAULTS)) - {""}

    assert listed - known == set()


def test_everything_in_the_schema_is_in_the_values() -> None:
    listed = {leaf.path for leaf in leaves(DEFAULTS)} | set(mappings(DEFAULTS))
    parents = set(mappings(DEFAULTS))
    known = {path for path, _ in _described(schema()) if path.rpartition(".")[0] in parents}

    assert known - listed - {"global"} == set()


def _resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    ref = node.get("$ref")
    if ref is None:
        return node
    found: Any = schema()
    for step in ref.removeprefix("#/").split("/"):
        found = found[step]
    return {**found, **{key: value for key, value in node.items() if key != "$ref"}}


def _described(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every property by its path."""
    for name, below in _resolved(node).get("properties", {}).items():
        here = f"{path}.{name}".lstrip(".")
        yield here, _resolved(below)
        yield from _described(below, here)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("file", ["values.yaml", "values-production.yaml"])
def test_the_charts_own_values_are_accepted(helm: Helm, file: str) -> None:
    for runtime in ("knative", "deployment"):
        words = ("-f", str(CHART / file), "--set", f"functions.runtime={runtime}")
        assert helm("template", "sentinels", str(CHART), *words)


def test_values_for_production_say_nothing_that_values_do_not_know() -> None:
    given = yaml.safe_load((CHART / "values-production.yaml").read_text())
    paths = {leaf.path for leaf in leaves(given)}
    known = {leaf.path for leaf in leaves(DEFAULTS)}

    assert paths - known == set()
    assert {
        path for path in paths if nested_value(given, path) == nested_value(DEFAULTS, path)
    } == set()


def nested_value(values: Mapping[str, Any], path: str) -> object:
    """What is at a path."""
    found: Any = values
    for step in path.split("."):
        found = found[step]
    return found


def test_a_case_is_never_refused(helm: Helm) -> None:
    assert all(
        helm.release(case.values, name=case.release, namespace=case.namespace) for case in CASES
    )


def test_each_kind_of_external_service_is_in_the_matrix() -> None:
    tried = {leaf.path for case in CASES for leaf in leaves(_plain(case))}
    external = {leaf.path for leaf in leaves(DEFAULTS) if ".external." in leaf.path}
    switched = {leaf.path for leaf in leaves(DEFAULTS) if leaf.path.endswith(".enabled")}

    assert (external | switched) - tried == set()


def _plain(case: Case) -> dict[str, Any]:
    return {"": None} | case.values
