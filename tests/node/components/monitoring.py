"""Prometheus, Alertmanager and the node exporter behind the interfaces of their official images.

Comes in: the programs of Debian's packages. Goes out: images. Before: ``layer``,
``tests.node.images``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.node.components import layer as layers
from tests.node.images import Image, cached

PROMETHEUS_IMAGE = "localhost/prometheus:test"
ALERTMANAGER_IMAGE = "localhost/alertmanager:test"
NODE_EXPORTER_IMAGE = "localhost/node-exporter:test"
_NOBODY = 65534


@dataclass(frozen=True)
class _Part:
    """Debian's package, its programs by their names in the image, and the image's own."""

    package: str
    programs: Mapping[str, str]
    command: tuple[str, ...] = ()
    data: str = ""
    shared: tuple[str, ...] = field(default=())


_PROMETHEUS = _Part(
    "prometheus",
    {"prometheus": "prometheus", "promtool": "promtool"},
    ("--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"),
    "prometheus",
    ("usr/share/prometheus/web",),
)
_ALERTMANAGER = _Part(
    "prometheus-alertmanager",
    {"alertmanager": "prometheus-alertmanager", "amtool": "amtool"},
    ("--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"),
    "alertmanager",
    ("usr/share/prometheus/alertmanager",),
)
_NODE_EXPORTER = _Part("prometheus-node-exporter", {"node_exporter": "prometheus-node-exporter"})


def prometheus_image(name: str = PROMETHEUS_IMAGE) -> Image:
    """Its configuration is /etc/prometheus/prometheus.yml; its port 9090."""
    return _image(name, _PROMETHEUS)


def alertmanager_image(name: str = ALERTMANAGER_IMAGE) -> Image:
    """Its configuration is /etc/alertmanager/alertmanager.yml; its port 9093."""
    return _image(name, _ALERTMANAGER)


def node_exporter_image(name: str = NODE_EXPORTER_IMAGE) -> Image:
    """Its port is 9100."""
    return _image(name, _NODE_EXPORTER)


def _image(name: str, part: _Part) -> Image:
    own = Path(__file__).read_text() + Path(layers.__file__).read_text()
    programs = {
        target: layers.need_program(source, part.package)
        for target, source in part.programs.items()
    }
    digests = [hashlib.sha256(each.read_bytes()).hexdigest() for each in programs.values()]
    made_of = own + repr(part) + "".join(digests)
    return Image(
        name,
        (cached(part.package.replace("-", "."), made_of, lambda at: _write(at, part, programs)),),
        part.command,
        folder=f"/{part.data}",
        user="nobody",
        entrypoint=(f"/bin/{next(iter(part.programs))}",),
        environment=("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",),
    )


def _write(target: Path, part: _Part, programs: Mapping[str, Path]) -> None:
    with layers.new_layer(target) as layer:
        layer.shell()
        layer.users("nobody", _NOBODY, "/home")
        for name, source in programs.items():
            layer.program(source, f"bin/{name}")
        for folder in part.shared:
            layer.tree(Path("/", folder), folder)
        if part.data:
            layer.open_folder(part.data)
            layer.folder(f"etc/{part.data}")
