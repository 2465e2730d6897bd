"""A team's namespace on a real API server: its bounds hold, and a workload of ours fits in them.

First what the namespace itself refuses, then the second wall of ``knative/policy.yaml``: what it
refuses although RBAC, pod security and quota allow it.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinels.clusters.kubernetes.manifest import job_manifest
from sentinels.clusters.kubernetes.options import Options
from sentinels.core.capacity import Resources
from sentinels.core.errors import LaunchRejected
from sentinels.core.observation import Finished, Pending
from sentinels.core.workload import Workload
from sentinels.db.people import caller_of
from tests.cluster.nodes import Shape, SimulatedNodes
from tests.cluster.programs import ensure_programs
from tests.support.accounts import (
    BOUNDS,
    JOB_CONTROLLER,
    KNATIVE,
    Actor,
    Site,
    await_seen,
    plain_pod,
    set_up,
)

Json = dict[str, Any]
NODE = "team-1"
OPTIONS = Options(sidecar_image="sentinels@sha256:" + "1" * 64)
_ids = itertools.count(80_000)


@pytest.fixture(scope="module")
def site(
    kubeconfig: Path, simulated: SimulatedNodes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    simulated.add({NODE: Shape(cpu=64)})
    try:
        kubectl = ensure_programs() / "kubectl"
        with set_up(kubeconfig, kubectl, tmp_path_factory.mktemp("team")) as found:
            yield found
    finally:
        simulated.remove(NODE)


@pytest.fixture(scope="module")
def dispatch(site: Site) -> Iterator[Actor]:
    actor = site.actor("dispatch")
    try:
        yield actor
    finally:
        actor.api.close()


@pytest.fixture(scope="module")
def walled(site: Site) -> Iterator[Site]:
    """With the policies, once the API server goes by them."""
    policy = str(KNATIVE / "policy.yaml")
    site.kubectl("apply", "-f", policy)
    try:
        end = time.monotonic() + 30
        while "denied" not in create(site, plain_pod(site.namespace)):
            assert time.monotonic() < end, "the policies are not in force"
            time.sleep(0.2)
        yield site
    finally:
        site.kubectl("delete", "-f", policy, "--ignore-not-found")


@pytest.fixture(scope="module")
def bare(walled: Site) -> Iterator[str]:
    """A team's namespace in which pod security refuses nothing: only the second wall is left."""
    name = f"{walled.namespace}-bare"
    marks = {"labels": {"sentinels.dev/team": "bare"}}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **marks}}
    walled.kubectl("create", "-f", "-", input=json.dumps(space))
    try:
        yield name
    finally:
        walled.kubectl("delete", "namespace", name, "--wait=false")


def new_job(site: Site, **others: Any) -> tuple[Workload, Json]:
    workload = site.workload(next(_ids), outputs_url="http://127.0.0.1:9/outputs", **others)
    return workload, json.loads(json.dumps(job_manifest(workload, OPTIONS, {})))


def create(site: Site, manifest: Json, *, who: str | None = None) -> str:
    """What is said to the creation, of which nothing stays; ``passed`` if it would be taken."""
    words = ("create", "-f", "-", "--dry-run=server", *(("--as", who) if who else ()))
    done = site.try_kubectl(*words, input=json.dumps(manifest))
    return "passed" if done.returncode == 0 else done.stderr


def test_a_workload_of_ours_runs_within_the_bounds(site: Site, dispatch: Actor) -> None:
    workload, job = new_job(site, seconds="0s")
    site.kubectl("create", "-f", "-", input=json.dumps(job))
    seen = await_seen(dispatch, workload.ref, lambda seen: isinstance(seen, Finished))
    assert isinstance(seen, Finished)
    assert seen.exit_code == 0, seen


HOST_PATH = [{"name": "host", "hostPath": {"path": "/etc"}}]
TOKEN = [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]


def as_root(pod: Json) -> Json:
    del pod["spec"]["containers"][0]["securityContext"]["runAsNonRoot"]
    return pod


