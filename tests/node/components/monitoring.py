"""What watches and alerts, behind the interfaces of the official images.

Comes in: Prometheus and kube-state-metrics, built from Go modules (Debian's Prometheus does not
know Kubernetes); Alertmanager and the node exporter of Debian's packages. Goes out: images.
Before: ``layer``, ``tests.node.images``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.chart.programs import chart_programs, prometheus_programs
from tests.node.components import layer as layers
from tests.node.images import Image, cached

PROMETHEUS_IMAGE = "localhost/prometheus:test"
ALERTMANAGER_IMAGE = "localhost/alertmanager:test"
NODE_EXPORTER_IMAGE = "localhost/node-exporter:test"
KUBE_STATE_METRICS_IMAGE = "localhost/kube-state-metrics:test"
_NOBODY = 65534


@dataclass(frozen=True)
class _Part:
    """Its programs by their places in the image, each with where it is found here; its command."""

    name: str
    programs: Mapping[str, Callable[[], Path]]
    command: tuple[str, ...] = ()
    data: str = ""
    shared: tuple[str, ...] = field(default=())


def _packaged(program: str, package: str) -> Callable[[], Path]:
    return partial(layers.need_program, program, package)


_PROMETHEUS = _Part(
    "prometheus",
    {
        "bin/prometheus": lambda: prometheus_programs() / "prometheus",
        "bin/promtool": lambda: prometheus_programs() / "promtool",
    },
    ("--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"),
    "prometheus",
)
_ALERTMANAGER = _Part(
    "alertmanager",
    {
        "bin/alertmanager": _packaged("prometheus-alertmanager", "prometheus-alertmanager"),
        "bin/amtool": _packaged("amtool", "prometheus-alertmanager"),
    },
    ("--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"),
    "alertmanager",
    ("usr/share/prometheus/alertmanager",),
)
_NODE_EXPORTER = _Part(
    "node.exporter",
    {"bin/node_exporter": _packaged("prometheus-node-exporter", "prometheus-node-exporter")},
)
_KUBE_STATE_METRICS = _Part(
    "kube.state.metrics",
    {"kube-state-metrics": lambda: chart_programs() / "kube-state-metrics"},
)


def prometheus_image(name: str = PROMETHEUS_IMAGE) -> Image:
    """Its configuration is /etc/prometheus/prometheus.yml; its port 9090."""
    return _image(name, _PROMETHEUS)


def alertmanager_image(name: str = ALERTMANAGER_IMAGE) -> Image:
    """Its configuration is /etc/alertmanager/alertmanager.yml; its port 9093."""
    return _image(name, _ALERTMANAGER)


def node_exporter_image(name: str = NODE_EXPORTER_IMAGE) -> Image:
    """Its port is 9100."""
    return _image(name, _NODE_EXPORTER)


def kube_state_metrics_image(name: str = KUBE_STATE_METRICS_IMAGE) -> Image:
    """Its ports are 8080 and 8081."""
    return _image(name, _KUBE_STATE_METRICS)


def _image(name: str, part: _Part) -> Image:
    own = Path(__file__).read_text() + Path(layers.__file__).read_text()
    programs = {target: find() for target, find in part.programs.items()}
    digests = [hashlib.sha256(each.read_bytes()).hexdigest() for each in programs.values()]
    made_of = own + part.name + "".join(digests)
    return Image(
        name,
        (cached(part.name, made_of, lambda at: _write(at, part, programs)),),
        part.command,
        folder=f"/{part.data}",
        user="nobody",
        entrypoint=(f"/{next(iter(part.programs))}",),
        environment=("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",),
    )


def _write(target: Path, part: _Part, programs: Mapping[str, Path]) -> None:
    with layers.new_layer(target) as layer:
        layer.shell()
        layer.users("nobody", _NOBODY, "/home")
        for name, source in programs.items():
            layer.program(source, name)
        for folder in part.shared:
            layer.tree(Path("/", folder), folder)
        if part.data:
            layer.open_folder(part.data)
            layer.folder(f"etc/{part.data}")
