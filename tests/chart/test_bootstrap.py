"""What the chart asks of ``sentinels bootstrap`` is what that understands."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinels.core.policy import Policy
from sentinels.core.policy_reading import read_policy
from sentinels.install.plan import Plan, read_plan
from tests.chart.cases import YOURS, Case
from tests.chart.manifests import Pod, pods, texts
from tests.chart.rendering import Manifest, Release


def bootstrap(release: Release) -> Pod:
    """The pod of the bootstrap's Job."""
    (found,) = (
        pod
        for pod in pods(release.objects)
        if pod.component == "bootstrap" and pod.workload["kind"] == "Job"
    )
    return found


def config(release: Release) -> Manifest:
    """The ConfigMap with its plan."""
    (found,) = (
        each
        for each in release.objects
        if each["kind"] == "ConfigMap" and "plan.yaml" in each.get("data", {})
    )
    return found


@pytest.fixture
def plan(release: Release, tmp_path: Path) -> Plan:
    """What the bootstrap reads in its pod."""
    for name, text in config(release)["data"].items():
        (tmp_path / name).write_text(text)
    return read_plan(tmp_path)


def test_the_plan_says_what_the_values_say(plan: Plan, release: Release, case: Case) -> None:
    values = case.values
    knative = values.get("knative", {})

    assert plan.release == case.release
    assert plan.namespace == case.namespace
    assert plan.seconds > 0
    assert plan.keep_data is values.get("keepData", True)
    assert plan.knative.wanted is case.on_knative
    assert plan.knative.domain == knative.get("domain", "")
    assert [team.flags["name"] for team in plan.teams] == [
        team["name"] for team in values.get("teams", [{"name": "default"}])
    ]
    assert plan.policy == values.get("policy", {})
    assert isinstance(read_policy(plan.policy), Policy)


def test_the_plans_objects_are_those_of_the_release(plan: Plan, release: Release) -> None:
    read = [dict(each) for each in plan.objects]

    assert sorted(read, key=str) == sorted(release.applied, key=str)


def test_knatives_own_manifests_come_from_where_the_values_say(plan: Plan, case: Case) -> None:
    install = case.values.get("knative", {}).get("install", {})

    assert plan.knative.install is install.get("enabled", True)
    assert (plan.knative.folder is not None) is bool(install.get("configMaps"))
    if plan.knative.install and not install.get("configMaps"):
        assert all(each.url.startswith("https://") for each in plan.knative.downloads)
        assert plan.knative.downloads


def test_a_folder_of_your_manifests_is_mounted(plan: Plan, release: Release) -> None:
    pod = bootstrap(release)
    mounts = {
        path: each["name"]
        for container in pod.containers
        for each in container["volumeMounts"]
        for path in [each["mountPath"]]
    }
    volumes = {each["name"]: each for each in pod.spec["volumes"]}
    if plan.knative.folder is not None:
        volume = volumes[mounts[str(plan.knative.folder)]]
        names = [each["configMap"]["name"] for each in volume["projected"]["sources"]]
        assert names
        assert all(name.startswith(YOURS) for name in names)
    assert config(release)["metadata"]["name"] in set(texts(list(volumes.values())))


def test_the_bootstrap_is_ended_after_its_own_time_and_not_before(
    plan: Plan, release: Release
) -> None:
    assert bootstrap(release).workload["spec"]["activeDeadlineSeconds"] >= plan.seconds
