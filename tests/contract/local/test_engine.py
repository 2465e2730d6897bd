"""Which engine answers, for how long that is believed, and what holds when it answers no more.

The engines here are scripts on PATH that answer as podman and docker do, or keep silent.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinels.clusters.local.engine import Engine, EngineFinder
from sentinels.clusters.local.images import LocalImageStore
from sentinels.core.errors import ClusterUnavailable, InvalidSubmission

ID = "4f" * 32
INFO_ONLY = "[ $1 = info ] && echo amd64"
DEAD = "echo 'Cannot connect to the engine' >&2; exit 1"


class Machine:
    """A PATH of one folder; an engine on it is a script."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked = folder / "asked"

    def install(self, name: str, script: str) -> None:
        """Put an engine there, or another one in its place."""
        program = self._folder / name
        program.write_text(f'#!/bin/sh\necho "$0 $1" >> "{self._asked}"\n{script}\n')
        program.chmod(0o755)

    @property
    def times_asked(self) -> int:
        return len(self._asked.read_text().splitlines()) if self._asked.exists() else 0


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return Machine(folder)


def test_without_an_engine_there_is_none(machine: Machine) -> None:
    assert EngineFinder()() is None


@pytest.mark.parametrize("name", ["podman", "docker"])
def test_a_command_without_an_engine_behind_it_is_no_engine(machine: Machine, name: str) -> None:
    machine.install(name, DEAD)
    assert EngineFinder()() is None
    machine.install(name, "exit 0")
    assert EngineFinder()() is None, "an old docker client says nothing, and that it went well"


def test_the_first_that_answers_is_taken(machine: Machine) -> None:
    machine.install("podman", DEAD)
    machine.install("docker", INFO_ONLY)
    assert EngineFinder()() == Engine("docker")
    machine.install("podman", INFO_ONLY)
    assert EngineFinder()() == Engine("podman")


def test_an_engine_that_starts_later_is_noticed_at_once(machine: Machine) -> None:
    find = EngineFinder()
    assert find() is None
    machine.install("podman", DEAD)
    assert find() is None
    machine.install("podman", INFO_ONLY)
    assert find() == Engine("podman")


def test_an_engine_that_answered_is_not_asked_again_for_a_while(machine: Machine) -> None:
    machine.install("podman", INFO_ONLY)
    find = EngineFinder(trusted_seconds=3600)
    assert {find() for _ in range(5)} == {Engine("podman")}
    assert machine.times_asked == 1


def test_an_engine_that_died_is_not_trusted_for_ever(machine: Machine) -> None:
    machine.install("podman", INFO_ONLY)
    find = EngineFinder(trusted_seconds=0)
    assert find() == Engine("podman")
    machine.install("podman", DEAD)
    assert find() is None
    machine.install("docker", INFO_ONLY)
    assert find() == Engine("docker")


def _store(folder: Path) -> LocalImageStore:
    return LocalImageStore(folder / "home", engine=lambda: Engine("podman"))


@pytest.mark.parametrize("told", [ID, f"sha256:{ID}"])
def test_an_image_is_pinned_by_its_id_whether_the_engine_writes_the_algorithm_or_not(
    machine: Machine, tmp_path: Path, told: str
) -> None:
    machine.install(
        "podman",
        f"""[ "$1 $2 $3" = 'image inspect team/train:1' ] &&
        echo '[{{"Id": "{told}"}}]'""",
    )
    image = _store(tmp_path).resolve("team/train:1")
    assert (image.digest, image.location) == (f"sha256:{ID}", ID)


def test_an_image_that_the_engine_does_not_have_is_the_users_fault(
    machine: Machine, tmp_path: Path
) -> None:
    machine.install("podman", f"{INFO_ONLY} || {{ echo '[]'; exit 1; }}")
    with pytest.raises(InvalidSubmission, match="no such image") as caught:
        _store(tmp_path).resolve("team/train:1")
    assert "podman pull team/train:1" in str(caught.value.faults[0].remedy)


def test_an_engine_that_died_since_is_not_taken_for_a_missing_image(
    machine: Machine, tmp_path: Path
) -> None:
    machine.install("podman", DEAD)
    with pytest.raises(ClusterUnavailable, match="podman does not answer any more") as caught:
        _store(tmp_path).resolve("team/train:1")
    assert caught.value.remedy == "start podman again"


def test_an_engine_that_does_not_say_which_image_it_is_is_not_believed(
    machine: Machine, tmp_path: Path
) -> None:
    machine.install("podman", "echo '[{}]'")
    with pytest.raises(ClusterUnavailable, match="does not say what team/train:1 is"):
        _store(tmp_path).resolve("team/train:1")
