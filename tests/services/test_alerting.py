"""From a sample to a message in Slack: Prometheus, Alertmanager and the chart's own settings.

Prometheus and Alertmanager are real, their waits are cut to a second; Slack speaks its HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import Helm, Values
from tests.cluster.conftest import do_without
from tests.cluster.programs import NoPrograms
from tests.services.monitoring import (
    Prometheus,
    alerting,
    chart_files,
    hurried,
    watching,
)
from tests.standins.exporter import Exporter, machine
from tests.standins.slack import Message, SlackStandIn

TOKEN = "xoxb-a-token"
GIB = 2**30
_SECONDS = 60
# What a Sentinels that is well tells.
_WELL: dict[str, Any] = {
    'sentinels_tick_seconds{source="tick:dispatch"}': 10,
    "sentinels_database_up": 1,
    "sentinels_database_bytes": 5 * GIB,
    "sentinels_database_limit_bytes": 10 * GIB,
    'sentinels_queue_blocked{why="no_gpu"}': 0,
    'sentinels_nodes{state="ready"}': 2,
    'sentinels_outbox_lag_seconds{channel="messenger"}': 0,
}


@dataclass
class Watch:
    """Sentinels' samples, and what Slack was told."""

    exporter: Exporter
    prometheus: Prometheus
    slack: SlackStandIn

    def told(self, count: int) -> list[Message]:
        """The messages, once there are so many."""
        return self.slack.wait_for(count, seconds=_SECONDS)

    def attachment(self, count: int) -> dict[str, Any]:
        """What the newest of so many messages says."""
        [found] = self.told(count)[count - 1].fields["attachments"]  # type: ignore[misc]
        return dict(found)


@contextmanager
def a_watch(helm: Helm, folder: Path, slack: SlackStandIn, values: Values) -> Iterator[Watch]:
    """Everything between a sample and Slack, with the files that the chart would give it."""
    files = chart_files(helm, values)
    with ExitStack() as stack:
        exporter = stack.enter_context(Exporter(_WELL))
        exporter.samples["sentinels_last_pass_timestamp_seconds"] = lambda _: time.time()
        try:
            settings = _settings(folder, slack, files["alertmanager"])
            alertmanager = stack.enter_context(alerting(folder / "alertmanager", settings))
        except NoPrograms as why:
            do_without(str(why))
        rules = files["prometheus"]
        prometheus = stack.enter_context(
            watching(
                folder / "prometheus",
                {"sentinels": [exporter.address]},
                {
                    "recording.yml": rules["recording.yml"],
                    # Before the first scrape nothing is known of anybody.
                    "alerts.yml": hurried(rules["alerts.yml"], but="SentinelsIsSilent"),
                },
                alertmanager=alertmanager.url.removeprefix("http://"),
            )
        )
        prometheus.await_series("sentinels:last_pass_timestamp_seconds")
        yield Watch(exporter, prometheus, slack)


def _settings(folder: Path, slack: SlackStandIn, files: dict[str, str]) -> str:
    """The chart's, with the secrets and templates found here, and no patience."""
    (folder / "token").write_text(TOKEN)
    (folder / "webhook").write_text(slack.webhook_url)
    (folder / "slack.tmpl").write_text(files["slack.tmpl"])
    text = files["alertmanager.yml"]
    text = text.replace("/etc/slack/", f"{folder}/").replace("/etc/alertmanager/", f"{folder}/")
    settings = yaml.safe_load(text)
    settings["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    return yaml.safe_dump(settings)


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as made:
        yield made


@pytest.fixture
def watch(helm: Helm, slack: SlackStandIn, tmp_path: Path) -> Iterator[Watch]:
    """With a bot's token."""
    values = {
        "slack": {"token": TOKEN, "channel": "#experiments"},
        "alertmanager": {"channel": "#on-call", "slackApiUrl": slack.api_url},
    }
    with a_watch(helm, tmp_path, slack, values) as made:
        yield made


def test_a_full_cluster_is_told_and_told_to_be_over(watch: Watch) -> None:
    watch.exporter.samples['sentinels_queue_blocked{why="no_gpu"}'] = 3
    firing = watch.attachment(1)
    assert firing["title"] == "The cluster is full, 3 jobs wait for room"
    assert firing["fallback"] == firing["title"]
    assert firing["text"].startswith("Each for 20 minutes or more")
    assert "sentinels nodes" in firing["text"]
    assert firing["color"] == "warning"
    message = watch.slack.messages[0]
    assert message.channel == "#on-call"
    assert message.authorization == f"Bearer {TOKEN}"
    assert message.fields["username"] == "Sentinels"

    watch.exporter.samples['sentinels_queue_blocked{why="no_gpu"}'] = 0
    resolved = watch.attachment(2)
    assert resolved["title"] == "Resolved: The cluster is full, 3 jobs wait for room"
    assert resolved["text"].startswith("It had begun at ")
    assert resolved["color"] == "good"


def test_several_alerts_of_a_kind_are_one_message_that_names_each(watch: Watch) -> None:
    for node in ("gpu-1", "gpu-2"):
        ready = f'kube_node_status_condition{{node="{node}", condition="Ready", status="true"}}'
        watch.exporter.samples |= {**machine(node), ready: 0}
    found = watch.attachment(1)
    if found["title"].startswith("Node "):  # the second was evaluated a moment later
        found = watch.attachment(2)
    assert found["title"] == "2 × NodeIsNotReady"
    lines = found["text"].splitlines()
    assert "• Node gpu-1 is not ready" in lines
    assert "• Node gpu-2 is not ready" in lines


def test_a_database_that_is_away_is_told_once_and_not_what_follows_from_it(watch: Watch) -> None:
    stopped = time.time() - 600
    watch.exporter.samples["sentinels_database_up"] = 0
    found = watch.attachment(1)
    assert found["title"] == "PostgreSQL does not answer"
    assert found["color"] == "danger"
    watch.exporter.samples["sentinels_last_pass_timestamp_seconds"] = stopped
    watch.prometheus.await_series('ALERTS{alertname="SentinelsMakesNoPass", alertstate="firing"}')
    # Another alert comes through the same way, after it.
    watch.exporter.samples["sentinels_database_bytes"] = 9 * GIB
    titles = [each.fields["attachments"][0]["title"] for each in watch.told(2)]  # type: ignore[index]
    assert titles == ["PostgreSQL does not answer", "90% of the database's volume are used"]


def test_a_webhook_is_told_as_well(helm: Helm, slack: SlackStandIn, tmp_path: Path) -> None:
    values = {"slack": {"webhook": slack.webhook_url}}
    with a_watch(helm, tmp_path, slack, values) as watch:
        watch.exporter.samples['sentinels_outbox_lag_seconds{channel="messenger"}'] = 1200
        found = watch.attachment(1)
    assert found["title"] == "What is to be delivered to the messenger waits for 20m 0s"
    assert "sentinels doctor" in found["text"]
