"""Every value does something: changed alone, it changes what is installed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from tests.chart.cases import overlaid
from tests.chart.rendering import CHART, Helm, Refused, Release
from tests.chart.test_values_schema import DEFAULTS, Leaf, leaves, nested

_EXTERNAL: dict[str, Any] = {
    "postgresql": {
        "enabled": False,
        "external": {"existingSecret": "", "url": "postgresql://a@b/c", "mlflowUrl": "x://a@b/d"},
    }
}
# Where a value says something: one of these must change.
_SURROUNDINGS: Mapping[str, dict[str, Any]] = {
    "knative": {},
    "deployment": {"functions": {"runtime": "deployment"}},
    "ingress": {"functions": {"runtime": "deployment"}, "ingress": {"enabled": True}},
    "node port": {"functions": {"runtime": "deployment", "service": {"type": "NodePort"}}},
    "both": {"postgresql": {"external": _EXTERNAL["postgresql"]["external"]}},
    "slack": {"slack": {"token": "xoxb-1"}},
    "slack's secret": {"slack": {"existingSecret": "your-slack"}},
    "no alertmanager": {"alertmanager": {"enabled": False}},
    "all external": {
        **_EXTERNAL,
        **{
            name: {"enabled": False}
            for name, values in DEFAULTS.items()
            if isinstance(values, Mapping) and "external" in values and name != "postgresql"
        },
    },
}
# Of another kind than its default, or one of few.
_OTHERS: Mapping[str, object] = {
    "alertmanager.slackKey": "webhook",
    "functions.runtime": "deployment",
    "functions.service.type": "NodePort",
    "functions.service.nodePort": 30123,
    "functions.tick.dispatch": "*/7 * * * * *",
    "functions.tick.notify": "*/7 * * * * *",
    "image.pullPolicy": "Always",
    "imagePullSecrets": ["your-registry"],
    "knative.install.configMaps": ["your-knative"],
    "prometheus.dcgm.targets": ["gpu-1:9400"],
    "knative.install.manifests": [{"url": "https://example.test/one.yaml"}],
    "bootstrap.timeout": "7m",
    "settings": {"lease_seconds": 7},
    "slack.token": "xoxb-7",
    "slack.webhook": "https://hooks.example.test/7",
    "policy": {"ageing": {"every": "7h"}},
    "teams": [{"name": "other", "users": ["ada"]}],
}


# Parts of those that end in Secrets.
_MARKS = ("xoxb-7", "test/7", "other.example", "+other:")


def other(leaf: Leaf) -> object:
    """A value that is allowed there, and not the default."""
    if leaf.path in _OTHERS:
        return _OTHERS[leaf.path]
    last = leaf.path.rsplit(".", 1)[-1]
    if isinstance(leaf.value, bool):
        return not leaf.value
    if isinstance(leaf.value, int):
        return leaf.value + 1
    words = {
        "annotations": {"example.test/other": "yes"},
        "requests": {"cpu": "11m", "memory": "111Mi"},
        "limits": {"memory": "33Gi"},
        "size": "7Gi",
        "schedule": "7 7 * * *",
        "retention": "7d",
        "image": "registry.example.test/other:7",
    }
    if last in words:
        return words[last]
    return "https://other.example.test" if last.lower().endswith("url") else "other"


def _text(release: Release) -> str:
    """What is installed, but for passwords, which are new each time."""
    shown = [
        {**each, "stringData": sorted(each["stringData"])} if "stringData" in each else each
        for each in release.everything
    ]
    given = [
        text
        for each in release.objects
        for text in each.get("stringData", {}).values()
        if "7" in text or "other" in text
    ]
    marks = [
        mark for mark in ("xoxb-7", "test/7", "other.example", "+other:") if mark in " ".join(given)
    ]
    return json.dumps([shown, marks]) + release.notes


@pytest.mark.parametrize("leaf", list(leaves(DEFAULTS)), ids=lambda leaf: leaf.path)
def test_every_value_changes_what_is_installed(helm: Helm, leaf: Leaf) -> None:
    for surroundings in _SURROUNDINGS.values():
        before = _text(helm.release(surroundings))
        changed = overlaid(surroundings, nested(leaf.path, other(leaf)))
        with suppress(Refused):  # it goes with other surroundings
            if _text(helm.release(changed)) != before:
                return
    pytest.fail(f"{leaf.path} does nothing in {CHART.name}")
