"""The front door: what the README says to type is what continuous integration types."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make_commands(text: str) -> set[str]:
    """The ``make`` commands that stand on lines of their own, or guarded with ``||``."""
    return set(
        re.findall(r"^\s*(?:\$ )?(make [a-z]+)(?: \|\| failed=1)?\s*(?:#.*)?$", text, re.MULTILINE)
    )


def test_the_readmes_test_command_is_what_ci_runs() -> None:
    readme = make_commands((ROOT / "README.md").read_text())
    ci = make_commands((ROOT / ".ci" / "run").read_text())

    assert {"make demo", "make test"} <= readme
    assert {"make test", "make lint"} <= ci


def test_every_make_command_of_the_readme_is_a_target() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    ).stdout
    targets = set(re.findall(r"^\s+(make [a-z]+)", shown, re.MULTILINE))

    assert {"make demo", "make test", "make lint", "make bench", "make clean"} <= targets
    assert make_commands((ROOT / "README.md").read_text()) <= targets


def test_ci_can_be_run() -> None:
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=20)


def test_the_licence_is_the_apache_licence_in_full() -> None:
    text = (ROOT / "LICENSE").read_text()

    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.splitlines()) > 190
