"""The teams: who holds how much, who waits, and how well each uses what it holds.

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
    choice,
    graph,
)

_CHOSEN = '{team=~"$team"}'


def _held(metric: str) -> Query:
    return Query(f"sentinels:team_{metric}{_CHOSEN}", "{{team}}")


def _jobs(state: str) -> Query:
    return Query(f'sentinels:team_jobs{{team=~"$team", state="{state}"}}', "{{team}}")


def _part(used: str, asked: str) -> Query:
    return Query(
        f"sum by (team) (sentinels_job:{used}{_CHOSEN})"
        f" / sum by (team) (sentinels_job:{asked}{_CHOSEN})",
        "{{team}}",
    )


def dashboard() -> Dashboard:
    """What the chosen teams hold, wait for and use."""
    gpu = Query(f"avg by (team) (sentinels_job:gpu_percent{_CHOSEN})", "{{team}}")
    rows = [
        Row(
            "Jobs",
            [
                graph("Live", JOBS, _jobs("live"), stacked=True),
                graph("Waiting for room", JOBS, _jobs("waiting"), stacked=True),
            ],
        ),
        Row(
            "What they hold",
            [
                graph("CPU cores", CORES, _held("cpu_cores"), stacked=True, span=8),
                graph("Memory", BYTES, _held("memory_bytes"), stacked=True, span=8),
                graph("GPUs", JOBS, _held("gpus"), stacked=True, span=8),
            ],
        ),
        Row(
            "What they use of it",
            [
                graph(
                    "CPU, of what was asked for",
                    PART,
                    _part("cpu_cores", "asked_cpu_cores"),
                    span=8,
                ),
                graph(
                    "Memory, of what was asked for",
                    PART,
                    _part("memory_bytes", "asked_memory_bytes"),
                    span=8,
                ),
                graph("GPU use", PERCENT, gpu, span=8),
            ],
        ),
    ]
    about = "Who holds how much and who waits. The fifty teams with the most jobs are named."
    choices = [choice("team", "Team", "label_values(sentinels:team_jobs, team)")]
    return board("teams", "Teams", about, rows, choices=choices, since="now-24h")
