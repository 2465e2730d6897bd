"""A team's namespace: what is in it, and what an operator may ask of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from sentinels.admin.reading import Flags, read_team, read_way
from sentinels.clusters.kubernetes.team import Amounts, TeamSpec, role_of, team_objects
from sentinels.core.errors import InvalidRequest

GOLDEN = Path(__file__).with_name("golden") / "team.yaml"
ACCOUNTS = Path(__file__).parents[2] / "knative" / "accounts.yaml"
VISION = Flags(
    name="vision",
    cpu="64",
    memory="512Gi",
    gpus="8",
    pods="200",
    job_cpu="16",
    job_memory="0.5Gi",
    egress=("10.1.0.0/16", "0.0.0.0/0:443", "fd00::/8:443", "namespace/shared:8080"),
)

Object = dict[str, Any]


def objects(spec: TeamSpec) -> list[Object]:
    return cast("list[Object]", json.loads(json.dumps(team_objects(spec))))


def one(spec: TeamSpec, kind: str) -> Object:
    return next(each for each in objects(spec) if each["kind"] == kind)


def faults_of(flags: Flags) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_team(flags)
    return str(caught.value)


def test_the_objects_are_these() -> None:
    """After a wanted change: python -m tests.unit.test_kubernetes_team"""
    assert objects(read_team(VISION)) == list(yaml.safe_load_all(GOLDEN.read_text()))


def test_the_namespace_comes_first_and_everything_else_is_in_it() -> None:
    first, *others = objects(read_team(VISION))
    assert (first["kind"], first["metadata"]["name"]) == ("Namespace", "sen-vision")
    assert {each["metadata"]["namespace"] for each in others} == {"sen-vision"}


def test_what_is_not_given_is_not_limited_and_no_longer_limited() -> None:
    quota = one(TeamSpec("vision"), "ResourceQuota")
    assert quota["spec"] == {"hard": {}}
    assert "max" not in one(TeamSpec("vision"), "LimitRange")["spec"]["limits"][0]


def test_a_default_is_never_above_the_most_that_a_job_may_have() -> None:
    spec = replace(TeamSpec("vision"), largest=Amounts(cpu_millis=50, memory_bytes=2**26))
    [limits] = one(spec, "LimitRange")["spec"]["limits"]
    assert limits["default"] == limits["max"] == {"cpu": "0.05", "memory": "64Mi"}
    assert limits["defaultRequest"] == {"cpu": "0.05", "memory": "64Mi"}


def test_one_job_may_always_have_what_its_upload_takes() -> None:
    assert read_team(Flags(name="vision", job_memory="256Mi")).largest.memory_bytes == 2**28
    assert "less than 256Mi" in faults_of(Flags(name="vision", job_memory="255Mi"))


@pytest.mark.parametrize("network", ["0.0.0.0/0", "169.0.0.0/8", "::/0", "fd00::/8"])
def test_no_network_however_wide_leads_to_a_clouds_credentials(network: str) -> None:
    policy = one(TeamSpec("vision", ways=[read_way(network)]), "NetworkPolicy")
    [to] = policy["spec"]["egress"][-1]["to"]
    secret = "fd00:ec2::254/128" if ":" in network else "169.254.0.0/16"
    assert secret in to["ipBlock"]["except"]


def test_nobody_gets_in_and_only_what_is_listed_is_reached() -> None:
    rules = one(TeamSpec("vision"), "NetworkPolicy")["spec"]
    assert rules["podSelector"] == {}
    assert set(rules["policyTypes"]) == {"Ingress", "Egress"}
    assert rules["ingress"] == []
    assert [[port["port"] for port in rule["ports"]] for rule in rules["egress"]] == [
        [53, 53],
        [5000],
    ]


def test_every_role_that_is_bound_is_one_of_the_accounts_file() -> None:
    accounts = list(yaml.safe_load_all(ACCOUNTS.read_text()))
    roles = {each["metadata"]["name"] for each in accounts if each["kind"] == "ClusterRole"}
    people = {
        (each["metadata"]["namespace"], each["metadata"]["name"])
        for each in accounts
        if each["kind"] == "ServiceAccount"
    }
    bound = [each for each in objects(TeamSpec("vision")) if each["kind"] == "RoleBinding"]
    assert {each["roleRef"]["name"] for each in bound} <= roles
    assert {role for role in roles if "workloads" in role} == {
        role_of(function) for function in ("submit", "dispatch", "notify")
    }
    for each in bound:
        [subject] = each["subjects"]
        assert (subject["namespace"], subject["name"]) in people


def test_all_faults_are_told_at_once() -> None:
    said = faults_of(
        Flags(
            name="Vision_x",
            cpu="two",
            memory="5Gu",
            gpus="-1",
            pods="many",
            pod_security="privileged",
            egress=("mlflow.example.org", "10.0.0.1/8", "169.254.169.254/32", "10.0.0.0/8:0"),
            system="Sen tinels",
        )
    )
    for word in (
        *("'Vision_x'", "'two'", "'5Gu'", "'-1'", "'many'", "'privileged'", "'Sen tinels'"),
        *("'mlflow.example.org'", "'10.0.0.1/8'", "'169.254.169.254/32'", "'10.0.0.0/8:0'"),
    ):
        assert word in said


@pytest.mark.parametrize("name", ["", "-a", "a-", "a.b", "Ä", "a" * 51, "a b", "a\n", "../x"])
def test_a_name_that_is_no_label_is_refused(name: str) -> None:
    assert repr(name) in faults_of(Flags(name=name))


@pytest.mark.parametrize("name", ["a", "0", "vision-2", "a" * 50])
def test_a_label_of_up_to_fifty_characters_is_a_name(name: str) -> None:
    assert read_team(Flags(name=name)).namespace == f"sen-{name}"


@pytest.mark.parametrize(
    ("prefix", "name"),
    [("sen", "tinels"), ("kube-", "system"), ("de", "fault"), ("x" * 20, "a" * 50)],
)
def test_a_namespace_that_is_no_teams_is_refused(prefix: str, name: str) -> None:
    assert prefix + name in faults_of(Flags(name=name, prefix=prefix))


if __name__ == "__main__":
    GOLDEN.write_text(yaml.safe_dump_all(objects(read_team(VISION)), sort_keys=False))
