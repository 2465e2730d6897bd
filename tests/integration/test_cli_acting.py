"""``wait``, ``cancel`` and ``artifacts``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_cli_canned import (
    Canned,
    Json,
    Person,
    Reply,
    detail,
    job,
    person_at,
    problem,
)

Desk = tuple[Person, Canned]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A person and a server."""
    with person_at(tmp_path) as found:
        yield found


def test_wait_ends_with_the_last_job_and_fails_if_one_did_not_succeed(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", detail(state="failed", message="exit code 3"))
    canned.on("GET /v1/jobs/13", detail(13, "succeeded"))
    said = person.type("wait", "12", "13")
    assert said.out == (
        "✘ job 12 digits-logreg failed after 2m 20s: exit code 3\n"
        "✔ job 13 digits-logreg succeeded after 2m 20s\n"
    )
    assert said.code == 1
    assert person.type("wait", "13").code == 0


def test_a_name_means_the_job_that_had_it_when_the_wait_began(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/digits", detail(12))
    canned.on("GET /v1/jobs/12", detail(12), detail(12, "succeeded", event=9))
    assert "✔ job 12" in person.type("wait", "digits").out
    assert len(canned.queries("/v1/jobs/digits")) == 1


def test_a_wrong_reference_is_told_before_the_wait_begins(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", detail(12))
    said = person.type("wait", "12", "nope")
    assert (said.out, said.code) == ("", 4)


def test_a_wait_survives_a_server_that_restarts(desk: Desk) -> None:
    person, canned = desk
    ended = detail(state="succeeded", event=9)
    canned.on("GET /v1/jobs/12", detail(), detail(), problem(503, "restarting"), ended)
    said = person.type("wait", "12")
    assert said.code == 0
    assert said.err == "restarting; trying again …\n"


def test_a_wait_that_takes_too_long_says_how_things_stand(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", detail())
    said = person.type("wait", "12", "--timeout", "1s")
    assert said.code == 2
    assert "error: the time is over: job 12 digits-logreg queued · 3rd of 9" in said.err
    said = person.type("wait", "12", "--timeout", "soon")
    assert "--timeout soon: " in said.err
    assert said.code == 2


def test_ctrl_c_ends_a_wait_quietly_and_says_how_to_go_on(desk: Desk) -> None:
    person, canned = desk
    (person.home / "train").mkdir()
    canned.on("POST /v1/jobs", {"jobs": [job()], "replayed": False, "queue": {}})
    canned.on("GET /v1/jobs/12", detail())
    with person.start("push", "train", "--wait") as process:
        try:
            assert process.stdout is not None
            for _ in range(4):
                process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert err == "what was pushed goes on; wait again: sentinels wait 12\n"


def test_at_a_terminal_one_line_lives_until_the_outcome(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", detail(), detail(), detail(state="succeeded", event=9))
    with person.at_terminal("wait", "12") as terminal:
        seen = terminal.read_to_end()
    assert "✔ job 12 digits-logreg succeeded after 2m 20s" in seen
    assert "\x1b[?25l" in seen
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l"), "the cursor is shown again"


def test_cancel_tells_each_effect_and_exits_by_the_worst(desk: Desk) -> None:
    person, canned = desk
    gone: Json = {"job": job(12, "cancelled"), "effect": "cancelled", "dependents": []}
    canned.on("POST /v1/jobs/12/cancel", gone)
    stopping: Json = {"job": job(13, "running"), "effect": "requested", "dependents": [15, 16]}
    canned.on("POST /v1/jobs/13/cancel", stopping)
    canned.on("POST /v1/jobs/14/cancel", problem(409, "job 14 has ended: succeeded"))
    said = person.type("cancel", "12", "13", "14")
    assert said.out.splitlines()[0] == "job 12 digits-logreg cancelled"
    assert said.out.splitlines()[1].startswith("job 13 digits-logreg is being stopped; sentinels")
    assert said.out.splitlines()[2] == "  with it what was to start after it: 15, 16"
    assert said.err == "error: job 14 has ended: succeeded\n"
    assert said.code == 2
    assert person.type("cancel", "12").code == 0


def test_a_sweep_is_cancelled_in_one_request(desk: Desk) -> None:
    person, canned = desk
    sweep: Json = {"sweep": 12, "name": "lr"}
    canned.on("POST /v1/sweeps/13/cancel", {"cancelled": 6, "requested": 2, "sweep": sweep})
    said = person.type("cancel", "--sweep", "13").out
    assert said == "sweep 12 lr: 6 cancelled, 2 being stopped\n"
    assert len(canned.asked) == 1


def test_cancelling_nothing_is_refused(desk: Desk) -> None:
    person, canned = desk
    assert person.type("cancel").code == 2
    canned.on("POST /v1/sweeps/12/cancel", problem(409, "all jobs of sweep 12 have ended"))
    assert person.type("cancel", "--sweep", "12").code == 2


def _left(canned: Canned, *paths: str, complete: bool = True) -> None:
    files = [{"path": path, "size_bytes": len(path)} for path in paths]
    answer: Json = {"job": 12, "attempt": 1, "artifacts": files, "complete": complete}
    canned.on("GET /v1/jobs/12/artifacts", answer)
    for path in paths:
        canned.on(f"GET /v1/jobs/12/artifacts/{path}", Reply(path.encode(), chunked=True))


def test_artifacts_are_listed_and_downloaded_as_a_tree(desk: Desk) -> None:
    person, canned = desk
    _left(canned, "model/w eights.bin", "metrics.json", complete=False)
    said = person.type("artifacts", "12")
    assert [line.split(None, 1)[1] for line in said.out.splitlines()] == [
        "PATH",
        "model/w eights.bin",
        "metrics.json",
    ]
    assert said.err == "not everything has arrived yet; look again later\n"
    said = person.type("artifacts", "12", "--download", "out")
    assert said.out == "2 files, 30, in out\n"
    out = person.home / "out"
    found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert found == {"model/w eights.bin", "metrics.json"}
    assert (out / "model" / "w eights.bin").read_text() == "model/w eights.bin"


def test_a_part_of_the_tree_can_be_downloaded(desk: Desk) -> None:
    person, canned = desk
    _left(canned, "model/a", "model2/b", "c")
    assert person.type("artifacts", "12", "model", "-d", "out").out.startswith("1 file, ")
    assert (person.home / "out" / "model" / "a").is_file()
    assert person.type("artifacts", "12", "mod", "-d", "out").code == 4


@pytest.mark.parametrize("path", ["../outside", "/tmp/outside", "a/../../outside", "link/x", "."])
def test_nothing_is_ever_written_outside_of_the_folder(desk: Desk, path: str) -> None:
    person, canned = desk
    out, elsewhere = person.home / "out", person.home / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "link").symlink_to(elsewhere)
    _left(canned, "good", path)
    said = person.type("artifacts", "12", "-d", "out")
    assert said.code == 2
    assert "would land outside out; nothing was downloaded" in said.err
    assert [path.name for path in out.iterdir()] == ["link"]
    assert list(elsewhere.iterdir()) == []
    assert not (person.home / "outside").exists()


def test_a_download_that_breaks_off_leaves_no_half_file(desk: Desk) -> None:
    person, canned = desk
    _left(canned, "model")
    canned.on("GET /v1/jobs/12/artifacts/model", Reply(b"x" * 100_000, cut=70_000))
    said = person.type("artifacts", "12", "-d", "out")
    assert "the connection broke off in the middle of the answer" in said.err
    assert said.code == 3
    assert list((person.home / "out").iterdir()) == []


def test_one_file_is_printed_as_its_bytes_but_never_binary_to_a_terminal(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12/artifacts/m.txt", Reply(b"\x1b[31mred\nplain"))
    assert person.type("artifacts", "12", "m.txt").out == "\x1b[31mred\nplain"
    with person.at_terminal("artifacts", "12", "m.txt") as terminal:
        assert terminal.read_to_end() == "red\nplain"
    canned.on("GET /v1/jobs/12/artifacts/m.bin", Reply(b"\0\1\2"))
    with person.at_terminal("artifacts", "12", "m.bin") as terminal:
        assert "m.bin is no text" in terminal.read_to_end()
    assert terminal.process.returncode == 2


def test_at_a_terminal_a_download_is_a_bar(desk: Desk) -> None:
    person, canned = desk
    _left(canned, "model")
    with person.at_terminal("artifacts", "12", "-d", "out") as terminal:
        seen = terminal.read_to_end()
    assert "1 file, 5, in out" in seen
    assert "\x1b[?25h" in seen
