"""The command line itself: help, completion, pipes, characters, what is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sentinels.cli.main import COMMANDS
from tests.integration.test_cli_canned import Person, detail, person_at, piece

_WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Gone(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == {gone!r}:
            raise ModuleNotFoundError(f"No module named {{name}}", name=name)

sys.meta_path.insert(0, Gone())
from sentinels.cli.main import run
run()
"""


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """Somebody without a server."""
    return Person(tmp_path)


def test_help_shows_every_command_in_its_section(person: Person) -> None:
    said = person.type("--help")
    for name, command in COMMANDS.items():
        assert f"{command.section}:\n" in said.out
        assert f"  {name} " in said.out
        assert command.help in said.out
    assert (said.err, said.code) == ("", 0)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "db"])
def test_the_help_of_a_command_shows_an_example(person: Person, name: str) -> None:
    said = person.type(name, "-h")
    assert said.out.startswith(f"Usage: sentinels {name} ")
    assert said.out.endswith(f"Example:\n    {COMMANDS[name].example}\n")


def test_the_version_is_told(person: Person) -> None:
    assert person.type("--version").out.startswith("sentinels ")


def test_a_command_that_does_not_exist_leads_to_the_one_that_was_meant(person: Person) -> None:
    said = person.type("stauts", "12")
    assert said.err == "error: there is no command stauts\n  → did you mean status?\n"
    assert said.code == 2
    assert "see: sentinels --help" in person.type("xyzzy").err


def test_a_flag_that_does_not_exist_is_usage(person: Person) -> None:
    said = person.type("status", "--nope")
    assert "No such option: --nope" in said.err
    assert said.code == 2


@pytest.mark.parametrize(
    ("command", "gone", "message"),
    [
        ("up", "sentinels.local.home", None),
        ("db", "sqlalchemy", "needs the server's part (sqlalchemy is missing)"),
    ],
)
def test_a_command_whose_part_is_not_installed_says_how_to_install_it(
    person: Person, command: str, gone: str, message: str | None
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", _WITHOUT.format(gone=gone), command, "--help"],
        env=person.environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if message is None:  # our own module is missing: a broken installation, no missing part
        assert "ModuleNotFoundError" in said.stderr
        return
    assert message in said.stderr
    assert "pip install 'sentinels-ml[functions]'" in said.stderr
    assert said.returncode == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown_and_installed(person: Person, shell: str) -> None:
    said = person.type("--show-completion", shell)
    assert "_SENTINELS_COMPLETE" in said.out
    assert person.type("--install-completion", shell).code == 0
    assert any(path.is_file() for path in person.home.rglob("*sentinels*"))


def test_commands_and_flags_are_completed(person: Person) -> None:
    person.env = {"_SENTINELS_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    person.env["COMP_WORDS"] = "sentinels hi"
    assert person.type().out == "history\n"
    person.env |= {"COMP_WORDS": "sentinels push --retry-o", "COMP_CWORD": "2"}
    assert person.type().out == "--retry-oom\n"


def test_a_reader_that_goes_away_ends_a_command_quietly(tmp_path: Path) -> None:
    with person_at(tmp_path) as (person, canned):
        text = "".join(f"line {number}\n" for number in range(6000))
        pieces = [piece(text, len(text) * number) for number in range(20)]
        canned.on("GET /v1/jobs/12/logs", *pieces, piece("", ended=True))
        with person.start("logs", "12") as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == ""
            assert process.wait(30) == 0


def test_an_output_that_knows_no_unicode_gets_the_rest(tmp_path: Path) -> None:
    with person_at(tmp_path) as (person, canned):
        canned.on("GET /v1/jobs/12", detail(name="日本語"))
        person.env["PYTHONIOENCODING"] = "ascii"
        said = person.type("status", "12")
    assert said.out.startswith("job 12 ???  queued\n")
    assert said.code == 0
