"""One experiment: what its job, or its sweep's jobs, use over time against what they asked for.

Comes in: nothing. Goes out: the dashboard. Before: ``parts``.
"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard
from helm.dashboards.parts import (
    BYTES,
    BYTES_A_SECOND,
    CORES,
    PART,
    PERCENT,
    Query,
    Row,
    board,
    choice,
    graph,
    number,
)

_CHOSEN = '{team=~"$team", sentinels_job=~"$job", attempt=~"$attempt"}'
_NAME = "job {{sentinels_job}}, attempt {{attempt}}"
_ASKED = f"{_NAME}: asked"


def _used(quantity: str) -> Query:
    return Query(f"sentinels_job:{quantity}{_CHOSEN}", _NAME)


def _asked(quantity: str) -> Query:
    return Query(f"sentinels_job:asked_{quantity}{_CHOSEN}", _ASKED)


def _share(quantity: str) -> Query:
    used, asked = f"sentinels_job:{quantity}{_CHOSEN}", f"sentinels_job:asked_{quantity}{_CHOSEN}"
    return Query(f"max(max_over_time(({used} / {asked})[$__range:]))")


def dashboard() -> Dashboard:
    """CPU, memory, GPUs and network of the chosen jobs."""
    rows = [
        Row(
            "At most, of what it asked for",
            [
                number("CPU", PART, _share("cpu_cores"), span=6, red_from=0.99),
                number("Memory", PART, _share("memory_bytes"), span=6, red_from=0.95),
                number("GPU", PERCENT, Query(f"avg(sentinels_job:gpu_percent{_CHOSEN})"), span=6),
                number(
                    "Jobs", "short", Query(f"count(sentinels_job:memory_bytes{_CHOSEN})"), span=6
                ),
            ],
        ),
        Row(
            "CPU and memory",
            [
                graph("CPU cores", CORES, _used("cpu_cores"), _asked("cpu_cores")),
                graph(
                    "Memory",
                    BYTES,
                    _used("memory_bytes"),
                    _asked("memory_bytes"),
                    about="What the kernel cannot take away. More than was asked for ends the job.",
                ),
            ],
        ),
        Row(
            "GPUs",
            [
                graph(
                    "GPU use",
                    PERCENT,
                    _used("gpu_percent"),
                    about="The mean of its GPUs, where the DCGM exporter is watched.",
                ),
                graph("GPU memory", BYTES, _used("gpu_memory_bytes")),
            ],
        ),
        Row(
            "Network",
            [
                graph("Received", BYTES_A_SECOND, _used("received_bytes")),
                graph("Sent", BYTES_A_SECOND, _used("sent_bytes")),
            ],
        ),
    ]
    choices = [
        choice("team", "Team", "label_values(sentinels_job:memory_bytes, team)"),
        choice(
            "job", "Job", 'label_values(sentinels_job:memory_bytes{team=~"$team"}, sentinels_job)'
        ),
        choice(
            "attempt",
            "Attempt",
            "label_values(sentinels_job:memory_bytes"
            '{team=~"$team", sentinels_job=~"$job"}, attempt)',
        ),
    ]
    about = "What jobs use over time. The same at the terminal: sentinels usage."
    return board("job", "One experiment", about, rows, choices=choices, since="now-3h")
