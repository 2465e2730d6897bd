"""What docs/monitoring.md says is what there is; its metrics: tests/integration/test_metrics.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FILES = ROOT / "helm" / "sentinels" / "files"
TEXT = (ROOT / "docs" / "monitoring.md").read_text("utf-8")


def rules(name: str) -> list[dict[str, object]]:
    groups = yaml.safe_load((FILES / name).read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_alert_is_there_in_its_order() -> None:
    rows = re.findall(r"^\| `([A-Z]\w+)` \| ", TEXT, re.MULTILINE)
    assert rows == [rule["alert"] for rule in rules("alerts.yml")]


def test_every_rule_by_job_is_named_and_every_other_is_a_metric_of_ours() -> None:
    part = TEXT.split("## Recording rules")[1].split("##")[0]
    for rule in rules("recording.yml"):
        family, _, name = str(rule["record"]).partition(":")
        if family == "sentinels_job":
            assert f"`{name}`" in part
        else:
            assert re.search(rf"^\| `sentinels_{name}[`{{]", TEXT, re.MULTILINE), name


def test_every_dashboard_is_named() -> None:
    for file in (FILES / "dashboards").iterdir():
        title = json.loads(file.read_text("utf-8"))["title"].removeprefix("Sentinels / ")
        assert f"`{title}`" in TEXT


def test_every_value_that_is_named_is_one() -> None:
    values = yaml.safe_load((FILES.parent / "values.yaml").read_text("utf-8"))
    named = set(re.findall(r"`((?:prometheus|alertmanager|functions)\.[\w.]+)", TEXT))
    assert named
    for path in named:
        found = values
        for step in path.split("."):
            found = found[step]
