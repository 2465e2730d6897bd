"""What the bootstrap applies to Knative: there is no schema of it here, so the rules are ours."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from tests.chart.cases import Case
from tests.chart.manifests import Pod, at, is_knative_service, of_kind, pods, selects, title
from tests.chart.rendering import Helm, Manifest, Release
from tests.chart.test_objects import NEWEST, OLDEST, faults

EXPECTED = {
    ("serving.knative.dev/v1", "Service"): 3,
    ("eventing.knative.dev/v1", "Broker"): 1,
    ("eventing.knative.dev/v1", "Trigger"): 2,
    ("sources.knative.dev/v1", "PingSource"): 2,
    ("sources.knative.dev/v1", "ApiServerSource"): 1,
}
# Each kind's fields by their path; without those in brackets it is refused or does nothing.
FIELDS = {
    "Service": {"template": True},
    "Broker": {"config": False, "delivery": False},
    "Trigger": {
        "broker": True,
        "filter": False,
        "filters": False,
        "subscriber": True,
        "delivery": True,
    },
    "PingSource": {
        "schedule": True,
        "timezone": False,
        "contentType": False,
        "data": False,
        "sink": True,
    },
    "ApiServerSource": {
        "serviceAccountName": True,
        "mode": True,
        "namespaceSelector": False,
        "resources": True,
        "sink": True,
    },
}
# What Knative Serving lets through of a pod without feature flags.
POD_FIELDS = {
    "automountServiceAccountToken",
    "containerConcurrency",
    "containers",
    "enableServiceLinks",
    "idleTimeoutSeconds",
    "imagePullSecrets",
    "responseStartTimeoutSeconds",
    "serviceAccountName",
    "timeoutSeconds",
    "volumes",
}
_OWN_POD_FIELDS = {
    "containerConcurrency",
    "idleTimeoutSeconds",
    "responseStartTimeoutSeconds",
    "timeoutSeconds",
}
_ISO = re.compile(r"P(?=.)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
_MAX_REVISION_TIMEOUT = 600  # config-defaults' max-revision-timeout-seconds


def of_api(release: Release, *kinds: str) -> list[Manifest]:
    """Knative's objects."""
    return [
        each
        for each in release.applied
        if each["kind"] in kinds and ".knative.dev/" in each["apiVersion"]
    ]


def test_the_bootstrap_applies_functions_and_events_on_knative_only(
    release: Release, case: Case
) -> None:
    applied = [each for each in release.applied if ".knative.dev/" in each["apiVersion"]]
    counted = Counter((each["apiVersion"], each["kind"]) for each in applied)

    assert counted == (EXPECTED if case.on_knative else {})


def test_the_other_runtimes_functions_are_not_there(release: Release, case: Case) -> None:
    names = {pod.component for pod in pods(release.objects)}
    functions = {"submit", "dispatch", "notify", "sources"}

    assert names & functions == (set() if case.on_knative else functions)


def test_every_field_is_one_that_knative_has(release: Release) -> None:
    for each in of_api(release, *FIELDS):
        fields = FIELDS[each["kind"]]
        given = each.get("spec", {}).keys()
        assert given <= fields.keys(), title(each)
        assert {name for name, needed in fields.items() if needed} <= given, title(each)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_a_functions_pod_is_one_that_kubernetes_takes(release: Release, version: str) -> None:
    for pod in _functions(release):
        spec = {key: value for key, value in pod.spec.items() if key not in _OWN_POD_FIELDS}
        spec["containers"] = [{"name": "user-container", **each} for each in spec["containers"]]
        for container in spec["containers"]:
            for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
                if probe in container:
                    container[probe] = _with_port(container[probe])
        as_pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}
        assert faults(json.dumps(as_pod), version) == "", pod.title


def _with_port(probe: Manifest) -> Manifest:
    """Knative fills in the port."""
    kind = "httpGet" if "httpGet" in probe else "tcpSocket"
    return {**probe, kind: {"port": 8080, **probe[kind]}}


def test_knative_lets_a_functions_pod_through(release: Release) -> None:
    for pod in _functions(release):
        assert pod.spec.keys() <= POD_FIELDS, pod.title
        (container,) = pod.spec["containers"]
        assert len(container.get("ports", [])) <= 1, pod.title
        assert all(p.get("name", "http1") in ("http1", "h2c") for p in container.get("ports", []))
        assert 0 < pod.spec["timeoutSeconds"] <= _MAX_REVISION_TIMEOUT, pod.title
        assert pod.spec["containerConcurrency"] > 0, pod.title


