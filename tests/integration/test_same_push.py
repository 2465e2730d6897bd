"""The same push twice is one job while that has not ended, whoever is first and however often."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sentinels.clusters.local.images import LocalImageStore
from sentinels.core.job import JobState
from sentinels.core.queueing import Caller, Pushed
from sentinels.core.submitting import Manner, SubmitPorts, push
from sentinels.db.intake import PostgresIntake
from tests.conftest import TOKEN
from tests.integration.test_cli import Terminal
from tests.support.desk import AnyData, AnyImage, Desk, nothing
from tests.support.front import Client, FileTracker, LoggedCluster, make_door, serving


def again(
    desk: Desk, *, again: bool | None = False, key: str | None = None, **config: object
) -> Pushed:
    """A push that may be the same as another."""
    ports = SubmitPorts(
        queue=PostgresIntake(desk.engine, nothing),
        images=AnyImage(),
        data=AnyData(),
        events=desk.pokes,
        policy=lambda: desk.policy,
    )
    config = {"command": ["python", "main.py"], **config}
    manner = Manner(key, again)
    return push(ports, desk.caller, image="/code/digits", config=config, manner=manner)


SWEEP = {"C": [0.1, 1]}


@pytest.mark.parametrize("sweep", [{}, SWEEP])
def test_the_same_push_gives_the_same_jobs_and_pokes_nobody(
    desk: Desk, sweep: dict[str, object]
) -> None:
    first, second = again(desk, sweep=sweep), again(desk, sweep=sweep)
    assert (first.same, second.same, second.replayed) == (False, True, True)
    assert second.job_ids == first.job_ids
    assert desk.pokes.count == 1


@pytest.mark.parametrize("sweep", [{}, SWEEP])
def test_of_the_same_push_from_eight_threads_one_is_stored(
    desk: Desk, sweep: dict[str, object]
) -> None:
    with ThreadPoolExecutor(8) as threads:
        pushes = list(threads.map(lambda _: again(desk, sweep=sweep), range(8)))
    assert len({pushed.job_ids for pushed in pushes}) == 1
    assert sum(not pushed.same for pushed in pushes) == 1
    assert desk.ask("SELECT count(*) FROM jobs") == [(len(pushes[0].job_ids),)]


@pytest.mark.parametrize(
    "other",
    [{"params": {"C": 2}}, {"name": "two"}, {"priority": "high"}, {"resources": {"cpu": 2}}],
    ids=str,
)
def test_what_differs_in_anything_is_another_push(desk: Desk, other: dict[str, object]) -> None:
    again(desk)
    assert not again(desk, **other).same


def test_another_user_has_pushes_of_their_own(desk: Desk) -> None:
    again(desk)
    ann = desk.caller
    desk.caller = Caller(ann.user_id + 1, "bob", ann.team_id, ann.team)
    assert not again(desk).same


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.SUCCEEDED, JobState.CANCELLED])
def test_what_has_ended_can_be_pushed_anew(desk: Desk, state: JobState) -> None:
    [job_id] = again(desk).job_ids
    desk.change(
        "UPDATE jobs SET state = CAST(:state AS job_state), finished_at = now() WHERE id = :id",
        state=state.value,
        id=job_id,
    )
    fresh = again(desk)
    assert not fresh.same
    assert again(desk).job_ids == fresh.job_ids


def test_what_is_being_cancelled_can_be_pushed_anew(desk: Desk) -> None:
    [job_id] = again(desk).job_ids
    desk.change("UPDATE jobs SET cancel_requested_at = now() WHERE id = :id", id=job_id)
    assert not again(desk).same


def test_a_sweep_is_the_same_until_its_last_job_has_ended(desk: Desk) -> None:
    jobs = again(desk, sweep=SWEEP).job_ids
    for job_id, same in zip(jobs, (True, False), strict=True):
        desk.change(
            "UPDATE jobs SET state = 'succeeded', finished_at = now() WHERE id = :id", id=job_id
        )
        assert again(desk, sweep=SWEEP).same is same


def test_after_its_time_it_is_a_new_push_and_the_old_ones_are_forgotten(desk: Desk) -> None:
    for name in ("one", "two"):
        again(desk, name=name)
    desk.change("UPDATE same_pushes SET at = at - interval '11 minutes'")
    assert not again(desk, name="one").same
    assert desk.ask("SELECT count(*) FROM same_pushes") == [(1,)]


def test_again_pushes_it_and_the_newest_is_then_the_same(desk: Desk) -> None:
    first, second = again(desk), again(desk, again=True)
    assert second.job_ids != first.job_ids
    assert again(desk).job_ids == second.job_ids


def test_a_push_that_fails_leaves_its_place_free(desk: Desk) -> None:
    class Crash(BaseException):
        pass

    def crash(name: str) -> None:
        raise Crash

    intake = PostgresIntake(desk.engine, crash)
    ports = SubmitPorts(
        queue=intake,
        images=AnyImage(),
        data=AnyData(),
        events=desk.pokes,
        policy=lambda: desk.policy,
    )
    config = {"command": ["python", "main.py"]}
    manner = Manner(again=False)
    with pytest.raises(Crash):
        push(ports, desk.caller, image="/code/digits", config=config, manner=manner)
    assert not again(desk).same


@pytest.fixture
def client(desk: Desk) -> Iterator[Client]:
    with serving(make_door(desk, LoggedCluster(), FileTracker())) as port:
        yield Client(port, TOKEN)


def test_over_http_a_key_of_its_own_is_a_push_of_its_own(client: Client) -> None:
    body = {"image": "/code/digits", "config": {"command": ["python", "main.py"]}}

    def pushed(path: str = "/v1/jobs", **headers: str) -> tuple[int, bool, int]:
        answer = client.post(path, body, **headers)
        return answer.status, answer.json["same"], answer.json["jobs"][0]["id"]

    status, same, first = pushed()
    assert (status, same) == (201, False)
    assert pushed() == (200, True, first)
    keyed = pushed(Idempotency_Key="k")
    assert (keyed[0], keyed[1], keyed[2] > first) == (201, False, True)
    assert pushed(Idempotency_Key="k") == (200, False, keyed[2])
    assert pushed("/v1/jobs?again=false", Idempotency_Key="l") == (200, True, first)
    assert pushed("/v1/jobs?again=true", Idempotency_Key="l")[0] == 201


def test_a_person_is_told_that_it_is_the_same_and_how_to_push_it_anyway(
    desk: Desk, tmp_path: Path
) -> None:
    door = make_door(desk, LoggedCluster(), None)
    ports = replace(door.ports, images=LocalImageStore(tmp_path / "home"))
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "main.py").write_text("print('trained')")
    with serving(replace(door, ports=ports)) as port:
        terminal = Terminal(f"http://127.0.0.1:{port}", tmp_path)
        first, _ = terminal.type("push", "train", "-q")
        said, _ = terminal.type("push", "train")
        assert said.startswith(f"job {first.strip()} queued")
        assert "the same was pushed" in said
        assert "--again pushes it anyway" in said
        assert terminal.type("push", "train", "-q")[0] == first
        assert terminal.type("push", "train", "-q", "--key", "mine")[0] != first
        told = json.loads(terminal.type("push", "train", "--again", "-o", "json")[0])
        assert (told["same"], told["replayed"]) == (False, False)
        (tmp_path / "train" / "main.py").write_text("print('trained better')")
        assert "the same was pushed" not in terminal.type("push", "train")[0]
