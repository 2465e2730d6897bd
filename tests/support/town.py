"""Sentinels as a person with a cluster has it: ``sentinels up --kubeconfig`` and the command line.

Everything is asked of the ``sentinels`` command; the cluster is looked at with ``kubectl``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sentinels.clusters.kubernetes.api import Api
from sentinels.clusters.kubernetes.holding import let_all_go
from tests.acceptance.conftest import OneMachine

Json = dict[str, Any]
ENDED = frozenset({"succeeded", "failed", "cancelled"})


class Cluster(Protocol):
    """What a town needs of a cluster."""

    @property
    def kubeconfig(self) -> Path: ...

    def kubectl(self, *words: str, input: str | None = None) -> str: ...


@dataclass
class Town:
    """One installation over one cluster; ``namespace`` is its team's."""

    machine: OneMachine
    cluster: Cluster
    namespace: str

    def sentinels(self, *words: str, code: int = 0) -> str:
        """What the command prints."""
        return self.machine.run(*words, code=code)

    def await_mlflow(self, *, seconds: float = 120) -> None:
        """Return when every part answers: MLflow takes longest."""
        end = time.monotonic() + seconds
        while not all(check["ok"] for check in self._checks() if check["name"] == "mlflow"):
            assert time.monotonic() < end, "MLflow does not answer"
            time.sleep(0.5)

    def _checks(self) -> list[Json]:
        with self.machine.popen("doctor", "--json") as process:
            said, _ = process.communicate(timeout=60)
        found = json.loads(said)["checks"]
        assert isinstance(found, list)
        return found

    def push(self, image: str, *words: str) -> int:
        """Push one job; its id."""
        return self.sweep(image, *words)[0]

    def sweep(self, image: str, *words: str) -> list[int]:
        """Push; the ids."""
        return [
            int(word)
            for word in self.sentinels("push", image, "--again", "--quiet", *words).split()
        ]

    def job(self, job_id: int) -> Json:
        """The job as ``status -o json`` has it."""
        found = json.loads(self.sentinels("status", str(job_id), "-o", "json"))
        assert isinstance(found, dict)
        return found

    def await_job(
        self, job_id: int, condition: Callable[[Json], object], *, seconds: float = 90
    ) -> Json:
        """The job, once the condition holds of it."""
        end = time.monotonic() + seconds
        while True:
            found = self.job(job_id)
            if condition(found):
                return found
            assert time.monotonic() < end, f"not within {seconds} s: {json.dumps(found, indent=1)}"
            time.sleep(0.3)

    def await_state(self, job_id: int, *states: str, seconds: float = 90) -> Json:
        """The job, once it is in one of these states."""
        return self.await_job(job_id, lambda job: job["state"] in states, seconds=seconds)

    def await_end(self, job_id: int, *, seconds: float = 90) -> Json:
        """The job, once it has ended."""
        return self.await_state(job_id, *ENDED, seconds=seconds)

    def attempts(self, job_id: int) -> list[Json]:
        """Its attempts, the first first."""
        found = self.job(job_id)["attempts"]
        assert isinstance(found, list)
        return found

    def notice(self, job_id: int, kind: str) -> str:
        """What its owner was told of this kind."""
        told = json.loads(self.sentinels("notices", str(job_id), "-o", "json"))
        texts = [str(notice["text"]) for notice in told if notice["kind"] == kind]
        assert texts, f"nothing of kind {kind} in {told}"
        return texts[0]

    def kubectl(self, *words: str) -> str:
        """Look at the team's namespace."""
        return self.cluster.kubectl("--namespace", self.namespace, *words)

    def workload(self, job_id: int, attempt: int = 1) -> str:
        """The Job's name."""
        return f"sentinels-{job_id}-{attempt}"


@contextmanager
def settled(
    machine: OneMachine,
    cluster: Cluster,
    *,
    address: str,
    settings: Mapping[str, str],
    team: tuple[str, ...] = (),
) -> Iterator[Town]:
    """An installation with one team, ``default``; nothing of it runs afterwards."""
    machine.env |= dict(settings)
    try:
        machine.run("team", "add", "default", "--kubeconfig", str(cluster.kubeconfig), *team)
        machine.up("--kubeconfig", str(cluster.kubeconfig), "--address", address)
        found = Town(machine, cluster, "sen-default")
        found.await_mlflow()
        yield found
    finally:
        machine.end()
        cluster.kubectl("delete", "namespace", "sen-default", "--ignore-not-found", "--wait=false")
        api = Api(str(cluster.kubeconfig))
        let_all_go(api, "sen-default")
        api.close()


@contextmanager
def with_settings(town: Town, settings: Mapping[str, str], *, address: str) -> Iterator[None]:
    """The installation is up with these as well, and afterwards without them."""
    options = ("--kubeconfig", str(town.cluster.kubeconfig), "--address", address)
    town.sentinels("down")
    town.machine.env |= dict(settings)
    try:
        town.machine.up(*options)
        town.await_mlflow()
        yield
    finally:
        for name in settings:
            del town.machine.env[name]
        town.sentinels("down")
        town.machine.up(*options)
