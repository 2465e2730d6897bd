"""The foreign words: every state and error of Kubernetes that means something here, in tables.

Data only. Comes in: nothing. Goes out: what ``evidence``, ``observe`` and ``launch`` look up. The
words are those of Kubernetes 1.31 to 1.36; where one is not in a table, what it belongs to says
what is done with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from sentinels.clusters.kubernetes.options import Deadlines
from sentinels.core.job import Reason


@dataclass(frozen=True, slots=True)
class Stuck:
    """What keeps a pod from starting: after how long it is given up, why, and in which words.

    ``{image}`` and ``{said}`` stand for the image and for what Kubernetes said.
    """

    reason: Reason
    seconds: Callable[[Deadlines], float]
    message: str


def _at_once(_: Deadlines) -> float:
    return 0.0


IMAGE_MISSING = Stuck(
    Reason.IMAGE_UNAVAILABLE,
    lambda limits: limits.image_missing,
    "image {image} is not there, or may not be pulled: {said}",
)
REGISTRY_AWAY = Stuck(
    Reason.REGISTRY_UNAVAILABLE,
    lambda limits: limits.registry,
    "the registry of image {image} did not answer: {said}",
)
_UNREADY = Stuck(
    Reason.NEVER_PLACED,
    lambda limits: limits.unready,
    "its pod did not start its program: {said}",
)
UNPLACED = Stuck(
    Reason.NEVER_PLACED, lambda limits: limits.unplaced, "no node took its pod: {said}"
)
UNCREATED = Stuck(
    Reason.NEVER_PLACED, lambda limits: limits.uncreated, "its pod could not be created: {said}"
)

WAITING: dict[str, Stuck] = {
    # The text is no reference at all; nothing will make it one.
    "InvalidImageName": Stuck(
        Reason.IMAGE_UNAVAILABLE, _at_once, "{image} is no name of an image: {said}"
    ),
    # Missing or unreachable: what the runtime said decides, see MISSING_IMAGE_WORDS.
    "ErrImagePull": REGISTRY_AWAY,
    "ImagePullBackOff": REGISTRY_AWAY,
    "RegistryUnavailable": REGISTRY_AWAY,
    # imagePullPolicy Never on a node without the image.
    "ErrImageNeverPull": IMAGE_MISSING,
    "ImageInspectError": _UNREADY,
    # A Secret or ConfigMap, or one of its keys, does not exist; or the image insists on root: see
    # CONFIG_WORDS.
    "CreateContainerConfigError": Stuck(
        Reason.CONFIG_MISSING, lambda limits: limits.config_missing, "{said}"
    ),
    "CreateContainerError": _UNREADY,
    "RunContainerError": _UNREADY,
    # Volumes, network, sandbox: the kubelet tries again and again.
    "ContainerCreating": _UNREADY,
    "PodInitializing": _UNREADY,
    "CrashLoopBackOff": _UNREADY,
}
"""Why a container waits (``containerStatuses[].state.waiting.reason``)."""

OTHER_WAITING = _UNREADY

MISSING_IMAGE_WORDS = (
    "not found",
    "manifest unknown",
    "name unknown",
    "repository does not exist",
    "no such image",
    "unauthorized",
    "authorization failed",
    "denied",
    "forbidden",
    "no match for platform",
)
"""What runtimes say when the registry answered, and there is no such image for us (lower case)."""

ROOT_IMAGE = Stuck(
    Reason.REJECTED,
    lambda limits: limits.config_missing,
    "image {image} runs as root, which this cluster does not allow; build it with a numeric USER",
)
CONFIG_WORDS: tuple[tuple[str, Stuck], ...] = (
    ("runasnonroot and image will run as root", ROOT_IMAGE),
    ("runasnonroot and image has non-numeric user", ROOT_IMAGE),
)
"""Other causes of CreateContainerConfigError, by what the kubelet says (lower case)."""

REFUSED_POD: tuple[tuple[str, Reason, str], ...] = (
    # ResourceQuota: somebody else's pods end, and there is room again.
    (
        "exceeded quota",
        Reason.QUOTA_EXCEEDED,
        "the quota of namespace {namespace} has no room for it: {said}",
    ),
    # Pod security, LimitRange, policies and webhooks say the same the next time.
    ("violates PodSecurity", Reason.REJECTED, "pod security refuses it: {said}"),
    ("maximum", Reason.REJECTED, "the limit range of namespace {namespace} refuses it: {said}"),
    ("minimum", Reason.REJECTED, "the limit range of namespace {namespace} refuses it: {said}"),
    ("denied the request", Reason.REJECTED, "an admission webhook refuses it: {said}"),
    ("ValidatingAdmissionPolicy", Reason.REJECTED, "an admission policy refuses it: {said}"),
    ("is invalid", Reason.REJECTED, "the cluster refuses its pod: {said}"),
)
"""Why the Job controller could not create the pod (its FailedCreate events), in this order."""

DISRUPTIONS: dict[str, tuple[Reason, str]] = {
    "PreemptionByScheduler": (Reason.PREEMPTED, "a pod of higher priority took its place"),
    "PreemptionByKubeScheduler": (Reason.PREEMPTED, "a pod of higher priority took its place"),
    # The taint manager and the pod collector act on nodes that went silent or away.
    "DeletionByTaintManager": (Reason.NODE_LOST, "its node was tainted or went silent"),
    "DeletionByPodGC": (Reason.NODE_LOST, "its node is gone"),
    # A drain, an autoscaler, a person with kubectl.
    "EvictionByEvictionAPI": (Reason.EVICTED, "somebody asked its node to let it go"),
    # The kubelet itself: pressure on the node, a shutdown, a critical pod.
    "TerminationByKubelet": (Reason.EVICTED, "its node ended it"),
}
"""Reasons of the pod condition DisruptionTarget."""

POD_REASONS: dict[str, tuple[Reason, str]] = {
    # Memory, disk or process ids of the node ran short: not the workload's own limit.
    "Evicted": (Reason.EVICTED, "its node was short of something and let it go"),
    "Preempting": (Reason.PREEMPTED, "a critical pod took its place"),
    "NodeLost": (Reason.NODE_LOST, "its node went silent"),
    "NodeShutdown": (Reason.EVICTED, "its node was shut down"),
    "Terminated": (Reason.EVICTED, "its node was shut down"),
    "NodeAffinity": (Reason.NEVER_PLACED, "its node's labels had changed"),
    "OutOfcpu": (Reason.NEVER_PLACED, "its node had no room for it any more"),
    "OutOfmemory": (Reason.NEVER_PLACED, "its node had no room for it any more"),
    "OutOfpods": (Reason.NEVER_PLACED, "its node had no room for it any more"),
    "UnexpectedAdmissionError": (Reason.NEVER_PLACED, "its node would not take it"),
}
"""``status.reason`` of a pod that failed."""

TERMINATED: dict[str, Reason] = {
    "OOMKilled": Reason.OUT_OF_MEMORY,
    # The command does not exist or cannot be started: as a shell has it, exit codes 127 and 126.
    "StartError": Reason.EXITED_NONZERO,
    "ContainerCannotRun": Reason.EXITED_NONZERO,
    "DeadlineExceeded": Reason.DEADLINE_EXCEEDED,
}
"""``state.terminated.reason`` of the main container; "Error" is told by its exit code."""

KILLED_CODE = 137
SIGNALLED_CODES = frozenset({KILLED_CODE, 143})
"""SIGKILL and SIGTERM: alone no proof of anything."""

FINAL_REFUSALS: tuple[tuple[int, str, str], ...] = (
    (
        HTTPStatus.NOT_FOUND,
        "namespaces ",
        "there is no namespace {namespace}: make it with sentinels team add",
    ),
    (HTTPStatus.FORBIDDEN, "denied the request", "{said}"),
    (HTTPStatus.FORBIDDEN, "denied request", "{said}"),
)
"""Answers to a Job's creation, with the words they are known by, that the next try will get again.

400 and 422 are final as well (the Job itself is invalid). Everything else may pass: quota on Jobs,
a missing right, 429, 5xx.
"""
