"""The queue: who waits and why, how long, what is launched and how it ends, what is told.

Comes in: nothing. Goes out: the dashboard. Before: ``parts``.
"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard
from helm.dashboards.parts import JOBS, SECONDS, Query, Row, board, graph, number

_WAITS = "sum by (le) (rate(sentinels_wait_seconds_bucket[$__rate_interval]))"


def _a_minute(metric: str, by: str = "") -> str:
    return f"60 * sum{by}(rate({metric}[$__rate_interval]))"


def _quantile(part: float, of: str) -> str:
    return f"histogram_quantile({part}, {of})"


def dashboard() -> Dashboard:
    """Depth, age, waits, launches, ends, passes and deliveries."""
    passes = "sum by (le) (rate(sentinels_pass_seconds_bucket[$__rate_interval]))"
    last = "time() - max(last_over_time(sentinels:last_pass_timestamp_seconds[1h]))"
    rows = [
        Row(
            "Now",
            [
                number("Waiting", JOBS, Query("sum(sentinels:queue_waiting)")),
                number("Running", JOBS, Query('sum(sentinels:jobs{state="running"})')),
                number("Starting", JOBS, Query('sum(sentinels:jobs{state="dispatched"})')),
                number("The oldest waits", SECONDS, Query("max(sentinels:queue_oldest_seconds)")),
                number("Since the last pass", SECONDS, Query(last), red_from=120),
                number(
                    "Deliveries wait",
                    SECONDS,
                    Query("max(sentinels:outbox_lag_seconds)"),
                    red_from=900,
                ),
            ],
        ),
        Row(
            "Waiting",
            [
                graph(
                    "Waiting, by priority",
                    JOBS,
                    Query("sentinels:queue_waiting", "{{priority}}"),
                    stacked=True,
                ),
                graph(
                    "How long the oldest waits, by priority",
                    SECONDS,
                    Query("sentinels:queue_oldest_seconds", "{{priority}}"),
                ),
                graph(
                    "Waiting for",
                    JOBS,
                    Query("sentinels:queue_blocked > 0", "{{why}}"),
                    about="By why their lane was not admitted when it was last looked at.",
                    stacked=True,
                ),
                graph(
                    "From push to launch",
                    SECONDS,
                    Query(_quantile(0.5, _WAITS), "half of the jobs"),
                    Query(_quantile(0.95, _WAITS), "19 of 20"),
                    about="Of the jobs that were launched lately, what they wait for included.",
                ),
            ],
        ),
        Row(
            "Going through",
            [
                graph(
                    "Pushed and launched, a minute",
                    JOBS,
                    Query(_a_minute("sentinels_pushed_jobs_total"), "pushed"),
                    Query(_a_minute("sentinels_launches_total"), "launched"),
                ),
                graph(
                    "Ends, a minute",
                    JOBS,
                    Query(
                        _a_minute("sentinels_outcomes_total", by=" by (state, reason) "),
                        "{{state}} {{reason}}",
                    ),
                    about="Of attempts; queued: it is tried again.",
                    stacked=True,
                ),
                graph(
                    "Passes",
                    SECONDS,
                    Query(_quantile(0.5, passes), "half of them take"),
                    Query(_quantile(0.95, passes), "19 of 20 take"),
                ),
                graph(
                    "Passes, a minute",
                    "short",
                    Query(_a_minute("sentinels_passes_total"), "made"),
                    Query(_a_minute("sentinels_failed_passes_total"), "broken off"),
                ),
            ],
        ),
        Row(
            "Told",
            [
                graph(
                    "Deliveries pending",
                    "short",
                    Query("sentinels:outbox_pending", "{{channel}}"),
                    stacked=True,
                ),
                graph(
                    "How long the oldest delivery waits",
                    SECONDS,
                    Query("sentinels:outbox_lag_seconds", "{{channel}}"),
                ),
                graph(
                    "Since a source was heard",
                    SECONDS,
                    Query(
                        "time() - last_over_time(sentinels:source_heard_timestamp_seconds[1h])",
                        "{{source}}",
                    ),
                ),
                graph(
                    "Answers, a second",
                    "reqps",
                    Query(
                        "sum by (status) (rate(sentinels_http_requests_total[$__rate_interval]))",
                        "{{status}}",
                    ),
                    stacked=True,
                ),
            ],
        ),
    ]
    return board("queue", "The queue", "Who waits, why and for how long; what comes of it.", rows)
