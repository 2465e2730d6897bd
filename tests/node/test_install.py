"""The chart on a real node: what a person gets of helm install, upgrade, rollback and uninstall.

The parts run in the images that the chart expects, made of packages. It has a cluster of its own:
what the chart installs for the whole cluster is nobody else's.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from alembic.script import ScriptDirectory
from tests.cluster.conftest import do_without
from tests.cluster.control_plane import ControlPlane
from tests.cluster.programs import NoPrograms
from tests.node.components import COMPONENTS
from tests.node.images import cached_archive, shell_image
from tests.node.installation import (
    CHART,
    RELEASE,
    Installation,
    another_chart,
    await_true,
    with_files,
)
from tests.node.machine import RealNode
from tests.node.network import Segment
from tests.node.services import ClusterServices
from tests.node.volumes import Volumes
from tests.support.image import IMAGE, built_image

pytestmark = [pytest.mark.node, pytest.mark.timeout(400)]

_SHELL = "localhost/shell:1"
_PARTS = {
    *("postgresql", "mlflow", "elasticsearch"),
    *("prometheus", "alertmanager", "kube-state-metrics", "node-exporter"),
}
_SCRAPED = {"sentinels", "containers", "kubelets"}
_WATCHED = {
    *("submit", "dispatch", "notify", "sources", "prometheus", "alertmanager"),
    *("kube-state-metrics", "node-exporter"),
}
_REPOSITORY = IMAGE.rpartition(":")[0]
_PORT = 30080
_JOBS = 60
# On a busy node it may be over before its sidecar has started.
_SHORT = "echo done > $SENTINELS_OUTPUT/result"
# Long enough to be looked at several times.
_BUSY = "end=$(( $(date +%s) + 40 )); while [ $(date +%s) -lt $end ]; do :; done"
_PACKAGES = (
    f"opt/sentinels/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
)
_MIGRATION = '''"""What a next version adds: when it was migrated to."""

from __future__ import annotations

from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    op.execute("CREATE TABLE next_version (at timestamptz NOT NULL DEFAULT clock_timestamp())")
    op.execute("INSERT INTO next_version DEFAULT VALUES")
'''
_NEXT_REVISION = "9999"
_TEAM = "sen-default"
_STANDS_FOR = {
    "postgresql": "postgres",
    "mlflow": "mlflow",
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "nodeExporter": "node-exporter",
    "kubeStateMetrics": "kube-state-metrics",
    "elasticsearch": "search",
}


@pytest.fixture(scope="module")
def node(segment: Segment) -> Iterator[RealNode]:
    """A node of this module's own cluster, with all images and volumes that the chart asks for.

    The session's segment has looked whether this machine can have one.
    """
    own = Segment.make()
    control_plane = ControlPlane(own.folder / "control-plane", address=own.address)
    made, services = RealNode(control_plane, own), ClusterServices(control_plane, own)
    with ExitStack() as ends:
        ends.callback(own.remove)
        ends.callback(control_plane.stop)
        control_plane.start()
        ends.callback(made.stop)
        made.start()
        ends.callback(services.stop)
        try:
            services.start()
        except NoPrograms as why:
            do_without(f"{why}; or tests/node/prepare.sh")
        _load_images(made)
        yield Volumes(made).make(12).node


@pytest.fixture(scope="module")
def previous(node: RealNode, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """What `helm install` of the previous version leaves; later tests go on from there."""
    folder = tmp_path_factory.mktemp("release")
    installation = Installation(node, folder, _PORT)
    chart = another_chart(folder, "0.0.9")
    wait = ("--create-namespace", "--wait", "--timeout", "200s")
    said = installation.helm("install", RELEASE, str(chart), *_values(folder, "previous"), *wait)
    (folder / "said").write_text(said)
    return installation


def test_an_installation_runs_in_full_and_tells_what_it_did(previous: Installation) -> None:
    said = (previous.folder / "said").read_text()
    assert "everything is ready" in said, said
    assert "knows what a line of a log is" in said
    assert "✘" not in said, said
    pods = previous.pods()
    wanted = {each["metadata"]["labels"]["app.kubernetes.io/name"] for each in _lasting(previous)}
    assert wanted == {"submit", "dispatch", "notify", "sources", *_PARTS}
    assert {name for name in wanted if not _is_ready(pods[name])} == set()
    for component in wanted:
        assert f"sentinels-{component}" in said


def test_prometheus_watches_everything_and_has_nothing_to_tell(previous: Installation) -> None:
    def all_up() -> bool:
        up = previous.ask_prometheus("up")
        jobs = {each["metric"]["job"] for each in up}
        components = {each["metric"].get("component", "") for each in up} - {""}
        answers = all(each["value"][1] == "1" for each in up)
        return answers and components == _WATCHED and jobs == _SCRAPED

    await_true("everything is watched", all_up)
    for said in (
        *("sentinels_database_up", "kube_node_info", "node_load1", "machine_cpu_cores"),
        *("sentinels:last_pass_timestamp_seconds", "sentinels:database_limit_bytes"),
    ):
        await_true(said, lambda said=said: previous.ask_prometheus(said))
    assert previous.ask_prometheus('ALERTS{alertstate="firing"}') == []


def test_a_push_from_outside_runs_and_everything_is_healthy(previous: Installation) -> None:
    (job_id,) = previous.push(_SHELL, *_small("echo ran on the cluster"))
    job = previous.await_end(job_id)
    assert job["state"] == "succeeded", job
    assert previous.sentinels("logs", str(job_id)) == "ran on the cluster\n"
    checks = json.loads(previous.sentinels("doctor", "--json"))["checks"]
    assert [check for check in checks if not check["ok"]] == []
    query = f"SELECT state FROM v_jobs WHERE job = {job_id}"
    assert previous.sentinels("sql", query, "-o", "csv") == "state\nsucceeded\n"


def test_what_a_job_uses_is_measured_by_its_kubelet_and_kept_after_its_end(
    previous: Installation,
) -> None:
    (job_id,) = previous.push(_SHELL, *_small(_BUSY))

    def used() -> dict[str, Any]:
        return dict(json.loads(previous.sentinels("usage", str(job_id), "-o", "json")))

    def measured() -> set[str]:
        return {each["name"] for each in used()["quantities"]}

    await_true("it is measured", lambda: measured() >= {"cpu_cores", "memory_bytes"}, seconds=90)
    assert used()["source"] == "Prometheus"
    assert previous.await_end(job_id)["state"] == "succeeded"
    # The last look at it comes half a minute after its end.
    await_true("it is kept", lambda: used()["source"] == "kept with the job", seconds=150)
    found = used()
    assert measured() >= {"cpu_cores", "memory_bytes"}
    assert 0.02 < found["used"]["peak_cpu_cores"] < 0.3, found["used"]
    assert 0 < found["used"]["peak_memory_bytes"] <= 32 * 2**20, found["used"]
    assert "memory  asked 32Mi, used " in previous.sentinels("usage", str(job_id))


def test_an_upgrade_under_load_loses_nothing_and_can_be_taken_back(previous: Installation) -> None:
    before = previous.ask_database("SELECT version_num FROM alembic_version")
    old = {name: pod["metadata"]["uid"] for name, pod in previous.pods().items()}
    ids = previous.push(_SHELL, *_sweep(_JOBS // 2))
    values = _values(previous.folder, "next")
    with previous.popen_helm(
        "upgrade", RELEASE, str(CHART), *values, "--wait", "--timeout", "200s"
    ) as upgrade:
        while len(ids) < _JOBS:
            ids += previous.push(_SHELL, *_small(_SHORT))
        previous.said_by(upgrade)

    assert before != _NEXT_REVISION
    assert previous.ask_database("SELECT version_num FROM alembic_version") == _NEXT_REVISION
    _assert_migrated_before_ready(previous, old)
    assert _ends(previous, ids) == {("succeeded", "complete"): _JOBS}
    assert _launched(previous, ids) == {job_id: 1 for job_id in ids}

    previous.helm("rollback", RELEASE, "1", "--wait", "--timeout", "200s")

    assert previous.ask_database("SELECT version_num FROM alembic_version") == _NEXT_REVISION
    image = previous.pods()["submit"]["spec"]["containers"][0]["image"]
    assert image == f"{_REPOSITORY}:previous"
    (job_id,) = previous.push(_SHELL, *_small("true"))
    assert previous.await_end(job_id)["state"] == "succeeded"
    checks = json.loads(previous.sentinels("doctor", "--json"))["checks"]
    assert [check for check in checks if not check["ok"]] == []


def test_an_uninstallation_keeps_the_data_until_it_is_told_otherwise(
    previous: Installation,
) -> None:
    previous.helm("uninstall", RELEASE, "--wait", "--timeout", "120s")

    claims = {each["metadata"]["name"] for each in previous.listed("persistentvolumeclaims")}
    assert {f"data-{RELEASE}-postgresql-0", f"{RELEASE}-backup"} <= claims
    secrets = {each["metadata"]["name"] for each in previous.listed("secrets")}
    assert {f"{RELEASE}-database", "sentinels-token-admin"} <= secrets

    values = (*_values(previous.folder, "next"), "--set", "keepData=false")
    previous.helm("install", RELEASE, str(CHART), *values, "--wait", "--timeout", "200s")

    jobs = json.loads(previous.sentinels("status", "1", "-o", "json"))
    assert jobs["state"] == "succeeded", "the data of before are not there"

    previous.helm("uninstall", RELEASE, "--wait", "--timeout", "120s")

    await_true("nothing is left", lambda: not previous.left())


def _load_images(node: RealNode) -> None:
    folder = node.folder
    for make in COMPONENTS.values():
        node.import_image(cached_archive(make()))
    node.import_image(shell_image(_SHELL, folder).write(folder / "shell.tar"))
    newer = {_migration_path(): _MIGRATION.format(revision=_NEXT_REVISION, before=_newest())}
    archive = folder / "image.tar"
    for tag, more in {"previous": {}, "next": newer}.items():
        node.import_image(with_files(built_image(), archive, f"{_REPOSITORY}:{tag}", more))
    archive.unlink()


def _migration_path() -> str:
    return f"{_PACKAGES}/sentinels/db/migrations/versions/{_NEXT_REVISION}_next.py"


def _newest() -> str:
    """The newest migration of the checkout."""
    scripts = ScriptDirectory(str(files("sentinels.db").joinpath("migrations")))
    return str(scripts.get_current_head())


def _values(folder: Path, tag: str) -> tuple[str, ...]:
    """The words that give helm the values: images that are here, small volumes, quick ticks."""
    values: dict[str, Any] = {
        "image": {"repository": _REPOSITORY, "tag": tag, "pullPolicy": "Never"},
        "functions": {
            "runtime": "deployment",
            "tick": {"dispatch": "*/2 * * * * *", "notify": "*/2 * * * * *"},
            "service": {"type": "NodePort", "nodePort": _PORT},
        },
        "bootstrap": {"timeout": "3m"},
        "mlflow": {"databaseDriver": "psycopg2"},
        "prometheus": {"interval": "5s"},
    }
    _fill(values, yaml.safe_load((CHART / "values.yaml").read_text()))
    written = folder / f"{tag}.yaml"
    written.write_text(yaml.safe_dump(values))
    return ("--values", str(written))


def _fill(values: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Each part in the image that stands for its own; off where there is none."""
    for part, its in defaults.items():
        if not isinstance(its, dict) or not isinstance(its.get("image"), str):
            continue
        own = values.setdefault(part, {})
        name = _STANDS_FOR.get(part)
        own |= {"image": f"localhost/{name}:test"} if name else {"enabled": False}


