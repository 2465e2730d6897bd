"""An installation's accounts and one team on a real cluster, as an operator sets them up.

``knative/accounts.yaml`` is applied and ``sentinels team add`` is run; each account's calls are
made with a token of its own. Everything goes when the test's session ends.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sentinels.clusters.kubernetes.api import Answer, Api, Refusal, Request
from sentinels.clusters.kubernetes.cluster import KubernetesCluster
from sentinels.clusters.kubernetes.options import Options
from sentinels.core.capacity import Resources
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.job import JobId
from sentinels.core.observation import Observation
from sentinels.core.workload import Image, ImageKind, Workload, WorkloadRef
from tests.support.direct_api import DirectApi

KNATIVE = Path(__file__).parents[2] / "knative"
SYSTEM = "sentinels"
ACCOUNTS = ("submit", "dispatch", "notify", "events")
BOUNDS = (
    *("--cpu", "4", "--memory", "8Gi", "--gpus", "4", "--pods", "20"),
    *("--job-memory", "256Mi"),
)
"""The team's: every kind of quota, and for one job the least that may be asked."""
JOB_CONTROLLER = "system:serviceaccount:kube-system:job-controller"


class Heard(Api):
    """An ``Api`` that keeps what each call was answered."""

    def __init__(self, kubeconfig: str) -> None:
        super().__init__(kubeconfig)
        self.answers: list[tuple[str, int]] = []

    def request(self, request: Request) -> Answer:
        answer = super().request(request)
        self._keep(request, answer)
        return answer

    def many(
        self, requests: Sequence[Request], *, in_flight: int = 32, within: float | None = None
    ) -> Iterator[tuple[int, Answer | ClusterUnavailable]]:
        for place, answer in super().many(requests, in_flight=in_flight, within=within):
            if isinstance(answer, Answer):
                self._keep(requests[place], answer)
            yield place, answer

    def parts(self, request: Request) -> Generator[bytes, None, None]:
        try:
            yield from super().parts(request)
        except Refusal as refusal:
            self._keep(request, refusal.answer)
            raise

    @property
    def refused(self) -> list[str]:
        """The calls that these credentials were not enough for."""
        return [call for call, status in self.answers if status in (401, 403)]

    def _keep(self, request: Request, answer: Answer) -> None:
        self.answers.append((f"{request.method} {request.path}", answer.status))


@dataclass(frozen=True)
class Actor:
    """The cluster as one account sees it."""

    name: str
    api: Heard
    cluster: KubernetesCluster

    def status(self, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        """What a call is answered."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        return self.api.request(Request(method, path, body=body, content_type=kind)).status


@dataclass
class Site:
    """One installation with one team."""

    kubeconfig: Path
    kubectl_program: Path
    folder: Path
    team: str = field(default_factory=lambda: f"t{secrets.token_hex(3)}")

    @property
    def namespace(self) -> str:
        return f"sen-{self.team}"

    @property
    def admin(self) -> DirectApi:
        return DirectApi(self.kubeconfig)

    def kubectl(self, *words: str, input: str | None = None) -> str:
        """What kubectl prints; fails with what it said."""
        done = self.try_kubectl(*words, input=input)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def try_kubectl(
        self, *words: str, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What kubectl says, and whether it could do it."""
        return subprocess.run(
            [str(self.kubectl_program), "--kubeconfig", str(self.kubeconfig), *words],
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def sentinels(self, *words: str, code: int = 0, **environment: str) -> str:
        """What an operator's command prints, on either stream."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("SENTINELS")}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("sentinels")), *words],
            env={**kept, "SENTINELS_KUBECONFIG": str(self.kubeconfig), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, f"sentinels {' '.join(words)}: {said}"
        return said

    def actor(self, account: str) -> Actor:
        """One of the accounts, by a fresh token."""
        path = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/sentinels-{account}/token"
        spec = {"spec": {"expirationSeconds": 3600}}
        token = self.admin.post(path, spec)["status"]["token"]
        return self._actor(account, self._kubeconfig_with(account, token))

    def nobody(self) -> Actor:
        """An account to which nothing was given: what everybody may."""
        path = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/default/token"
        token = self.admin.post(path, {"spec": {}})["status"]["token"]
        return self._actor("nobody", self._kubeconfig_with("nobody", token))

    def _actor(self, name: str, kubeconfig: Path) -> Actor:
        api = Heard(str(kubeconfig))
        return Actor(name, api, KubernetesCluster(api, Options(grace_seconds=1.0)))

    def _kubeconfig_with(self, name: str, token: str) -> Path:
        config = yaml.safe_load(self.kubeconfig.read_text())
        for user in config["users"]:
            user["user"] = {"token": token}
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    def workload(
        self,
        job_id: int,
        *,
        seconds: str = "300s",
        exit_code: str = "0",
        cpu_millis: int = 100,
        **others: Any,
    ) -> Workload:
        """A workload of the team that a simulated node runs for so long."""
        digest = "sha256:" + "0" * 64
        return Workload(
            ref=WorkloadRef(JobId(job_id), 1),
            image=Image(ImageKind.CONTAINER, "shell", digest, f"shell@{digest}"),
            command=("true",),
            args=(),
            env={"TEST_SECONDS": seconds, "TEST_EXIT": exit_code},
            resources=Resources(cpu_millis=cpu_millis, memory_bytes=64 * 2**20),
            team=self.team,
            **others,
        )


def plain_pod(namespace: str, **changes: Any) -> dict[str, Any]:
    """A pod that pod security and the policies let pass, but for what is changed."""
    confined = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    small = {"cpu": "100m", "memory": "64Mi"}
    container = {
        "name": "main",
        "image": "shell",
        "securityContext": confined,
        "resources": {"requests": small, "limits": small},
    }
    spec = {"automountServiceAccountToken": False, "containers": [container], **changes}
    metadata = {"name": "one", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def await_seen(
    actor: Actor, ref: WorkloadRef, fits: Callable[[Observation], object], seconds: float = 40
) -> Observation:
    end = time.monotonic() + seconds
    while not fits(seen := actor.cluster.observe([ref])[ref]):
        assert time.monotonic() < end, f"still {seen}"
        time.sleep(0.1)
    return seen


@contextmanager
def set_up(kubeconfig: Path, kubectl: Path, folder: Path) -> Iterator[Site]:
    """The accounts and a team; both go, the accounts only where they were not there before."""
    site = Site(kubeconfig, kubectl, folder)
    was_there = bool(site.kubectl("get", "namespace", SYSTEM, "--ignore-not-found"))
    if not was_there:
        site.kubectl("create", "namespace", SYSTEM)
    try:
        site.kubectl("apply", "-f", str(KNATIVE / "accounts.yaml"))
        site.sentinels("team", "add", site.team, *BOUNDS)
        yield site
    finally:
        site.kubectl("delete", "namespace", site.namespace, "--ignore-not-found", "--wait=false")
        if not was_there:
            site.kubectl("delete", "-f", str(KNATIVE / "accounts.yaml"), "--ignore-not-found")
            site.kubectl("delete", "namespace", SYSTEM, "--timeout=50s")
