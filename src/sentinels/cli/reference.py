"""``docs/cli.md``, made from the commands themselves: ``python -m sentinels.cli.reference``.

Comes in: the table of commands. Goes out: Markdown on standard output; a test compares it with the
file. Before: ``main``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from typer.main import get_command
from typer.testing import CliRunner

from sentinels.cli.main import COMMANDS, app

_HEAD = """# The commands

Made by `python -m sentinels.cli.reference`; a test keeps it true. A job is named by its id, its
name, or the beginning of its name. Exit codes: 0 fine, 1 a job failed, 2 wrong input, 3 the
server's trouble, 4 not found, 5 not allowed.
"""


def reference() -> str:
    """The whole document."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    os.environ["COLUMNS"] = "100"
    command = get_command(app)
    runner = CliRunner()
    for name in COMMANDS:
        text = runner.invoke(app, [name, "--help"], prog_name=command.name or "sentinels").output
        yield f"## sentinels {name}\n\n```text\n{_cleaned(text)}\n```\n"


def _cleaned(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


if __name__ == "__main__":
    print(reference(), end="")
