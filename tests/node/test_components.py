"""The images of the chart's parts: each can be made here, and holds what its containers start."""

from __future__ import annotations

import json
import tarfile
from collections import Counter

import pytest
from tests.node.components import COMPONENTS
from tests.node.images import cached_archive

pytestmark = pytest.mark.node

_STARTS = {
    "postgres": "usr/local/bin/docker-entrypoint.sh",
    "mlflow": "usr/local/bin/mlflow",
    "prometheus": "bin/prometheus",
    "alertmanager": "bin/alertmanager",
    "node-exporter": "bin/node_exporter",
    "kube-state-metrics": "kube-state-metrics",
    "search": "usr/local/bin/docker-entrypoint.sh",
}


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_components_image_is_made_here_and_holds_its_program_once(name: str) -> None:
    image = COMPONENTS[name]()
    with tarfile.open(cached_archive(image)) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        assert json.load(manifest)[0]["RepoTags"] == [f"localhost/{name}:test"]
    found: set[str] = set()
    for layer in image.layers:
        with tarfile.open(layer) as content:
            names = Counter(content.getnames())
        assert [each for each, times in names.items() if times > 1] == []
        found.update(names)
    assert _STARTS[name] in found
