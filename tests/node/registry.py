"""A real image registry on a test's segment, and how an image gets into it.

Comes in: a segment, images. Goes out: references that a node pulls. Before: ``conftest``.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster.part import Part
from tests.cluster.programs import need
from tests.node.images import Image
from tests.node.network import Segment

_SECONDS = 60.0
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """``start`` it, ``push`` into it; ``stop`` it: what it held is there when it starts again."""

    def __init__(self, segment: Segment, host: str) -> None:
        """``host`` is the name in image references; nodes are told the address behind it."""
        self.host, self.segment = host, segment
        self._folder = segment.folder / "registry"
        self._folder.mkdir(exist_ok=True)
        with socket.create_server((segment.address, 0)) as found:
            self._at = f"{segment.address}:{found.getsockname()[1]}"
        self._part = Part(self._folder, "registry")

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self._at}"

    def start(self) -> Registry:
        """Return when it answers."""
        config = {
            "version": 0.1,
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": str(self._folder / "content")}},
            "http": {"addr": self._at},
        }
        file = self._folder / "config.yml"
        file.write_text(json.dumps(config))
        self._part.start([need("docker-registry"), "serve", str(file)])
        self._part.await_ready(self._answers)
        return self

    def stop(self) -> None:
        """It answers no longer."""
        self._part.stop()

    def push(self, image: Image, name: str) -> str:
        """Have the image as ``name`` (``team/image:tag``); its reference with the digest."""
        repository, _, tag = name.partition(":")
        layers = [
            _blob(_LAYER, self._upload(repository, digest, layer.read_bytes()), layer)
            for digest, layer in zip(image.digests, image.layers, strict=True)
        ]
        digest = hashlib.sha256(image.config).hexdigest()
        config = {"mediaType": _CONFIG, "digest": self._upload(repository, digest, image.config)}
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {**config, "size": len(image.config)},
            "layers": layers,
        }
        path = f"/v2/{repository}/manifests/{tag or 'latest'}"
        answer = self._ask("PUT", path, json.dumps(manifest).encode(), {"Content-Type": _MANIFEST})
        return f"{self.host}/{name}@{answer['docker-content-digest']}"

    def _upload(self, repository: str, digest: str, content: bytes) -> str:
        begun = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        where = urlsplit(begun["location"])
        path = f"{where.path}?{where.query}&digest=sha256:{digest}"
        kind = {"Content-Type": "application/octet-stream"}
        self._ask("PUT", path, content, kind)
        return f"sha256:{digest}"

    def _answers(self) -> bool:
        try:
            self._ask("GET", "/v2/")
        except OSError:
            return False
        return True

    def _ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        connection = http.client.HTTPConnection(self._at, timeout=_SECONDS)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            said = answer.read()
            assert answer.status < 300, f"{method} {path}: {answer.status} {said!r}"
            return {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()


def _blob(kind: str, digest: str, path: Path) -> dict[str, str | int]:
    return {"mediaType": kind, "digest": digest, "size": path.stat().st_size}
