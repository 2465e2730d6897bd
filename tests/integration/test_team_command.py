"""``sentinels team`` as far as no cluster is needed: what it prints, refuses and stores."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from sqlalchemy import Engine

from sentinels.clusters.kubernetes.team import TeamSpec, team_objects
from sentinels.core.errors import Conflict, InvalidRequest
from sentinels.db.people import caller_of
from sentinels.db.teams import all_teams, set_team

NOWHERE = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "none", "user": {}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "current-context": "none",
}


def team(*words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("sentinels")), "team", *words],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def test_a_dry_run_needs_no_cluster_and_prints_the_objects() -> None:
    expected = json.loads(json.dumps(team_objects(TeamSpec("vision"))))
    done = team("add", "vision", "--dry-run", "-o", "yaml")
    assert list(yaml.safe_load_all(done.stdout)) == expected
    assert done.stderr == "nothing was changed\n"
    assert json.loads(team("add", "vision", "--dry-run", "-o", "json").stdout)["items"] == expected


def test_faults_are_told_together_and_nothing_is_done() -> None:
    done = team("add", "Vision", "--cpu", "two", "--egress", "example.org")
    assert done.returncode == 2
    assert done.stdout == ""
    for word in ("'Vision'", "'two'", "'example.org'", "nothing was done"):
        assert word in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "yaml"), "add --dry-run"),
        (("--weight", "0"), "--weight 0.0 is not above 0"),
        (("--weight", "nan"), "--weight nan is not above 0"),
        (("--user", "ann"), "--user needs the database"),
        (("--kubeconfig", "/no/such/file"), "there is no such file"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_next_step(
    words: tuple[str, ...], said: str
) -> None:
    done = team("add", "vision", *words)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize("words", [("add", "vision"), ("list",)])
def test_a_cluster_that_does_not_answer_is_the_servers_trouble(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(json.dumps(NOWHERE))
    done = team(*words, "--kubeconfig", str(kubeconfig))
    assert done.returncode == 3
    assert "the Kubernetes API does not answer" in done.stderr


def test_a_team_keeps_its_weight_until_another_is_given(database_url: str) -> None:
    first = set_team(database_url, "vision", weight=None, user_tokens={})
    assert (first.created, first.weight) == (True, 1.0)
    changed = set_team(database_url, "vision", weight=2.5, user_tokens={})
    assert (changed.created, changed.weight_before, changed.weight) == (False, 1.0, 2.5)
    assert set_team(database_url, "vision", weight=None, user_tokens={}).weight == 2.5
    [row] = [found for found in all_teams(database_url) if found.name == "vision"]
    assert row.weight == 2.5


def test_only_a_new_user_gets_the_token(database_url: str, engine: Engine) -> None:
    assert set_team(database_url, "a", weight=None, user_tokens={"ann": "1"}).new_users == {"ann"}
    assert set_team(database_url, "a", weight=None, user_tokens={"ann": "2"}).new_users == set()
    known = caller_of(engine, "1")
    assert known is not None
    assert (known.user, known.team) == ("ann", "a")
    assert caller_of(engine, "2") is None


def test_a_user_of_another_team_changes_nothing(database_url: str) -> None:
    set_team(database_url, "a", weight=None, user_tokens={"ann": "1"})
    with pytest.raises(Conflict, match="ann is in another team"):
        set_team(database_url, "b", weight=3, user_tokens={"bob": "2", "ann": "3"})
    assert [(found.name, found.users) for found in all_teams(database_url)] == [("a", ("ann",))]


@pytest.mark.parametrize("url", ["nonsense", "oracle17://u@h/d"])
def test_a_database_url_that_is_none_is_named(url: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be understood"):
        set_team(url, "a", weight=None, user_tokens={})
