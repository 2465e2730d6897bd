"""Every question of every dashboard, asked of a real Prometheus: it is understood and answered.

What Sentinels tells is scraped from its own functions over a real PostgreSQL; what kubelets and
exporters tell is made up by an exporter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from helm.dashboards.__main__ import FOLDER
from sqlalchemy import Engine

from sentinels.clock import utc_now
from sentinels.core.capacity import Node, Resources
from sentinels.core.job import Reason
from sentinels.core.metering import USAGE
from sentinels.core.notice import MESSENGER, TRACKER
from sentinels.core.observation import Finished, Running
from sentinels.core.queueing import Caller
from sentinels.core.settling import SettlingLimits
from sentinels.core.vitals import TICK_DISPATCH, TICK_NOTIFY
from sentinels.db.census import PostgresCensus
from sentinels.db.engine import make_engine
from sentinels.db.people import caller_of, ensure_user
from sentinels.db.reading import PostgresReading
from sentinels.db.vitals import PostgresVitals
from sentinels.functions.dispatch.handler import Passes
from sentinels.functions.events import PING, EventFunction
from sentinels.functions.gauges import PulseCollector, Surroundings
from sentinels.functions.signs import DISPATCH_SIGNS, Signs
from sentinels.local.postgres import EmbeddedPostgres
from tests.chart.rendering import Helm
from tests.conftest import TOKEN, a_database
from tests.services.monitoring import Prometheus, chart_files, watching
from tests.standins.exporter import Exporter, gpu, machine, request, workload
from tests.support.desk import Desk, ref
from tests.support.ears import binary, listening, send
from tests.support.front import Client, LoggedCluster, make_door, serving

GIB = 2**30
NAMES = sorted(file.name for file in FOLDER.glob("*.json"))
# What Grafana fills in.
_FILLED = {
    "$team": ".+",
    "$job": ".+",
    "$attempt": ".+",
    "$__rate_interval": "1m",
    "$__range": "1h",
}
_VALUES_OF = re.compile(r"label_values\((?P<match>.+), (?P<label>\w+)\)")


class Question(NamedTuple):
    """One of a panel's."""

    board: str
    panel: str
    expr: str


def questions() -> Iterator[Question]:
    for name in NAMES:
        for panel in json.loads((FOLDER / name).read_text())["panels"]:
            for target in panel.get("targets", []):
                yield Question(name, f"{panel['title']} {target['refId']}", target["expr"])


def choices() -> Iterator[Question]:
    for name in NAMES:
        for choice in json.loads((FOLDER / name).read_text())["templating"].get("list", []):
            yield Question(name, choice["name"], choice["query"]["query"])


def filled(expr: str) -> str:
    for name in sorted(_FILLED, key=len, reverse=True):
        expr = expr.replace(name, _FILLED[name])
    assert "$" not in expr, expr
    return expr


@dataclass
class Town:
    """Sentinels at work: its functions over one database, and a cluster that does as it is told."""

    desk: Desk
    submit: int
    dispatch: int

    @property
    def targets(self) -> list[str]:
        """What Prometheus scrapes."""
        return [f"127.0.0.1:{port}" for port in (self.submit, self.dispatch)]

    def work(self) -> None:
        """Jobs are pushed, launched, end well and badly; one waits for what others hold."""
        client = Client(self.submit, TOKEN)
        ids = [
            client.push(resources={"cpu": 1, "memory": "1Gi"}).json["jobs"][0]["id"]
            for _ in range(3)
        ]
        client.push(resources={"cpu": 64, "memory": "1Gi"})
        self.tick()
        now = utc_now()
        begun = now - timedelta(seconds=20)
        for job, reason in zip(ids, (None, Reason.EXITED_NONZERO), strict=False):
            self.desk.cluster.seen[ref(job)] = Finished("uid", reason, 0, begun, now, node="one")
        self.desk.cluster.seen[ref(ids[-1])] = Running("uid", begun, node="two")
        self.tick()

    def tick(self) -> None:
        """As the clock does it."""
        assert send(self.dispatch, *binary(PING, {})).status == 204