def test_only_submit_can_be_reached_from_outside(release: Release) -> None:
    for each in of_api(release, "Service"):
        label = each["metadata"]["labels"].get("networking.knative.dev/visibility")
        public = each["metadata"]["name"] == "submit"
        assert label == (None if public else "cluster-local"), title(each)
    for each in of_kind(release.objects, "Service"):
        public = each["metadata"]["name"].endswith("-submit")
        assert public or each["spec"].get("type", "ClusterIP") == "ClusterIP", title(each)


def test_scale_bounds_are_what_the_values_say(helm: Helm) -> None:
    for pod in _functions(
        helm.release({"functions": {"dispatch": {"minScale": 1, "maxScale": 7}}})
    ):
        notes = pod.template["metadata"]["annotations"]
        low, high = (notes[f"autoscaling.knative.dev/{end}-scale"] for end in ("min", "max"))
        assert int(low) <= int(high), pod.title
        assert (pod.component != "dispatch") or (low, high) == ("1", "7")


def test_every_sink_and_subscriber_is_there(release: Release) -> None:
    there = {
        (each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in release.applied
    }
    for each in of_api(release, "Trigger", "PingSource", "ApiServerSource"):
        spec = each["spec"]
        leads = [spec[key] for key in ("sink", "subscriber") if key in spec]
        leads += (
            [spec["delivery"]["deadLetterSink"]]
            if "deadLetterSink" in spec.get("delivery", {})
            else []
        )
        for lead in leads:
            ref = lead["ref"]
            assert (ref["apiVersion"], ref["kind"], ref["name"]) in there, title(each)
        broker = ("eventing.knative.dev/v1", "Broker", spec.get("broker", ""))
        assert "broker" not in spec or broker in there, title(each)


def test_every_trigger_says_how_often_and_for_how_long_it_tries(release: Release) -> None:
    for each in of_api(release, "Trigger"):
        delivery = each["spec"]["delivery"]
        assert delivery["backoffPolicy"] in ("linear", "exponential")
        assert 0 < delivery["retry"] <= 10
        for name in ("backoffDelay", "timeout"):
            assert _ISO.fullmatch(delivery[name]), title(each)


def test_a_completion_that_cannot_be_delivered_ends_at_notify(release: Release) -> None:
    for each in of_api(release, "Trigger"):
        if each["metadata"]["name"].endswith("-jobs"):
            sink = at(each, "spec", "delivery", "deadLetterSink")
            assert sink["ref"]["name"] == "notify"
            assert sink["uri"] == "/dead-letters"


def test_events_are_about_our_jobs_only_and_hold_names_only(release: Release) -> None:
    for each in of_api(release, "ApiServerSource"):
        assert each["spec"]["mode"] == "Reference"
        (resource,) = each["spec"]["resources"]
        assert (resource["apiVersion"], resource["kind"]) == ("batch/v1", "Job")
        assert resource["selector"]["matchLabels"] == {"sentinels.dev/managed": "true"}


def test_ticks_come_when_the_values_say(helm: Helm) -> None:
    every = "*/7 * * * * *"
    release = helm.release({"functions": {"tick": {"dispatch": every}}})
    schedules = {
        each["spec"]["sink"]["ref"]["name"]: each["spec"]["schedule"]
        for each in of_api(release, "PingSource")
    }

    assert schedules["dispatch"] == every
    assert schedules["notify"] != every


def test_the_functions_of_both_runtimes_are_the_same_program(helm: Helm) -> None:
    knative = {pod.component: pod for pod in _functions(helm.release())}
    plain = helm.release({"functions": {"runtime": "deployment"}})
    for pod in pods(plain.objects):
        twin = knative.get(pod.component)
        if twin is not None:
            ours, theirs = pod.spec["containers"][0], twin.spec["containers"][0]
            for field in ("image", "imagePullPolicy", "envFrom", "resources"):
                assert ours[field] == theirs[field], f"{pod.title} {field}"
            assert _environment(ours) == _environment(theirs), pod.title
            assert pod.spec["serviceAccountName"] == twin.spec["serviceAccountName"]
    assert len(knative) == 3


def _environment(container: Manifest) -> dict[str, object]:
    own = {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
    return {name: value for name, value in own.items() if name != "SENTINELS_SINK"}


def _functions(release: Release) -> list[Pod]:
    return [pod for pod in pods(release.applied) if is_knative_service(pod.workload)]


def test_no_service_of_kubernetes_finds_a_functions_pods(release: Release) -> None:
    """Knative makes Services of their names by itself."""
    knative = {pod.workload["metadata"]["name"]: pod.labels for pod in _functions(release)}
    for each in of_kind(release.everything, "Service"):
        assert each["metadata"]["name"] not in knative, title(each)
        assert not any(selects(each["spec"]["selector"], labels) for labels in knative.values())
