"""The cluster: what there is, whose it is, what is really used, and what it runs on.

Comes in: nothing. Goes out: the dashboard. Before: ``parts``.
"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard
from helm.dashboards.parts import (
    BYTES,
    CORES,
    JOBS,
    PART,
    PERCENT,
    Query,
    Row,
    board,
    graph,
    number,
)

_CPU_OF_NODE = '1 - avg by (node) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))'


def _free(metric: str) -> Query:
    return Query(f'sum(sentinels:cluster_{metric}{{use="free"}})')


def dashboard() -> Dashboard:
    """Capacity, use, nodes and the volumes."""
    memory = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"
    disk = (
        'node_filesystem_avail_bytes{mountpoint="/"} / node_filesystem_size_bytes{mountpoint="/"}'
    )
    volume = "kubelet_volume_stats_used_bytes / kubelet_volume_stats_capacity_bytes"
    database = "sentinels:database_bytes / sentinels:database_limit_bytes"
    rows = [
        Row(
            "Free now",
            [
                number("CPU cores", CORES, _free("cpu_cores")),
                number("Memory", BYTES, _free("memory_bytes")),
                number("GPUs", JOBS, _free("gpus")),
                number("Nodes that take work", JOBS, Query('sum(sentinels:nodes{state="ready"})')),
                number(
                    "Nodes that do not",
                    JOBS,
                    Query('sum(sentinels:nodes{state!="ready"})'),
                    red_from=1,
                ),
                number("Database's volume", PART, Query(database), red_from=0.85),
            ],
        ),
        Row(
            "Whose it is",
            [
                graph(
                    "CPU cores",
                    CORES,
                    Query("sentinels:cluster_cpu_cores", "{{use}}"),
                    stacked=True,
                ),
                graph(
                    "Memory",
                    BYTES,
                    Query("sentinels:cluster_memory_bytes", "{{use}}"),
                    stacked=True,
                ),
                graph(
                    "GPUs",
                    JOBS,
                    Query("sentinels:cluster_gpus", "{{gpu_type}} {{use}}"),
                    stacked=True,
                ),
                graph("Nodes", JOBS, Query("sentinels:nodes", "{{state}}"), stacked=True),
            ],
        ),
        Row(
            "What jobs use of what they hold",
            [
                graph(
                    "CPU cores",
                    CORES,
                    Query("sum(sentinels_job:cpu_cores)", "used"),
                    Query("sum(sentinels_job:asked_cpu_cores)", "asked for"),
                ),
                graph(
                    "Memory",
                    BYTES,
                    Query("sum(sentinels_job:memory_bytes)", "used"),
                    Query("sum(sentinels_job:asked_memory_bytes)", "asked for"),
                ),
                graph(
                    "GPU use",
                    PERCENT,
                    Query("avg(sentinels_job:gpu_percent)", "mean"),
                    Query("min(sentinels_job:gpu_percent)", "the least used"),
                ),
                graph(
                    "Jobs that hold GPUs and hardly use them",
                    JOBS,
                    Query("count(sentinels_job:gpu_percent < 5) or vector(0)", "below 5 %"),
                ),
            ],
        ),
        Row(
            "The machines",
            [
                graph("CPU of each node", PART, Query(_CPU_OF_NODE, "{{node}}")),
                graph("Memory of each node", PART, Query(f"max by (node) ({memory})", "{{node}}")),
                graph("Disk of each node", PART, Query(f"1 - min by (node) ({disk})", "{{node}}")),
                graph(
                    "Volumes",
                    PART,
                    Query(
                        f"max by (namespace, persistentvolumeclaim) ({volume})",
                        "{{persistentvolumeclaim}}",
                    ),
                ),
            ],
        ),
    ]
    return board("cluster", "The cluster", "What there is, whose it is, and what is used.", rows)
