"""Each function as its own account: all that it does is allowed, and nothing else is.

The accounts are those of ``knative/accounts.yaml``, bound by ``sentinels team add``; the calls are
those of the adapter, made with each account's token. ``EVERYWHERE`` and ``IN_TEAM`` are all that
may be allowed: a rule that is widened fails here, and one that is narrowed fails where it is used.
"""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sentinels.clusters.kubernetes.api import Request
from sentinels.clusters.kubernetes.secrets import TeamSecrets
from sentinels.core.capacity import Resources
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.job import Reason
from sentinels.core.log_position import START
from sentinels.core.observation import Absent, Finished, Observation, Pending, Running
from sentinels.core.ports import Login
from sentinels.core.workload import Workload, WorkloadRef
from tests.cluster.nodes import Shape, SimulatedNodes
from tests.cluster.programs import ensure_programs
from tests.support.accounts import ACCOUNTS, Actor, Site, await_seen, set_up

Right = tuple[str, str, str]
"""API group, resource, verb."""

EVERYWHERE: dict[str, set[Right]] = {
    "submit": {
        ("", "nodes", "list"),
        ("", "pods", "list"),
        ("authentication.k8s.io", "tokenreviews", "create"),
    },
    "dispatch": {
        ("", "nodes", "get"),
        ("", "nodes", "list"),
        ("", "nodes", "patch"),
        ("", "pods", "list"),
        ("batch", "jobs", "list"),
    },
    "notify": {("", "nodes", "get"), ("", "pods", "list"), ("batch", "jobs", "list")},
    "events": {("batch", "jobs", verb) for verb in ("get", "list", "watch")},
}
_SETTLING: set[Right] = {
    ("batch", "jobs", "patch"),
    ("batch", "jobs", "delete"),
    ("", "pods", "patch"),
    ("", "pods", "delete"),
    ("", "pods/log", "get"),
    ("", "events", "list"),
}
IN_TEAM: dict[str, set[Right]] = {
    "submit": {
        ("", "pods/log", "get"),
        ("", "secrets", "get"),
        ("", "serviceaccounts", "get"),
    },
    "dispatch": {*_SETTLING, ("batch", "jobs", "create"), ("batch", "jobs", "get")},
    "notify": _SETTLING,
    "events": set(),
}
AT_HOME: dict[str, set[Right]] = {
    "submit": {
        ("serving.knative.dev", "services", "list"),
        ("eventing.knative.dev", "brokers", "list"),
        ("eventing.knative.dev", "triggers", "list"),
        ("sources.knative.dev", "pingsources", "list"),
        ("sources.knative.dev", "apiserversources", "list"),
    },
}
"""In the functions' own namespace: what doctor asks of Knative's objects."""
NODE = "ward-1"
_ids = itertools.count(70_000)