def privileged(pod: Json) -> Json:
    pod["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    return pod


def test_pod_security_lets_a_confined_pod_pass_and_refuses_others(site: Site) -> None:
    here = site.namespace
    assert create(site, plain_pod(here), who=JOB_CONTROLLER) == "passed"
    for refused, why in {
        "hostPath": plain_pod(here, volumes=HOST_PATH),
        "hostNetwork=true": plain_pod(here, hostNetwork=True),
        "runAsNonRoot": as_root(plain_pod(here)),
        "privileged": privileged(plain_pod(here)),
    }.items():
        said = create(site, why, who=JOB_CONTROLLER)
        assert "violates PodSecurity" in said
        assert refused in said


def test_the_quota_counts_all_of_a_teams_jobs(site: Site, dispatch: Actor) -> None:
    first, _ = new_job(site, cpu_millis=3000)
    second, _ = new_job(site, cpu_millis=3000)
    for each in dispatch.cluster.launch_all([first, second]):
        assert each.error is None
    held_back = [
        ref
        for ref in (first.ref, second.ref)
        if isinstance(
            await_seen(
                dispatch,
                ref,
                lambda seen: not isinstance(seen, Pending) or "quota" in seen.detail,
            ),
            Pending,
        )
    ]
    assert len(held_back) == 1
    for ref in (first.ref, second.ref):
        dispatch.cluster.release(ref)


@pytest.mark.parametrize(
    ("resources", "quota"),
    [
        (Resources(cpu_millis=4001, memory_bytes=2**26), "requests.cpu"),
        (Resources(cpu_millis=100, memory_bytes=2**26, gpus=5), "requests.nvidia.com/gpu"),
    ],
)
def test_what_the_quota_does_not_hold_gets_no_pod(
    site: Site, dispatch: Actor, resources: Resources, quota: str
) -> None:
    workload = replace(new_job(site)[0], resources=resources)
    dispatch.cluster.launch(workload)
    seen = await_seen(
        dispatch, workload.ref, lambda seen: isinstance(seen, Pending) and quota in seen.detail
    )
    assert isinstance(seen, Pending)
    dispatch.cluster.release(workload.ref)


def test_a_job_above_the_limit_of_one_job_gets_no_pod(site: Site, dispatch: Actor) -> None:
    large, _ = new_job(site)
    large = replace(large, resources=replace(large.resources, memory_bytes=2 * 2**30))
    dispatch.cluster.launch(large)
    seen = await_seen(
        dispatch,
        large.ref,
        lambda seen: isinstance(seen, Pending) and "maximum memory usage" in seen.detail,
    )
    assert isinstance(seen, Pending)
    dispatch.cluster.release(large.ref)


def test_a_container_that_says_nothing_gets_the_defaults(site: Site) -> None:
    pod = plain_pod(site.namespace)
    del pod["spec"]["containers"][0]["resources"]
    words = ("create", "-f", "-", "--dry-run=server", "-o", "json", "--as", JOB_CONTROLLER)
    [container] = json.loads(site.kubectl(*words, input=json.dumps(pod)))["spec"]["containers"]
    assert container["resources"] == {
        "limits": {"cpu": "1", "memory": "256Mi"},
        "requests": {"cpu": "100m", "memory": "128Mi"},
    }


def test_adding_a_team_again_changes_what_is_said_otherwise(site: Site) -> None:
    name = f"{site.team}-again"

    def add(*words: str) -> list[str]:
        said = site.sentinels("team", "add", name, *words)
        return [line.split()[3] for line in said.splitlines() if line.startswith("✔")]

    try:
        said = site.sentinels("team", "add", name, "--cpu", "8", "--memory", "1Gi")
        first = [line.split() for line in said.splitlines() if line.startswith("✔")]
        assert [words for words in first if words[3] != "created"] in (
            [],
            [words for words in first if (words[1], words[3]) == ("ServiceAccount", "changed")],
        ), "Kubernetes may be quicker with the account"
        assert set(add("--cpu", "8", "--memory", "1Gi")) == {"unchanged"}
        assert add("--cpu", "9", "--pod-security", "baseline").count("changed") == 2
        quota = json.loads(
            site.kubectl("get", "resourcequota", "-n", f"sen-{name}", "sentinels", "-o", "json")
        )
        assert quota["spec"] == {"hard": {"requests.cpu": "9"}}
        assert create(site, as_root(plain_pod(f"sen-{name}")), who=JOB_CONTROLLER) == "passed"
    finally:
        site.kubectl("delete", "namespace", f"sen-{name}", "--ignore-not-found", "--wait=false")


def test_a_dry_run_prints_what_kubectl_would_apply_and_changes_nothing(site: Site) -> None:
    name = f"{site.team}-dry"
    said = site.sentinels("team", "add", name, "--gpus", "2", "--dry-run", "-o", "yaml")
    objects, _, note = said.rpartition("nothing was changed")
    assert note.strip() == ""
    assert site.kubectl("get", "namespace", f"sen-{name}", "--ignore-not-found") == ""
    checked = site.kubectl("apply", "-f", "-", "--dry-run=client", input=objects)
    assert f"namespace/sen-{name} created" in checked


def test_a_team_is_stored_with_its_weight_and_users(
    site: Site, database_url: str, engine: Engine
) -> None:
    url = {"SENTINELS_DATABASE_URL": database_url}
    add = ("team", "add", site.team, *BOUNDS)
    said = site.sentinels(*add, "--weight", "2", "--user", "ann", "--user", "bob", **url)
    tokens = {
        line.split()[2]: line.split()[-1] for line in said.splitlines() if line.startswith("✔ user")
    }
    found = {name: caller_of(engine, token) for name, token in tokens.items()}
    assert {name: caller and caller.team for name, caller in found.items()} == {
        "ann": site.team,
        "bob": site.team,
    }
    again = site.sentinels(*add, "--user", "ann", **url)
    assert "weight 2" in again
    assert "the token stays" in again
    listed = json.loads(site.sentinels("team", "list", "-o", "json", **url))
    [row] = [row for row in listed if row["team"] == site.team]
    assert (row["weight"], row["users"]) == (2, ["ann", "bob"])
    assert row["cpu"].endswith("/4")
    other = site.sentinels("team", "add", f"{site.team}-x", "--user", "ann", **url, code=2)
    site.kubectl("delete", "namespace", f"sen-{site.team}-x", "--wait=false")
    assert "ann is in another team" in other


def test_who_may_not_make_a_team_is_told_so(site: Site, dispatch: Actor) -> None:
    weak = str(site.folder / "dispatch.kubeconfig")
    said = site.sentinels("team", "add", "ours", "--kubeconfig", weak, code=5)
    assert "Namespace sen-ours" in said
    assert "administrator" in said
    assert "Traceback" not in said


def test_only_dispatch_creates_jobs_in_a_teams_namespace(walled: Site, dispatch: Actor) -> None:
    workload, job = new_job(walled, seconds="0s")
    assert "only system:serviceaccount:sentinels:sentinels-dispatch creates Jobs here" in create(
        walled, job
    )
    dispatch.cluster.launch(workload)
    seen = await_seen(dispatch, workload.ref, lambda seen: isinstance(seen, Finished))
    assert isinstance(seen, Finished)
    assert seen.exit_code == 0


def test_a_job_of_another_team_is_refused_for_good(walled: Site, dispatch: Actor) -> None:
    workload, job = new_job(walled)
    job["metadata"]["labels"]["sentinels.dev/team"] = "others"
    said = create(walled, job, who="system:serviceaccount:sentinels:sentinels-dispatch")
    assert "the Job is another team's" in said
    walled.kubectl(
        *("annotate", "namespace", walled.namespace, "sentinels.dev/launcher=nobody"), "--overwrite"
    )
    try:
        with pytest.raises(LaunchRejected, match="only nobody creates Jobs here"):
            dispatch.cluster.launch(workload)
    finally:
        walled.sentinels("team", "add", walled.team, *BOUNDS)


def test_only_the_job_controller_creates_pods_and_none_gets_a_token_or_its_nodes_files(
    walled: Site, bare: str
) -> None:
    assert create(walled, plain_pod(bare), who=JOB_CONTROLLER) == "passed"
    assert "only the Job controller creates pods here" in create(walled, plain_pod(bare))
    for pod, why in (
        (plain_pod(bare, automountServiceAccountToken=True), "automountServiceAccountToken"),
        (plain_pod(bare, volumes=TOKEN), "projected volume"),
        (plain_pod(bare, volumes=HOST_PATH), "hostPath"),
        (plain_pod(bare, hostNetwork=True), "hostNetwork"),
        (plain_pod(bare, hostPID=True), "hostPID"),
    ):
        assert why in create(walled, pod, who=JOB_CONTROLLER)
    automatic = plain_pod(bare)
    del automatic["spec"]["automountServiceAccountToken"]
    assert "automountServiceAccountToken" in create(walled, automatic, who=JOB_CONTROLLER)


def test_the_policies_leave_other_namespaces_alone(walled: Site) -> None:
    pod = plain_pod("default", volumes=HOST_PATH, automountServiceAccountToken=True)
    assert create(walled, pod) == "passed"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"automountServiceAccountToken": True}, "automountServiceAccountToken"),
        ({"volumes": TOKEN}, "service account's token"),
        ({"volumes": HOST_PATH}, "hostPath"),
    ],
)
def test_a_job_that_asks_for_a_token_or_its_nodes_files_is_refused_even_to_dispatch(
    walled: Site, change: Json, why: str
) -> None:
    _, job = new_job(walled)
    launcher = "system:serviceaccount:sentinels:sentinels-dispatch"
    assert create(walled, job, who=launcher) == "passed"
    pod = job["spec"]["template"]["spec"]
    volumes = [*pod["volumes"], *change.get("volumes", [])]
    pod |= {**change, "volumes": volumes}
    assert why in create(walled, job, who=launcher)


def test_a_workloads_images_cannot_be_changed(walled: Site, dispatch: Actor) -> None:
    workload, job = new_job(walled)
    jobs = f"/apis/batch/v1/namespaces/{walled.namespace}/jobs"
    assert dispatch.status("POST", jobs, job) == 201
    await_seen(dispatch, workload.ref, lambda seen: not isinstance(seen, Pending))
    [pod] = walled.admin.items(
        f"/api/v1/namespaces/{walled.namespace}/pods",
        labelSelector=f"sentinels.dev/job={workload.ref.job_id}",
    )
    path = f"/api/v1/namespaces/{walled.namespace}/pods/{pod['metadata']['name']}"
    assert dispatch.status("PATCH", path, {"spec": {"activeDeadlineSeconds": 3000}}) == 200
    for kind in ("containers", "initContainers"):
        other: Json = {"spec": {kind: [{**pod["spec"][kind][0], "image": "evil"}]}}
        assert dispatch.status("PATCH", path, other) == 422, kind
    dispatch.cluster.release(workload.ref)
