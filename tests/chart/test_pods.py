"""Pods: whence their images, what they may, what they need, how one knows that they live."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from tests.chart.cases import DEFAULTS, YOURS, Case
from tests.chart.manifests import Pod, of_kind, pods, title
from tests.chart.rendering import Helm, Manifest, Release

_IMAGE = re.compile(r"(?P<name>[a-z0-9./:_-]+?)(:(?P<tag>[\w.-]+))?(@sha256:[0-9a-f]{64})?")
_HARMLESS_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
# What looks at its node from the outside has to see the node's files, without writing.
_SEES_ITS_NODE = {"node-exporter", "fluent-bit"}
# Logs belong to root.
_IS_ROOT = {"fluent-bit"}
_HAS_NO_PROBE: set[str] = set()
_UNITS = {
    "": 1,
    "m": Decimal("0.001"),
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
# A small cluster: three nodes with 2 CPUs and 4 GiB, that are not all ours.
SMALL_CPU, SMALL_MEMORY = Decimal(3), Decimal(8 * 2**30)


def quantity(text: object) -> Decimal:
    """CPUs, or bytes."""
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    assert found, text
    return Decimal(found[1]) * Decimal(_UNITS[found[2]])


def named(release: Release) -> list[tuple[str, Pod, Manifest]]:
    """Every container, with the words that a failure begins with."""
    return [
        (f"{pod.title} {container.get('name', '')}", pod, container)
        for pod in pods(release.everything)
        for container in pod.containers
    ]


def test_every_image_has_a_tag_that_says_a_version(release: Release) -> None:
    images = {container["image"]: name for name, _, container in named(release)}
    for each in of_kind(release.objects, "ConfigMap"):
        images |= {v: title(each) for k, v in each.get("data", {}).items() if k.endswith("_IMAGE")}
    assert images
    for image, name in images.items():
        found = _IMAGE.fullmatch(image)
        assert found, f"{name}: {image}"
        assert "@" in image or found["tag"] not in (None, "latest"), f"{name}: {image}"
        assert "bitnami" not in image, f"{name}: {image}"


def test_every_pod_may_pull_from_your_registry(release: Release, case: Case) -> None:
    wanted = [{"name": name} for name in case.values.get("imagePullSecrets", [])]
    for pod in pods(release.everything):
        assert pod.spec.get("imagePullSecrets", []) == wanted, pod.title
    assert not wanted or wanted[0]["name"].startswith(YOURS)


def test_no_pod_is_privileged(release: Release) -> None:
    for pod in pods(release.everything):
        shared = {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys()
        assert not any(pod.spec[name] for name in shared), pod.title
    for name, _, container in named(release):
        security = container.get("securityContext", {})
        assert security.get("privileged", False) is False, name
        assert security.get("allowPrivilegeEscalation") is False, name
        assert security.get("capabilities") == {"drop": ["ALL"]}, name
        assert not any("hostPort" in port for port in container.get("ports", [])), name


def test_every_pod_is_restricted(release: Release) -> None:
    for name, pod, container in named(release):
        whole = pod.spec.get("securityContext", {}) | container.get("securityContext", {})
        assert whole.get("seccompProfile") == {"type": "RuntimeDefault"}, name
        assert whole.get("readOnlyRootFilesystem") is True, name
        if pod.component not in _IS_ROOT:
            assert whole.get("runAsNonRoot") is True, name
            assert whole.get("runAsUser", 0) > 0, name
    for pod in pods(release.everything):
        for volume in pod.spec.get("volumes", []):
            kinds = volume.keys() - {"name"}
            allowed = _HARMLESS_VOLUMES | (
                {"hostPath"} if pod.component in _SEES_ITS_NODE else set()
            )
            assert kinds <= allowed, f"{pod.title} {volume}"


def test_the_nodes_files_are_only_read(release: Release) -> None:
    for name, pod, container in named(release):
        of_node = {each["name"] for each in pod.spec.get("volumes", []) if "hostPath" in each}
        mounts = [each for each in container.get("volumeMounts", []) if each["name"] in of_node]
        assert all(mount.get("readOnly") is True for mount in mounts), name


def test_only_pods_with_an_account_of_their_own_get_its_token(release: Release) -> None:
    for pod in pods(release.everything):
        account = pod.spec.get("serviceAccountName", "default")
        token = pod.spec.get("automountServiceAccountToken", True)
        assert token is False or account != "default", pod.title


def test_every_container_says_what_it_needs_and_how_much_memory_it_may_take(
    release: Release,
) -> None:
    for name, _, container in named(release):
        resources = container.get("resources", {})
        assert {"cpu", "memory"} <= resources.get("requests", {}).keys(), name
        assert "memory" in resources.get("limits", {}), name
        for what, asked in resources["requests"].items():
            assert quantity(asked) > 0, name
            assert quantity(asked) <= quantity(resources["limits"].get(what, asked)), name


@pytest.mark.parametrize("runtime", ["knative", "deployment"])
def test_by_default_it_fits_into_a_small_cluster(helm: Helm, runtime: str) -> None:
    release = helm.release({**DEFAULTS.values, "functions": {"runtime": runtime}})
    staying = [pod for pod in pods(release.everything) if pod.is_long_running]
    sums = {
        what: sum(
            quantity(each["resources"]["requests"][what])
            for pod in staying
            for each in pod.spec["containers"]
        )
        for what in ("cpu", "memory")
    }
    print(
        f"{runtime}: {sums['cpu']} CPUs, {sums['memory'] / 2**30:.1f} GiB for {len(staying)} pods"
    )
    assert sums["cpu"] <= SMALL_CPU
    assert sums["memory"] <= SMALL_MEMORY


def test_of_every_container_that_stays_one_knows_whether_it_works(release: Release) -> None:
    for pod in pods(release.everything):
        main = pod.spec["containers"] if pod.is_long_running else []
        for container in main:
            name = f"{pod.title} {container.get('name', '')}"
            probed = {"readinessProbe", "livenessProbe"} & container.keys()
            assert bool(probed) is (container.get("name") not in _HAS_NO_PROBE), name


def test_probes_ask_ports_that_the_container_has(release: Release) -> None:
    for name, pod, container in named(release):
        ports = container.get("ports", [])
        known = {port[key] for port in ports for key in ("name", "containerPort") if key in port}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for kind in ("httpGet", "tcpSocket", "grpc"):
                asked = container.get(probe, {}).get(kind, {}).get("port")
                unsaid = asked is None or (pod.is_knative and asked == 0)
                assert unsaid or asked in known, f"{name} {probe}"


def test_a_pods_ports_have_names_of_their_own(release: Release) -> None:
    for pod in pods(release.everything):
        names = [
            port["name"]
            for each in pod.containers
            for port in each.get("ports", [])
            if "name" in port
        ]
        assert len(names) == len(set(names)), pod.title


def test_mounts_are_of_volumes_that_the_pod_has(release: Release) -> None:
    for name, pod, container in named(release):
        claims = pod.workload["spec"].get("volumeClaimTemplates", [])
        volumes = {each["name"] for each in pod.spec.get("volumes", [])}
        volumes |= {each["metadata"]["name"] for each in claims}
        mounted = {each["name"] for each in container.get("volumeMounts", [])}
        assert mounted <= volumes, name


def test_no_volume_is_there_for_nothing(release: Release) -> None:
    for pod in pods(release.everything):
        mounted = {m["name"] for each in pod.containers for m in each.get("volumeMounts", [])}
        unused = {each["name"] for each in pod.spec.get("volumes", [])} - mounted
        assert not unused, f"{pod.title} {unused}"


def test_the_heavy_services_go_where_you_say(release: Release, case: Case) -> None:
    node = case.values.get("dedicatedNode")
    heavy = {"postgresql", "mlflow", "elasticsearch", "prometheus", "backup"}
    for pod in pods(release.everything):
        wanted = {"kubernetes.io/hostname": node} if node and pod.component in heavy else None
        tolerated = any(
            each.get("key") == "sentinels.dev/dedicated" for each in pod.spec.get("tolerations", [])
        )
        assert pod.spec.get("nodeSelector") == wanted, pod.title
        assert pod.component not in heavy or tolerated is bool(node), pod.title
