"""The Kubernetes adapter against what there is: the bare API server, the official client, kubectl.

A real API server and etcd, built for the tests; the first time this takes some minutes.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.cluster.control_plane import ControlPlane
from tests.cluster.programs import need

from benchmarks.measure import Result, at_least, at_most, interleaved, ms
from sentinels.clusters.kubernetes.api import MERGE_PATCH, Api, Request
from sentinels.clusters.kubernetes.cluster import KubernetesCluster
from sentinels.clusters.kubernetes.holding import let_all_go
from sentinels.clusters.kubernetes.launch import jobs_path
from sentinels.clusters.kubernetes.manifest import job_manifest
from sentinels.clusters.kubernetes.names import RELEASED
from sentinels.clusters.kubernetes.options import Options
from sentinels.core.capacity import Resources
from sentinels.core.job import JobId
from sentinels.core.workload import Image, ImageKind, Workload, WorkloadRef

ROUNDS = 5
CREATE_SECONDS = 3
FINISHED = 10_000
_LUA = Path(__file__).with_name("create.lua")
_NAMESPACE = "sen-bench"
_OPTIONS = Options(sidecar_image="sentinels:1")


def run() -> list[Result]:
    """Three ratios; each side asks the same API server in turn."""
    with _api_server() as plane:
        token_config, token = _by_token(plane)
        cluster = KubernetesCluster(Api(str(token_config)), _OPTIONS)
        return [
            _creation(plane, cluster, token),
            _sweep(plane, cluster),
            _status(plane),
        ]


@contextmanager
def _api_server() -> Iterator[ControlPlane]:
    """etcd and an API server; no controller that works on what is created."""
    with tempfile.TemporaryDirectory(prefix="sen-bench-") as folder:
        plane = ControlPlane(Path(folder))
        try:
            plane.start()
            for name in ("controller-manager", "scheduler"):
                plane.stop_part(name)
            plane.kubectl("create", "namespace", _NAMESPACE)
            yield plane
        finally:
            plane.stop()


def _by_token(plane: ControlPlane) -> tuple[Path, str]:
    """wrk has no client certificates: both sides come with the same token."""
    plane.kubectl("-n", _NAMESPACE, "create", "serviceaccount", "bench")
    account = f"{_NAMESPACE}:bench"
    words = ("create", "clusterrolebinding", "bench", "--clusterrole=cluster-admin")
    plane.kubectl(*words, f"--serviceaccount={account}")
    token = plane.kubectl("-n", _NAMESPACE, "create", "token", "bench").strip()
    config = json.loads(plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = plane.folder / "token.kubeconfig"
    path.write_text(json.dumps(config))
    return path, token


def _workload(job_id: int) -> Workload:
    return Workload(
        ref=WorkloadRef(JobId(job_id), 1),
        image=Image(ImageKind.CONTAINER, "train:1.2.3", None, "train:1.2.3"),
        command=("python", "train.py"),
        args=(),
        env={f"SENTINELS_PARAM_{number}": "v" * 20 for number in range(12)},
        resources=Resources(1000, 2**30),
        outputs_url="http://mlflow/outputs/1",
        team="bench",
        user="ann",
    )


def _creation(plane: ControlPlane, cluster: KubernetesCluster, token: str) -> Result:
    """Jobs a second, ours and wrk's, in turns of the same length."""
    job = json.dumps(job_manifest(_workload(1), _OPTIONS, {}))
    body = plane.folder / "body.json"
    body.write_text(job.replace("sentinels-1-1", "BENCHNAME"))
    ours, bare = [], []
    for turn in range(ROUNDS + 1):
        ours.append(_launch_rate(cluster, turn))
        bare.append(_wrk_rate(plane, body, token, turn))
    mine, theirs = statistics.median(ours[1:]), statistics.median(bare[1:])
    detail = f"{mine:.0f} against {theirs:.0f} Jobs a second, {len(job)} bytes each"
    return at_least("Jobs created against wrk's bare POST", mine / theirs, 0.8, detail)


def _launch_rate(cluster: KubernetesCluster, turn: int) -> float:
    begin, made = time.perf_counter(), 0
    while (seconds := time.perf_counter() - begin) < CREATE_SECONDS:
        first = 1_000_000 * (turn + 1) + made
        batch = [_workload(first + number) for number in range(250)]
        made += sum(launched.uid is not None for launched in cluster.launch_all(batch))
    return made / seconds


