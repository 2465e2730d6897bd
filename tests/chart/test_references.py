"""Whatever an object names is there: in the release, or with you where your values say so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.chart.cases import YOURS, Case
from tests.chart.manifests import (
    Pod,
    Reference,
    is_knative_service,
    of_kind,
    pods,
    references,
    selects,
    texts,
    title,
)
from tests.chart.rendering import Manifest, Release

_IN_THE_CLUSTER = re.compile(
    r"(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc(?:\.cluster\.local)?"
    r"(?:(?::|\s+Port\s+)(?P<port>\d+))?"
)
# The kubelet's and Knative's own, or a person's.
_NOT_OURS = {"kubernetes.default", "kubernetes.io"}


def kept(release: Release) -> dict[tuple[str, str], set[str]]:
    """The keys of each ConfigMap and Secret, by kind and name."""
    return {
        (each["kind"], each["metadata"]["name"]): {
            key for field in ("data", "stringData", "binaryData") for key in each.get(field) or {}
        }
        for each in release.everything
    }


def fault(reference: Reference, there: dict[tuple[str, str], set[str]]) -> str:
    """Why a pod would not start."""
    if reference.name.startswith(YOURS) or reference.optional:
        return ""
    keys = there.get((reference.kind, reference.name))
    if keys is None:
        return f"no {reference.kind} {reference.name}"
    if reference.key is not None and reference.key not in keys:
        return f"no key {reference.key} in {reference.kind} {reference.name}"
    return ""


def test_what_a_pod_needs_is_there(release: Release) -> None:
    there = kept(release)
    faults = {
        f"{pod.title}: {found}"
        for pod in pods(release.everything)
        for reference in references(pod)
        if (found := fault(reference, there))
    }

    assert faults == set()


def test_what_is_kept_is_used(release: Release) -> None:
    used = {(each.kind, each.name) for pod in pods(release.everything) for each in references(pod)}
    named = set(texts([each for each in release.everything if each["kind"] != "ConfigMap"]))
    for each in of_kind(release.objects, "ConfigMap", "PersistentVolumeClaim"):
        key = (each["kind"], each["metadata"]["name"])
        assert key in used or any(key[1] in text for text in named - {key[1]}), title(each)


def test_a_service_finds_the_pods_of_one_workload(release: Release) -> None:
    staying = [pod for pod in pods(release.everything)]
    for service in of_kind(release.everything, "Service"):
        selector = service["spec"]["selector"]
        found = [pod for pod in staying if selects(selector, pod.labels)]
        assert len(found) == 1, f"{title(service)} finds {[pod.title for pod in found]}"
        _assert_ports(service, found[0])


def _assert_ports(service: Manifest, pod: Pod) -> None:
    ports = [port for each in pod.spec["containers"] for port in each.get("ports", [])]
    known = {port[key] for port in ports for key in ("name", "containerPort") if key in port}
    for port in service["spec"]["ports"]:
        assert port.get("targetPort", port["port"]) in known, f"{title(service)} {port}"


def test_a_workload_finds_its_own_pods_and_no_others(release: Release) -> None:
    every = [pod for pod in pods(release.everything)]
    for pod in every:
        selector = pod.workload["spec"].get("selector", {}).get("matchLabels")
        if selector and not pod.is_knative:
            found = [other.title for other in every if selects(selector, other.labels)]
            assert found == [pod.title]


def test_a_stateful_set_has_the_service_that_it_names(release: Release) -> None:
    services = {each["metadata"]["name"] for each in of_kind(release.objects, "Service")}
    for each in of_kind(release.objects, "StatefulSet"):
        assert each["spec"]["serviceName"] in services, title(each)


def test_a_network_policy_guards_pods_that_there_are(release: Release) -> None:
    every = pods(release.everything)
    for each in of_kind(release.objects, "NetworkPolicy"):
        selector = each["spec"]["podSelector"].get("matchLabels", {})
        assert any(selects(selector, pod.labels) for pod in every), title(each)


def test_without_network_policies_there_are_none(release: Release, case: Case) -> None:
    wanted = case.values.get("networkPolicies", True)

    assert bool(of_kind(release.objects, "NetworkPolicy")) is wanted


def test_an_ingress_leads_to_a_port_of_a_service(release: Release) -> None:
    services = {each["metadata"]["name"]: each for each in of_kind(release.objects, "Service")}
    for each in of_kind(release.objects, "Ingress"):
        for rule in each["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                to = path["backend"]["service"]
                ports = services[to["name"]]["spec"]["ports"]
                names = {port[key] for port in ports for key in ("name", "port") if key in port}
                assert set(to["port"].values()) <= names, title(each)


def test_every_binding_joins_a_role_and_accounts_that_there_are(release: Release) -> None:
    names = {
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in release.objects
    }
    for each in of_kind(release.objects, "RoleBinding", "ClusterRoleBinding"):
        role = each["roleRef"]
        if role["name"] == "cluster-admin":  # Kubernetes' own; only to install Knative
            assert each["metadata"]["name"].endswith("-bootstrap-knative")
            continue
        where = each["metadata"].get("namespace") if role["kind"] == "Role" else None
        assert (role["kind"], where, role["name"]) in names, title(each)
        for subject in each["subjects"]:
            account = ("ServiceAccount", subject["namespace"], subject["name"])
            assert account in names, title(each)
    policies = {
        each["metadata"]["name"] for each in of_kind(release.objects, "ValidatingAdmissionPolicy")
    }
    for each in of_kind(release.objects, "ValidatingAdmissionPolicyBinding"):
        assert each["spec"]["policyName"] in policies


def test_no_account_is_there_for_nothing(release: Release) -> None:
    used = {pod.spec.get("serviceAccountName") for pod in pods(release.everything)}
    used |= {each.get("spec", {}).get("serviceAccountName") for each in release.applied}
    accounts = {each["metadata"]["name"] for each in of_kind(release.objects, "ServiceAccount")}

    assert accounts <= used


def _addresses(release: Release) -> Iterator[tuple[str, str, int | None]]:
    for each in release.everything:
        for text in texts(each):
            for found in _IN_THE_CLUSTER.finditer(text):
                port = found["port"]
                yield found["name"], found["namespace"], int(port) if port else None


def test_every_address_in_the_cluster_leads_to_a_port_of_a_service(release: Release) -> None:
    ports = {
        each["metadata"]["name"]: {80}
        if is_knative_service(each)
        else {port["port"] for port in each["spec"]["ports"]}
        for each in release.everything
        if each["kind"] == "Service"
    }
    for name, namespace, port in _addresses(release):
        if f"{name}.{namespace}" in _NOT_OURS or namespace.startswith("knative-"):
            continue
        assert namespace == release.namespace, f"{name}.{namespace}"
        assert name in ports, f"{name}.{namespace}"
        assert (port or 80) in ports[name], f"{name}.{namespace}:{port}"