@contextmanager
def a_town(engine: Engine, caller: Caller) -> Iterator[Town]:
    """Functions as their ``main`` wires them, but for the cluster."""
    big = Resources(64000, 256 * GIB, gpus=4, gpu_type="a100")
    nodes = (Node("one", Resources(4000, 16 * GIB)), Node("two", big))
    desk = Desk(engine, caller, limits=SettlingLimits(measured_late_seconds=0.0))
    desk.cluster.nodes = nodes
    surroundings = Surroundings(
        channels=(MESSENGER, TRACKER, USAGE),
        tick_seconds=lambda: {TICK_DISPATCH: 10.0, TICK_NOTIFY: 10.0},
        database_limit_bytes=10 * GIB,
    )
    registry = desk.telemetry.registry
    reading = PostgresReading(engine, policy=lambda: desk.policy)
    PulseCollector(reading, registry, PostgresCensus(engine), surroundings)
    signs = Signs(PostgresVitals(engine).leave_sign, DISPATCH_SIGNS)
    take = signs.before(Passes(desk.tick, registry).poke)
    dispatch = EventFunction(take=take, behind=lambda: None, telemetry=desk.telemetry)
    with serving(make_door(desk, LoggedCluster(), None)) as front, listening(dispatch) as port:
        yield Town(desk, front, port)


@pytest.fixture(scope="module")
def town(postgres: EmbeddedPostgres) -> Iterator[Town]:
    """One for the module, over a database of its own."""
    with a_database(postgres) as url:
        engine = make_engine(url)
        ensure_user(url, team="default", user="ann", token=TOKEN)
        caller = caller_of(engine, TOKEN)
        assert caller is not None
        try:
            with a_town(engine, caller) as made:
                yield made
        finally:
            engine.dispose()


@pytest.fixture(scope="module")
def watched(
    helm: Helm, town: Town, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Prometheus over functions that have worked and over all else that the chart would watch."""
    rules = chart_files(helm)["prometheus"]
    files = {name: rules[name] for name in ("recording.yml", "alerts.yml")}
    with Exporter() as exporter:
        for job in (1, 2):
            exporter.samples |= {**workload(job), **request(job), **gpu(job, percent=3.0)}
        exporter.samples |= machine()
        targets = {"sentinels": town.targets, "others": [exporter.address]}
        town.work()
        with watching(tmp_path_factory.mktemp("prometheus"), targets, files) as process:
            process.await_series("sentinels_job:cpu_cores")
            process.await_series("rate(sentinels_wait_seconds_count[1m])")
            process.await_series("rate(sentinels_outcomes_total[1m])")
            town.work()
            process.await_series("rate(sentinels_wait_seconds_count[1m]) > 0")
            process.await_series("sentinels:queue_blocked > 0")
            yield process


@pytest.mark.parametrize("question", list(questions()), ids=lambda question: " ".join(question[:2]))
def test_every_question_is_understood_and_answered(watched: Prometheus, question: Question) -> None:
    found = watched.ask(filled(question.expr))
    assert found, f"{question.panel}: nothing answers {question.expr}"
    numbers = [float(each["value"][1]) for each in found]
    assert any(number == number for number in numbers), f"{question.panel}: no number"  # noqa: PLR0124  # not NaN


@pytest.mark.parametrize("choice", list(choices()), ids=lambda choice: " ".join(choice[:2]))
def test_every_list_to_choose_from_has_something_in_it(
    watched: Prometheus, choice: Question
) -> None:
    found = _VALUES_OF.fullmatch(choice.expr)
    assert found is not None
    assert watched.values(found["label"], filled(found["match"]))


def test_every_legend_names_labels_that_the_answer_has(watched: Prometheus) -> None:
    for name in NAMES:
        for panel in json.loads((FOLDER / name).read_text())["panels"]:
            for target in panel.get("targets", []):
                named = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
                answer: list[dict[str, Any]] = watched.ask(filled(target["expr"]))
                for each in answer:
                    # An end without a reason is a success: an empty label is none.
                    assert named - {"reason"} <= set(each["metric"]), panel["title"]
