"""A real image registry on the node's bridge.

Comes in: docker archives. Goes out: images that the node pulls from ``ADDRESS:5000``. Next:
``conftest``.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import tarfile
from pathlib import Path

from tests.cluster.part import Part
from tests.cluster.programs import need
from tests.node.machine import ADDRESS

PORT = 5000
_SETTINGS = """
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}/images}}}}
http: {{addr: "{address}:{port}"}}
"""
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


class Registry:
    """``start`` it, ``push`` to it, ``stop`` it."""

    def __init__(self, folder: Path) -> None:
        """Its images lie in ``folder``."""
        self._folder = folder
        self._part = Part(folder, "registry")

    def start(self) -> Registry:
        """Return when it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._folder / "registry.yml"
        settings.write_text(_SETTINGS.format(folder=self._folder, address=ADDRESS, port=PORT))
        self._part.start([need("docker-registry"), "serve", str(settings)])
        self._part.await_ready(lambda: self._ask("GET", "/v2/") == 200)
        return self

    def stop(self) -> None:
        """It does not answer any more."""
        self._part.stop()

    def push(self, archive: bytes, repository: str, tag: str) -> str:
        """The image of a docker archive; how the node names it."""
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            [image] = json.loads(_content(packed, "manifest.json"))
            config = _content(packed, image["Config"])
            layers = [_content(packed, name) for name in image["Layers"]]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._blob(repository, config, _CONFIG),
            "layers": [self._blob(repository, layer, _LAYER) for layer in layers],
        }
        path = f"/v2/{repository}/manifests/{tag}"
        assert self._ask("PUT", path, json.dumps(manifest).encode(), _MANIFEST) == 201
        return f"{ADDRESS}:{PORT}/{repository}:{tag}"

    def _blob(self, repository: str, content: bytes, kind: str) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=60)
        try:
            connection.request("POST", f"/v2/{repository}/blobs/uploads/")
            begun = connection.getresponse()
            begun.read()
            where = str(begun.headers["Location"]).partition(f":{PORT}")[2]
        finally:
            connection.close()
        path = f"{where}{'&' if '?' in where else '?'}digest={digest}"
        assert self._ask("PUT", path, content, "application/octet-stream") == 201
        return {"mediaType": kind, "size": len(content), "digest": digest}

    def _ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> int:
        connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=60)
        try:
            connection.request(method, path, body or None, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except OSError:
            return 0
        finally:
            connection.close()


def _content(packed: tarfile.TarFile, name: str) -> bytes:
    file = packed.extractfile(name)
    assert file is not None
    return file.read()
