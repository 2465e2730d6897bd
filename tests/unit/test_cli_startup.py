"""A command answers at once: nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sentinels.cli.main import COMMANDS

HEAVY = {
    "rich", "httpx", "requests", "yaml", "pydantic", "sqlalchemy", "psycopg", "alembic", "mlflow",
    "kubernetes", "slack_sdk", "cloudevents", "flask", "functions_framework", "psutil", "numpy",
}  # fmt: skip
PROBE = """
import atexit, sys
sys.argv = ["sentinels", *sys.argv[1:]]
atexit.register(lambda: print(*sorted({name.split(".")[0] for name in sys.modules}), sep=","))
from sentinels.cli.main import run
run()
"""


def run(*words: str, url: str = "http://127.0.0.1:9") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SENTINELS_URL": url, "SENTINELS_TOKEN": "none", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", [["--help"], ["status", "1"], ["queue"], ["logs", "1"]])
def test_nothing_heavy_is_imported_up_to_the_first_request(words: list[str]) -> None:
    loaded = set(run(*words).stdout.splitlines()[-1].split(","))
    assert "typer" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0, done.stderr
    if name != "db":
        assert f"Example:\n    {COMMANDS[name].example}" in done.stdout
    assert COMMANDS[name].example.startswith(f"sentinels {name}")


def test_a_command_that_is_none_is_answered_with_the_one_that_was_meant() -> None:
    done = run("stauts")
    assert done.returncode == 2
    assert "did you mean status?" in done.stderr
    assert "Traceback" not in done.stderr
