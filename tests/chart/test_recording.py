"""What the recording rules make of samples of the kubelet, of the DCGM exporter and of ours."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.chart.manifests import of_kind
from tests.chart.promtool import RECORDING, check, rules_of, told
from tests.chart.rendering import Helm

_POD = 'namespace="sen-vision", pod="sentinels-12-3-x7k2p"'
_MAIN = f'{{{_POD}, container="main", node="n1"}}'
_OF_JOB = 'team="vision", sentinels_job="12", attempt="3"'


def _named(name: str) -> str:
    return f"sentinels_job:{name}{{{_OF_JOB}}}"


def test_an_attempt_is_found_by_its_pod_and_only_its_program_is_counted(tmp_path: Path) -> None:
    check(
        tmp_path,
        {
            f"container_cpu_usage_seconds_total{_MAIN}": "0+45x20",
            f'container_cpu_usage_seconds_total{{{_POD}, container="outputs"}}': "0+600x20",
            f'container_cpu_usage_seconds_total{{{_POD}, container=""}}': "0+645x20",
            f"container_memory_working_set_bytes{_MAIN}": "1e9x20",
            f'container_memory_working_set_bytes{{{_POD}, container="outputs"}}': "5e9x20",
        },
        [
            told("sentinels_job:cpu_cores", "10m", {_named("cpu_cores"): 0.75}),
            told("sentinels_job:cpu_seconds", "10m", {_named("cpu_seconds"): 450}),
            told("sentinels_job:memory_bytes", "10m", {_named("memory_bytes"): 1e9}),
        ],
    )


def test_what_is_scraped_twice_counts_once(tmp_path: Path) -> None:
    twice = {
        f'container_memory_working_set_bytes{{{_POD}, container="main", job="{job}"}}': "1e9x9"
        for job in ("containers", "kubelet")
    }
    network = {
        f'container_network_receive_bytes_total{{{_POD}, interface="eth0", job="{job}"}}': "0+60x9"
        for job in ("containers", "kubelet")
    }
    check(
        tmp_path,
        twice | network,
        [
            told("sentinels_job:memory_bytes", "5m", {_named("memory_bytes"): 1e9}),
            told("sentinels_job:received_bytes", "5m", {_named("received_bytes"): 1}),
        ],
    )


def test_the_network_is_the_pods_whatever_its_interfaces(tmp_path: Path) -> None:
    labels = f'{{{_POD}, interface="%s"}}'
    check(
        tmp_path,
        {
            "container_network_receive_bytes_total" + labels % "eth0": "0+6000x20",
            "container_network_receive_bytes_total" + labels % "net1": "0+600x20",
            "container_network_receive_bytes_total" + labels % "lo": "0+99999x20",
            "container_network_transmit_bytes_total" + labels % "eth0": "0+1200x20",
        },
        [
            told("sentinels_job:received_bytes", "10m", {_named("received_bytes"): 110}),
            told("sentinels_job:sent_bytes", "10m", {_named("sent_bytes"): 20}),
        ],
    )


def test_gpus_are_found_in_both_kinds_of_the_exporters_labels(tmp_path: Path) -> None:
    exporter = 'namespace="gpu-operator", pod="dcgm-exporter-5x2"'
    exported = 'exported_namespace="sen-vision", exported_pod="sentinels-12-3-x7k2p"'
    own = 'namespace="sen-audio", pod="sentinels-7-1-aaaaa"'
    series = {}
    for metric, values in (("GPU_UTIL", ("80", "40")), ("FB_USED", ("1024", "2048"))):
        for gpu, value in enumerate(values):
            labels = f'{{{exporter}, {exported}, gpu="{gpu}", UUID="GPU-{gpu}"}}'
            series[f"DCGM_FI_DEV_{metric}{labels}"] = f"{value}x20"
        series[f'DCGM_FI_DEV_{metric}{{{own}, gpu="2", UUID="GPU-2"}}'] = "5x20"
        series[f'DCGM_FI_DEV_{metric}{{{exporter}, gpu="3", UUID="GPU-3"}}'] = "99x20"
    other = 'team="audio", sentinels_job="7", attempt="1"'
    check(
        tmp_path,
        series,
        [
            told(
                "sentinels_job:gpu_percent",
                "10m",
                {
                    _named("gpu_percent"): 60,
                    f"sentinels_job:gpu_percent{{{other}}}": 5,
                },
            ),
            told(
                "sentinels_job:gpu_memory_bytes",
                "10m",
                {
                    _named("gpu_memory_bytes"): 3072 * 2**20,
                    f"sentinels_job:gpu_memory_bytes{{{other}}}": 5 * 2**20,
                },
            ),
        ],
    )


def test_what_is_none_of_ours_is_left_out(tmp_path: Path) -> None:
    check(
        tmp_path,
        {
            'container_memory_working_set_bytes{namespace="kube-system", pod="sentinels-1-1-x",'
            ' container="main"}': "1x9",
            'container_memory_working_set_bytes{namespace="sen-a", pod="sentinels-web-1-x",'
            ' container="main"}': "1x9",
            'container_memory_working_set_bytes{namespace="sen-a", pod="my-sentinels-1-1-x",'
            ' container="main"}': "1x9",
        },
        [told("sentinels_job:memory_bytes", "5m", {})],
    )


def test_what_several_pods_tell_becomes_one_series(tmp_path: Path) -> None:
    check(
        tmp_path,
        {
            'sentinels_queue_waiting{priority="high", pod="submit", component="submit"}': "3x9",
            'sentinels_queue_waiting{priority="high", pod="dispatch", component="dispatch"}': "4x9",
            'sentinels_database_up{pod="submit"}': "1x9",
            'sentinels_database_up{pod="dispatch"}': "0x9",
        },
        [
            told("sentinels:queue_waiting", "5m", {'sentinels:queue_waiting{priority="high"}': 4}),
            told("sentinels:database_up", "5m", {"sentinels:database_up": 1}),
        ],
    )


def test_another_prefix_of_namespaces_reaches_the_rules(helm: Helm) -> None:
    release = helm.release({"settings": {"namespace_prefix": "exp-"}})
    [found] = (
        each["data"]["recording.yml"]
        for each in of_kind(release.objects, "ConfigMap")
        if each["metadata"]["name"] == "sentinels-prometheus"
    )
    assert "sen-" not in found
    assert found.strip() == RECORDING.read_text().replace("sen-", "exp-").strip()


def test_every_name_is_one_of_ours() -> None:
    names = [str(rule["record"]) for rule in rules_of(RECORDING)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"sentinels(_job)?:[a-z_]+", name) for name in names)
    assert "sen-" in json.dumps(rules_of(RECORDING))
