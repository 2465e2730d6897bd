"""What promtool says of the chart's rules: whether they are sound, what they make of samples.

Comes in: series as promtool writes them, and what is expected of them. Goes out: nothing, or why
not. Before: ``test_alerts``, ``test_recording``. Next: ``programs``, which builds it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tests.chart.programs import prometheus_programs
from tests.chart.rendering import CHART

RECORDING = CHART / "files" / "recording.yml"
ALERTS = CHART / "files" / "alerts.yml"
_SECONDS = 60


def promtool(*words: str | Path) -> str:
    """What it prints; fails where it does."""
    ran = subprocess.run(
        [prometheus_programs() / "promtool", *words],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def rules_of(file: Path) -> list[dict[str, object]]:
    """The rules of every group."""
    return [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def check(
    folder: Path,
    series: Mapping[str, str],
    expected: Sequence[Mapping[str, object]],
    *,
    interval: str = "1m",
) -> None:
    """Fail unless the rules make of these series what is expected."""
    groups = [
        group["name"]
        for file in (RECORDING, ALERTS)
        for group in yaml.safe_load(file.read_text())["groups"]
    ]
    tests = {
        "rule_files": [str(RECORDING), str(ALERTS)],
        "group_eval_order": groups,
        "evaluation_interval": interval,
        "tests": [
            {
                "interval": interval,
                "input_series": [{"series": name, "values": its} for name, its in series.items()],
                "promql_expr_test": list(expected),
            }
        ],
    }
    file = folder / "rules.test.yml"
    file.write_text(yaml.safe_dump(tests))
    promtool("test", "rules", file)


def told(expr: str, at: str, samples: Mapping[str, float]) -> Mapping[str, object]:
    """Expected of a question at a moment: labels and values."""
    listed = [{"labels": labels, "value": value} for labels, value in samples.items()]
    return {"expr": expr, "eval_time": at, "exp_samples": listed}
