"""Logs as the chart arranges them: found in time, shaped for this release, shown in a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

from sentinels.install.plan import read_plan
from tests.chart.cases import Case
from tests.chart.rendering import CHART, Helm, Manifest, Release
from tests.chart.test_bootstrap import config


def data(release: Release, part: str) -> Manifest | None:
    """The data of a part's ConfigMap."""
    for each in release.objects:
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].endswith(f"-{part}"):
            return dict(each["data"])
    return None


def has_kibana(case: Case) -> bool:
    return bool(case.values.get("kibana", {}).get("enabled", True))


def test_a_new_containers_log_is_found_before_it_can_go(release: Release) -> None:
    settings = data(release, "fluent-bit")
    if settings is None:
        return
    found = re.search(r"Refresh_Interval +(\S+)", settings["fluent-bit.conf"])
    assert found
    assert float(found[1]) <= 0.5


def test_the_script_knows_what_the_teams_namespaces_begin_with(helm: Helm) -> None:
    values = {"settings": {"namespace_prefix": "lab-"}}
    settings = data(helm.release(values, name="sentinels", namespace="sentinels"), "fluent-bit")
    assert settings is not None
    assert 'local PREFIX = "lab-"' in settings["record.lua"]
    assert "_lab-*_main-" in settings["fluent-bit.conf"]
    own = data(helm.release({}, name="sentinels", namespace="sentinels"), "fluent-bit")
    assert own is not None
    assert own["record.lua"].strip() == (CHART / "files" / "record.lua").read_text().strip()


def test_the_bootstrap_brings_views_to_the_releases_own_kibana(
    release: Release, case: Case, tmp_path: Path
) -> None:
    for name, text in config(release)["data"].items():
        (tmp_path / name).write_text(text)
    plan = read_plan(tmp_path)
    assert bool(plan.kibana) is bool(plan.views) is has_kibana(case)
    if plan.kibana:
        services = {
            each["metadata"]["name"] for each in release.objects if each["kind"] == "Service"
        }
        assert plan.kibana.removeprefix("http://").partition(".")[0] in services


def test_a_views_references_lead_to_what_comes_with_it() -> None:
    lines = (CHART / "files" / "kibana.ndjson").read_text().splitlines()
    objects = {(each["type"], each["id"]): each for each in map(json.loads, lines)}
    assert set(objects) == {("index-pattern", "sentinels-logs"), ("search", "sentinels-logs")}
    for each in objects.values():
        for reference in each["references"]:
            assert (reference["type"], reference["id"]) in objects
    view = objects["search", "sentinels-logs"]
    source = json.loads(view["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    assert source["indexRefName"] in [each["name"] for each in view["references"]]


def test_status_links_to_the_view_where_a_browser_reaches_it(release: Release, case: Case) -> None:
    settings = data(release, "settings")
    assert settings is not None
    public = case.values.get("kibana", {}).get("publicUrl", "") if has_kibana(case) else ""
    link = settings.get("SENTINELS_LOGS_PAGE_URL", "")
    assert bool(link) is bool(public)
    if link:
        assert link.startswith(f"{public}/app/discover#/view/sentinels-logs?")
        assert "query:'job:{job}'" in unquote(link)


def test_another_page_may_be_named(helm: Helm) -> None:
    own = "https://dashboards.test/?job={job}"
    values = {"settings": {"logs_page_url": own}, "kibana": {"publicUrl": "https://kibana.test"}}
    settings = data(helm.release(values, name="sentinels", namespace="sentinels"), "settings")
    assert settings is not None
    assert settings["SENTINELS_LOGS_PAGE_URL"] == own
