"""A real control plane in a folder: etcd, API server, controller manager, scheduler.

Comes in: a folder, addresses, speeds. Goes out: a kubeconfig with which everything is allowed.
Before: ``conftest``, ``__main__``. Next: ``nodes`` (simulated), ``tests/node`` (a real one).
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.cluster.certificates import Authority, new_key
from tests.cluster.part import Part, end_all_of, processes_of
from tests.cluster.programs import ensure_programs, need

SERVICES = "10.97.0.0/16"
PODS = "10.98.0.0/16"
PARTS = ("etcd", "apiserver", "controller-manager", "scheduler")
# The kernel lends higher ones to clients, also between a part's kill and its next start.
_PORTS = range(20000, 32000)
_PROGRAMS = ("etcd", *(f"kube-{name}" for name in PARTS), "kwok")
_FIRST_SERVICE = "10.97.0.1"
_KUBECTL_SECONDS = 60.0


@dataclass(frozen=True)
class Speed:
    """What tests want to be other than usual; seconds, and calls a second."""

    node_silent: int = 8
    toleration: int = 20
    api_calls: int = 400
    job_syncs: int = 20


@dataclass
class ControlPlane:
    """``start`` it, ``stop`` it; ``kill``, ``stop_part`` and ``start_part`` in between.

    ``address`` is where the API server listens besides loopback: a node's bridge.
    """

    folder: Path
    address: str = "127.0.0.1"
    lasting: bool = False
    speed: Speed = field(default_factory=Speed)
    _ports: dict[str, int] = field(default_factory=dict)

    def start(self) -> ControlPlane:
        """Return when the API server answers and its controllers run."""
        self.programs = ensure_programs()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._choose_ports()
        self._certify()
        try:
            for name in PARTS:
                self.start_part(name)
        except BaseException:
            self.stop()
            raise
        return self

    def attached(self) -> ControlPlane:
        """One that runs already, to ask it."""
        self.programs = ensure_programs()
        return self

    def is_running(self) -> bool:
        """Whether its API server's process is there."""
        return self.part("apiserver").process is not None

    def stop(self) -> None:
        """Nothing of it runs afterwards."""
        for name in reversed(PARTS):
            self.part(name).stop()
        end_all_of(self.folder, _PROGRAMS)

    def processes(self) -> list[psutil.Process]:
        """What runs in its folder, simulated nodes included."""
        return processes_of(self.folder, _PROGRAMS)

    def part(self, name: str) -> Part:
        """One of the four processes."""
        return Part(self.folder, name, lasting=self.lasting)

    def start_part(self, name: str) -> None:
        """Start one of them (again) and wait until it is ready."""
        part = self.part(name)
        if part.process is not None:
            return
        part.start(self._command(name))
        if name == "apiserver":
            part.await_ready(self._is_ready)
        else:
            part.await_ready(lambda: _listens(self._ports[name]))

    def restart(self, name: str) -> None:
        """Stop one of them, and start it."""
        self.stop_part(name)
        self.start_part(name)

    def stop_part(self, name: str) -> None:
        """End one of them politely."""
        self.part(name).stop()

    def kill(self, name: str) -> None:
        """End one of them at once."""
        self.part(name).kill()

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://{self.address}:{self._ports['apiserver']}"

    @property
    def kubeconfig(self) -> Path:
        """Credentials of an administrator."""
        return self.folder / "kubeconfig"

    @property
    def authority(self) -> Authority:
        """Who signs its certificates."""
        return Authority(self.folder)

    def write_kubeconfig(self, name: str, certificate: Path, key: Path) -> Path:
        """Credentials by certificate, in a file of this name."""
        path = self.folder / name
        user = {"client-certificate": str(certificate), "client-key": str(key)}
        path.write_text(json.dumps(self._kubeconfig(user)))
        path.chmod(0o600)
        return path

    def kubectl(self, *words: str, input: str | None = None) -> str:
        """What kubectl prints; fails with what it said."""
        done = subprocess.run(
            [str(self.programs / "kubectl"), "--kubeconfig", str(self.kubeconfig), *words],
            input=input,
            capture_output=True,
            text=True,
            timeout=_KUBECTL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def _kubeconfig(self, user: dict[str, str]) -> dict[str, object]:
        cluster = {"server": self.url, "certificate-authority": str(self.authority.certificate)}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }

    def _choose_ports(self) -> None:
        """The same ones whenever it is started in this folder."""
        file = self.folder / "ports.json"
        if file.exists():
            self._ports = json.loads(file.read_text())
            return
        free = (port for port in random.sample(_PORTS, len(_PORTS)) if _is_free(port))
        self._ports = dict(zip((*PARTS, "peer"), free, strict=False))
        file.write_text(json.dumps(self._ports))

    def _certify(self) -> None:
        authority = self.authority
        servers = ("127.0.0.1", self.address, _FIRST_SERVICE, "localhost", "kubernetes.default.svc")
        authority.issue("apiserver", "kube-apiserver", addresses=servers)
        authority.issue("kubelet-client", "kube-apiserver-kubelet-client", group="system:masters")
        authority.issue("front-proxy", "front-proxy-client")
        if not (self.folder / "service-accounts.key").exists():
            new_key(self.folder / "service-accounts.key")
        admin = authority.issue("admin", "admin", group="system:masters")
        self.write_kubeconfig("kubeconfig", *admin)
        for name in ("controller-manager", "scheduler"):
            pair = authority.issue(name, f"system:kube-{name}")
            self.write_kubeconfig(f"{name}.kubeconfig", *pair)

    def _is_ready(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.load_cert_chain(self.folder / "admin.crt", self.folder / "admin.key")
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", context=context, timeout=3) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _command(self, name: str) -> Sequence[str]:
        commands = {
            "etcd": self._etcd,
            "apiserver": self._apiserver,
            "controller-manager": self._controller_manager,
            "scheduler": self._scheduler,
        }
        return commands[name]()

    def _etcd(self) -> Sequence[str]:
        client, peer = (f"http://127.0.0.1:{self._ports[name]}" for name in ("etcd", "peer"))
        return [
            need("etcd"),
            f"--data-dir={self.folder / 'etcd'}",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=4294967296",
            *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
            f"--initial-cluster=default={peer}",
        ]

    def _apiserver(self) -> Sequence[str]:
        at = self.folder
        return [
            str(self.programs / "kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{self._ports['etcd']}",
            f"--secure-port={self._ports['apiserver']}",
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            *(f"--tls-cert-file={at}/apiserver.crt", f"--tls-private-key-file={at}/apiserver.key"),
            f"--client-ca-file={at}/ca.crt",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={at}/service-accounts.key",
            f"--service-account-signing-key-file={at}/service-accounts.key",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--service-cluster-ip-range={SERVICES}",
            f"--requestheader-client-ca-file={at}/ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={at}/front-proxy.crt",
            f"--proxy-client-key-file={at}/front-proxy.key",
            f"--kubelet-client-certificate={at}/kubelet-client.crt",
            f"--kubelet-client-key={at}/kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP,Hostname",
            f"--default-not-ready-toleration-seconds={self.speed.toleration}",
            f"--default-unreachable-toleration-seconds={self.speed.toleration}",
            "--endpoint-reconciler-type=none",
            # Debian's etcd 3.4 cannot say how far a watch is: clients would try again for minutes.
            "--feature-gates=WatchList=false",
        ]

    def _controller_manager(self) -> Sequence[str]:
        at = self.folder
        return [
            str(self.programs / "kube-controller-manager"),
            f"--kubeconfig={at}/controller-manager.kubeconfig",
            f"--authentication-kubeconfig={at}/controller-manager.kubeconfig",
            f"--authorization-kubeconfig={at}/controller-manager.kubeconfig",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={at}/service-accounts.key",
            f"--root-ca-file={at}/ca.crt",
            f"--cluster-signing-cert-file={at}/ca.crt",
            f"--cluster-signing-key-file={at}/ca.key",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports['controller-manager']}",
            "--allocate-node-cidrs",
            f"--cluster-cidr={PODS}",
            f"--node-monitor-grace-period={self.speed.node_silent}s",
            "--node-monitor-period=1s",
            f"--kube-api-qps={self.speed.api_calls}",
            f"--kube-api-burst={2 * self.speed.api_calls}",
            f"--concurrent-job-syncs={self.speed.job_syncs}",
        ]

    def _scheduler(self) -> Sequence[str]:
        at = self.folder
        return [
            str(self.programs / "kube-scheduler"),
            f"--kubeconfig={at}/scheduler.kubeconfig",
            f"--authentication-kubeconfig={at}/scheduler.kubeconfig",
            f"--authorization-kubeconfig={at}/scheduler.kubeconfig",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports['scheduler']}",
            f"--kube-api-qps={self.speed.api_calls}",
            f"--kube-api-burst={2 * self.speed.api_calls}",
        ]


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
