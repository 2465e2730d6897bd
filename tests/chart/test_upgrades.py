"""An upgrade changes what was meant to be changed, and can be applied at all."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.cases import CASES, Case
from tests.chart.manifests import LONG_RUNNING, pods, title
from tests.chart.rendering import CHART, Helm, Manifest, Release

# What a StatefulSet's update may change; Kubernetes refuses the rest.
_CHANGEABLE = {
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "revisionHistoryLimit",
    "template",
    "updateStrategy",
}
_RUNTIMES: dict[str, dict[str, Any]] = {
    "knative": {},
    "deployment": {"functions": {"runtime": "deployment"}},
}


def without_secrets(release: Release) -> dict[str, Manifest]:
    """All that is not made anew where there is no cluster to look passwords up in."""
    return {
        f"{each['apiVersion']} {title(each)}": each
        for each in release.everything
        if each["kind"] != "Secret"
    }


@pytest.mark.parametrize("runtime", _RUNTIMES)
def test_the_same_values_give_the_same_objects(helm: Helm, runtime: str) -> None:
    first, again = (helm.fresh_release(_RUNTIMES[runtime]) for _ in range(2))

    assert without_secrets(first) == without_secrets(again)


@pytest.fixture(scope="module")
def newer(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm with the next version of the same chart."""
    chart = tmp_path_factory.mktemp("newer") / "sentinels"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(
        json.dumps({**about, "version": "9.9.9", "appVersion": "9.9.9"})
    )
    return Helm(helm.program, helm.home, chart)


@pytest.mark.parametrize("runtime", _RUNTIMES)
def test_another_version_of_the_chart_alone_restarts_nothing(
    helm: Helm, newer: Helm, runtime: str
) -> None:
    values = {**_RUNTIMES[runtime], "image": {"tag": "1.2.3"}}
    before, after = helm.release(values), newer.release(values)
    templates = {pod.title: pod.template for pod in pods(before.everything) if pod.is_long_running}

    assert templates
    assert templates == {
        pod.title: pod.template for pod in pods(after.everything) if pod.is_long_running
    }
    assert "9.9.9" in json.dumps(after.objects)


@pytest.mark.parametrize("runtime", _RUNTIMES)
def test_another_version_of_sentinels_restarts_only_sentinels(
    helm: Helm, newer: Helm, runtime: str
) -> None:
    values = _RUNTIMES[runtime]
    before, after = helm.release(values), newer.release(values)
    old = {pod.title: pod.template for pod in pods(before.everything)}
    changed = {pod.component for pod in pods(after.everything) if old[pod.title] != pod.template}

    assert changed <= {"submit", "dispatch", "notify", "sources", "bootstrap", "bootstrap-remove"}
    assert {"submit", "dispatch", "notify"} <= changed


_OTHER_DATABASE = {"enabled": False, "external": {"url": "x://new/d", "mlflowUrl": "x://new/m"}}
_DATABASE = {"enabled": False, "external": {"url": "x://old/d", "mlflowUrl": "x://old/m"}}
_RESTARTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a setting": ({}, {"settings": {"lease_seconds": 61}}),
    "a new token for Slack": ({"slack": {"token": "xoxb-1"}}, {"slack": {"token": "xoxb-2"}}),
    "another database": ({"postgresql": _DATABASE}, {"postgresql": _OTHER_DATABASE}),
}


@pytest.mark.parametrize("what", _RESTARTS)
def test_what_functions_read_at_their_start_restarts_them(helm: Helm, what: str) -> None:
    before, after = (
        helm.release({**_RUNTIMES["deployment"], **values}) for values in _RESTARTS[what]
    )
    old = {pod.title: pod.template for pod in pods(before.objects) if pod.is_long_running}
    changed = {
        pod.component
        for pod in pods(after.objects)
        if pod.is_long_running and old[pod.title] != pod.template
    }

    assert changed - {"mlflow"} == {"submit", "dispatch", "notify"}


def fixed(each: Manifest) -> dict[str, Any]:
    """The part of a workload's description that no update may change."""
    spec = each["spec"]
    if each["kind"] != "StatefulSet":
        return {"selector": spec["selector"]}
    return {name: value for name, value in spec.items() if name not in _CHANGEABLE}


def _is_about_volumes(case: Case) -> bool:
    """A volume's class and size are chosen once."""
    return case.choices["volumes"] != "default"


def test_no_values_change_what_cannot_be_changed(helm: Helm) -> None:
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for case in CASES:
        if not _is_about_volumes(case):
            release = helm.release(case.values, name=case.release, namespace=case.namespace)
            for each in release.objects:
                if each["kind"] in LONG_RUNNING:
                    seen[case.release, title(each)].add(json.dumps(fixed(each), sort_keys=True))

    assert seen
    assert {name: texts for name, texts in seen.items() if len(texts) > 1} == {}


def test_the_next_version_does_not_change_what_cannot_be_changed(helm: Helm, newer: Helm) -> None:
    values = _RUNTIMES["deployment"]
    before, after = (
        {title(each): fixed(each) for each in release.objects if each["kind"] in LONG_RUNNING}
        for release in (helm.release(values), newer.release(values))
    )

    assert before == after


def test_the_chart_is_copied_whole(newer: Helm) -> None:
    """The tests above would say nothing about files that are not packed."""
    ignored = (CHART / ".helmignore").read_text().split()
    there = {path.relative_to(CHART) for path in CHART.rglob("*") if path.is_file()}

    assert not any(path.match(pattern) for path in there for pattern in ignored)
    assert (newer.chart / Path("Chart.yaml")).is_file()
