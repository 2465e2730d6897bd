"""A workload as a Kubernetes Job: plain data, made from what a submission may say and nothing else.

Pure. One pod that is never restarted: a retry is an attempt of its own. Comes in: a workload, the
administrator's options, the node labels that mean its GPU type. Goes out: a manifest. Before:
``launch``, ``KubernetesCluster.preview``. Next: the API server.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from sentinels.clusters.kubernetes.names import (
    DATA_FOLDER,
    HOLD,
    MAIN,
    OUTPUT_FOLDER,
    PREFIX,
    SIDECAR,
    SPEC_HASH,
    TIME_LIMIT,
    labels_of,
    namespace_of,
)
from sentinels.clusters.kubernetes.options import Options, Toleration
from sentinels.clusters.kubernetes.sidecar import WAITING
from sentinels.core.capacity import Resources
from sentinels.core.ports import Json
from sentinels.core.quantity import format_memory
from sentinels.core.text import printable
from sentinels.core.workload import Placement, Workload

Object = dict[str, Json]

_SCRATCH_REQUEST, _SCRATCH_LIMIT = "64Mi", "20Gi"
SCRATCH_BYTES = 64 * 2**20
"""Of a node's ephemeral storage, what each workload is counted with."""
SIDECAR_MEMORY = 256 * 2**20
"""Bytes that the upload of a workload's outputs may take beside it."""
UNTIL_WAITING = (
    f"n=0; until read -r name < /proc/1/comm && [ $name = {WAITING} ] || [ $n -ge 600 ];"
    " do n=$((n+1)); sleep 0.05; done"
)
"""The workload starts when the sidecar waits for its end: a signal that came before would be lost,
and on a busy node a workload may end while the sidecar's Python still starts. Half a minute at
most, so that nothing else about the sidecar can keep a workload waiting.
"""
_ANNOTATION_LIMIT = 2000
_KEEP = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
"""What autoscalers read before they take a node away."""


def job_manifest(
    workload: Workload, options: Options, gpu_labels: Mapping[str, Sequence[str]]
) -> Object:
    """The Job. ``gpu_labels`` are the node labels and values that mean the workload's GPU type."""
    labels = labels_of(workload.ref, workload.team)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": workload.ref.name,
            "namespace": namespace_of(options.namespace_prefix, workload.team),
            "labels": labels,
            "annotations": {**_annotations(workload), SPEC_HASH: spec_hash(workload)},
        },
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _FAILURE_RULES},
            **_backstop(workload, options),
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {**_KEEP, **_whose(workload)},
                    "finalizers": [HOLD],
                },
                "spec": _pod(workload, options, gpu_labels),
            },
        },
    }


