"""The alerts fire when they should and are silent when they should be, as promtool sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chart.manifests import of_kind
from tests.chart.promtool import ALERTS, check, promtool, rules_of, told
from tests.chart.rendering import Helm


@dataclass(frozen=True)
class Tale:
    """Samples a minute apart on a bad and on a good day, and when the alert must fire at last."""

    ill: Mapping[str, str]
    well: Mapping[str, str]
    after: str


def _steady(series: str, ill: str, well: str, after: str) -> Tale:
    return Tale({series: f"{ill}x60"}, {series: f"{well}x60"}, after)


_PASS = 'sentinels_last_pass_timestamp_seconds{pod="a"}'
_TICK = 'sentinels_tick_seconds{source="tick:dispatch"}'
_HEARD = 'sentinels_source_heard_timestamp_seconds{source="tick:dispatch"}'
_DISK = 'node_filesystem_%s_bytes{node="n1", mountpoint="/"}'
_VOLUME = 'kubelet_volume_stats_%s_bytes{namespace="s", persistentvolumeclaim="data"}'
_NODE_READY = 'kube_node_status_condition{node="n1", condition="Ready", status="true"}'
_BLOCKED = 'sentinels_queue_blocked{why="%s"}'
_NODES = 'sentinels_nodes{state="ready"}'
_NOW = "0+60x60"
TALES: Mapping[str, Tale] = {
    "SentinelsIsSilent": Tale({"up": "1x60"}, {_PASS: _NOW}, "6m"),
    "SentinelsDatabaseIsDown": _steady('sentinels_database_up{pod="a"}', "0", "1", "2m"),
    "SentinelsMakesNoPass": Tale(
        {_PASS: "0x60", _TICK: "10x60"}, {_PASS: _NOW, _TICK: "10x60"}, "4m"
    ),
    "SentinelsSourceIsSilent": Tale(
        {_HEARD: "0x60", _TICK: "10x60"}, {_HEARD: _NOW, _TICK: "10x60"}, "7m"
    ),
    "SentinelsJobEventsAreSilent": _steady("sentinels_unheard_moves", "2", "0", "16m"),
    "SentinelsOutboxIsStuck": _steady(
        'sentinels_outbox_lag_seconds{channel="messenger"}', "1000", "20", "6m"
    ),
    "SentinelsHasDeadLetters": _steady("sentinels_dead_letters_last_day", "3", "0", "2m"),
    "SentinelsLaunchesAreAbandoned": _steady("sentinels_abandoned_launches", "1", "0", "11m"),
    "SentinelsJobWaitsLong": _steady(
        'sentinels_queue_oldest_seconds{priority="low"}', "50000", "7200", "11m"
    ),
    "SentinelsResourcesAreUsedUp": Tale(
        {_BLOCKED % "no_gpu": "4x60", _NODES: "2x60"},
        {_BLOCKED % "no_gpu": "0x3 4x15 0x40", _BLOCKED % "impossible": "3x60", _NODES: "2x60"},
        "21m",
    ),
    "SentinelsDatabaseIsNearlyFull": Tale(
        {"sentinels_database_bytes": "9e9x60", "sentinels_database_limit_bytes": "1e10x60"},
        {"sentinels_database_bytes": "5e9x60", "sentinels_database_limit_bytes": "1e10x60"},
        "11m",
    ),
    "NodeIsNotReady": _steady(_NODE_READY, "0", "1", "6m"),
    "NodeDiskIsNearlyFull": Tale(
        {_DISK % "avail": "9x60", _DISK % "size": "100x60"},
        {_DISK % "avail": "11x60", _DISK % "size": "100x60"},
        "11m",
    ),
    "VolumeIsNearlyFull": Tale(
        {_VOLUME % "available": "9x60", _VOLUME % "capacity": "100x60"},
        {_VOLUME % "available": "50x60", _VOLUME % "capacity": "100x60"},
        "11m",
    ),
}
# Passes every five minutes, where dispatch sleeps for four of them.
_SLOW = " ".join(f"{300 * each} {300 * each} _x3" for each in range(12))


def _firing(name: str, at: str, count: int) -> Mapping[str, object]:
    expr = f'count(ALERTS{{alertname="{name}", alertstate="firing"}})'
    return told(expr, at, {"{}": count} if count else {})


def test_every_alert_has_a_tale() -> None:
    rules = rules_of(ALERTS)
    assert [rule["alert"] for rule in rules] == list(TALES)
    for rule in rules:
        labels, annotations = rule["labels"], rule["annotations"]
        assert isinstance(labels, dict)
        assert isinstance(annotations, dict)
        assert annotations.keys() == {"summary", "description"}, rule["alert"]
        assert labels["severity"] in {"critical", "warning"}, rule["alert"]


@pytest.mark.parametrize("name", TALES)
def test_an_alert_fires_in_its_time_and_not_on_a_good_day(name: str, tmp_path: Path) -> None:
    tale = TALES[name]
    check(tmp_path, tale.ill, [_firing(name, "0m", 0), _firing(name, tale.after, 1)])
    check(tmp_path, tale.well, [_firing(name, at, 0) for at in ("0m", "20m", "35m", "59m")])


def test_on_a_good_day_with_everything_told_nothing_fires(tmp_path: Path) -> None:
    series: dict[str, str] = {}
    for tale in TALES.values():
        series |= tale.well
    del series[_BLOCKED % "impossible"]
    expected = told('count(ALERTS{alertstate="firing"})', "59m", {})
    check(tmp_path, series, [expected])


def test_slow_ticks_and_sleeping_functions_alone_wake_nobody(tmp_path: Path) -> None:
    series = {
        _PASS: _SLOW,
        _HEARD: _SLOW,
        _TICK: "300 300 _x58",
        'sentinels_database_up{pod="a"}': "1 1 _x3 " * 12,
    }
    quiet = [told('count(ALERTS{alertstate="firing"})', f"{at}m", {}) for at in range(3, 60, 4)]
    check(tmp_path, series, quiet)


def test_a_slow_clock_that_stops_is_told_after_three_ticks(tmp_path: Path) -> None:
    series = {_PASS: "0 0 _x58", _TICK: "300 300 _x58"}
    name = "SentinelsMakesNoPass"
    check(tmp_path, series, [_firing(name, "15m", 0), _firing(name, "18m", 1)])


def test_what_one_pod_told_and_another_tells_anew_is_believed_at_once(tmp_path: Path) -> None:
    name = "SentinelsOutboxIsStuck"
    series = {
        'sentinels_outbox_lag_seconds{channel="usage", pod="old"}': "1000x12 stale",
        'sentinels_outbox_lag_seconds{channel="usage", pod="new"}': "_x13 0x40",
    }
    check(tmp_path, series, [_firing(name, "10m", 1), _firing(name, "14m", 0)])


def test_a_function_that_falls_asleep_takes_no_alert_back_and_raises_none(tmp_path: Path) -> None:
    name = "SentinelsJobWaitsLong"
    asleep = "50000 _x4 " * 12
    check(
        tmp_path,
        {'sentinels_queue_oldest_seconds{priority="low"}': asleep},
        [_firing(name, f"{at}m", 1) for at in (12, 33, 44)],
    )


def test_a_full_cluster_without_a_ready_node_is_another_trouble(tmp_path: Path) -> None:
    series = {_BLOCKED % "no_cpu": "4x60", _NODES: "0x60"}
    check(tmp_path, series, [_firing("SentinelsResourcesAreUsedUp", "40m", 0)])


def test_prometheus_takes_its_settings(helm: Helm, tmp_path: Path) -> None:
    values = {"prometheus": {"dcgm": {"discover": True, "targets": ["gpu-1:9400"]}}}
    for number, release in enumerate((helm.release({}), helm.release(values))):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = {each["metadata"]["name"]: each for each in of_kind(release.objects, "ConfigMap")}
        for name, text in found["sentinels-prometheus"]["data"].items():
            (folder / name).write_text(text.replace("/etc/prometheus/", f"{folder}/"))
        promtool("check", "config", "--syntax-only", folder / "prometheus.yml")
        promtool("check", "rules", folder / "alerts.yml", folder / "recording.yml")
