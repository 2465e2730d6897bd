"""`sentinels bootstrap` on a real API server: makes everything, waits, names what is not ready.

Knative cannot be had here: its kinds are there, as open as can be, and a test says in its
controllers' place what each object's state is.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.control_plane import ControlPlane
from tests.support.accounts import plain_pod
from tests.support.direct_api import ApiError, DirectApi
from tests.support.reporters import reporting

Json = dict[str, Any]
BROKER_URL = "http://broker-ingress.example/ml/sentinels"
KINDS = {
    "services.serving.knative.dev": "Service",
    "brokers.eventing.knative.dev": "Broker",
    "triggers.eventing.knative.dev": "Trigger",
    "pingsources.sources.knative.dev": "PingSource",
    "apiserversources.sources.knative.dev": "ApiServerSource",
}
_NAMESPACES = ("knative-serving", "knative-eventing")
_SENTINELS = Path(sys.executable).with_name("sentinels")
_PATIENCE_SECONDS = 60.0


def definition(name: str, kind: str) -> Json:
    """A kind of Knative's, of any shape."""
    plural, _, group = name.partition(".")
    names = {"plural": plural, "singular": kind.lower(), "kind": kind}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def controller(namespace: str) -> Json:
    """A Deployment of Knative's, which wants no pod."""
    labels = {"app": "controller"}
    pod = {"containers": [{"name": "one", "image": "none"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "controller", "namespace": namespace},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def knative_manifests() -> list[Json]:
    """As a release of Knative's has them: in no order that helps."""
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in _NAMESPACES
    ]
    kinds = [definition(name, kind) for name, kind in KINDS.items()]
    return [*(controller(name) for name in _NAMESPACES), *kinds, *namespaces]


@dataclass
class Release:
    """A release's plan in a folder, and the command on it."""

    plane: ControlPlane
    folder: Path
    database_url: str
    namespace: str = field(default_factory=lambda: f"boot-{secrets.token_hex(3)}")
    team: str = field(default_factory=lambda: f"b{secrets.token_hex(3)}")
    seconds: int = 60
    keep_data: bool = True
    runtime: str = "knative"
    install: bool = True
    triggers: tuple[str, ...] = ("sentinels-jobs", "sentinels-queue-changed")
    report_url: str = ""

    def run(self, *words: str, code: int = 0) -> str:
        """What the command prints."""
        self._write()
        done = subprocess.run(
            [_SENTINELS, "bootstrap", *words, "--plan", str(self.folder / "plan")],
            env={
                **os.environ,
                "SENTINELS_KUBECONFIG": str(self.plane.kubeconfig),
                "SENTINELS_DATABASE_URL": self.database_url,
                "SENTINELS_REPORT_DATABASE_URL": self.report_url,
            },
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS + 60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout

    def objects(self) -> list[Json]:
        """What it applies in the release's namespace."""
        submit = self._object("serving.knative.dev/v1", "Service", "submit")
        submit["spec"] = {"template": {"spec": {"containers": [{"env": "${BROKER_URL}"}]}}}
        triggers = (self._object("eventing.knative.dev/v1", "Trigger", t) for t in self.triggers)
        return [submit, *triggers, self._object("eventing.knative.dev/v1", "Broker", "sentinels")]

    def listed(self, kind: str, namespace: str | None = None) -> list[Json]:
        """The objects of one kind."""
        said = self.plane.kubectl("get", kind, "-n", namespace or self.namespace, "-o", "json")
        found: list[Json] = json.loads(said)["items"]
        return found

    def names(self, kind: str, namespace: str | None = None) -> set[str]:
        return {each["metadata"]["name"] for each in self.listed(kind, namespace)}

    def _object(self, version: str, kind: str, name: str) -> Json:
        labels = {
            "app.kubernetes.io/instance": "ml",
            "app.kubernetes.io/part-of": "sentinels",
        }
        metadata = {"name": name, "namespace": self.namespace, "labels": labels}
        return {"apiVersion": version, "kind": kind, "metadata": metadata}

    def _write(self) -> None:
        plan, manifests = self.folder / "plan", self.folder / "knative"
        for each in (plan, manifests):
            each.mkdir(exist_ok=True)
        knative = {"install": self.install, "folder": str(manifests), "domain": "ml.example"}
        own = {
            "release": "ml",
            "namespace": self.namespace,
            "timeout": f"{self.seconds}s",
            "keepData": self.keep_data,
            "runtime": self.runtime,
            "knative": knative,
            "teams": [{"name": self.team, "users": ["ada"], "cpu": "4"}],
        }
        (plan / "plan.yaml").write_text(yaml.safe_dump(own))
        objects = self.objects() if self.runtime == "knative" else []
        (plan / "objects.yaml").write_text(yaml.safe_dump_all(objects))
        (manifests / "all.yaml").write_text(yaml.safe_dump_all(knative_manifests()))


@contextmanager
def controllers(release: Release, troubles: Mapping[str, str] | None = None) -> Iterator[None]:
    """Knative's controllers, played: everything is Ready, but for what is in ``troubles``."""
    over = threading.Event()

    api = DirectApi(release.plane.kubeconfig)

    def play() -> None:
        while not over.wait(0.1):
            for name in KINDS:
                plural, _, group = name.partition(".")
                place = f"/apis/{group}/v1/namespaces/{release.namespace}/{plural}"
                with suppress(ApiError):  # it is not there yet, or not any more
                    for each in api.items(place):
                        _say_state(api, place, each, (troubles or {}).get(_name(each)))

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_PATIENCE_SECONDS)


def _name(each: Json) -> str:
    return str(each["metadata"]["name"])


def _say_state(api: DirectApi, place: str, each: Json, trouble: str | None) -> None:
    ready = {"type": "Ready", "status": "False" if trouble else "True", "message": trouble or ""}
    status: Json = {"conditions": [ready]}
    if place.endswith("/brokers"):
        status["address"] = {"url": BROKER_URL}
    if place.endswith("/services") and not trouble:
        status["url"] = "http://submit.ml.example"
        status["address"] = {"url": "http://submit.inside.example"}
    if each.get("status") != status:
        api.patch(f"{place}/{_name(each)}", {"status": status})


@pytest.fixture
def release(control_plane: ControlPlane, tmp_path: Path, database_url: str) -> Iterator[Release]:
    """A release's namespace on a cluster without Knative; everything goes at the end."""
    made = Release(control_plane, tmp_path, database_url)
    control_plane.kubectl("create", "namespace", made.namespace)
    try:
        yield made
    finally:
        names = (*_NAMESPACES, made.namespace, f"sen-{made.team}")
        control_plane.kubectl("delete", "crd", *KINDS, "--ignore-not-found", "--timeout=50s")
        control_plane.kubectl("delete", "namespace", *names, "--ignore-not-found", "--timeout=50s")


def versions(release: Release) -> dict[str, str]:
    """The resource versions of all that the bootstrap applies, but for what controllers write."""
    kinds = (
        *KINDS,
        "configmap -n knative-serving",
        f"resourcequota -n sen-{release.team}",
        "secret",
    )
    found = {}
    for kind in kinds:
        word, *where = kind.split()
        for each in release.listed(word, where[-1] if where else None):
            found[f"{word}/{_name(each)}"] = each["metadata"]["resourceVersion"]
    return found


def test_it_makes_everything_and_says_so_and_the_second_time_changes_nothing(
    release: Release,
) -> None:
    with controllers(release):
        said = release.run()
        before = versions(release)
        again = release.run()

        assert versions(release) == before
    lines = said.splitlines()
    assert lines[-1] == "everything is ready"
    assert not [line for line in lines if line.startswith("✘")]
    for part in ("database", f"team {release.team}", "Service submit", "Broker sentinels"):
        assert [line for line in lines if line.startswith(f"✔ {part} ")], part
    assert "http://submit.ml.example" in said
    assert "✔ Knative" in again
    assert release.names("triggers.eventing.knative.dev") == set(release.triggers)


def test_a_role_is_let_ask_sql_and_where_that_cannot_be_everything_else_is_made(
    release: Release,
) -> None:
    with controllers(release), reporting(release.database_url) as asked:
        release.report_url = asked.url
        assert f"can be asked, as {asked.role}\n" in release.run()
        release.report_url = release.database_url
        said = release.run()
    assert re.search(
        r"^- sql +SQL is not asked as sentinels: it is a superuser$", said, re.MULTILINE
    )
    assert said.endswith("everything is ready\n")


def test_the_functions_are_told_the_brokers_address_and_are_ours(release: Release) -> None:
    with controllers(release):
        release.run()
    (submit,) = release.listed("services.serving.knative.dev")

    assert submit["spec"]["template"]["spec"]["containers"] == [{"env": BROKER_URL}]
    said = release.plane.kubectl(
        *("get", "services.serving.knative.dev", "submit", "-n", release.namespace),
        *("-o", "json", "--show-managed-fields"),
    )
    managers = {
        each["manager"]: each["operation"] for each in json.loads(said)["metadata"]["managedFields"]
    }
    assert managers["sentinels"] == "Apply"


def test_a_user_has_a_token_that_no_second_run_changes(release: Release) -> None:
    with controllers(release):
        release.run()
        tokens = [each["data"] for each in release.listed("secret")]
        release.run()

        assert [each["data"] for each in release.listed("secret")] == tokens
    assert len(tokens) == 1


def test_what_another_version_does_not_want_is_taken_away_and_nothing_else(
    release: Release,
) -> None:
    foreign = {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Trigger",
        "metadata": {"name": "theirs", "namespace": release.namespace},
    }
    with controllers(release):
        release.run()
        release.plane.kubectl("apply", "-f", "-", input=json.dumps(foreign))
        release.triggers = ("sentinels-jobs",)
        said = release.run()

    assert "✔ Trigger sentinels-queue-changed" in said
    assert release.names("triggers.eventing.knative.dev") == {"sentinels-jobs", "theirs"}


def test_what_is_not_ready_in_time_is_named_with_its_reason(release: Release) -> None:
    with controllers(release):
        release.run()
    release.seconds = 3
    release.triggers = (*release.triggers, "sentinels-late")
    begun = time.monotonic()
    with controllers(release, {"sentinels-late": "the Broker is not there"}):
        said = release.run(code=3)

    assert time.monotonic() - begun < 30
    assert [line for line in said.splitlines() if line.startswith("✘")] == [
        f"✘ {'Trigger sentinels-late':<34} the Broker is not there"
    ]
    assert f"→ see: kubectl -n {release.namespace} get pods" in said
    assert "everything is ready" not in said


def test_what_sends_to_a_function_is_made_when_the_function_has_an_address(
    release: Release,
) -> None:
    release.seconds = 15
    with controllers(release, {"submit": "its image cannot be had"}):
        said = release.run(code=3)

    assert f"✘ {'Service submit':<34} its image cannot be had" in said
    assert release.names("triggers.eventing.knative.dev") == set()
    release.seconds = 60
    with controllers(release):
        release.run()
    assert release.names("triggers.eventing.knative.dev") == set(release.triggers)


def test_a_cluster_without_knative_is_said_to_be_one_where_it_may_not_be_installed(
    release: Release,
) -> None:
    release.install = False

    said = release.run(code=3)

    assert "✘ Knative" in said
    assert "this cluster has no eventing.knative.dev/v1" in said
    assert "functions.runtime=deployment" in said


def held_pod(namespace: str) -> Json:
    """A workload's pod that nobody has settled."""
    pod = plain_pod(namespace)
    pod["metadata"] |= {
        "labels": {"sentinels.dev/managed": "true"},
        "finalizers": ["sentinels.dev/dossier"],
    }
    return pod


def test_without_its_data_nothing_of_it_is_left(release: Release) -> None:
    with controllers(release):
        release.run()
    release.plane.kubectl("apply", "-f", "-", input=json.dumps(held_pod(f"sen-{release.team}")))
    release.keep_data = False

    said = release.run("--remove")

    assert said.splitlines()[-1] == "everything of it is gone"
    for kind in (*KINDS, "secret"):
        assert release.names(kind) == set(), kind
    found = release.plane.kubectl("get", "namespace", f"sen-{release.team}", "--ignore-not-found")
    assert found == ""


def test_with_its_data_tokens_and_teams_stay(release: Release) -> None:
    with controllers(release):
        release.run()

    release.run("--remove")

    assert release.names("services.serving.knative.dev") == set()
    assert release.names("secret") == {"sentinels-token-ada"}
    assert release.names("resourcequota", f"sen-{release.team}")


def test_what_something_holds_is_named_with_its_finalizer(release: Release) -> None:
    with controllers(release):
        release.run()
    held = '{"metadata": {"finalizers": ["example.test/held"]}}'
    words = ("-n", release.namespace, "--type=merge", "-p")
    release.plane.kubectl("patch", "broker", "sentinels", *words, held)
    release.seconds = 2
    try:
        said = release.run("--remove", code=3)
    finally:
        freed = '{"metadata": {"finalizers": []}}'
        release.plane.kubectl("patch", "broker", "sentinels", *words, freed)

    assert "✘ Broker sentinels" in said
    assert "example.test/held" in said
