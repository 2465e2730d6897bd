"""Past experiments at the terminal: the best by a metric, two jobs side by side, one once more."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_cli_canned import (
    Canned,
    Json,
    Person,
    attempt,
    detail,
    job,
    person_at,
    problem,
    pushed,
)

Desk = tuple[Person, Canned]
PAGE = "https://mlflow.example/#/experiments/3"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with person_at(tmp_path) as found:
        yield found


def ended(job_id: int, **params: object) -> Json:
    """A job of the experiment that has succeeded."""
    links = {"mlflow": f"{PAGE}/runs/r{job_id}", "experiment": PAGE}
    return job(job_id, "succeeded", params={"solver": "lbfgs", **params}, links=links)


def have(canned: Canned, metrics: Json, *jobs: Json, error: str | None = None) -> None:
    canned.on("GET /v1/jobs", {"jobs": list(jobs), "next_cursor": None})
    canned.on("GET /v1/metrics", {"metrics": metrics, "error": error})


JOBS = (ended(14, C=10), ended(13, C=1), ended(12, C=0.1))
METRICS: Json = {
    "12": {"accuracy": 0.91, "log_loss": 0.51},
    "13": {"accuracy": 0.9722222222, "log_loss": 0.1, "system/cpu": 3},
    "14": {"accuracy": None},
}


def test_an_experiments_history_has_metrics_and_the_parameters_that_differ(desk: Desk) -> None:
    person, canned = desk
    have(canned, METRICS, *JOBS)
    said = person.type("history", "--experiment", "digits")
    assert canned.queries("/v1/jobs")[0]["experiment"] == "digits"
    assert said.out.splitlines() == [
        "JOB  NAME           accuracy  log_loss  C    OUTCOME    ENDED                   RAN",
        " 14  digits-logreg         -         -  10   succeeded  2026-11-20 14:03:20  2m 20s",
        " 13  digits-logreg    0.9722       0.1  1    succeeded  2026-11-20 14:03:20  2m 20s",
        " 12  digits-logreg      0.91      0.51  0.1  succeeded  2026-11-20 14:03:20  2m 20s",
    ]
    wide = person.type("history", "--experiment", "digits", "-o", "wide").out.splitlines()
    assert wide[0].split()[-3:] == ["USER", "MLFLOW", "EXPERIMENT"]
    assert "system/cpu" in wide[0]
    assert wide[2].split()[-2:] == [f"{PAGE}/runs/r13", PAGE]


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (["--sort", "accuracy"], [13, 12, 14]),
        (["--sort", "accuracy", "--asc"], [12, 13, 14]),
        (["--sort", "log_loss"], [13, 12, 14]),
        (["--sort", "log_loss", "--desc"], [12, 13, 14]),
        (["--sort", "nothing"], [14, 13, 12]),
    ],
)
def test_the_best_come_first_and_those_that_were_not_measured_last(
    desk: Desk, words: list[str], order: list[int]
) -> None:
    person, canned = desk
    have(canned, METRICS, *JOBS)
    said = person.type("history", "--experiment", "digits", *words, "-o", "json")
    assert [each["id"] for each in json.loads(said.out)] == order


def test_the_limit_counts_after_the_order(desk: Desk) -> None:
    person, canned = desk
    have(canned, METRICS, *JOBS)
    said = person.type("history", "--sort", "accuracy", "-n", "1", "-o", "json")
    assert [each["id"] for each in json.loads(said.out)] == [13]
    assert json.loads(said.out)[0]["metrics"]["log_loss"] == 0.1


def test_only_the_metrics_that_were_asked_for_are_shown(desk: Desk) -> None:
    person, canned = desk
    have(canned, METRICS, *JOBS)
    words = ("history", "--experiment", "digits", "--sort", "accuracy", "-m", "log_loss")
    assert person.type(*words).out.split()[2:4] == ["accuracy", "log_loss"]
    rows = list(csv.DictReader(io.StringIO(person.type(*words, "-o", "csv").out)))
    assert (rows[0]["metric.accuracy"], rows[0]["param.C"]) == ("0.9722", "1")
    assert rows[0]["mlflow"] == f"{PAGE}/runs/r13"


def test_without_mlflow_the_rest_is_shown_and_it_is_said_what_is_missing(desk: Desk) -> None:
    person, canned = desk
    have(canned, {}, *JOBS, error="MLflow does not answer in time")
    said = person.type("history", "--experiment", "digits", "--sort", "accuracy")
    assert said.err == (
        "metrics are missing: MLflow does not answer in time; the newest are first\n"
    )
    assert (said.code, len(said.out.splitlines())) == (0, 4)


def test_of_a_long_history_the_newest_are_put_in_order(desk: Desk) -> None:
    person, canned = desk
    page: Json = {"jobs": [ended(at) for at in range(100, 0, -1)], "next_cursor": "more"}
    canned.on("GET /v1/jobs", page)
    canned.on("GET /v1/metrics", {"metrics": {}, "error": None})
    said = person.type("history", "--experiment", "digits", "--sort", "accuracy")
    assert said.err == "the best of the newest 500; there are more\n"
    assert len(canned.queries("/v1/metrics")) == 3


def test_history_without_an_experiment_is_the_list_that_it_was(desk: Desk) -> None:
    person, canned = desk
    have(canned, METRICS, *JOBS)
    assert "PARAMS" in person.type("history").out.splitlines()[0]
    assert canned.queries("/v1/metrics") == []
    canned.on("GET /v1/jobs", {"jobs": [], "next_cursor": None})
    said = person.type("history", "--experiment", "faces")
    assert said.out == "No job of faces has ended.\n"
    said = person.type("history", "12", "--sort", "accuracy")
    assert (said.code, said.out) == (2, "")


def test_a_diff_shows_what_was_asked_for_what_ran_and_what_came_out(desk: Desk) -> None:
    person, canned = desk
    config = {"name": "fit", "params": {"C": 0.1}, "resources": {"cpu": "2"}, "args": ["a"]}
    other = {"name": "fit", "params": {"C": 1, "k": True}, "resources": {"cpu": "4"}, "args": ["b"]}
    usage = {**attempt()["usage"], "peak_memory_bytes": 300 * 2**20, "cpu_seconds": 9.5}  # type: ignore[dict-item]
    canned.on("GET /v1/jobs/12", detail(12, "succeeded", config=config))
    later = "2026-11-20T14:05:00+00:00"
    canned.on(
        "GET /v1/jobs/fit",
        detail(
            15,
            "failed",
            reason="out_of_memory",
            config=other,
            digest="sha256:" + "1" * 64,
            finished_at=later,
            attempts=[attempt(state="failed", usage=usage)],
        ),
    )
    canned.on(
        "GET /v1/metrics",
        {"metrics": {"12": {"accuracy": 0.9}, "15": {"accuracy": 0.95, "f1": 1}}, "error": None},
    )
    said = person.type("diff", "12", "fit")
    assert [" ".join(line.split()) for line in said.out.splitlines()] == [
        "WHAT 12 digits-logreg 15 digits-logreg CHANGE",
        "params.C 0.1 1 -",
        "params.k - true -",
        "resources.cpu 2 4 -",
        'args ["a"] ["b"] -',
        "digest sha256:9f3c0d2b7a sha256:111111111111 -",
        "outcome succeeded failed (out of memory) -",
        "ran 2m 20s 4m 00s +1m 40s",
        "peak memory 200Mi 300Mi +100Mi",
        "cpu 12s 9.5s -2.8s",
        "accuracy 0.9 0.95 +0.05",
        "f1 - 1 -",
    ]
    told = json.loads(person.type("diff", "12", "fit", "-o", "json").out)
    assert told["a"] == {"id": 12, "name": "digits-logreg"}
    assert {"what": "peak_memory_bytes", "a": 200 * 2**20, "b": 300 * 2**20} in told["result"]
    assert told["metrics"][0] == {"what": "accuracy", "a": 0.9, "b": 0.95}
    rows = list(csv.DictReader(io.StringIO(person.type("diff", "12", "fit", "-o", "csv").out)))
    assert rows[0] == {"part": "config", "what": "params.C", "a": "0.1", "b": "1"}


def test_a_diff_names_variables_and_never_shows_their_values(desk: Desk) -> None:
    person, canned = desk
    left = {"env": {"KEY": "hush-a", "SAME": "hush-s", "GONE": "hush-g"}}
    right = {"env": {"KEY": "hush-b", "SAME": "hush-s"}}
    canned.on("GET /v1/jobs/1", detail(1, "succeeded", config=left))
    canned.on("GET /v1/jobs/2", detail(2, "succeeded", config=right))
    canned.on("GET /v1/metrics", {"metrics": {}, "error": None})
    for output in ("table", "wide", "json", "yaml", "csv"):
        out = person.type("diff", "1", "2", "--all", "-o", output).out
        assert "hush" not in out
    lines = [line.split() for line in person.type("diff", "1", "2").out.splitlines()[1:]]
    assert lines == [["env.KEY", "set", "set", "otherwise", "-"], ["env.GONE", "set", "-", "-"]]


def test_a_diff_of_the_same_says_so_and_one_without_mlflow_says_what_is_missing(
    desk: Desk,
) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", detail(12, "succeeded"))
    canned.on("GET /v1/metrics", {"metrics": {}, "error": "MLflow does not answer"})
    said = person.type("diff", "12", "12")
    assert said.out == "They are the same.\n"
    assert said.err == "metrics are missing: MLflow does not answer\n"
    assert "accuracy" not in said.out
    whole = person.type("diff", "12", "12", "--all").out
    assert "params.C" in whole


def test_a_rerun_sends_the_flags_as_changes_and_says_of_what_it_is_one(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/jobs/12/rerun", pushed(job(15, rerun_of=12)))
    said = person.type("rerun", "12", "-p", "C=5", "--cpu", "4", "--env", "A=1", "--key", "k")
    assert canned.asked[0].body == {
        "config": {"resources": {"cpu": "4"}, "params": {"C": 5}, "env": {"A": "1"}},
        "by_tag": False,
    }
    assert canned.asked[0].headers["Idempotency-Key"] == "k"
    assert said.out.startswith("job 15 queued · 3rd of 9 · digits-logreg · rerun of 12\n")
    assert person.type("rerun", "12", "-q").out == "15\n"


def test_a_rerun_may_have_another_command_and_take_a_tag_for_what_it_means_now(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/jobs/12/rerun", pushed(job(15, rerun_of=12)))
    person.type("rerun", "12", "--by-tag", "--", "python", "other.py", "--fast")
    assert canned.asked[0].body == {
        "config": {"command": ["python", "other.py", "--fast"]},
        "by_tag": True,
    }


def test_what_is_wrong_with_a_rerun_is_named_by_its_flag(desk: Desk) -> None:
    person, canned = desk
    fault = {"field": "resources.cpu", "message": "is wrong", "value": "x", "remedy": None}
    other = {"field": "params.C", "message": "is odd", "value": None, "remedy": None}
    canned.on(
        "POST /v1/jobs/12/rerun",
        problem(422, "2 faults", faults=[{**fault, "line": None}, {**other, "line": None}]),
    )
    said = person.type("rerun", "12", "--cpu", "x", "-p", "C=1")
    assert said.code == 2
    assert said.err.splitlines()[1:] == ["  --cpu: is wrong (it is x)", "  --param C: is odd"]


def test_a_flag_that_cannot_be_read_is_told_before_anything_is_sent(desk: Desk) -> None:
    person, canned = desk
    said = person.type("rerun", "12", "-p", "C")
    assert (said.code, canned.asked) == (2, [])
    assert "--param: C is not NAME=VALUE" in said.err


def test_a_rerun_is_waited_for_like_a_push(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/jobs/12/rerun", pushed(job(15, rerun_of=12)))
    canned.on("GET /v1/jobs/15", detail(15, "failed", reason="killed"))
    assert person.type("rerun", "12", "--wait").code == 1
    canned.on("POST /v1/jobs/12/rerun", {"workloads": [{"name": "sentinels-0-1"}]})
    said = person.type("rerun", "12", "--dry-run")
    assert said.out == "name: sentinels-0-1\n"
    assert canned.asked[-1].query == {"dry_run": "true"}


def test_what_ran_before_and_is_gone_is_told_with_the_way_out(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/jobs/12/rerun", problem(404, "it is gone", remedy="push it"))
    said = person.type("rerun", "12")
    assert (said.code, said.err) == (4, "error: it is gone\n  → push it\n")


def test_status_says_of_what_a_job_is_a_rerun(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/15", detail(15, rerun_of=12))
    assert "  rerun       of job 12\n" in person.type("status", "15").out