def spec_hash(workload: Workload) -> str:
    """What the workload is, whoever launches it and when: not where it is placed, not which
    sidecar it gets, not whether the tracker was there to give it a run.
    """
    asked = workload.resources
    own = {name: text for name, text in workload.env.items() if not name.startswith("MLFLOW_")}
    identity = [
        workload.team,
        workload.image.location,
        list(workload.command or ()),
        list(workload.args),
        own,
        dict(workload.secrets),
        [asked.cpu_millis, asked.memory_bytes, asked.gpus, asked.gpu_type],
        workload.time_limit,
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


_FAILURE_RULES: list[Json] = [
    {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    {
        "action": "FailJob",
        "onExitCodes": {"containerName": MAIN, "operator": "NotIn", "values": [0]},
    },
]
"""They leave the cause in the Job's condition, which outlives the pod."""


def _whose(workload: Workload) -> dict[str, Json]:
    """Whose lines the pod prints, for what ships logs; no label, which may hold less."""
    told = {f"{PREFIX}/user": workload.user, f"{PREFIX}/experiment": workload.experiment}
    return {name: printable(value)[:_ANNOTATION_LIMIT] for name, value in told.items() if value}


def _annotations(workload: Workload) -> dict[str, Json]:
    told = {f"{PREFIX}/user": workload.user, f"{PREFIX}/image": workload.image.reference}
    if workload.labels:
        told[f"{PREFIX}/labels"] = json.dumps(dict(workload.labels))
    found: dict[str, Json] = {
        name: printable(value)[:_ANNOTATION_LIMIT] for name, value in told.items() if value
    }
    if workload.time_limit is not None:
        found[TIME_LIMIT] = str(workload.time_limit)
    return found


def _backstop(workload: Workload, options: Options) -> Object:
    """The Job's own deadline counts from its creation: it only ends what nobody else would."""
    if workload.time_limit is None:
        return {}
    limits = options.deadlines
    waiting = limits.uncreated + limits.unplaced + limits.registry + limits.unready
    return {"activeDeadlineSeconds": int(waiting + workload.time_limit + options.grace_seconds)}


def _pod(workload: Workload, options: Options, gpu_labels: Mapping[str, Sequence[str]]) -> Object:
    pod: Object = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": int(options.grace_seconds),
        "securityContext": _pod_security(options),
        "containers": [_main(workload, options)],
        "volumes": _volumes(workload, options),
    }
    if _uploads(workload, options):
        pod["initContainers"] = [_sidecar(workload, options)]
    if options.node_selector:
        pod["nodeSelector"] = dict(options.node_selector)
    if options.tolerations:
        pod["tolerations"] = [_toleration(each) for each in options.tolerations]
    affinity = _affinity(workload.placement, gpu_labels)
    if affinity:
        pod["affinity"] = {"nodeAffinity": affinity}
    return pod


def _uploads(workload: Workload, options: Options) -> bool:
    return bool(workload.outputs_url and options.sidecar_image)


def _pod_security(options: Options) -> Object:
    own: Object = {"seccompProfile": {"type": "RuntimeDefault"}}
    return own if options.pod_security == "baseline" else {"runAsNonRoot": True, **own}


_CONFINED: Object = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _main(workload: Workload, options: Options) -> Object:
    main: Object = {
        "name": MAIN,
        "image": workload.image.location,
        "env": _env(workload),
        "resources": _resources(workload.resources),
        "securityContext": dict(_CONFINED),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(options),
    }
    if workload.command:
        main["command"] = list(workload.command)
    if workload.args:
        main["args"] = list(workload.args)
    return main


def _env(workload: Workload) -> list[Json]:
    threads = str(max(1, -(-workload.resources.cpu_millis // 1000)))
    defaults = {
        "HOME": "/tmp",  # noqa: S108  # the pod's own empty folder
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": threads,
    }
    ours = {"SENTINELS_OUTPUT": OUTPUT_FOLDER, "SENTINELS_DATA": DATA_FOLDER}
    given = {name: text for name, text in workload.env.items() if name not in ours}
    # What refers to another variable comes after it: the user's may name secrets.
    return [
        *_plain_env({**defaults, **ours}),
        *(_secret_env(name, where) for name, where in workload.secrets.items()),
        *_plain_env(given),
    ]


def _plain_env(values: Mapping[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _secret_env(name: str, where: str) -> Json:
    secret, _, key = where.partition("/")
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _resources(asked: Resources) -> Object:
    amounts: dict[str, Json] = {
        "cpu": f"{asked.cpu_millis}m",
        "memory": str(asked.memory_bytes),
        **({"nvidia.com/gpu": str(asked.gpus)} if asked.gpus else {}),
    }
    return {
        "requests": {**amounts, "ephemeral-storage": _SCRATCH_REQUEST},
        "limits": {**amounts, "ephemeral-storage": _SCRATCH_LIMIT},
    }


def _volumes(workload: Workload, options: Options) -> list[Json]:
    shared = min(workload.resources.memory_bytes // 2, 8 * 2**30)
    volumes: list[Json] = [
        {"name": "output", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": str(shared)}},
    ]
    if options.data_claim:
        claim: Object = {"claimName": options.data_claim, "readOnly": True}
        volumes.append({"name": "data", "persistentVolumeClaim": claim})
    return volumes


def _mounts(options: Options) -> list[Json]:
    mounts: list[Json] = [
        {"name": "output", "mountPath": OUTPUT_FOLDER},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # the pod's own empty folder
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108  # likewise
    ]
    if options.data_claim:
        data: Object = {"name": "data", "mountPath": DATA_FOLDER, "readOnly": True}
        mounts.append({**data, "recursiveReadOnly": "IfPossible"})
    return mounts


def _sidecar(workload: Workload, options: Options) -> Object:
    """It asks for nothing, so that a job takes what it asked for: it works when that has ended."""
    env = {
        "SENTINELS_OUTPUT": OUTPUT_FOLDER,
        "SENTINELS_OUTPUTS_URL": workload.outputs_url or "",
        "SENTINELS_GRACE_SECONDS": str(int(options.grace_seconds)),
    }
    nothing = {"cpu": "0", "memory": "0"}
    return {
        "name": SIDECAR,
        "image": options.sidecar_image,
        "restartPolicy": "Always",
        "command": ["python", "-P", "-m", "sentinels.clusters.kubernetes.sidecar"],
        "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", UNTIL_WAITING]}}},
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "resources": {"requests": nothing, "limits": {"memory": format_memory(SIDECAR_MEMORY)}},
        "securityContext": {**_CONFINED, "readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": "output", "mountPath": OUTPUT_FOLDER, "readOnly": True}],
    }


def _toleration(toleration: Toleration) -> Object:
    found: Object = {"key": toleration.key, "operator": "Equal" if toleration.value else "Exists"}
    if toleration.value:
        found["value"] = toleration.value
    return {**found, "effect": toleration.effect} if toleration.effect else found


def _affinity(placement: Placement, gpu_labels: Mapping[str, Sequence[str]]) -> Object:
    """Where the plan saw room: advice. Which nodes are kept for others, and the GPU type: rules."""
    affinity: Object = {}
    terms = _required(placement, gpu_labels)
    if terms:
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    if placement.node and placement.node not in placement.avoids:
        there: Json = {"matchFields": [_by_name("In", placement.node)]}
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": 100, "preference": there}
        ]
    return affinity


def _required(placement: Placement, gpu_labels: Mapping[str, Sequence[str]]) -> list[Json]:
    closed = [*(node for node in placement.kept if node != placement.node), *placement.avoids]
    kept: list[Json] = [_by_name("NotIn", node) for node in dict.fromkeys(closed)]
    elsewhere: Object = {"matchFields": kept} if kept else {}
    typed: list[Json] = [
        {
            "matchExpressions": [{"key": key, "operator": "In", "values": list(values)}],
            **elsewhere,
        }
        for key, values in sorted(gpu_labels.items())
    ]
    return typed or ([elsewhere] if elsewhere else [])


def _by_name(operator: str, node: str) -> Json:
    """A field selector takes exactly one value."""
    return {"key": "metadata.name", "operator": operator, "values": [node]}
