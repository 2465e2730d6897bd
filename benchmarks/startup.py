"""How long a person waits for the command itself, before any network."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Result, at_most, interleaved, ms

_TYPER_HELLO = """
import typer
app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
@app.command()
def hello(name: str = "you") -> None:
    "Say hello."
    typer.echo(name)
app()
"""


def run() -> list[Result]:
    """Start-up ratios; `status` ends at its first request, which is refused at once."""
    with tempfile.TemporaryDirectory() as folder:
        hello = Path(folder) / "hello.py"
        hello.write_text(_TYPER_HELLO)
        sentinels = str(Path(sys.executable).with_name("sentinels"))
        times = interleaved(
            {
                "pass": _command(sys.executable, "-c", "pass"),
                "typer hello": _command(sys.executable, str(hello), "--help"),
                "help": _command(sentinels, "--help"),
                "status": _command(sentinels, "status", "1", url="http://127.0.0.1:9"),
            },
            rounds=25,
        )
    floor = f"python -c pass {ms(times['pass'])}, typer hello {ms(times['typer hello'])}"
    return [
        at_most(
            f"sentinels {what} against a typer hello",
            times[what] / times["typer hello"],
            1.2,
            f"{ms(times[what])}; {floor}",
        )
        for what in ("help", "status")
    ]


def _command(*words: str, url: str = "") -> Callable[[], object]:
    environment = {**os.environ, "SENTINELS_URL": url, "SENTINELS_TOKEN": "none"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run_once() -> object:
        return subprocess.run(words, env=environment, capture_output=True, check=False).returncode

    return run_once
