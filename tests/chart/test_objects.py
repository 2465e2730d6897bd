"""Every object of every release is one that a Kubernetes server would take."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter

import kubernetes_validate
import pytest
import yaml

from tests.chart.cases import Case
from tests.chart.manifests import CLUSTER_WIDE, Pod, pods, title
from tests.chart.rendering import Helm, Refused, Release, config_files, documents

OLDEST, NEWEST = "1.31", "1.36"  # Chart.yaml's kubeVersion; tests/cluster's programs
# Helm's release is a Secret, which etcd takes up to 1 MiB.
LIMIT = 700_000
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_POD_NAME_LIMIT = {"CronJob": 52, "StatefulSet": 52, "Job": 63, "Service": 63}


@functools.cache
def faults(manifest: str, version: str) -> str:
    """What a version of Kubernetes has against an object, given as JSON."""
    try:
        kubernetes_validate.validate(json.loads(manifest), version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return f"no such kind in Kubernetes {version}"
    except kubernetes_validate.ValidationError as fault:
        return f"{'.'.join(str(step) for step in fault.path)}: {fault.message}"
    return ""


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_every_object_strictly(release: Release, version: str) -> None:
    said = {title(each): faults(json.dumps(each), version) for each in release.objects}

    assert {name: fault for name, fault in said.items() if fault} == {}


def test_no_two_objects_have_one_name(release: Release) -> None:
    names = Counter(
        (
            each["apiVersion"],
            each["kind"],
            each["metadata"].get("namespace"),
            each["metadata"]["name"],
        )
        for each in release.everything
    )

    assert [name for name, times in names.items() if times > 1] == []


def test_names_are_short_enough_for_what_is_made_from_them(release: Release) -> None:
    for each in release.everything:
        name = each["metadata"]["name"]
        assert _NAME.fullmatch(name), name
        assert len(name) <= _POD_NAME_LIMIT.get(each["kind"], 253), title(each)


def test_every_object_says_its_namespace(release: Release) -> None:
    for each in release.everything:
        expected = None if each["kind"] in CLUSTER_WIDE else release.namespace
        assert each["metadata"].get("namespace") == expected, title(each)


def test_every_object_can_be_applied_again(release: Release) -> None:
    for each in release.everything:
        assert "generateName" not in each["metadata"], title(each)
        assert not {"status", "managedFields"} & each.keys(), title(each)
    for pod in pods(release.everything):
        assert _repeated(pod) == [], pod.title


def _repeated(pod: Pod) -> list[str]:
    """What lists hold twice that server-side apply merges by its name."""
    lists = {
        "containers": [each["name"] for each in pod.containers if "name" in each],
        "volumes": [each["name"] for each in pod.spec.get("volumes", [])],
    }
    for each in pod.containers:
        name = each.get("name", pod.title)
        lists[f"{name}.env"] = [item["name"] for item in each.get("env", [])]
        lists[f"{name}.mounts"] = [item["mountPath"] for item in each.get("volumeMounts", [])]
        lists[f"{name}.ports"] = [
            f"{item['containerPort']}/{item.get('protocol', 'TCP')}"
            for item in each.get("ports", [])
        ]
    return [
        f"{where}: {item}"
        for where, items in lists.items()
        for item, n in Counter(items).items()
        if n > 1
    ]


def test_every_file_in_a_configmap_can_be_read(release: Release) -> None:
    for name, text in config_files(release.objects):
        try:
            documents(text)
        except yaml.YAMLError as fault:
            pytest.fail(f"{name}: {fault}")


def test_nothing_is_left_of_the_templates(release: Release) -> None:
    text = json.dumps(release.everything) + release.notes

    for leftover in ("%!", "<nil>", "map[", "e+06"):
        assert leftover not in text, text[text.index(leftover) - 200 :][:300]
    for each in release.applied:
        assert "{{" not in json.dumps(each), title(each)


def test_the_release_fits_into_the_secret_that_helm_keeps(release: Release, case: Case) -> None:
    print(f"{case.name}: {release.size / 1000:.0f} kB of {LIMIT / 1000:.0f}")

    assert release.size < LIMIT


def test_a_kubernetes_that_is_too_old_is_refused(helm: Helm) -> None:
    with pytest.raises(Refused, match="kubeVersion"):
        helm("template", "sentinels", str(helm.chart), "--kube-version", "1.30.9")
    helm("template", "sentinels", str(helm.chart), "--kube-version", f"{OLDEST}.0")
