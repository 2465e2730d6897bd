"""The dashboards: made by the code beside the chart, sound, and shown by its Grafana."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from helm.dashboards.__main__ import DASHBOARDS, FOLDER, texts

from tests.chart.manifests import of_kind
from tests.chart.rendering import Helm, Manifest

_NAMES = sorted(DASHBOARDS)


def dashboard(name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / name).read_text("utf-8")))


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All of them, those in a row that is folded too."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def test_the_files_are_what_the_code_makes() -> None:
    assert {file.name: file.read_text("utf-8") for file in FOLDER.iterdir()} == texts()


def test_every_dashboard_has_a_name_of_its_own_that_links_may_use() -> None:
    boards = [dashboard(name) for name in _NAMES]
    assert len({board["uid"] for board in boards}) == len(boards)
    assert len({board["title"] for board in boards}) == len(boards)
    assert all(board["uid"].startswith("sentinels-") for board in boards)
    assert all(board["tags"] == ["sentinels"] for board in boards)
    assert all("id" not in board for board in boards)


@pytest.mark.parametrize("name", _NAMES)
def test_every_panel_has_a_number_a_title_a_place_and_questions(name: str) -> None:
    found = list(panels(dashboard(name)))
    assert [
        panel for panel, times in Counter(each["id"] for each in found).items() if times > 1
    ] == []
    for panel in found:
        assert panel["title"]
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}
        assert panel["fieldConfig"]["defaults"]["unit"]
        letters = [target["refId"] for target in panel["targets"]]
        assert letters
        assert len(set(letters)) == len(letters)
        assert all(target["expr"] for target in panel["targets"])


@pytest.mark.parametrize("name", _NAMES)
def test_no_two_panels_are_in_one_place_and_none_is_beyond_the_edge(name: str) -> None:
    taken: Counter[tuple[int, int]] = Counter()
    for panel in panels(dashboard(name)):
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken.update((at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"]))
    assert [place for place, times in taken.items() if times > 1] == []


@pytest.mark.parametrize("name", _NAMES)
def test_questions_name_only_choices_that_the_dashboard_has(name: str) -> None:
    board = dashboard(name)
    choices = {each["name"] for each in board["templating"].get("list", [])}
    for panel in panels(board):
        for target in panel.get("targets", []):
            named = {word.split('"')[0] for word in target["expr"].split("$")[1:]}
            own = {each for each in named if not each.startswith("__")}
            assert own <= choices, panel["title"]


def _grafana(helm: Helm, values: Manifest) -> tuple[dict[str, Manifest], Manifest]:
    objects = helm.release(values).objects
    maps = {
        each["metadata"]["name"]: each
        for each in of_kind(objects, "ConfigMap")
        if "grafana" in each["metadata"]["name"]
    }
    [found] = [
        each
        for each in of_kind(objects, "Deployment")
        if each["metadata"]["name"] == "sentinels-grafana"
    ]
    return maps, found


def test_grafana_is_given_every_dashboard_and_told_where_they_are(helm: Helm) -> None:
    maps, deployment = _grafana(helm, {})
    shown = maps["sentinels-grafana-dashboards"]["data"]
    assert {name: json.loads(text) for name, text in shown.items()} == {
        name: dashboard(name) for name in _NAMES
    }
    provider = yaml.safe_load(maps["sentinels-grafana"]["data"]["dashboards.yaml"])
    path = provider["providers"][0]["options"]["path"]
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes[mounts[path]]["configMap"]["name"] == "sentinels-grafana-dashboards"
    home = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    assert home["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{path}/queue.json"
    sources = yaml.safe_load(maps["sentinels-grafana"]["data"]["sources.yaml"])
    uids = {source["uid"] for source in sources["datasources"]}
    asked = {
        panel["datasource"]["uid"]
        for name in _NAMES
        for panel in panels(dashboard(name))
        if "datasource" in panel
    }
    assert asked <= uids


def test_without_a_prometheus_there_is_nothing_to_show(helm: Helm) -> None:
    maps, _ = _grafana(helm, {"prometheus": {"enabled": False}})
    assert set(maps) == {"sentinels-grafana"}
    assert "dashboards.yaml" not in maps["sentinels-grafana"]["data"]
