"""Real Prometheus and Alertmanager on loopback, with the chart's own rules and settings.

Only their clocks are faster: a scrape and an evaluation a second, and alerts that wait as long.
Comes in: what to scrape. Goes out: processes that answer; they end with the block, also where it
fails. Before: ``conftest``. Next: ``tests/chart/programs.py``, ``tests/cluster/part.py``.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.chart.manifests import of_kind
from tests.chart.programs import prometheus_programs
from tests.chart.rendering import Helm, Values
from tests.cluster.part import Part
from tests.cluster.programs import NoPrograms

_READY_SECONDS = 30.0
_ANSWER_SECONDS = 5.0
_STARTS = 3
ALERTMANAGER = "prometheus-alertmanager"


@dataclass
class Process:
    """A program that serves HTTP on a port of loopback."""

    part: Part
    command: Sequence[str]
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it is ready."""
        self.part.start(self.command)
        self.part.await_ready(
            lambda: get(f"{self.url}/-/ready") is not None, seconds=_READY_SECONDS
        )

    def kill(self) -> None:
        """End it at once."""
        self.part.kill()

    def freeze(self) -> None:
        """It takes connections and says nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        process = self.part.process
        assert process is not None
        process.send_signal(number)


@dataclass
class Prometheus(Process):
    """One that scrapes and evaluates every second."""

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """The series that answer a question now."""
        said = self._api("query", query=expr)
        return list(said["result"])

    def values(self, label: str, match: str) -> list[str]:
        """The values of a label of the series that match."""
        query = urllib.parse.urlencode({"match[]": match})
        found = get(f"{self.url}/api/v1/label/{label}/values?{query}")
        assert found is not None, self.part.tail()
        return [str(each) for each in json.loads(found)["data"]]

    def await_series(self, expr: str, *, seconds: float = 60) -> list[dict[str, Any]]:
        """What answers a question, once something does."""
        await_true(f"something answers {expr}", lambda: self.ask(expr), seconds=seconds)
        return self.ask(expr)

    def _api(self, path: str, **words: str) -> dict[str, Any]:
        found = get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(words)}")
        assert found is not None, f"{words}: {self.part.tail()}"
        said = json.loads(found)
        assert said["status"] == "success", f"{words}: {said}"
        return dict(said["data"])


@contextmanager
def watching(
    folder: Path,
    targets: Mapping[str, Sequence[str]],
    files: Mapping[str, str],
    *,
    alertmanager: str = "",
) -> Iterator[Prometheus]:
    """Prometheus over these targets by their job's name, with these files of rules.

    What it has seen outlives a kill and a start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(_settings(targets, list(files), alertmanager)))
    program = prometheus_programs() / "prometheus"

    def made(port: int) -> Prometheus:
        command = (
            *(str(program), f"--config.file={config}", f"--storage.tsdb.path={folder}/data"),
            *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"),
        )
        return Prometheus(Part(folder, "prometheus"), command, port)

    with _running(made) as process:
        yield process


@contextmanager
def alerting(folder: Path, settings: str) -> Iterator[Process]:
    """Alertmanager with these settings. Raises ``NoPrograms``."""
    program = shutil.which(ALERTMANAGER)
    if program is None:
        raise NoPrograms(f"{ALERTMANAGER} is not installed; tests/services/prepare.sh sees to it")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "alertmanager.yml"
    config.write_text(settings)

    def made(port: int) -> Process:
        command = (
            *(str(program), f"--config.file={config}", f"--storage.path={folder}/data"),
            *(f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="),
        )
        return Process(Part(folder, "alertmanager"), command, port)

    with _running(made) as process:
        yield process


def chart_files(helm: Helm, values: Values | None = None) -> dict[str, dict[str, str]]:
    """The files that the chart would give each part, by the part's name."""
    return {
        each["metadata"]["name"].removeprefix("sentinels-"): each["data"]
        for each in of_kind(helm.release(values).objects, "ConfigMap")
    }


def hurried(rules: str, but: str) -> str:
    """The same alerts, each of which fires when it has been true for a second, but for one."""
    found = yaml.safe_load(rules)
    for group in found["groups"]:
        for rule in group["rules"]:
            if "for" in rule and rule.get("alert") != but:
                rule["for"] = "1s"
    return yaml.safe_dump(found)


def await_true(what: str, condition: Callable[[], object], *, seconds: float = 60) -> None:
    """Return when the condition holds; fail where it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)


def get(url: str) -> bytes | None:
    """What answers there; None where nobody does, or not well."""
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:
            return bytes(answer.read())
    except (OSError, urllib.error.URLError):
        return None


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


P = Any  # a Process of any kind


@contextmanager
def _running(made: Callable[[int], P]) -> Iterator[P]:
    """Started on a free port; on another where somebody took it meanwhile."""
    process = made(free_port())
    try:
        for left in reversed(range(_STARTS)):
            try:
                process.start()
                break
            except RuntimeError:
                if not left:
                    raise
                process = made(free_port())
        yield process
    finally:
        process.kill()


def _settings(
    targets: Mapping[str, Sequence[str]], rules: Sequence[str], alertmanager: str
) -> dict[str, object]:
    alertmanagers = [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": list(rules),
        "alerting": {"alertmanagers": alertmanagers},
        "scrape_configs": [
            {
                "job_name": job,
                "honor_labels": True,
                "static_configs": [{"targets": list(addresses)}],
            }
            for job, addresses in targets.items()
        ],
    }
