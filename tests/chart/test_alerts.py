"""The alerts fire when they should and are silent when they should be, as promtool sees it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.chart.manifests import of_kind
from tests.chart.programs import prometheus_programs
from tests.chart.rendering import CHART, Helm

_ALERTS = CHART / "files" / "alerts.yml"
_SECONDS = 60


@dataclass(frozen=True)
class Tale:
    """Samples a minute apart on a bad and on a good day, and when the alert must fire at last."""

    ill: Mapping[str, str]
    well: Mapping[str, str]
    after: str


def _steady(series: str, ill: str, well: str, after: str) -> Tale:
    return Tale({series: f"{ill}x30"}, {series: f"{well}x30"}, after)


_UP = 'up{job="sentinels", component="dispatch", pod="a"}'
_DISK = 'node_filesystem_%s_bytes{node="n1", mountpoint="/"}'
_VOLUME = 'kubelet_volume_stats_%s_bytes{namespace="s", persistentvolumeclaim="data"}'
_READY = 'kube_node_status_condition{node="n1", condition="Ready", status="true"}'
TALES: Mapping[str, Tale] = {
    "SentinelsIsSilent": _steady(_UP, "0", "1", "4m"),
    "SentinelsDatabaseIsDown": _steady('sentinels_database_up{pod="a"}', "0", "1", "2m"),
    "SentinelsMakesNoPass": Tale(
        {'sentinels_last_pass_age_seconds{pod="a"}': "0+60x30"},
        {'sentinels_last_pass_age_seconds{pod="a"}': "9+0x30"},
        "5m",
    ),
    "SentinelsSourceIsSilent": _steady(
        'sentinels_source_silent_seconds{source="tick.dispatch"}', "400", "12", "2m"
    ),
    "SentinelsOutboxIsStuck": _steady("sentinels_outbox_overdue_seconds", "700", "20", "6m"),
    "SentinelsHasDeadLetters": _steady("sentinels_dead_letters_last_day", "3", "0", "0m"),
    "SentinelsLaunchesAreAbandoned": _steady("sentinels_abandoned_launches", "1", "0", "11m"),
    "NodeIsNotReady": _steady(_READY, "0", "1", "6m"),
    "NodeDiskIsNearlyFull": Tale(
        {_DISK % "avail": "9x30", _DISK % "size": "100x30"},
        {_DISK % "avail": "11x30", _DISK % "size": "100x30"},
        "11m",
    ),
    "VolumeIsNearlyFull": Tale(
        {_VOLUME % "available": "9x30", _VOLUME % "capacity": "100x30"},
        {_VOLUME % "available": "50x30", _VOLUME % "capacity": "100x30"},
        "11m",
    ),
}


def _promtool(*words: str | Path) -> str:
    ran = subprocess.run(
        [prometheus_programs() / "promtool", *words],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def _check(
    folder: Path, series: Mapping[str, str], expected: Sequence[Mapping[str, object]]
) -> None:
    tests = {
        "rule_files": [str(_ALERTS)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": its} for name, its in series.items()],
                "promql_expr_test": list(expected),
            }
        ],
    }
    file = folder / "alerts.test.yml"
    file.write_text(yaml.safe_dump(tests))
    _promtool("test", "rules", file)


def _firing(name: str, at: str, count: int) -> Mapping[str, object]:
    samples = [{"labels": "{}", "value": count}] if count else []
    expr = f'count(ALERTS{{alertname="{name}", alertstate="firing"}})'
    return {"expr": expr, "eval_time": at, "exp_samples": samples}


def test_every_alert_has_a_tale() -> None:
    rules = [
        rule for group in yaml.safe_load(_ALERTS.read_text())["groups"] for rule in group["rules"]
    ]
    assert [rule["alert"] for rule in rules] == list(TALES)
    for rule in rules:
        assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]


@pytest.mark.parametrize("name", TALES)
def test_an_alert_fires_in_its_time_and_not_on_a_good_day(name: str, tmp_path: Path) -> None:
    tale = TALES[name]
    _check(tmp_path, tale.ill, [_firing(name, tale.after, 1)])
    _check(tmp_path, tale.well, [_firing(name, at, 0) for at in ("0m", "15m", "29m")])


def test_prometheus_takes_its_settings(helm: Helm, tmp_path: Path) -> None:
    release = helm.release({})
    found = {each["metadata"]["name"]: each for each in of_kind(release.objects, "ConfigMap")}
    for name, text in found["sentinels-prometheus"]["data"].items():
        (tmp_path / name).write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"))
    _promtool("check", "config", "--syntax-only", tmp_path / "prometheus.yml")
    _promtool("check", "rules", tmp_path / "alerts.yml")
