"""Sentinels as the chart installs it: helm in the place of a person, and what is there afterwards.

Comes in: a node with the images, a chart, values. Goes out: a release; a command line that reaches
it from outside. Next: ``test_install``.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.chart.programs import chart_programs
from tests.node.images import add_bytes
from tests.node.machine import RealNode

CHART = Path(__file__).parents[2] / "helm" / "sentinels"
RELEASE = NAMESPACE = "sentinels"
ENDED = frozenset({"succeeded", "failed", "cancelled"})
_PART_OF = "app.kubernetes.io/part-of=sentinels"
_NO_KINDS = frozenset({"events", "events.events.k8s.io"})
Json = dict[str, Any]  # whatever Kubernetes and the command print


@dataclass(frozen=True)
class Installation:
    """The release ``sentinels`` on one node, whether it is installed or not.

    ``folder`` is where helm and the command keep their own files; ``port`` is submit's NodePort.
    """

    node: RealNode
    folder: Path
    port: int

    def helm(self, *words: str, seconds: float = 240) -> str:
        """What helm prints; fails with what it said and with the state of the pods."""
        with self.popen_helm(*words) as process:
            return self.said_by(process, seconds=seconds)

    def popen_helm(self, *words: str) -> subprocess.Popen[str]:
        """Start helm in the release's namespace."""
        own = {f"HELM_{kind}_HOME": str(self.folder / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        return subprocess.Popen(
            [str(chart_programs() / "helm"), *words, "--namespace", NAMESPACE],
            env={**os.environ, **own, "KUBECONFIG": str(self.node.kubeconfig)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def said_by(self, process: subprocess.Popen[str], *, seconds: float = 240) -> str:
        """What a helm that was started says; fails where it does, and where it takes longer."""
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == 0, f"{said}\n{self.kubectl('get', 'pods', '-o', 'wide')}"
        return said

    def kubectl(self, *words: str) -> str:
        """Look at the release's namespace."""
        return self.node.kubectl("--namespace", NAMESPACE, *words)

    def listed(self, kind: str, *words: str) -> list[Json]:
        """The objects of one kind."""
        found = json.loads(self.kubectl("get", kind, "-o", "json", *words))["items"]
        assert isinstance(found, list)
        return found

    def pods(self) -> dict[str, Json]:
        """The release's pods by their component; the newest of each, none that is leaving."""
        found = sorted(self.listed("pods", "-l", _PART_OF), key=_created)
        return {
            pod["metadata"]["labels"]["app.kubernetes.io/name"]: pod
            for pod in found
            if "deletionTimestamp" not in pod["metadata"]
        }

    def ask_database(self, sql: str) -> str:
        """The answer of the release's own database, a value or a few with | in between."""
        psql = ("psql", "-U", "postgres", "-d", "sentinels", "-qtAc", sql)
        return self.kubectl("exec", f"{RELEASE}-postgresql-0", "--", *psql).strip()

    def ask_prometheus(self, query: str) -> list[Json]:
        """The answer of the release's own Prometheus: series with their values."""
        promtool = ("promtool", "query", "instant", "--format=json", "http://localhost:9090")
        said = self.kubectl("exec", f"{RELEASE}-prometheus-0", "--", *promtool, query)
        found = json.loads(said)
        assert isinstance(found, list)
        return found

    def sentinels(self, *words: str, code: int = 0, seconds: float = 120) -> str:
        """What the command answers on this machine, which is outside of the cluster: also what it
        says beside that where it fails.
        """
        done = subprocess.run(
            [str(Path(sys.executable).with_name("sentinels")), *words],
            env={**os.environ, "COLUMNS": "200", **self._login()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            cwd="/",
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr if code else done.stdout

    def push(self, *words: str) -> list[int]:
        """Push; the ids."""
        return [int(word) for word in self.sentinels("push", "--again", "--quiet", *words).split()]

    def await_end(self, job_id: int, *, seconds: float = 90) -> Json:
        """The job, once it has ended."""
        found: Json = {}

        def ended() -> bool:
            found.update(json.loads(self.sentinels("status", str(job_id), "-o", "json")))
            return found["state"] in ENDED

        await_true(f"job {job_id} has ended", ended, seconds=seconds)
        return found

    def left(self) -> list[str]:
        """Every object of any kind whose name is ours, as ``kind/name``.

        The release's namespace is not among them: helm was told to make it, and never deletes one.
        """
        return [
            *self._found("--namespaced=true", "--namespace", NAMESPACE),
            *self._found("--namespaced=false"),
        ]

    def _found(self, scope: str, *words: str) -> list[str]:
        served = self.node.kubectl("api-resources", "--verbs=list", "-o", "name", scope).split()
        kinds = ",".join(sorted({*served} - _NO_KINDS))
        told = self.node.kubectl(
            "get", kinds, *words, "-o", "name", "--ignore-not-found"
        ).splitlines()
        return [
            line
            for line in told
            if ("sentinels" in line or "sen-" in line) and line != f"namespace/{NAMESPACE}"
        ]

    def _login(self) -> dict[str, str]:
        secret = json.loads(self.kubectl("get", "secret", "sentinels-token-admin", "-o", "json"))
        token = base64.b64decode(secret["data"]["token"]).decode()
        url = f"http://{self.node.address}:{self.port}"
        return {"SENTINELS_URL": url, "SENTINELS_TOKEN": token, "HOME": str(self.folder)}


def await_true(what: str, condition: Callable[[], object], *, seconds: float = 60) -> None:
    """Return when the condition holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.3)


def another_chart(folder: Path, version: str) -> Path:
    """The checkout's chart under another version."""
    chart = folder / version / "sentinels"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    about |= {"version": version, "appVersion": version}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    return chart


def with_files(source: Path, target: Path, name: str, files: Mapping[str, str]) -> Path:
    """A docker-archive's image under another name, with some files more (none: the same image)."""
    with tarfile.open(source) as given, tarfile.open(target, "w") as made:
        (about,) = json.loads(_content(given, "manifest.json"))
        config = json.loads(_content(given, about["Config"]))
        for known in dict.fromkeys(about["Layers"]):
            made.addfile(given.getmember(known), given.extractfile(known))
        if files:
            layer = _layer(files)
            digest = hashlib.sha256(layer).hexdigest()
            add_bytes(made, f"{digest}.tar", layer)
            about["Layers"].append(f"{digest}.tar")
            config["rootfs"]["diff_ids"].append(f"sha256:{digest}")
            config.pop("history", None)
        add_bytes(made, "config.json", json.dumps(config).encode())
        about |= {"Config": "config.json", "RepoTags": [name]}
        add_bytes(made, "manifest.json", json.dumps([about]).encode())
    return target


def _layer(files: Mapping[str, str]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as layer:
        for name, text in files.items():
            add_bytes(layer, name, text.encode())
    return written.getvalue()


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    assert found is not None, f"there is no {name} in the archive"
    return found.read()


def _created(pod: Json) -> str:
    return str(pod["metadata"]["creationTimestamp"])
