"""A real node: containerd, runc, CNI, kubelet and kube-proxy in its namespaces, on a segment.

The node has its own processes, mounts, network and host name. Whatever runs on it ends with its
first process, and that ends with the test runner, however that ends.
Comes in: a control plane that listens on the segment, a segment. Goes out: a node that takes pods.
Before: ``conftest``. Next: ``config``, ``images``, ``registry``, ``services``, ``volumes``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tests.cluster.control_plane import ControlPlane
from tests.cluster.part import Part
from tests.cluster.programs import need
from tests.node import config
from tests.node.groups import make_groups, remove_groups
from tests.node.images import pause_image
from tests.node.network import Segment, answers, ip
from tests.node.services import DNS_ADDRESS

_SECONDS = 60.0
_BRIDGE = "cni0"
# Pods keep what they know of their gateway; a bridge otherwise takes the lowest of its ports'.
_LASTING = "02:00:00:00:00:{:02x}"
_FIRST_PROCESS = """
set -e
hostname "$1"
mount --make-rshared /
mount --bind "$2/var" /var
mount --bind "$2/run" /run
ip link set lo up
cd /proc/sys/net
echo 0 > ipv4/conf/all/send_redirects
echo 0 > ipv4/conf/default/send_redirects
echo 1 > ipv4/ip_forward
# What a bridge passes on must not be translated twice.
for each in bridge/bridge-nf-call-*tables; do test ! -e "$each" || echo 0 > "$each"; done
cd /
: > "$2/made"
while :; do sleep 3600 & wait; done
"""


@dataclass
class RealNode:
    """``start`` it, ``stop`` it; kill its kubelet, cut its cable in between.

    ``number`` (1 to 4) tells the nodes of one segment apart. ``registries`` are further names of
    registries, each with the address it answers at.
    """

    control_plane: ControlPlane
    segment: Segment
    name: str = "node-1"
    number: int = 1
    registries: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where its files and logs are."""
        return self.segment.folder / self.name

    @property
    def address(self) -> str:
        """The node's address in the segment."""
        return self.segment.at(1 + self.number)

    @property
    def kubeconfig(self) -> Path:
        """An administrator's credentials for its cluster."""
        return self.control_plane.kubeconfig

    @property
    def kubectl(self) -> Callable[..., str]:
        """kubectl against its cluster."""
        return self.control_plane.kubectl

    def start(self) -> RealNode:
        """Return when it is ready for pods, which reach Services."""
        self.boot()
        self.start_kubelet()
        self.start_proxy()
        return self

    def boot(self) -> None:
        """Return when it runs containers; needs no control plane."""
        for inner in ("var/lib", "var/log", "run", "cni"):
            (self.folder / inner).mkdir(parents=True, exist_ok=True)
        (self.folder / "var" / "run").symlink_to("/run")
        self._write_config()
        make_groups(self._group)
        self._start_first_process()
        self._plug_in()
        self.start_containerd()
        self.import_image(pause_image(self.folder / "pause.tar"))

    def stop(self) -> None:
        """Nothing of it runs, is mounted or is left afterwards."""
        for name in ("proxy", "kubelet", "containerd", "first"):
            self._part(name).kill()
        with suppress(RuntimeError):
            self.control_plane.kubectl("delete", "node", self.name, "--ignore-not-found")
        _await("its control groups are empty", lambda: not remove_groups(self._group))
        shutil.rmtree(self.folder)

    def start_containerd(self) -> None:
        """Start it (again) and wait until it answers."""
        self._enter("containerd", ["containerd", "--config", f"{self.folder}/containerd.toml"])
        self._part("containerd").await_ready(lambda: self._ctr("version").returncode == 0)

    def kill_containerd(self) -> None:
        """End it at once; containers go on."""
        self._part("containerd").kill()

    def start_kubelet(self) -> None:
        """Start it (again) and wait until the node is ready."""
        kubelet = self.control_plane.programs / "kubelet"
        words = (
            f"--config={self.folder}/kubelet.json",
            f"--kubeconfig={self._kubeconfig()}",
            f"--hostname-override={self.name}",
            f"--node-ip={self.address}",
            "--v=2",
        )
        self._enter("kubelet", [str(kubelet), *words])
        self._part("kubelet").await_ready(self.is_ready)

    def kill_kubelet(self) -> None:
        """End it at once; containers go on, and nobody tells the control plane of them."""
        self._part("kubelet").kill()

    def start_proxy(self) -> None:
        """Start it (again) and wait until each Service leads from the node to its pods."""
        pair = self.control_plane.authority.issue("proxy", "system:kube-proxy")
        kubeconfig = self.control_plane.write_kubeconfig("proxy.kubeconfig", *pair)
        settings = self.folder / "proxy.json"
        settings.write_text(config.proxy_config(kubeconfig=kubeconfig, node=self.name))
        proxy = self.control_plane.programs / "kube-proxy"
        self._enter("proxy", [str(proxy), f"--config={settings}"])
        self._part("proxy").await_ready(lambda: answers(f"http://{self.address}:10256/healthz"))

    def cut(self) -> None:
        """Pull its cable: everything on it goes on, and nobody hears of it."""
        ip("link", "set", self._cable, "down")

    def mend(self) -> None:
        """Put the cable back."""
        ip("link", "set", self._cable, "up")

    def is_ready(self) -> bool:
        """Whether the control plane takes it for ready."""
        with suppress(RuntimeError):
            node = json.loads(self.control_plane.kubectl("get", "node", self.name, "-o", "json"))
            return any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in node["status"]["conditions"]
            ) and not node["spec"].get("taints")
        return False

    def import_image(self, archive: Path) -> None:
        """Have the images of a docker-archive, under the names in it."""
        done = self._ctr("images", "import", str(archive))
        assert done.returncode == 0, f"{archive}: {done.stderr}"

    def remove_image(self, name: str) -> None:
        """Have it no longer, so that the next pod pulls it."""
        done = self._ctr("images", "rm", "--sync", name)
        assert done.returncode == 0, f"{name}: {done.stderr}"

    def processes(self) -> list[psutil.Process]:
        """All that run on it."""
        first = self._part("first").process
        return first.children(recursive=True) if first else []

    @property
    def _group(self) -> str:
        return f"{self.segment.bridge}/{self.name}"

    @property
    def _cable(self) -> str:
        return f"{self.segment.bridge}-{self.number}"

    def _part(self, name: str) -> Part:
        return Part(self.folder, name)

    def _write_config(self) -> None:
        first, last = (self.segment.at(50 * self.number + offset) for offset in (0, 49))
        address, segment = self.address, self.segment
        (self.folder / "resolv.conf").write_text(f"nameserver {segment.address}\n")
        (self.folder / "containerd.toml").write_text(config.containerd_config(self.folder))
        cni = config.cni_config(_BRIDGE, segment.subnet, first, last, address)
        (self.folder / "cni" / "10-bridge.conflist").write_text(cni)
        for name, server in self.registries.items():
            hosts = self.folder / "registries" / name / "hosts.toml"
            hosts.parent.mkdir(parents=True)
            hosts.write_text(config.registry_hosts(server))
        authority = self.control_plane.authority
        certificate, key = authority.issue(
            f"{self.name}-serving", self.name, addresses=(address, self.name)
        )
        files = {"authority": authority.certificate, "certificate": certificate, "key": key}
        files["resolver"] = self.folder / "resolv.conf"
        (self.folder / "kubelet.json").write_text(
            config.kubelet_config(files=files, cgroup=self._group, dns=DNS_ADDRESS)
        )

    def _kubeconfig(self) -> Path:
        pair = self.control_plane.authority.issue(
            self.name, f"system:node:{self.name}", group="system:nodes"
        )
        return self.control_plane.write_kubeconfig(f"{self.name}.kubeconfig", *pair)

    def _start_first_process(self) -> None:
        own = ("--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--mount-proc")
        script = ("sh", "-c", _FIRST_PROCESS, "sh", self.name, str(self.folder))
        made = self.folder / "made"
        first = self._part("first")
        first.start([need("unshare"), *own, "--", *script])
        first.await_ready(made.exists)

    def _plug_in(self) -> None:
        inside = ["nsenter", f"--net=/proc/{self._first_pid()}/ns/net", "ip"]
        peer = ("peer", "name", "eth0", "netns", str(self._first_pid()))
        ip("link", "add", self._cable, "type", "veth", *peer)
        ip("link", "set", self._cable, "master", self.segment.bridge, "up")
        for words in (
            ("link", "add", _BRIDGE, "address", _LASTING.format(self.number), "type", "bridge"),
            ("link", "set", "eth0", "master", _BRIDGE, "up"),
            ("address", "add", f"{self.address}/24", "dev", _BRIDGE),
            ("link", "set", _BRIDGE, "up"),
            ("route", "add", "default", "via", self.segment.address),
        ):
            subprocess.run([*inside, *words], check=True, timeout=_SECONDS)

    def _first_pid(self) -> int:
        first = self._part("first").process
        assert first is not None, f"{self.name} does not run"
        return int(first.children()[0].pid)

    def _enter(self, name: str, command: Sequence[str]) -> None:
        inside = ("--mount", "--pid", "--net", "--uts", "--target", str(self._first_pid()))
        direct = {"HTTP_PROXY": "", "HTTPS_PROXY": "", "http_proxy": "", "https_proxy": ""}
        self._part(name).start([need("nsenter"), *inside, "--", *command], direct)

    def _ctr(self, *words: str) -> subprocess.CompletedProcess[str]:
        socket = self.folder / "run" / "containerd" / "containerd.sock"
        return subprocess.run(
            [need("ctr"), "--address", str(socket), "--namespace", "k8s.io", *words],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def _await(what: str, condition: Callable[[], object]) -> None:
    end = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {_SECONDS} s: {what}"
        time.sleep(0.05)
