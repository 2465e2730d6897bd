"""Which file a command starts with, and which image a name means."""

from __future__ import annotations

import pytest

from sentinels.clusters.local.scripts import script_of
from sentinels.core.image_reference import registry_of
from sentinels.core.ports import Login
from sentinels.services.registry_login import login_for

SCRIPTS = {
    ("python", "train.py"): "train.py",
    ("python3.11", "-u", "src/train.py", "--C=1"): "src/train.py",
    ("./run.sh",): "run.sh",
    ("bin/fit", "train.py"): "bin/fit",
    ("bash", "run.sh"): "run.sh",
    ("python", "-m", "train"): None,
    ("python", "-c", "print('a.py')"): None,
    ("python", "-W", "error", "train.py"): None,
    ("python", "$(SCRIPT).py"): None,
    ("python", "/opt/train.py"): None,
    ("python", "../train.py"): None,
    ("python",): None,
    ("accelerate", "train.py"): None,
    ("/usr/bin/env", "python"): None,
}


@pytest.mark.parametrize("command", SCRIPTS, ids=" ".join)
def test_only_a_file_below_the_directory_is_a_script(command: tuple[str, ...]) -> None:
    assert script_of(command) == SCRIPTS[command]


NAMES = {
    "ubuntu": ("docker.io", "library/ubuntu", "latest"),
    "team/train:1.4": ("docker.io", "team/train", "1.4"),
    "docker.io/ubuntu:24.04": ("docker.io", "library/ubuntu", "24.04"),
    "localhost/shell:1": ("localhost", "shell", "1"),
    "r.example:5000/a/b/c": ("r.example:5000", "a/b/c", "latest"),
    "r.example/a:1@sha256:" + "0" * 64: ("r.example", "a", "sha256:" + "0" * 64),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_means_a_registry_a_repository_and_a_tag(name: str) -> None:
    assert registry_of(name) == NAMES[name]


def test_the_login_for_the_longest_beginning_is_taken() -> None:
    logins = [Login(place, place, "x") for place in ("r.example", "r.example/team", "r.ex")]
    logins.append(Login("https://index.docker.io/v1/", "hub", "x"))
    for host, repository, user in (
        ("r.example", "team/one", "r.example/team"),
        ("r.example", "teams/one", "r.example"),
        ("docker.io", "library/ubuntu", "hub"),
    ):
        found = login_for(logins, host, repository)
        assert found is not None
        assert found.user == user
    assert login_for(logins, "r.example.evil.example", "team/one") is None