def _wrk_rate(plane: ControlPlane, body: Path, token: str, turn: int) -> float:
    env = {**os.environ, "BENCH_BODY": str(body), "BENCH_TOKEN": token, "BENCH_ROUND": str(turn)}
    url = f"{plane.url}{jobs_path(_NAMESPACE)}"
    words = [need("wrk"), "-t2", "-c32", f"-d{CREATE_SECONDS}s", "-s", str(_LUA), url]
    said = subprocess.run(
        words, env=env, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    found = re.search(r"created (\d+) in (\d+)", said)
    if found is None:
        raise RuntimeError(said)
    return int(found.group(1)) / (int(found.group(2)) / 1e6)


def _sweep(plane: ControlPlane, cluster: KubernetesCluster) -> Result:
    """What a pass reads, beside so many finished Jobs, against a typed list of them."""
    plane.kubectl("-n", _NAMESPACE, "delete", "jobs", "--all", "--wait=false")
    refs = [WorkloadRef(JobId(number), 1) for number in range(1, FINISHED + 1)]
    api = Api(str(plane.kubeconfig))
    _finish(api, refs)
    let_all_go(api, _NAMESPACE)
    live = [WorkloadRef(JobId(5_000_000 + number), 1) for number in range(50)]
    list(cluster.launch_all([_workload(ref.job_id) for ref in live]))
    times = interleaved(
        {
            "ours": lambda: (cluster.held(), cluster.observe(live)),
            "typed": lambda: _typed_list(plane.kubeconfig),
        },
        rounds=3,
        warm_up=1,
    )
    detail = f"{ms(times['ours'])} against {ms(times['typed'])}, {FINISHED} finished Jobs, 50 live"
    return at_most(
        "a sweep's reads against a typed list", times["ours"] / times["typed"], 0.1, detail
    )


def _finish(api: Api, refs: Sequence[WorkloadRef]) -> None:
    """Jobs as they are when all is over: finished, committed, waiting for their time to end."""
    manifests = [job_manifest(replace(_workload(ref.job_id)), _OPTIONS, {}) for ref in refs]
    for manifest in manifests:
        spec = manifest["spec"]
        assert isinstance(spec, dict)
        spec["managedBy"] = "sentinels.dev/nobody"
        labels = manifest["metadata"]
        assert isinstance(labels, dict)
        labels["labels"] = {**labels["labels"], RELEASED: "true"}
    path = jobs_path(_NAMESPACE)
    _all(api, [Request("POST", path, body=manifest) for manifest in manifests], 201)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ended = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "reason": "CompletionsReached"}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": ended}
    names = [f"{jobs_path(_NAMESPACE, ref.name)}/status" for ref in refs]
    body = {"status": status}
    changes = [Request("PATCH", name, body=body, content_type=MERGE_PATCH) for name in names]
    _all(api, changes, 200)


def _all(api: Api, requests: Sequence[Request], status: int) -> None:
    for _, answer in api.many(requests):
        if isinstance(answer, Exception) or answer.status != status:
            raise RuntimeError(f"not made: {answer}")


def _typed_list(kubeconfig: Path) -> int:
    from kubernetes import client, config

    config.load_kube_config(str(kubeconfig))
    selector = "sentinels.dev/managed=true"
    found = client.BatchV1Api().list_job_for_all_namespaces(label_selector=selector)
    return len(found.items)


def _status(plane: ControlPlane) -> Result:
    """Both commands as typed: process, connection, answer, output."""
    kubectl = [str(plane.programs / "kubectl"), "--kubeconfig", str(plane.kubeconfig)]
    name = WorkloadRef(JobId(1), 1).name
    from benchmarks.latency import one_job

    with one_job() as (environment, job_id):
        sentinels = [str(Path(sys.executable).with_name("sentinels")), "status", str(job_id)]
        times = interleaved(
            {
                "status": lambda: _run(sentinels, environment),
                "kubectl": lambda: _run([*kubectl, "-n", _NAMESPACE, "get", "job", name], None),
            },
            rounds=15,
        )
    detail = f"{ms(times['status'])} against {ms(times['kubectl'])}"
    return at_most(
        "sentinels status against kubectl get job", times["status"] / times["kubectl"], 1.2, detail
    )


def _run(words: Sequence[str], environment: dict[str, str] | None) -> None:
    subprocess.run(words, env=environment, check=True, capture_output=True, timeout=30)
