"""The chart as helm renders it: what a person's `helm install` would send.

Comes in: a release's name, namespace and values. Goes out: its objects, hooks, notes, and the
documents that its bootstrap applies. Next: ``manifests``, which looks into objects; the tests.
"""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "sentinels"
Manifest = dict[str, Any]  # whatever YAML holds; the schemas are Kubernetes's
Values = Mapping[str, Any]  # as in values.yaml
_SECONDS = 60.0


class Refused(Exception):
    """Helm's own words."""


class _Strict(yaml.CSafeLoader):
    """YAML as the API server's strict decoding takes it: no key twice."""


def _mapping(loader: _Strict, node: yaml.MappingNode) -> Manifest:
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = {str(key) for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"twice: {twice}", node.start_mark)
    return {str(k): v for k, v in loader.construct_mapping(node, deep=True).items()}


_Strict.add_constructor("tag:yaml.org,2002:map", _mapping)
_Strict.add_constructor("tag:yaml.org,2002:timestamp", _Strict.construct_yaml_str)


def documents(text: str) -> list[Any]:
    """What is in a YAML stream. Raises ``yaml.YAMLError``, also for a key that is there twice."""
    return [each for each in yaml.load_all(text, _Strict) if each is not None]


@dataclass(frozen=True)
class Release:
    """What one `helm install` would do: ``answer`` is its JSON."""

    answer: Manifest

    @property
    def namespace(self) -> str:
        """Where it is installed."""
        return str(self.answer["namespace"])

    @property
    def notes(self) -> str:
        """What is printed at the end."""
        return str(self.answer["info"].get("notes", ""))

    @property
    def size(self) -> int:
        """Bytes of it in the Secret in which helm keeps it."""
        packed = gzip.compress(json.dumps(self.answer).encode(), 9)
        return len(base64.b64encode(packed))

    @cached_property
    def hooks(self) -> list[Manifest]:
        """Helm's own description of each hook."""
        return list(self.answer.get("hooks") or [])

    @cached_property
    def objects(self) -> list[Manifest]:
        """Everything that is sent to the cluster, hooks too."""
        texts = (self.answer["manifest"], *(hook["manifest"] for hook in self.hooks))
        return [each for text in texts for each in documents(text)]

    @cached_property
    def applied(self) -> list[Manifest]:
        """What the bootstrap applies later: objects that are kept as text in a ConfigMap."""
        found = [each for _, text in config_files(self.objects) for each in documents(text)]
        return [each for each in found if is_object(each)]

    @cached_property
    def everything(self) -> list[Manifest]:
        """Objects of both kinds."""
        return [*self.objects, *self.applied]


def is_object(document: object) -> bool:
    """Whether it is Kubernetes's; other programs' files have an ``apiVersion: 1``, too."""
    return isinstance(document, dict) and all(
        isinstance(document.get(key), str) for key in ("apiVersion", "kind")
    )


def config_files(objects: list[Manifest]) -> Iterator[tuple[str, str]]:
    """The YAML files in ConfigMaps, by what they are called."""
    for each in objects:
        if each["kind"] == "ConfigMap":
            for name, text in each.get("data", {}).items():
                if name.endswith((".yaml", ".yml")):
                    yield f"{each['metadata']['name']}/{name}", text


@dataclass(frozen=True)
class Helm:
    """The program, and the chart that it is asked about."""

    program: Path
    home: Path
    chart: Path = CHART
    _kept: dict[str, Release] = field(default_factory=dict)

    def release(
        self, values: Values | None = None, *, name: str = "sentinels", namespace: str = "sentinels"
    ) -> Release:
        """What an install would do, rendered once a session. Raises ``Refused``."""
        key = json.dumps([values, name, namespace], sort_keys=True)
        if key not in self._kept:
            self._kept[key] = self.fresh_release(values, name=name, namespace=namespace)
        return self._kept[key]

    def fresh_release(
        self, values: Values | None = None, *, name: str = "sentinels", namespace: str = "sentinels"
    ) -> Release:
        """The same, rendered now."""
        words = ("install", name, str(self.chart), "--dry-run=client", "-o", "json")
        return Release(json.loads(self(*words, "--namespace", namespace, values=values)))

    def __call__(self, *words: str, values: Values | None = None) -> str:
        """What helm says to a command. Raises ``Refused``."""
        with tempfile.NamedTemporaryFile("w", dir=self.home, suffix=".yaml") as file:
            json.dump(values or {}, file)  # which is YAML
            file.flush()
            given = () if values is None else ("--values", file.name)
            done = subprocess.run(
                [self.program, *words, *given],
                env={"HOME": str(self.home), "HELM_NO_PLUGINS": "1"},
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        if done.returncode != 0:
            raise Refused(done.stdout + done.stderr)
        return done.stdout
