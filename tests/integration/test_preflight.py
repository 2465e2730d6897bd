"""What a push is held against: each check with its remedy, silence a warning, in two seconds."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sentinels.clusters.local.data import LocalDataStore
from sentinels.clusters.local.images import LocalImageStore
from sentinels.core.errors import ClusterUnavailable, TrackerUnavailable
from sentinels.core.policy import Policy, TeamPolicy
from sentinels.core.ports import Lack, Program, Unpinned
from sentinels.core.quota import Quota
from sentinels.core.submitting import SubmitPorts
from sentinels.core.workload import Image, ImageKind
from sentinels.functions.bounded import begun
from tests.conftest import TOKEN
from tests.integration.test_cli import Terminal
from tests.support.desk import Desk
from tests.support.front import Client, LoggedCluster, make_door, serving
from tests.support.scripted import node

DIGEST = "sha256:" + "1" * 64


@dataclass
class OneImage:
    """One container image; ``silent``: nobody says what it is."""

    architectures: tuple[str, ...] = ("amd64",)
    silent: bool = False
    asked: list[str] = field(default_factory=list)

    def resolve(self, reference: str, *, team: str = "default") -> Image:
        self.asked.append(team)
        named = Image(ImageKind.CONTAINER, reference, None, reference)
        if self.silent:
            raise Unpinned("the image is taken as it is named: the registry does not answer", named)
        return replace(named, digest=DIGEST, architectures=self.architectures)

    def pin(self, image: Image, *, seen: str | None) -> Image:
        return image

    def program(self, image: Image, command: Sequence[str] | None) -> Program | None:
        return None


@dataclass
class Outside:
    """Secrets and experiments; ``hangs``: neither answers for a long time."""

    hangs: bool = False
    silent: bool = False
    deleted_ones: tuple[str, ...] = ()
    over: threading.Event = field(default_factory=threading.Event)

    def missing(self, team: str, secrets: Mapping[str, str]) -> Mapping[str, Lack]:
        if self.hangs:
            self.over.wait(20)
        if self.silent:
            raise ClusterUnavailable("the Kubernetes API does not answer")
        lack = Lack(f"there is no secret hf in sen-{team}", "make one")
        return {name: lack for name, path in secrets.items() if path.startswith("hf/")}

    def deleted(self, experiment: str) -> bool | None:
        if self.hangs:
            self.over.wait(20)
        if self.silent:
            raise TrackerUnavailable("MLflow does not answer")
        return experiment in self.deleted_ones or None


@contextmanager
def client_at(desk: Desk, **ports: Any) -> Iterator[Client]:
    door = make_door(desk, LoggedCluster(), None)
    with serving(replace(door, ports=replace(door.ports, begin=begun, **ports))) as port:
        yield Client(port, TOKEN)


def push(client: Client, *, check: bool = True, **config: object) -> Any:
    path = "/v1/jobs?check=true" if check else "/v1/jobs"
    return client.post(path, {"image": "team/train:1", "config": config}).json


def standings(answer: Any) -> dict[str, str]:
    return {check["name"]: check["standing"] for check in answer["checks"]}


def said(answer: Any, name: str) -> str:
    [check] = [check for check in answer["checks"] if check["name"] == name]
    return str(check["said"])


def test_every_check_is_listed_and_nothing_is_stored(desk: Desk) -> None:
    desk.tick()
    outside, images = Outside(), OneImage()
    with client_at(desk, images=images, secrets=outside, experiments=outside) as client:
        answer = push(client, data=["digits"], secrets={"A": "s3/key"}, time_limit="1h")
        assert answer["ok"]
        names = ["image", "policy", "node", "quota", "data", "secrets", "experiment"]
        assert standings(answer) == dict.fromkeys(names, "ok")
        assert "train:1 is sha256:111" in said(answer, "image")
        assert images.asked == ["default"]
        assert desk.ask("SELECT count(*) FROM jobs") == [(0,)]


def test_every_refusal_comes_at_once_and_with_what_to_do(desk: Desk) -> None:
    desk.cluster.nodes = (replace(node(), architecture="arm64"),)
    desk.tick()
    outside = Outside()
    with client_at(desk, images=OneImage(), secrets=outside, experiments=outside) as client:
        config: dict[str, Any] = {"secrets": {"A": "hf/token"}, "after": [7], "priority": "best"}
        answer = push(client, **config)
        failed = [name for name, how in standings(answer).items() if how == "failed"]
        assert failed == ["policy", "processor", "after", "secrets"]
        assert not answer["ok"]
        faults = [fault for check in answer["checks"] for fault in check["faults"]]
        assert all(fault["remedy"] for fault in faults)
        refused = push(client, check=False, **config)
        assert refused["faults"] == faults
        assert desk.ask("SELECT count(*) FROM jobs") == [(0,)]


def test_who_hangs_or_is_silent_is_warned_of_within_two_seconds_and_the_push_is_taken(
    desk: Desk,
) -> None:
    desk.tick()
    for outside in (Outside(hangs=True), Outside(silent=True)):
        ports = {"images": OneImage(silent=True), "secrets": outside, "experiments": outside}
        with client_at(desk, **ports) as client:
            began = time.monotonic()
            answer = push(client, check=False, secrets={"A": "hf/token"})
            assert time.monotonic() - began < 2
            outside.over.set()
        assert len(answer["warnings"]) == 3
        assert "is taken as it is named" in answer["warnings"][0]
        assert answer["jobs"][0]["digest"] is None
        desk.change("DELETE FROM same_pushes")


def test_a_deleted_experiment_is_warned_of(desk: Desk) -> None:
    outside = Outside(deleted_ones=("digits",))
    with client_at(desk, images=OneImage(), experiments=outside) as client:
        answer = push(client, experiment="digits")
        assert standings(answer)["experiment"] == "warning"
        assert "was deleted in MLflow" in said(answer, "experiment")


def test_what_would_wait_for_the_teams_quota_is_a_hint_and_what_never_could_run_is_refused(
    desk: Desk,
) -> None:
    desk.policy = Policy(teams={"default": TeamPolicy(quota=Quota(cpu_millis=2000))})
    with client_at(desk, images=OneImage()) as client:
        desk.push(resources={"cpu": 2})
        desk.tick()
        waits = push(client, resources={"cpu": 1})
        assert (waits["ok"], standings(waits)["quota"]) == (True, "warning")
        assert "team default holds 2 of its 2 CPUs" in said(waits, "quota")
        never = push(client, resources={"cpu": 3})
        assert (never["ok"], standings(never)["quota"]) == (False, "failed")


def test_an_image_for_some_of_the_nodes_is_a_warning(desk: Desk) -> None:
    desk.cluster.nodes = (
        replace(node(), architecture="amd64"),
        replace(node(name="arm"), architecture="arm64"),
    )
    desk.tick()
    with client_at(desk, images=OneImage()) as client:
        assert standings(push(client))["processor"] == "warning"
    with client_at(desk, images=OneImage(("amd64", "arm64"))) as client:
        assert standings(push(client))["processor"] == "ok"


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Iterator[Terminal]:
    """At a server with directories of code and a data store."""
    door = make_door(desk, LoggedCluster(), None)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "train.py").write_text("print('trained')")
    (tmp_path / "digits").mkdir()
    images, data = LocalImageStore(tmp_path / "home"), LocalDataStore(str(tmp_path))
    ports: SubmitPorts = replace(door.ports, images=images, data=data, begin=begun)
    desk.tick()
    with serving(replace(door, ports=ports)) as port:
        yield Terminal(f"http://127.0.0.1:{port}", tmp_path)


def test_a_person_sees_each_check_and_how_to_mend_it(terminal: Terminal, desk: Desk) -> None:
    words = ("push", "train", "--data", "digits", "--check", "--", "python", "-u")
    good, note = terminal.type(*words, "train.py")
    assert "✔ program     train.py is there" in good
    assert "✔ data        digits: in the data store" in good
    assert note == "nothing was pushed\n"
    bad, _ = terminal.type(*words, "trian.py", code=2)
    assert "✘ program     command: there is no trian.py in the directory" in bad
    assert "→ did you mean train.py?" in bad
    assert "✔ data" in bad
    listed = json.loads(terminal.type(*words[:-3], "-o", "json")[0])
    assert listed["ok"] is True
    assert desk.ask("SELECT count(*) FROM jobs") == [(0,)]


def test_a_directory_without_its_script_is_refused(terminal: Terminal) -> None:
    _, complaint = terminal.type("push", "train", "--", "python", "fit.py", code=2)
    assert "there is no fit.py in the directory" in complaint
    (terminal.folder / "empty").mkdir()
    (terminal.folder / "empty" / "notes.txt").write_text("nothing to run")
    _, complaint = terminal.type("push", "empty", code=2)
    assert "there is no main.py or train.py in the directory" in complaint
