"""What is secret is in Secrets, and nowhere else."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping

import pytest
import yaml

from tests.chart.cases import MARK, Case, overlaid
from tests.chart.manifests import pods, title
from tests.chart.rendering import CHART, Helm, Manifest, Release

# Values that hold a secret, by their last word: each must be in a case with a mark, see ``cases``.
_SECRET_VALUE = re.compile(r"password|token|webhook|secretkey|accesskey|apikey", re.IGNORECASE)
_SHORT = 12  # below, a value is a user's name or a host rather than a secret


def contents(secret: Manifest) -> list[str]:
    """A Secret's values."""
    encoded = [base64.b64decode(each).decode() for each in secret.get("data", {}).values()]
    return [*secret.get("stringData", {}).values(), *encoded]


def outside(release: Release) -> dict[str, str]:
    """Everything but the Secrets, as texts by name; also as base64 would hide it."""
    texts = {
        title(each): json.dumps(each) for each in release.everything if each["kind"] != "Secret"
    }
    return {**texts, "NOTES": release.notes}


def hidden(secret: str) -> list[str]:
    """How it could be written."""
    as_json = json.dumps(secret)[1:-1]
    return [secret, as_json, base64.b64encode(secret.encode()).decode().rstrip("=")]


def test_no_secret_that_you_give_is_anywhere_but_in_secrets(release: Release) -> None:
    for name, text in outside(release).items():
        assert MARK not in text, name
        assert base64.b64encode(MARK.encode()).decode().rstrip("=") not in text, name


def test_every_secret_that_you_give_is_in_a_secret(release: Release, case: Case) -> None:
    given = set(re.findall(rf"{MARK}\d+", json.dumps(case.values)))
    secrets = [each for each in release.objects if each["kind"] == "Secret"]
    found = {mark for each in secrets for text in contents(each) for mark in given if mark in text}

    assert found == given


def test_no_password_that_is_made_is_anywhere_but_in_secrets(release: Release) -> None:
    secrets = [each for each in release.objects if each["kind"] == "Secret"]
    made = {text for each in secrets for text in contents(each) if len(text) >= _SHORT}
    made |= set(re.findall(r"://[^:/]+:([^@]+)@", "\n".join(made)))
    for name, text in outside(release).items():
        for secret in made:
            assert not any(form in text for form in hidden(secret)), name


def test_every_password_that_is_made_is_another(helm: Helm) -> None:
    secrets = [each for each in helm.release().objects if each["kind"] == "Secret"]
    keys = [
        value
        for each in secrets
        for name, value in each.get("stringData", {}).items()
        if name.endswith("password")
    ]

    assert len(keys) >= 3
    assert len(set(keys)) == len(keys)
    assert all(len(value) >= 24 for value in keys)


def _leaves(values: Mapping[str, object], path: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def test_every_value_that_can_hold_a_secret_is_tried(helm: Helm) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    held = {path for path in _leaves(values) if _SECRET_VALUE.search(path.rsplit(".", 1)[-1])}

    assert held == set(_ONE_OF_EACH), "add it to the table below"


_ONE_OF_EACH = {
    "slack.token": {"slack": {"token": MARK}},
    "slack.webhook": {"slack": {"webhook": MARK}},
    "notices.webhooks": {"notices": {"webhooks": f"ci https://ci.example.test/x {MARK}"}},
}


@pytest.mark.parametrize("path", _ONE_OF_EACH)
@pytest.mark.parametrize("runtime", ["knative", "deployment"])
def test_a_secret_among_the_values_is_in_a_secret_only(helm: Helm, path: str, runtime: str) -> None:
    values = overlaid(_ONE_OF_EACH[path], {"functions": {"runtime": runtime}})
    release = helm.release(values)

    assert [name for name, text in outside(release).items() if MARK in text] == []
    secrets = [each for each in release.objects if each["kind"] == "Secret"]
    assert any(MARK in text for each in secrets for text in contents(each))


def test_no_secret_is_on_a_command_line(release: Release) -> None:
    for pod in pods(release.everything):
        for container in pod.containers:
            line = json.dumps([container.get("command", []), container.get("args", [])])
            variables = [each["name"] for each in container.get("env", []) if "valueFrom" in each]
            shown = [name for name in variables if f"$({name})" in line]
            assert not any(_SECRET_VALUE.search(name) for name in shown), pod.title
