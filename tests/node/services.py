"""What a cluster has by itself and pods rely on: names, and the way to its API.

The DNS runs on this machine, at the segment's address; pods reach it through a Service, as they
would one that runs in pods. Comes in: a control plane that listens on the segment. Goes out: names
that pods resolve. Before: ``conftest``. Next: ``config``; ``machine`` has kube-proxy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.chart.programs import chart_programs
from tests.cluster.control_plane import ControlPlane
from tests.cluster.part import Part
from tests.node import config
from tests.node.network import Segment, answers

DNS_ADDRESS = "10.97.0.10"
_READY_PORT = 8181
_Object = dict[str, object]


@dataclass
class ClusterServices:
    """``start`` them, ``stop`` them.

    ``names`` are further names that pods resolve, each with the address it stands for; a name
    stands for those below it too.
    """

    control_plane: ControlPlane
    segment: Segment
    names: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> ClusterServices:
        """Return when names are resolved; raises ``NoPrograms``."""
        coredns = chart_programs() / "coredns"
        items = {"apiVersion": "v1", "kind": "List", "items": self._objects()}
        self.control_plane.kubectl("apply", "-f", "-", input=json.dumps(items))
        settings = self.segment.folder / "Corefile"
        kubeconfig = self.control_plane.kubeconfig
        address = self.segment.address
        settings.write_text(config.dns_config(address, _READY_PORT, kubeconfig, self.names))
        self._part.start([str(coredns), "-conf", str(settings)])
        self._part.await_ready(self.is_ready)
        return self

    def stop(self) -> None:
        """No name is resolved any longer."""
        self._part.stop()

    def is_ready(self) -> bool:
        """Whether it knows all that the cluster has."""
        return answers(f"http://{self.segment.address}:{_READY_PORT}/ready")

    @property
    def _part(self) -> Part:
        return Part(self.segment.folder, "dns")

    def _objects(self) -> list[_Object]:
        api = urlsplit(self.control_plane.url).port
        assert api is not None
        ports: list[_Object] = [
            {"name": name, "port": 53, "protocol": name.upper()} for name in ("udp", "tcp")
        ]
        metadata = {"name": "kube-dns", "namespace": "kube-system"}
        return [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"clusterIP": DNS_ADDRESS, "ports": ports},
            },
            self._leads_here("kube-dns", "kube-system", ports),
            self._leads_here("kubernetes", "default", [{"name": "https", "port": api}]),
        ]

    def _leads_here(self, service: str, namespace: str, ports: list[_Object]) -> _Object:
        labels = {"kubernetes.io/service-name": service}
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": service, "namespace": namespace, "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self.segment.address]}],
            "ports": ports,
        }
