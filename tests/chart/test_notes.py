"""What is printed after an install can be typed, and works with these values."""

from __future__ import annotations

import re

import pytest

from sentinels.cli.main import COMMANDS
from tests.chart.cases import OUTSIDE, Case
from tests.chart.manifests import is_knative_service
from tests.chart.rendering import Helm, Release

# svc/name, or: get secret name
_NAMED = re.compile(
    r"\b(?:(?P<short>svc|service|secret|job|deploy|deployment|statefulset|ksvc)/"
    r"|(?:get|describe) (?P<long>secret|service|svc|job|ksvc) )(?P<name>[a-z][\w.-]*)"
)
_KINDS = {"svc": "Service", "deploy": "Deployment", "ksvc": "Service", "statefulset": "StatefulSet"}
_PORT_FORWARD = re.compile(r"port-forward.*?(?:svc|service)/(?P<name>\S+)\s+(?:\d+:)?(?P<port>\d+)")
_WIDTH = 120
# `sentinels bootstrap` makes them: a user's token.
_MADE_LATER = re.compile(r"sentinels-token-[a-z0-9-]+")


def commands(release: Release) -> list[str]:
    """The lines that are to be typed."""
    lines = (line.strip().removeprefix("$ ") for line in release.notes.splitlines())
    return [line for line in lines if re.match(r"(sentinels|kubectl|helm|export)\b", line)]


def test_it_says_how_to_log_in_and_push_and_what_is_wrong(release: Release) -> None:
    said = "\n".join(commands(release))

    for command in ("sentinels login", "sentinels push", "sentinels doctor"):
        assert command in said, release.notes


def test_every_command_of_ours_is_one(release: Release) -> None:
    for name in re.findall(
        r"(?:^|\$\()sentinels (\w+)", "\n".join(commands(release)), re.MULTILINE
    ):
        assert name in COMMANDS, name


def test_every_kubectl_says_the_namespace(release: Release) -> None:
    for line in commands(release):
        for part in re.split(r"\||&&|;", line):
            if "kubectl" in part:
                assert re.search(rf"(-n|--namespace)[ =]{release.namespace}\b", part), line


def test_what_a_command_names_is_there(release: Release) -> None:
    there = {(each["kind"], each["metadata"]["name"]) for each in release.everything}
    for line in commands(release):
        for found in _NAMED.finditer(line):
            word = found["short"] or found["long"]
            kind = _KINDS.get(word, word.capitalize())
            assert (kind, found["name"]) in there or _MADE_LATER.fullmatch(found["name"]), line


def test_a_port_is_forwarded_to_one_that_the_service_has(release: Release) -> None:
    ports = {
        each["metadata"]["name"]: {port["port"] for port in each["spec"]["ports"]}
        for each in release.objects
        if each["kind"] == "Service"
    }
    for line in commands(release):
        for found in _PORT_FORWARD.finditer(line):
            assert int(found["port"]) in ports[found["name"]], line


def test_it_leads_to_the_front_door_of_these_values(release: Release, case: Case) -> None:
    runtime, said = case.choices["runtime"], release.notes
    if runtime == "ingress":
        assert f"https://sentinels.{OUTSIDE}" in said
    elif runtime == "knative-there":
        assert f"sentinels.{OUTSIDE}" in said
    elif runtime == "node-port":
        assert "30080" in said
    elif runtime == "deployment":
        assert "port-forward" in said
    else:
        names = [each["metadata"]["name"] for each in release.applied if is_knative_service(each)]
        assert any(f"ksvc {name}" in said or f"ksvc/{name}" in said for name in names), said


def test_it_speaks_of_slack_only_where_it_is_not_there(release: Release, case: Case) -> None:
    assert ("slack." in release.notes) is (case.choices["slack"] == "none")


def test_it_fits_a_terminal(release: Release) -> None:
    assert [line for line in release.notes.splitlines() if len(line) > _WIDTH] == []


@pytest.mark.parametrize("keep", [True, False])
def test_it_says_what_an_uninstall_leaves(helm: Helm, keep: bool) -> None:
    said = helm.release({"keepData": keep}).notes

    assert ("keepData" in said) is keep
