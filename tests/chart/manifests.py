"""Looking into objects: pods wherever they are, containers, what refers to what.

Comes in: objects as read from YAML. Goes out: pods, references, texts. Next: the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tests.chart.rendering import Manifest

LONG_RUNNING = ("Deployment", "StatefulSet", "DaemonSet")
# Where a kind keeps the description of its pods.
_TEMPLATES: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(LONG_RUNNING, ("spec", "template")),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}
_KNATIVE_SERVICE = ("serving.knative.dev/v1", "Service")
CLUSTER_WIDE = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Namespace",
        "PriorityClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
)


@dataclass(frozen=True)
class Pod:
    """The pods of a workload."""

    workload: Manifest
    template: Manifest

    @property
    def title(self) -> str:
        """As in ``Deployment/sentinels-submit``."""
        return title(self.workload)

    @property
    def component(self) -> str:
        """Its name among our labels."""
        return str(self.labels.get("app.kubernetes.io/name", ""))

    @property
    def labels(self) -> dict[str, str]:
        """By which Services find it."""
        return dict(self.template.get("metadata", {}).get("labels", {}))

    @property
    def spec(self) -> Manifest:
        """The pod's own part."""
        return dict(self.template["spec"])

    @property
    def containers(self) -> list[Manifest]:
        """All of them, those that go before and beside the main ones too."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def is_knative(self) -> bool:
        """Whether Knative makes it."""
        return is_knative_service(self.workload)

    @property
    def is_long_running(self) -> bool:
        """Whether it is meant to stay."""
        return self.is_knative or self.workload["kind"] in LONG_RUNNING


def title(each: Manifest) -> str:
    """How a failure names an object."""
    return f"{each['kind']}/{each['metadata']['name']}"


def is_knative_service(each: Manifest) -> bool:
    """Whether it is a Service of Knative Serving."""
    return (each["apiVersion"], each["kind"]) == _KNATIVE_SERVICE


def of_kind(objects: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    """Kubernetes's own objects of these kinds."""
    return [each for each in objects if each["kind"] in kinds and not is_knative_service(each)]


def pods(objects: Sequence[Manifest]) -> list[Pod]:
    """The pods that objects describe."""
    found = []
    for each in objects:
        path = ("spec", "template") if is_knative_service(each) else _TEMPLATES.get(each["kind"])
        if path is not None:
            found.append(Pod(each, at(each, *path)))
    return found


def at(value: Any, *path: str) -> Any:  # what is there is the caller's to know
    """What is at a path."""
    for key in path:
        value = value[key]
    return value


def texts(value: object) -> Iterator[str]:
    """Every text in an object, keys too."""
    if isinstance(value, Mapping):
        yield from chain.from_iterable(texts(each) for pair in value.items() for each in pair)
    elif isinstance(value, list):
        yield from chain.from_iterable(texts(each) for each in value)
    elif isinstance(value, str):
        yield value


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether plain labels are found by a selector."""
    return selector.items() <= labels.items()


@dataclass(frozen=True)
class Reference:
    """A pod needs an object, and in it a key."""

    kind: str
    name: str
    key: str | None = None
    optional: bool = False


def references(pod: Pod) -> Iterator[Reference]:
    """What the kubelet must find before it starts a pod."""
    spec = pod.spec
    if "serviceAccountName" in spec:
        yield Reference("ServiceAccount", spec["serviceAccountName"])
    for secret in spec.get("imagePullSecrets", []):
        yield Reference("Secret", secret["name"])
    for volume in spec.get("volumes", []):
        yield from _of_volume(volume)
    for container in pod.containers:
        yield from _of_environment(container)


def _of_volume(volume: Manifest) -> Iterator[Reference]:
    if "persistentVolumeClaim" in volume:
        yield Reference("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
    for source in (volume, *volume.get("projected", {}).get("sources", [])):
        for field, kind, name in (
            ("configMap", "ConfigMap", "name"),
            ("secret", "Secret", "secretName"),
            ("secret", "Secret", "name"),
        ):
            found = source.get(field, {})
            if name in found:
                keys = [item["key"] for item in found.get("items", [])] or [None]
                optional = found.get("optional", False)
                yield from (Reference(kind, found[name], key, optional) for key in keys)


def _of_environment(container: Manifest) -> Iterator[Reference]:
    for source in container.get("envFrom", []):
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if field in source:
                found = source[field]
                yield Reference(kind, found["name"], None, found.get("optional", False))
    for variable in container.get("env", []):
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            found = variable.get("valueFrom", {}).get(field)
            if found:
                yield Reference(kind, found["name"], found["key"], found.get("optional", False))