def _small(script: str) -> tuple[str, ...]:
    return ("--cpu", "0.08", "--memory", "32Mi", "--", "sh", "-c", script)


def _sweep(count: int) -> tuple[str, ...]:
    numbers = ",".join(str(number) for number in range(count))
    return ("--sweep", f"n={numbers}", *_small(_SHORT))


def _lasting(installation: Installation) -> list[dict[str, Any]]:
    return [
        each
        for kind in ("deployments", "statefulsets", "daemonsets")
        for each in installation.listed(kind)
    ]


def _is_ready(pod: dict[str, Any]) -> bool:
    return _ready_since(pod) != ""


def _ready_since(pod: dict[str, Any]) -> str:
    return next(
        (
            str(each["lastTransitionTime"])
            for each in pod["status"].get("conditions", [])
            if (each["type"], each["status"]) == ("Ready", "True")
        ),
        "",
    )


def _assert_migrated_before_ready(installation: Installation, old: dict[str, str]) -> None:
    """In whole seconds, as Kubernetes tells when a pod was ready."""
    seconds = "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    migrated = installation.ask_database(f"SELECT {seconds} FROM next_version")
    pods = installation.pods()
    for function in ("submit", "dispatch", "notify"):
        assert pods[function]["metadata"]["uid"] != old[function], f"{function} is the old one"
        assert migrated <= _ready_since(pods[function]), function


def _ends(installation: Installation, ids: list[int]) -> dict[tuple[str, str], int]:
    """How many ended in which state, and with which word of what they left."""
    ended = [installation.await_end(job_id) for job_id in ids]
    return dict(Counter((job["state"], job["attempts"][-1]["outputs"]) for job in ended))


def _launched(installation: Installation, ids: list[int]) -> dict[int, int]:
    """How many Jobs each job has had in the cluster: one for each attempt."""
    jobs = json.loads(installation.node.kubectl("get", "jobs", "-n", _TEAM, "-o", "json"))["items"]
    numbers = Counter(int(job["metadata"]["labels"]["sentinels.dev/job"]) for job in jobs)
    return {job_id: numbers[job_id] for job_id in ids}
