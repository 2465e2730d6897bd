"""Make the files: ``python -m helm.dashboards [FOLDER]``.

Comes in: a folder, the chart's if none is named. Goes out: a file a dashboard. Next: the chart's
Grafana, ``tests/chart/test_dashboards.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from helm.dashboards import cluster, one_job, queue, teams

FOLDER = Path(__file__).parents[1] / "sentinels" / "files" / "dashboards"
DASHBOARDS: Mapping[str, Callable[[], Dashboard]] = {
    "job.json": one_job.dashboard,
    "queue.json": queue.dashboard,
    "cluster.json": cluster.dashboard,
    "teams.json": teams.dashboard,
}


def texts() -> dict[str, str]:
    """What each file holds."""
    encoder = JSONEncoder(sort_keys=True, indent=1)
    return {name: encoder.encode(make()) + "\n" for name, make in DASHBOARDS.items()}


def main(folder: Path) -> None:
    """Write them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
