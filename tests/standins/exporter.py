"""A server on loopback that tells samples as the kubelet, the DCGM exporter and others would.

Real Prometheus scrapes it; only what is told is made up. A counter grows with time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.standins.stand_in import StandIn

Value = float | Callable[[float], float]
"""A number, or how it follows from the seconds since the exporter began."""


def growing(a_second: float, *, since: float = 1000.0) -> Value:
    """A counter that was at ``since`` when the exporter began."""
    return lambda seconds: since + a_second * seconds


class Exporter(StandIn):
    """``samples`` are values by series, as in ``x{y="z"}``."""

    def __init__(self, samples: Mapping[str, Value] | None = None) -> None:
        self.samples: dict[str, Value] = dict(samples or {})
        self.scrapes = 0
        self._began = time.monotonic()
        server = _Server(("127.0.0.1", 0), _Handler)
        server.exporter = self
        super().__init__(server)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def page(self) -> str:
        """What a scrape is answered."""
        self.scrapes += 1
        seconds = time.monotonic() - self._began
        lines = [f"{name} {_at(value, seconds):.6f}" for name, value in list(self.samples.items())]
        return "\n".join([*lines, ""])


def workload(
    job: int,
    attempt: int = 1,
    *,
    team: str = "default",
    cores: float = 0.5,
    memory: float = 2**28,
) -> Mapping[str, Value]:
    """What a kubelet tells of an attempt's pod, its sidecar and sandbox too."""
    pod = f'namespace="sen-{team}", pod="sentinels-{job}-{attempt}-x7k2p"'
    return {
        f'container_cpu_usage_seconds_total{{{pod}, container="main"}}': growing(cores),
        f'container_cpu_usage_seconds_total{{{pod}, container="outputs"}}': growing(9.0),
        f'container_memory_working_set_bytes{{{pod}, container="main"}}': memory,
        f'container_memory_working_set_bytes{{{pod}, container=""}}': memory * 3,
        f'container_network_receive_bytes_total{{{pod}, interface="eth0"}}': growing(1000),
        f'container_network_transmit_bytes_total{{{pod}, interface="eth0"}}': growing(500),
    }


def gpu(
    job: int, attempt: int = 1, *, team: str = "default", number: int = 0, percent: float = 80
) -> Mapping[str, Value]:
    """What the DCGM exporter tells of one GPU of an attempt."""
    labels = (
        f'{{gpu="{number}", UUID="GPU-{job}-{number}", container="main",'
        f' namespace="sen-{team}", pod="sentinels-{job}-{attempt}-x7k2p"}}'
    )
    return {f"DCGM_FI_DEV_GPU_UTIL{labels}": percent, f"DCGM_FI_DEV_FB_USED{labels}": 1024}


def request(
    job: int,
    attempt: int = 1,
    *,
    team: str = "default",
    cores: float = 2,
    memory: float = 2**30,
) -> Mapping[str, Value]:
    """What kube-state-metrics tells of an attempt's pod."""
    pod = f'namespace="sen-{team}", pod="sentinels-{job}-{attempt}-x7k2p"'
    asked = f'kube_pod_container_resource_requests{{{pod}, container="main", resource="%s"}}'
    return {
        asked % "cpu": cores,
        asked % "memory": memory,
        asked % "nvidia_com_gpu": 1,
        f'kube_pod_status_phase{{{pod}, phase="Running"}}': 1,
    }


def machine(node: str = "n1") -> Mapping[str, Value]:
    """What the node exporter and a kubelet tell of a node and its volumes."""
    root = f'{{node="{node}", mountpoint="/"}}'
    claim = f'{{node="{node}", namespace="sentinels", persistentvolumeclaim="data-postgresql-0"}}'
    return {
        f'node_cpu_seconds_total{{node="{node}", cpu="0", mode="idle"}}': growing(0.7),
        f'node_memory_MemAvailable_bytes{{node="{node}"}}': 3e9,
        f'node_memory_MemTotal_bytes{{node="{node}"}}': 8e9,
        f"node_filesystem_avail_bytes{root}": 6e10,
        f"node_filesystem_size_bytes{root}": 1e11,
        f"kubelet_volume_stats_used_bytes{claim}": 2e9,
        f"kubelet_volume_stats_available_bytes{claim}": 8e9,
        f"kubelet_volume_stats_capacity_bytes{claim}": 1e10,
        f'kube_node_status_condition{{node="{node}", condition="Ready", status="true"}}': 1,
    }


def _at(value: Value, seconds: float) -> float:
    return value(seconds) if callable(value) else value


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    exporter: Exporter


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        body = self.server.exporter.page().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