@pytest.fixture(scope="module")
def site(
    kubeconfig: Path, simulated: SimulatedNodes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    simulated.add({NODE: Shape(cpu=64, gpus=4, gpu_product="A100")})
    try:
        kubectl = ensure_programs() / "kubectl"
        with set_up(kubeconfig, kubectl, tmp_path_factory.mktemp("accounts")) as found:
            yield found
    finally:
        simulated.remove(NODE)


@pytest.fixture(scope="module")
def actors(site: Site) -> Iterator[dict[str, Actor]]:
    found = {name: site.actor(name) for name in ACCOUNTS}
    try:
        yield found
    finally:
        for actor in found.values():
            actor.api.close()


def new_workload(site: Site, **others: Any) -> Workload:
    return site.workload(next(_ids), **others)


def is_a(kind: type[Observation]) -> Callable[[Observation], bool]:
    return lambda seen: isinstance(seen, kind)


def await_not_held(actor: Actor, *refs: WorkloadRef) -> None:
    """What is held is read from the watch cache, a moment behind a change."""
    end = time.monotonic() + 20
    while left := actor.cluster.held().intersection(refs):
        assert time.monotonic() < end, f"still held: {left}"
        time.sleep(0.05)


def launched(site: Site, dispatch: Actor, **others: Any) -> WorkloadRef:
    workload = new_workload(site, **others)
    dispatch.cluster.launch(workload)
    return workload.ref


def orphaned(site: Site, dispatch: Actor) -> WorkloadRef:
    """A pod whose Job somebody has deleted."""
    ref = launched(site, dispatch)
    await_seen(dispatch, ref, is_a(Running))
    path = f"/apis/batch/v1/namespaces/{site.namespace}/jobs/{ref.name}"
    site.admin.delete(path, propagationPolicy="Orphan")
    await_seen(dispatch, ref, lambda seen: isinstance(seen, Running) and seen.stop_for)
    return ref


def read_all(actor: Actor, ref: WorkloadRef) -> None:
    """A simulated node has no logs; what counts is who says no."""
    with suppress(ClusterUnavailable):
        actor.cluster.read_log(ref, after=START, limit=100)
    with suppress(ClusterUnavailable):
        actor.cluster.log_tail(ref, 10)


def test_dispatch_may_do_all_that_it_does(site: Site, actors: dict[str, Actor]) -> None:
    dispatch = actors["dispatch"]
    cluster = dispatch.cluster
    assert NODE in {node.name for node in cluster.snapshot().nodes}
    first, second = new_workload(site), new_workload(site)
    typed = new_workload(site, seconds="0s")
    typed = replace(typed, resources=Resources(100, 64 * 2**20, 1, "a100"))
    for each in cluster.launch_all([first, second, typed]):
        assert each.error is None, each.error
    [again] = cluster.launch_all([first])
    assert again.error is None
    for ref in (first.ref, second.ref):
        await_seen(dispatch, ref, is_a(Running))
    assert {first.ref, second.ref} <= cluster.held()
    await_seen(dispatch, typed.ref, is_a(Finished))
    cluster.release(typed.ref)
    cluster.stop(first.ref, why=Reason.CANCELLED, message="somebody wanted it")
    end = await_seen(dispatch, first.ref, is_a(Finished))
    assert isinstance(end, Finished)
    assert end.reason is Reason.CANCELLED
    cluster.release(first.ref)
    cluster.set_aside(second.ref)
    await_not_held(dispatch, first.ref, second.ref)
    cluster.release(second.ref)
    await_seen(dispatch, second.ref, is_a(Absent))
    orphan = orphaned(site, dispatch)
    cluster.stop(orphan, why=Reason.WORKLOAD_LOST)
    await_seen(dispatch, orphan, is_a(Finished))
    cluster.release(orphan)
    await_seen(dispatch, orphan, is_a(Absent))
    cluster.cordon(NODE, closed=True)
    cluster.cordon(NODE, closed=False)
    assert dispatch.status("GET", f"/api/v1/nodes/{NODE}") == 200
    assert dispatch.api.refused == []


def test_notify_may_settle(site: Site, actors: dict[str, Actor]) -> None:
    dispatch, notify = actors["dispatch"], actors["notify"]
    ended = launched(site, dispatch, seconds="0s")
    await_seen(notify, ended, is_a(Finished))
    notify.cluster.release(ended)
    running, lost, orphan = (
        launched(site, dispatch),
        launched(site, dispatch),
        orphaned(site, dispatch),
    )
    await_seen(notify, running, is_a(Running))
    read_all(notify, running)
    notify.cluster.stop(running, why=Reason.DEADLINE_EXCEEDED, message="too long")
    end = await_seen(notify, running, is_a(Finished))
    assert isinstance(end, Finished)
    assert end.reason is Reason.DEADLINE_EXCEEDED
    notify.cluster.release(lost)
    notify.cluster.stop(orphan, why=Reason.WORKLOAD_LOST)
    await_seen(notify, orphan, is_a(Finished))
    notify.cluster.release(orphan)
    for ref in (lost, orphan):
        await_seen(notify, ref, is_a(Absent))
    assert notify.status("GET", f"/api/v1/nodes/{NODE}") == 200
    assert notify.api.refused == []


@pytest.mark.parametrize("who", ["dispatch", "notify"])
def test_the_quotas_refusal_is_seen(site: Site, actors: dict[str, Actor], who: str) -> None:
    ref = launched(site, actors["dispatch"], cpu_millis=5000)
    seen = await_seen(
        actors[who], ref, lambda seen: isinstance(seen, Pending) and "quota" in seen.detail
    )
    assert isinstance(seen, Pending)
    actors["dispatch"].cluster.release(ref)
    assert actors[who].api.refused == []


@pytest.mark.parametrize("who", ["dispatch", "notify"])
def test_all_that_a_dossier_is_made_of_may_be_asked_for(
    site: Site, actors: dict[str, Actor], who: str
) -> None:
    """A simulated node has no logs; what counts is who says no."""
    ref = launched(site, actors["dispatch"], seconds="0s", exit_code="3")
    actor, before = actors[who], len(actors[who].api.answers)
    end = await_seen(actor, ref, is_a(Finished))
    assert isinstance(end, Finished)
    said = actor.cluster.testimony({ref: end})[ref]
    asked = [call.rsplit("/", 1)[1] for call, _ in actor.api.answers[before:]]
    assert {"log", "events", NODE} <= set(asked)
    assert {event.about for event in said.events} == {"pod", "job"}
    assert "Ready" in {condition.name for condition in said.conditions}
    actor.cluster.release(ref)
    assert actor.api.refused == []


def test_submit_may_read_logs_and_preview(site: Site, actors: dict[str, Actor]) -> None:
    submit = actors["submit"]
    ref = launched(site, actors["dispatch"])
    await_seen(actors["dispatch"], ref, is_a(Running))
    read_all(submit, ref)
    typed = replace(new_workload(site), resources=Resources(100, 64 * 2**20, 1, "a100"))
    assert "A100" in str(submit.cluster.preview(typed))
    assert submit.api.refused == []
    asked = [call for call, _ in submit.api.answers]
    assert any(call.endswith("/log") for call in asked)


def test_submit_sees_which_secrets_are_there_and_what_the_teams_pods_pull_with(
    site: Site, actors: dict[str, Actor]
) -> None:
    secrets = TeamSecrets(actors["submit"].api, "sen-")
    path = f"/api/v1/namespaces/{site.namespace}"
    auth = base64.b64encode(b"ann:word").decode()
    docker = json.dumps({"auths": {"r.example:5000": {"auth": auth}}})
    for name, kind, data in (
        ("hf", "Opaque", {"token": "x"}),
        ("pull", "kubernetes.io/dockerconfigjson", {".dockerconfigjson": docker}),
    ):
        secret = {"metadata": {"name": name}, "type": kind, "stringData": data}
        site.admin.post(f"{path}/secrets", secret)
    assert secrets.logins(site.team) == []
    account = {"imagePullSecrets": [{"name": "pull"}, {"name": "not-there"}]}
    site.admin.patch(f"{path}/serviceaccounts/default", account)
    assert secrets.logins(site.team) == [Login("r.example:5000", "ann", "word")]
    lacks = secrets.missing(site.team, {"A": "hf/token", "B": "hf/word", "C": "none/key"})
    assert {name: lack.message for name, lack in lacks.items()} == {
        "B": "the secret hf has no key word",
        "C": f"there is no secret none in {site.namespace}",
    }
    assert lacks["B"].remedy == "it has: token"
    assert "create secret generic none" in lacks["C"].remedy
    with pytest.raises(ClusterUnavailable, match="403"):
        TeamSecrets(actors["notify"].api, "sen-").logins(site.team)


def test_submit_may_ask_for_knatives_objects(actors: dict[str, Actor]) -> None:
    """Knative is not here: what is allowed is not found, and what is not is refused."""
    for group, resource, _ in AT_HOME["submit"]:
        path = f"/apis/{group}/v1/namespaces/{{}}/{resource}"
        assert actors["submit"].status("GET", path.format("sentinels")) == 404
        assert actors["submit"].status("GET", path.format("default")) == 403


@pytest.mark.parametrize("who", ACCOUNTS)
def test_nothing_else_is_allowed(site: Site, actors: dict[str, Actor], who: str) -> None:
    """As the API server itself lists it, less what every account may."""
    nobody = site.nobody()
    try:
        for namespace in ("default", "kube-system", "sentinels"):
            home = AT_HOME.get(who, set()) if namespace == "sentinels" else set()
            found = rights(actors[who], namespace) - rights(nobody, namespace)
            assert found == EVERYWHERE[who] | home, namespace
        found = rights(actors[who], site.namespace) - rights(nobody, site.namespace)
        assert found == EVERYWHERE[who] | IN_TEAM[who]
    finally:
        nobody.api.close()


def rights(actor: Actor, namespace: str) -> set[Right]:
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    request = Request("POST", path, body={"spec": {"namespace": namespace}})
    done: Any = actor.api.request(request).json
    assert not done["status"]["incomplete"]
    found = set()
    for rule in done["status"]["resourceRules"]:
        assert not rule.get("resourceNames"), rule
        found |= set(itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]))
    return found


JOBS, PODS = "/apis/batch/v1/namespaces/{ns}/jobs", "/api/v1/namespaces/{ns}/pods"
REFUSED: dict[str, tuple[tuple[str, str], ...]] = {
    "submit": (
        ("POST", JOBS),
        ("PATCH", f"{JOBS}/sentinels-1-1"),
        ("DELETE", f"{JOBS}/sentinels-1-1"),
        ("POST", PODS),
        ("PATCH", f"{PODS}/one"),
        ("DELETE", f"{PODS}/one"),
        ("POST", f"{PODS}/one/exec"),
        ("GET", "/api/v1/namespaces/{ns}/secrets"),
        ("GET", "/api/v1/namespaces/kube-system/secrets/one"),
        ("PATCH", "/api/v1/nodes/ward-1"),
    ),
    "dispatch": (
        ("POST", PODS),
        ("POST", f"{PODS}/one/exec"),
        ("POST", f"{PODS}/one/eviction"),
        ("PATCH", f"{PODS}/one/ephemeralcontainers"),
        ("GET", "/api/v1/namespaces/{ns}/secrets/one"),
        ("GET", "/api/v1/namespaces/{ns}/secrets"),
        ("GET", "/api/v1/secrets"),
        ("POST", "/api/v1/namespaces/{ns}/serviceaccounts/default/token"),
        ("POST", "/apis/batch/v1/namespaces/default/jobs"),
        ("POST", "/apis/batch/v1/namespaces/kube-system/jobs"),
        ("POST", "/apis/batch/v1/namespaces/sentinels/jobs"),
        ("DELETE", "/apis/batch/v1/namespaces/kube-system/jobs/one"),
        ("DELETE", "/api/v1/namespaces/kube-system/pods/one"),
        ("GET", "/api/v1/namespaces/kube-system/pods/one/log"),
        ("POST", "/apis/apps/v1/namespaces/{ns}/deployments"),
        ("POST", "/api/v1/namespaces"),
        ("DELETE", "/api/v1/nodes/ward-1"),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings"),
    ),
    "notify": (
        ("POST", JOBS),
        ("POST", PODS),
        ("POST", f"{PODS}/one/exec"),
        ("GET", "/api/v1/nodes"),
        ("PATCH", "/api/v1/nodes/ward-1"),
        ("GET", "/api/v1/namespaces/{ns}/secrets/one"),
        ("DELETE", "/apis/batch/v1/namespaces/default/jobs/one"),
    ),
    "events": (
        ("GET", "/api/v1/pods"),
        ("GET", f"{PODS}/one/log"),
        ("POST", JOBS),
        ("PATCH", f"{JOBS}/sentinels-1-1"),
        ("DELETE", f"{JOBS}/sentinels-1-1"),
        ("GET", "/api/v1/namespaces/{ns}/secrets/one"),
        ("GET", "/api/v1/nodes"),
    ),
}


@pytest.mark.parametrize("who", ACCOUNTS)
def test_these_calls_are_refused(site: Site, actors: dict[str, Actor], who: str) -> None:
    answers = {
        (method, path): actors[who].status(
            method, path.format(ns=site.namespace), None if method == "GET" else {}
        )
        for method, path in REFUSED[who]
    }
    assert answers == dict.fromkeys(answers, 403)


def test_the_event_sources_account_may_watch_jobs(actors: dict[str, Actor]) -> None:
    assert actors["events"].status("GET", "/apis/batch/v1/jobs") == 200
    short = "/apis/batch/v1/jobs?watch=true&timeoutSeconds=1"
    assert actors["events"].status("GET", short) == 200
